"""Audit the public data set: find copies, people, crowds, and wrong labels, and split it with all of this in mind.

`python -m tools.audit_public` checks every photo in `data/public/` and rewrites `data/public.csv`.
"""

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from maskdet_utils import datasets, public
from maskdet_utils.audit import NAMED, READY_MADE, findings, leak, overview
from maskdet_utils.faces import CenterFace
from maskdet_utils.paths import resolve, write_file
from maskdet_utils.photos import PhotoError, read_photo

FACES = "data/public_faces.csv"
JUDGED = "data/public_judged.csv"
CACHE = "build/public_faces.csv"  # lets an interrupted search for faces resume

# Only large faces make a photo a crowd: those at least half as tall as the tallest face.
LARGE_FACE = 0.5
SMALLEST_FACE = 24  # pixels of a face's longer side; the hashes of smaller faces are alike even for strangers
# We align two faces at the eyes, nose, and mouth and compare their 256-bit difference hashes. If at most this many bits
# differ, we treat the photos as crops, rotated copies, or blurred copies of one photo. We chose the limit by eye,
# leaving out ready-made augmentations and copies of whole photos: of the 51 pairs with at most 36 bits, 1 shows two
# people; of the 27 pairs with 37 to 40 bits, 10 do.
SAME_FACE_BITS = 36
LANDMARKS = ["right_eye", "left_eye", "nose", "right_mouth", "left_mouth"]
COLUMNS = ["path", "x", "y", "width", "height", "score", *(f"{name}_{axis}" for name in LANDMARKS for axis in "xy")]
# Landmarks of an aligned face in 112 × 112 pixels, from ArcFace (Deng et al., 2019, arXiv:1801.07698; published code).
TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
TEMPLATE_SIDE = 112


def read_faces() -> pd.DataFrame:
    """Read the faces that CenterFace found in the public data set.

    Returns:
        One row per face, sorted by photo: `path`, the box (`x`, `y`, `width`, `height`), `score`, and the five
        landmarks, all in pixels of the photo as `photos.read_photo` returns it. A photo without a face has one row with
        only its path. The table is empty if no search has been run yet.
    """
    file = resolve(FACES)
    return pd.read_csv(file) if file.is_file() else pd.DataFrame(columns=COLUMNS)


def find_faces(folder, paths, known: pd.DataFrame, cache=CACHE) -> pd.DataFrame:
    """Find the faces in all photos that have not been searched yet.

    This takes about 70 ms per photo on two cores. What is found is written to the cache at once, so that an interrupted
    search resumes from there.

    Args:
        folder: The unpacked data set.
        paths: The photos, relative to `folder`.
        known: The faces of an earlier search, see `read_faces`.
        cache: The file for the faces that are new.

    Returns:
        A table like `known` for exactly these `paths`.

    Raises:
        PhotoError: A photo cannot be read.
    """
    from tqdm.auto import tqdm

    cache = resolve(cache)
    tables = [known, pd.read_csv(cache)] if cache.is_file() else [known]
    missing = sorted(set(paths) - {path for table in tables for path in table["path"]})
    detector = CenterFace() if missing else None
    cache.parent.mkdir(parents=True, exist_ok=True)
    for path in tqdm(missing, desc="looking for faces", unit="photo", leave=False):
        try:
            found = detector.detect(read_photo(Path(folder) / path))
        except PhotoError as error:
            raise PhotoError(f"{Path(folder) / path}: {error}") from None
        rows = [[path, *face.box, face.score, *face.landmarks.ravel()] for face in found]
        new = pd.DataFrame(rows or [[path, *[np.nan] * (len(COLUMNS) - 1)]], columns=COLUMNS)
        new = new.round({name: 3 if name == "score" else 1 for name in COLUMNS[1:]})
        new.to_csv(cache, mode="a", header=not cache.is_file(), index=False)
    if missing:
        tables = [known, pd.read_csv(cache)]
    faces = pd.concat([table for table in tables if len(table)])
    return faces[faces["path"].isin(set(paths))].drop_duplicates().sort_values("path", kind="stable", ignore_index=True)


