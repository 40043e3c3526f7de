"""The audit of the street collection, on made-up annotations, and checks that the committed tables agree with it."""

import hashlib
import re

import pandas as pd
import pytest
from conftest import ROOT

from maskdet_utils import datasets, street
from tools import audit_street
from tools.audit_public import markdown

TABLE = street.read_table()
FILES = street.read_files()
CORRECTIONS = audit_street.read_corrections()


def faces(**widths):
    rows = [
        [photo, number, 10, 20, width, 30, "mask_weared_incorrect"]
        for photo, all_of in widths.items()
        for number, width in enumerate(all_of)
    ]
    return pd.DataFrame(rows, columns=["photo", "face", "x", "y", "width", "height", "published"])


def corrected(annotated, *rows):
    table = pd.DataFrame(rows, columns=["photo", "face", "label", "reason"]).astype({"face": "Int64"})
    return audit_street.audit(annotated, table).set_index(["photo", "face"])


def test_a_correction_changes_one_face_and_a_small_face_is_left_out():
    table = corrected(
        faces(a=[30, 30, 15, 30]),
        ["a", 0, "with_mask", "nose and mouth are covered"],
        ["a", 1, "leave out", "no face"],
        ["a", 3, "worn_incorrectly", "unsure"],
    )
    assert list(table["label"]) == ["with_mask", *["worn_incorrectly"] * 3]
    assert list(table["exclude"]) == ["", "no face", "too small", ""]
    assert list(table["remark"]) == ["nose and mouth are covered", "", "", "unsure"]


def test_a_correction_of_a_photo_holds_for_all_its_faces():
    table = corrected(
        faces(a=[30, 30], b=[30]), ["a", None, "leave out", "copy of b"], ["b", None, "keep", "in the public data set"]
    )
    assert (
        list(table["exclude"]) == ["copy of b", "copy of b", ""] and table["remark"].iloc[2] == "in the public data set"
    )
    assert set(table["label"]) == {"worn_incorrectly"}


def test_scenes_and_people_link_photos_to_one_group():
    table = corrected(
        faces(a=[30], b=[30], c=[30], d=[30]), ["c", None, "same scene", "b"], ["d", None, "same person", "c"]
    )
    assert list(table["group"]) == ["a", "b", "b", "b"]


def test_a_correction_of_what_is_not_there_is_refused():
    with pytest.raises(datasets.DataError, match="a, face 1, z"):
        corrected(faces(a=[30]), ["a", 1, "with_mask", "x"], ["a", None, "same scene", "z"])


def test_annotations_are_read_with_their_numbers_and_boxes(tmp_path):
    one = "<object><name>{}</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>11</xmax><ymax>22</ymax></bndbox></object>"
    objects = "".join(map(one.format, ("with_mask", "without_mask")))
    size = "<size><width>40</width><height>30</height></size>"
    (tmp_path / "p.xml").write_text(f"<annotation>{size}{objects}</annotation>")
    found, photos = audit_street.read_annotations(tmp_path)
    assert found.to_numpy().tolist() == [["p", 0, 1, 2, 10, 20, "with_mask"], ["p", 1, 1, 2, 10, 20, "without_mask"]]
    assert photos.to_numpy().tolist() == [["p", 40, 30]]


# What is committed


def test_the_committed_tables_are_complete_and_well_formed():
    assert len(TABLE) == 4072 and len(FILES) == 853 and set(TABLE["photo"]) == set(FILES["photo"])
    assert not TABLE.duplicated(["photo", "face"]).any() and FILES["photo"].is_unique
    for column in ("sha256", "jpeg_sha256"):
        assert FILES[column].str.fullmatch("[0-9a-f]{64}").all()
    repeated = FILES.loc[FILES["sha256"].duplicated(), "photo"]
    assert TABLE.loc[TABLE["photo"].isin(repeated), "exclude"].ne("").all() and len(repeated) == 5
    assert set(TABLE["label"]) == set(audit_street.LABELS.values()) and set(TABLE["group"]) <= set(TABLE["photo"])
    sizes = TABLE.merge(FILES, on="photo")
    assert (TABLE[["width", "height"]].min(axis=1) > 0).all() and (sizes["x"] < sizes["width_y"]).all()


def test_no_face_is_used_that_is_in_the_test_or_validation_set_of_the_public_data_set():
    public = pd.read_csv(ROOT / "data" / "public.csv", keep_default_na=False).set_index("path")
    named = CORRECTIONS[CORRECTIONS["reason"].str.contains("public data set")]
    for one in named.itertuples():
        split, path = re.fullmatch(r"in the public data set's (\w+) set: (.+)", one.reason).groups()
        assert public.loc[path, "split"] == {"training": "train"}.get(split, split)
        assert (one.label == audit_street.KEEP) == (split == "training")
    assert len(named) == 19


def test_the_datasheet_has_the_counts():
    datasheet = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    for counts in (audit_street.counts(TABLE), audit_street.findings(TABLE)):
        assert markdown(counts, "faces") in datasheet, "python -m tools.audit_street prints the tables"
    used = TABLE[TABLE["exclude"] == ""]
    two = used["group"].isin(used.drop_duplicates("photo")["group"].value_counts().index[:2])
    bare = used["label"] == "without_mask"
    for number in (
        f"{two.sum()} photos",
        f"{(two & bare).sum()} bare faces",
        f"{used['photo'].nunique()} photos",
        f"{used['group'].nunique()} groups",
    ):
        assert number in datasheet, number


def test_the_committed_tables_are_what_the_audit_returns(shared):
    folder = shared / "datasets" / "street"
    published = pd.read_csv(folder / "files.csv").set_index("path")["sha256"]
    for file in (folder / "annotations").iterdir():
        assert hashlib.sha256(file.read_bytes()).hexdigest() == published[f"data/xml/{file.name}"]
    annotated, photos = audit_street.read_annotations(folder / "annotations")
    assert audit_street.audit(annotated, CORRECTIONS).equals(TABLE)
    assert audit_street.list_files(folder, photos).equals(FILES)


def test_the_copies_that_we_developed_with_can_be_fetched(shared, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MASKDET_CACHE", str(tmp_path / "cache"))
    folder = street.fetch(shared / "datasets" / "street" / "photos", tmp_path / "street")
    used = TABLE[TABLE["exclude"] == ""]
    kept = pd.read_csv(folder / street.FACES, keep_default_na=False)
    assert list(kept["label"]) == list(used["label"]) and list(kept["group"]) == list(used["group"])
    assert f"{used['photo'].nunique()} photos were JPEG copies" in capsys.readouterr().err
