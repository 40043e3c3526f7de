"""The audit of the public data set, on made-up photos, and a check that the committed manifest agrees with it."""

import shutil

import cv2
import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

from maskdet_utils import audit, datasets, public
from maskdet_utils.faces import Face
from tools import audit_public

TABLE = pd.read_csv(ROOT / "data" / "public.csv", keep_default_na=False, na_values={"faces": [""]})
JUDGED = pd.read_csv(ROOT / "data" / "public_judged.csv", keep_default_na=False)


def no_faces(paths):
    return pd.DataFrame({"path": list(paths)}).reindex(columns=audit_public.COLUMNS)


@pytest.fixture
def data_set(tmp_path, write_photo):
    """A folder of made-up photos with everything that the audit looks for, and their table."""
    folder = tmp_path / "photos"
    for label in ("with_mask", "without_mask"):
        for number in range(20):
            write_photo(folder / label / f"{number:02d}.png")
    photo = cv2.imread(str(folder / "without_mask" / "00.png"))
    cv2.imwrite(str(folder / "without_mask" / "augmented_image_1.png"), photo[:, ::-1])  # mirrored
    cv2.imwrite(str(folder / "without_mask" / "zoomed.png"), cv2.resize(photo, (150, 150)))
    shutil.copy(folder / "with_mask" / "03.png", folder / "with_mask" / "03 copy.png")
    for number in (1, 2, 3):
        write_photo(folder / "without_mask" / f"{number % 2}_0_anna_000{number}.jpg")
    paths = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*"))
    contents = [(folder / path).read_bytes() for path in paths]
    table = pd.DataFrame({"path": paths, "blob": map(public.blob_hash, contents), "bytes": map(len, contents)})
    return folder, table.assign(label=table["path"].str.split("/").str[0])


@pytest.fixture
def nothing_judged():
    return JUDGED.iloc[:0]


def by_path(table):
    return table.set_index("path").to_dict("index")


def test_copies_and_people_are_one_group_and_surplus_files_are_excluded(data_set, nothing_judged):
    folder, table = data_set
    found = audit_public.audit(folder, table, no_faces(table["path"]), nothing_judged)
    row = by_path(found)
    assert row["with_mask/03.png"]["exclude"] == "exact copy"
    assert row["with_mask/03.png"]["copy_of"] == "with_mask/03 copy.png"
    assert row["with_mask/03 copy.png"]["exclude"] == row["with_mask/03 copy.png"]["copy_of"] == ""
    augmented, zoomed, first = (
        row[f"without_mask/{name}"] for name in ("augmented_image_1.png", "zoomed.png", "00.png")
    )
    assert augmented["exclude"] == "ready-made augmentation" and zoomed["exclude"] == first["exclude"] == ""
    assert augmented["copy_of"] == zoomed["copy_of"] == "without_mask/00.png"
    assert augmented["group"] == zoomed["group"] == first["group"]
    anna = {row[f"without_mask/{number % 2}_0_anna_000{number}.jpg"]["group"] for number in (1, 2, 3)}
    assert len(anna) == 1
    assert found["group"].nunique() == len(found) - 1 - 2 - 2
    assert (found.groupby("group")["split"].nunique() == 1).all()
    assert found["path"].is_monotonic_increasing and list(found.columns) == list(TABLE.columns)


def test_another_crop_of_a_face_is_a_copy_though_the_photos_differ(data_set, nothing_judged, photo, detector):
    folder, table = data_set
    face = detector.detect(photo)[0]
    wide = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    turn = cv2.getRotationMatrix2D((46, 56), 15, 1.5)
    turned = cv2.warpAffine(photo, turn, (190, 190), borderMode=cv2.BORDER_REPLICATE)
    wide[100:290, 100:290] = turned
    rows = []
    for name, pixels, points in (
        ("with_mask/00.png", photo, face.landmarks),
        ("with_mask/01.png", wide, face.landmarks @ turn[:, :2].T + turn[:, 2] + 100),
    ):
        cv2.imwrite(str(folder / name), pixels[..., ::-1])
        rows.append([name, 10, 10, 60, 60, 0.9, *points.ravel()])
    faces = pd.concat([no_faces(table["path"][2:]), pd.DataFrame(rows, columns=audit_public.COLUMNS)])
    row = by_path(audit_public.audit(folder, table, faces, nothing_judged))
    assert row["with_mask/01.png"]["copy_of"] == "with_mask/00.png"
    tiny = faces.assign(width=20, height=20)
    row = by_path(audit_public.audit(folder, table, tiny, nothing_judged))
    assert row["with_mask/01.png"]["copy_of"] == "", "faces of a few pixels all look alike"