def align(photo: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Cut out a face and rotate it upright, so that its landmarks lie where ArcFace expects them.

    The crop keeps the scale of the photo. We fit rotation, scale, and shift by least squares (Umeyama, 1991) and
    calculate with complex numbers.

    Args:
        photo: RGB uint8 `(height, width, 3)`.
        landmarks: Float `(5, 2)`, see `faces.Face`.

    Returns:
        RGB uint8 `(side, side, 3)`. Beyond the edge of the photo, its last row or column is repeated.
    """
    found, template = landmarks[:, 0] + 1j * landmarks[:, 1], TEMPLATE[:, 0] + 1j * TEMPLATE[:, 1]
    centered = found - found.mean()
    factor = np.vdot(centered, template - template.mean()) / np.vdot(centered, centered)
    scale = abs(factor)
    rotation = factor / scale
    shift = template.mean() / scale - rotation * found.mean()
    matrix = np.array([[rotation.real, -rotation.imag, shift.real], [rotation.imag, rotation.real, shift.imag]])
    side = max(1, round(TEMPLATE_SIDE / scale))
    return cv2.warpAffine(photo, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def join(*labelings) -> np.ndarray:
    """Group the rows that belong together because they share a label in at least one labeling.

    Args:
        labelings: Pairs of row numbers and their labels. A row may be missing or appear several times.

    Returns:
        The number of each row's group, int `(n,)`.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    n = 1 + max(int(np.max(rows)) for rows, _ in labelings if len(rows))
    edges, size = [], n  # the graph has a node for each row and one for each label
    for rows, labels in labelings:
        codes, names = pd.factorize(np.asarray(labels))
        edges.append(np.stack([np.asarray(rows, dtype=int), size + codes]))
        size += len(names)
    first, second = np.concatenate(edges, axis=1)
    return connected_components(coo_matrix((np.ones(len(first)), (first, second)), shape=(size, size)), directed=False)[
        1
    ][:n]


def audit(folder, table: pd.DataFrame, faces: pd.DataFrame, judged: pd.DataFrame) -> pd.DataFrame:
    """Audit every photo: find its copies and its group, decide whether to use it, and split the photos.

    Args:
        folder: The unpacked data set. If a file is not there, only its name and blob hash are used.
        table: One row per file: `path`, `blob`, `bytes`, `label`.
        faces: The faces of the photos in the folder, see `find_faces`.
        judged: What we saw by eye: `path`, `exclude`, `remark`.

    Returns:
        The manifest, see `public.read_table`.

    Raises:
        DataError: `judged` names a file that is not in `table`.
    """
    table = table.sort_values("path", ignore_index=True)[["path", "blob", "bytes", "label"]]
    names = table["path"].str.split("/").str[1]
    ready_made = names.str.contains(READY_MADE)
    here = np.array([(Path(folder) / path).is_file() for path in table["path"]])
    large = faces["height"] >= LARGE_FACE * faces.groupby("path")["height"].transform("max")
    counts = large.groupby(faces["path"]).sum()
    table["faces"] = table["path"].map(counts).where(here).astype("Int64")

    people = names.str.extract(NAMED)
    person = people[0].fillna(people[1])
    named = np.flatnonzero(person.notna())
    everything = np.arange(len(table))
    copies = join((everything, table["blob"]), *_near_copies(folder, table, here, faces))
    groups = join((everything, copies), (named, person[named]))

    # Photos that are not ready-made augmentations come first, so that a copy refers to an original if there is one.
    order = pd.DataFrame({"copies": copies, "ready_made": ready_made, "path": table["path"]})
    first = order.sort_values(["ready_made", "path"]).groupby("copies")["path"].first()
    table["copy_of"] = order["copies"].map(first).where(lambda path: path != table["path"], "")
    table["group"] = [f"g{number:04d}" for number in pd.factorize(groups)[0]]

    unknown = sorted(set(judged["path"]) - set(table["path"]))
    if unknown:
        raise datasets.DataError(f"{JUDGED} names files that are not in {public.TABLE}: {', '.join(unknown)}.")
    by_blob = judged.merge(table[["path", "blob"]], on="path").set_index("blob")[["exclude", "remark"]].to_dict()
    reasons, remarks = (table["blob"].map(lambda blob, of=of: of.get(blob, "")) for of in by_blob.values())
    reasons = reasons.mask((reasons == "") & ready_made, "ready-made augmentation")
    reasons = reasons.mask(~here, "not looked at")
    table["exclude"] = reasons.mask(table["blob"].duplicated(), "exact copy")
    table["remark"] = remarks
    table["split"] = _split(table)
    return table[["path", "blob", "bytes", "label", "group", "split", "exclude", "copy_of", "faces", "remark"]]


def _near_copies(folder, table: pd.DataFrame, here: np.ndarray, faces: pd.DataFrame) -> list:
    """Labelings for `join`: photos that look alike, and faces that look alike, mirrored or not."""
    from tqdm.auto import tqdm

    faces_of = dict(iter(faces[faces[["width", "height"]].max(axis=1) >= SMALLEST_FACE].groupby("path")))
    rows, hashes, face_rows, face_hashes = np.flatnonzero(here), [], [], []
    for row in tqdm(rows, desc="looking for copies", unit="photo", leave=False):
        path = table["path"][row]
        photo = read_photo(Path(folder) / path)
        hashes.append(_hash_both_ways(photo))
        if path in faces_of:
            for points in faces_of[path][COLUMNS[6:]].to_numpy(dtype=float):
                face_rows.append(row)
                face_hashes.append(_hash_both_ways(align(photo, points.reshape(5, 2))))
    labelings = []
    for of, found, bits in ((rows, hashes, datasets.NEAR_COPY_BITS), (face_rows, face_hashes, SAME_FACE_BITS)):
        if len(of):
            # Each row appears twice, with its hash and its mirrored hash, so that mirrored copies are found, too.
            labels = datasets.near_copies(np.concatenate(np.stack(found, axis=1)), bits)
            labelings.append((np.concatenate([of, of]), labels))
    return labelings


def _hash_both_ways(photo: np.ndarray) -> np.ndarray:
    return np.stack([datasets.difference_hash(photo), datasets.difference_hash(np.ascontiguousarray(photo[:, ::-1]))])


def _split(table: pd.DataFrame) -> pd.Series:
    """Split the used photos by group. An unused photo goes where its group is, or else to the training set."""
    used = table[table["exclude"] == ""]
    split_of_group = datasets.split_by_group(used, seed=0).groupby(used["group"]).first()
    return table["group"].map(split_of_group).fillna("train")


# Tables to print


def markdown(counts: pd.DataFrame, corner: str = "") -> str:
    """Format a table of counts as Markdown for the data sheet, with `corner` as the title of the first column."""
    rows = [
        [corner, *counts.columns],
        *([name, *(f"{value:,}" for value in row)] for name, *row in counts.itertuples()),
    ]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|" + "---|" * len(rows[0]))
    return "\n".join(lines)


def exclusions(table: pd.DataFrame) -> pd.DataFrame:
    """Count the files of each class that are not used, by reason.

    Args:
        table: The manifest, see `public.read_table`.

    Returns:
        One row per reason, then the rows "used" and "all files", with a column for each class and a column `both`.
    """
    counts = pd.crosstab(table["exclude"].replace("", "used"), table["label"])
    counts = counts.reindex([*sorted(set(counts.index) - {"used"}), "used"])
    counts.loc["all files"] = counts.sum()
    counts["both"] = counts.sum(axis=1)
    return counts.rename_axis(index=None, columns=None)


def main(arguments: list[str] | None = None) -> int:
    """Repeat the whole audit and write the results. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.audit_public", description=__doc__)
    parser.add_argument(
        "folder", nargs="?", default=public.FOLDER, help=f"the unpacked data set (default: {public.FOLDER})"
    )
    folder = resolve(parser.parse_args(arguments).folder)
    table = public.read_table()
    here = [path for path in table["path"] if (folder / path).is_file()]
    if not here:
        parser.error(f"{folder} holds no file from the public data set. Get it with: maskdet fetch public")
    faces = find_faces(folder, here, read_faces())
    table = audit(folder, table, faces, pd.read_csv(resolve(JUDGED), keep_default_na=False))
    for file, content in ((FACES, faces), (public.TABLE, table)):
        write_file(resolve(file), content.to_csv(index=False, lineterminator="\n").encode("utf-8"))
    resolve(CACHE).unlink(missing_ok=True)
    for counts, corner in (
        (findings(table), "files"),
        (exclusions(table), "not used, because"),
        (overview(table), "set"),
    ):
        print(markdown(counts, corner), end="\n\n")
    print(
        "\n".join(
            f"random split, fraction of test photos with {what} in the training set: {share:.1%}"
            for what, share in leak(table).items()
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
