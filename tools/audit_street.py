"""Audit the street collection: apply our corrections to its published annotations.

`python -m tools.audit_street` reads the annotations and `data/street-corrections.csv`, and rewrites `data/street.csv`
and `data/street-files.csv`.
"""

import argparse
import hashlib
import sys
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd

from maskdet_utils import datasets, street
from maskdet_utils.layouts import WORN_WRONG
from maskdet_utils.paths import resolve, write_file
from tools.audit_public import join, markdown

CORRECTIONS = "data/street-corrections.csv"
SHARED = "../shared/datasets/street"
SMALLEST_FACE = 16  # pixels of the shorter side; nobody can tell what a smaller face wears
LABELS = {"with_mask": "with_mask", "without_mask": "without_mask", "mask_weared_incorrect": WORN_WRONG}
LEAVE_OUT, SAME_SCENE, SAME_PERSON, KEEP = "leave out", "same scene", "same person", "keep"  # instead of a label
UNSURE = "unsure"  # the reason if a label stays as published, although it may be wrong


def read_corrections() -> pd.DataFrame:
    """Read what somebody saw: `photo`, `face` (missing if it is about the whole photo), `label`, and `reason`.

    `label` is the right label, or `LEAVE_OUT`. For a whole photo, it is `LEAVE_OUT`, `KEEP` (the reason is a remark),
    or `SAME_SCENE` or `SAME_PERSON` (the reason is the name of the other photo).
    """
    return pd.read_csv(resolve(CORRECTIONS), dtype={"face": "Int64"}, keep_default_na=False, na_values={"face": [""]})


def read_annotations(folder) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the annotations as published (Pascal VOC, one XML file per photo).

    Args:
        folder: The folder of the XML files.

    Returns:
        Two tables: the faces (`photo`, `face`, which counts from 0 in the order of the XML file, `x`, `y`, `width`, and
        `height` in pixels, and `published`, the label), and the photos (`photo`, `width`, `height`).
    """
    faces, photos = [], []
    for file in sorted(Path(folder).glob("*.xml")):
        root = ElementTree.parse(file).getroot()
        photos.append([file.stem, int(root.findtext("size/width")), int(root.findtext("size/height"))])
        for number, face in enumerate(root.findall("object")):
            left, top, right, bottom = (
                int(face.findtext(f"bndbox/{name}")) for name in ("xmin", "ymin", "xmax", "ymax")
            )
            faces.append([file.stem, number, left, top, right - left, bottom - top, face.findtext("name")])
    columns = ["photo", "face", "x", "y", "width", "height", "published"]
    return pd.DataFrame(faces, columns=columns), pd.DataFrame(photos, columns=["photo", "width", "height"])


def audit(faces: pd.DataFrame, corrections: pd.DataFrame) -> pd.DataFrame:
    """Give each face its label, the reason if it is not used, a remark, and a group.

    Args:
        faces: See `read_annotations`.
        corrections: See `read_corrections`.

    Returns:
        The table of the faces, see `street.read_table`.

    Raises:
        DataError: A correction names a photo or a face that is not there.
    """
    whole = corrections["face"].isna()
    single, by_photo = corrections[~whole], corrections[whole]
    others = by_photo.loc[by_photo["label"].isin([SAME_SCENE, SAME_PERSON]), "reason"]
    known = set(zip(faces["photo"], faces["face"], strict=True))
    unknown = [f"{one.photo}, face {one.face}" for one in single.itertuples() if (one.photo, one.face) not in known]
    unknown += sorted({*by_photo["photo"], *others} - set(faces["photo"]))
    if unknown:
        raise datasets.DataError(f"{CORRECTIONS} names what is not in the annotations: {', '.join(unknown)}.")

    table = faces.assign(label=faces["published"].map(LABELS), exclude="", remark="")
    for one in corrections.itertuples():
        rows = table["photo"] == one.photo
        if not pd.isna(one.face):
            rows &= table["face"] == one.face
        if one.label == LEAVE_OUT:
            table.loc[rows, "exclude"] = one.reason
        elif one.label not in (SAME_SCENE, SAME_PERSON):
            table.loc[rows, "remark"] = one.reason
            if one.label != KEEP:
                table.loc[rows, "label"] = one.label
    table.loc[table[["width", "height"]].min(axis=1) < SMALLEST_FACE, "exclude"] = "too small"
    table["group"] = table["photo"].map(_groups(faces["photo"].unique(), by_photo))
    return table


def _groups(photos, by_photo: pd.DataFrame) -> dict[str, str]:
    """The name of each photo's group: that of the first photo with the same scene or the same person."""
    links = by_photo[by_photo["label"].isin([SAME_SCENE, SAME_PERSON])]
    number = {photo: place for place, photo in enumerate(photos)}
    ends = [number[photo] for column in ("photo", "reason") for photo in links[column]]
    numbers = join((range(len(photos)), range(len(photos))), (ends, [*range(len(links))] * 2))
    first = pd.Series(photos).groupby(numbers).min()
    return dict(zip(photos, first[numbers], strict=True))