def test_for_a_missing_file_only_its_name_and_content_hash_are_used(data_set, nothing_judged):
    folder, table = data_set
    gone = ["with_mask/05.png", "with_mask/03.png", "without_mask/1_0_anna_0001.jpg"]
    for path in gone:
        (folder / path).unlink()
    here = sorted(set(table["path"]) - set(gone))
    found = audit_public.audit(folder, table, no_faces(here), nothing_judged)
    row = by_path(found)
    assert [row[path]["exclude"] for path in gone] == ["not looked at", "exact copy", "not looked at"]
    assert row[gone[2]]["group"] == row["without_mask/0_0_anna_0002.jpg"]["group"]
    assert list(found.loc[found["faces"].isna(), "path"]) == sorted(gone)


def test_a_judgment_by_eye_also_holds_for_exact_copies(data_set):
    folder, table = data_set
    judged = pd.DataFrame(
        [["with_mask/03.png", "wrong label", "no mask"], ["without_mask/07.png", "", "a beard"]], columns=JUDGED.columns
    )
    row = by_path(audit_public.audit(folder, table, no_faces(table["path"]), judged))
    assert (
        row["with_mask/03 copy.png"]["exclude"] == "wrong label" and row["with_mask/03.png"]["exclude"] == "exact copy"
    )
    assert row["without_mask/07.png"]["exclude"] == "" and row["without_mask/07.png"]["remark"] == "a beard"
    judged.loc[0, "path"] = "with_mask/gone.png"
    with pytest.raises(datasets.DataError, match=r"not in data/public.csv: with_mask/gone.png\."):
        audit_public.audit(folder, table, no_faces(table["path"]), judged)


def test_large_faces_are_counted(data_set, nothing_judged):
    folder, table = data_set
    faces = no_faces(table["path"]).assign(order=range(len(table)))
    several = pd.DataFrame(
        [[table["path"][0], 0, 0, 20, height, 0.9, *[5.0] * 10] for height in (20, 11, 9)], columns=audit_public.COLUMNS
    )
    found = audit_public.audit(folder, table, pd.concat([faces[1:], several])[audit_public.COLUMNS], nothing_judged)
    assert list(found["faces"][:3]) == [2, 0, 0]


def test_rows_are_joined_by_any_shared_label():
    joined = audit_public.join(([0, 1, 2, 3, 4, 5], list("aabcde")), ([1, 3], ["x", "x"]), ([4, 4, 5], [7, 8, 8]))
    assert joined[0] == joined[1] == joined[3] and joined[4] == joined[5]
    assert len({joined[0], joined[2], joined[4]}) == 3


def test_an_aligned_face_is_the_template_itself_at_any_size_and_angle(photo):
    large = cv2.resize(photo, (112, 112))
    assert np.array_equal(audit_public.align(large, audit_public.TEMPLATE), large)
    for angle, scale in ((0, 2.0), (25, 1.0), (-60, 1.7)):
        move = cv2.getRotationMatrix2D((56, 56), angle, scale) + [[0, 0, 80], [0, 0, 90]]
        moved = cv2.warpAffine(large, move, (300, 300), borderMode=cv2.BORDER_REPLICATE)
        aligned = audit_public.align(moved, audit_public.TEMPLATE @ move[:, :2].T + move[:, 2])
        assert aligned.shape == (round(112 * scale), round(112 * scale), 3)
        inner = [cv2.resize(one, (112, 112), interpolation=cv2.INTER_AREA)[20:-20, 20:-20] for one in (aligned, large)]
        assert np.abs(inner[0].astype(int) - inner[1]).mean() < 8


class FakeDetector:
    """Find one face in photos that are wider than high, and none in others. Stop after `left` photos."""

    left = 100

    def detect(self, photo):
        if FakeDetector.left == 0:
            raise KeyboardInterrupt
        FakeDetector.left -= 1
        height, width = photo.shape[:2]
        return [Face((1.26, 2, 30, 40), 0.98765, np.arange(10.0).reshape(5, 2))] if width > height else []


def test_an_interrupted_search_for_faces_resumes_where_it_stopped(tmp_path, write_photo, monkeypatch):
    monkeypatch.setattr(audit_public, "CenterFace", FakeDetector)
    monkeypatch.setattr(FakeDetector, "left", 3)
    paths = [f"{number}.png" for number in range(6)]
    for number, path in enumerate(paths):
        write_photo(tmp_path / path, np.zeros((50, 40 + 20 * (number % 2), 3), np.uint8))
    cache, nothing = tmp_path / "build" / "faces.csv", no_faces([])
    with pytest.raises(KeyboardInterrupt):
        audit_public.find_faces(tmp_path, paths, nothing, cache)
    monkeypatch.setattr(FakeDetector, "left", 3)
    faces = audit_public.find_faces(tmp_path, paths, nothing, cache)
    assert list(faces["path"]) == paths and list(faces["x"].notna()) == [False, True] * 3
    assert list(faces.iloc[1])[1:8] == [1.3, 2, 30, 40, 0.988, 0, 1]
    cache.unlink()
    assert audit_public.find_faces(tmp_path, paths[2:], faces, cache)["path"].tolist() == paths[2:], "nothing to search"


def test_a_leak_is_counted_by_copies_and_by_people():
    rows = [
        {"path": f"{label}/{person}_{copy}", "label": label, "group": person, "copy_of": "", "faces": 1}
        for label in "ab"
        for person in range(50)
        for copy in range(2)
    ]
    table = pd.DataFrame(rows)
    table.loc[table["label"] == "a", "copy_of"] = [f"a/{n // 2}_0" if n % 2 else "" for n in range(100)]
    table["group"] = table["label"] + table["group"].astype(str)
    shares = audit.leak(table)
    # The copy of a test photo is in the training set with probability 160/199; only those of class a are copies.
    assert shares["the same person or a copy"] == pytest.approx(160 / 199, abs=0.08)
    assert shares["a copy"] == pytest.approx(80 / 199, abs=0.08)


# What is committed


def test_the_committed_manifest_is_complete_and_well_formed():
    assert len(TABLE) == 4095 and TABLE["path"].is_unique and TABLE["path"].is_monotonic_increasing
    assert TABLE["blob"].str.fullmatch(r"[0-9a-f]{40}").all() and TABLE["bytes"].between(500, 10_000_000).all()
    assert (TABLE["label"] == TABLE["path"].str.split("/").str[0]).all()
    assert TABLE["label"].value_counts().to_dict() == {"with_mask": 2165, "without_mask": 1930}
    assert not TABLE["path"].str.contains(r'[\\:*?"<>|]|\.\.').any(), "fit for every file system"
    assert set(TABLE["copy_of"]) - {""} <= set(TABLE["path"])
    assert set(JUDGED["path"]) <= set(TABLE["path"]) and JUDGED["path"].is_unique


def test_the_committed_split_is_disjoint_by_group_content_and_person_and_stratified():
    for key in (TABLE["group"], TABLE["blob"], TABLE["path"].str.extract(audit.NAMED)[0]):
        assert (TABLE.groupby(key)["split"].nunique() == 1).all()
    copies = TABLE[TABLE["copy_of"] != ""]
    first = TABLE.set_index("path").loc[copies["copy_of"]]
    assert (copies["group"].to_numpy() == first["group"].to_numpy()).all()
    used = TABLE[TABLE["exclude"] == ""]
    assert not used["blob"].duplicated().any()
    share = used["split"].value_counts(normalize=True)
    assert share["test"] == pytest.approx(0.2, abs=0.01) and share["validation"] == pytest.approx(0.16, abs=0.01)
    masked = (used["label"] == "with_mask").groupby(used["split"]).mean()
    assert masked.max() - masked.min() < 0.02


def test_exclusions_have_a_reason_that_the_datasheet_names_and_counts():
    datasheet = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    reasons = set(TABLE["exclude"]) - {""}
    assert reasons == {"exact copy", "ready-made augmentation", "wrong label", "no human face", "not looked at"}
    for counts, corner in (
        (audit.findings(TABLE), "files"),
        (audit_public.exclusions(TABLE), "not used, because"),
        (audit.overview(TABLE), "set"),
    ):
        assert audit_public.markdown(counts, corner) in datasheet, "python -m tools.audit_public prints the tables"
    for what, share in audit.leak(TABLE).items():
        assert f"{share:.1%}" in datasheet, what
    worn_wrong = JUDGED["remark"].str.startswith(public.REMARK_WORN_WRONG)
    assert f"{worn_wrong.sum()} masks worn incorrectly" in datasheet


def test_the_committed_manifest_is_what_the_audit_returns(public_photos):
    faces = pd.read_csv(ROOT / "data" / "public_faces.csv")
    again = audit_public.audit(public_photos, TABLE[["path", "blob", "bytes", "label"]], faces, JUDGED)
    differing = [name for name in again if not again[name].fillna(-1).eq(TABLE[name].fillna(-1)).all()]
    assert not differing


def test_the_committed_faces_are_what_the_detector_finds(public_photos, tmp_path):
    """Only 50 of the 4,000 photos are checked, because all of them would take minutes."""
    faces = pd.read_csv(ROOT / "data" / "public_faces.csv")
    paths = sorted(set(faces["path"]))[::80]
    again = audit_public.find_faces(public_photos, paths, faces.iloc[:0], tmp_path / "faces.csv")
    known = faces[faces["path"].isin(paths)].reset_index(drop=True)
    assert list(again["path"]) == list(known["path"])
    assert np.allclose(again[audit_public.COLUMNS[1:]], known[audit_public.COLUMNS[1:]], atol=1.5, equal_nan=True)