def list_files(folder, photos: pd.DataFrame) -> pd.DataFrame:
    """List the photos with their sizes and checksums, see `street.read_files`.

    Args:
        folder: The folder with `files.csv` (the published files) and `photos/` (JPEG copies of the photos).
        photos: See `read_annotations`.
    """
    published = pd.read_csv(Path(folder) / "files.csv").set_index("path").loc["data/images/" + photos["photo"] + ".png"]
    copies = [Path(folder) / "photos" / f"{photo}.jpg" for photo in photos["photo"]]
    return photos.assign(
        bytes=published["bytes"].to_numpy(),
        sha256=published["sha256"].to_numpy(),
        jpeg_sha256=[hashlib.sha256(copy.read_bytes()).hexdigest() for copy in copies],
    )


# Tables to print


def counts(table: pd.DataFrame) -> pd.DataFrame:
    """Count the faces of each label: as published, large enough, and used."""
    published = table["published"].map(LABELS)
    large, used = table["exclude"] != "too small", table["exclude"] == ""
    rows = {
        "as published": published,
        f"at least {SMALLEST_FACE} pixels": published[large],
        "used, with the label after the audit": table["label"][used],
    }
    found = pd.DataFrame({name: labels.value_counts() for name, labels in rows.items()}).T[list(LABELS.values())]
    return found.assign(all=found.sum(axis=1)).rename_axis(columns=None)


def findings(table: pd.DataFrame) -> pd.DataFrame:
    """Count what the audit found, by published label."""
    published = table["published"].map(LABELS)
    reason = table["exclude"].str.replace(r"^(copy of|in the public data set).*", r"\1 …", regex=True)
    found = {
        "wrong label": (table["label"] != published) & (table["exclude"] == ""),
        "unsure, label kept": table["remark"] == UNSURE,
        **{f"left out: {name}": reason == name for name in sorted(set(reason) - {"", "too small"})},
        f"left out: too small (shorter side below {SMALLEST_FACE} pixels)": reason == "too small",
    }
    rows = pd.DataFrame({what: published[here].value_counts() for what, here in found.items()}).T
    return rows.reindex(columns=list(LABELS.values())).fillna(0).astype(int).rename_axis(columns=None)


def main(arguments: list[str] | None = None) -> int:
    """Make both tables and print the counts. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.audit_street", description=__doc__)
    parser.add_argument("folder", nargs="?", default=SHARED, help=f"annotations, photos, files.csv (default: {SHARED})")
    folder = resolve(parser.parse_args(arguments).folder)
    if not (folder / "annotations").is_dir():
        parser.error(f"{folder} has no folder annotations. Give the folder of the street collection.")
    faces, photos = read_annotations(folder / "annotations")
    table = audit(faces, read_corrections())
    for file, content in ((street.TABLE, table), (street.FILES, list_files(folder, photos))):
        write_file(resolve(file), content.to_csv(index=False, lineterminator="\n").encode("utf-8"))
    print(markdown(counts(table), "faces"), markdown(findings(table), "faces"), sep="\n\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
