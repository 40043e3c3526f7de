"""From class folders to a manifest, an honest split, and a stream of batches that never fills the memory."""

import hashlib
import os
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from .photos import PhotoError, find_photos, fit_to_input, read_photo

MASK_CLASSES = ["with_mask", "without_mask"]
WORN_WRONG = "worn_incorrectly"  # the third class, if there is one
MIN_PHOTOS = 10  # per class: fewer cannot be split into training, validation and test
GROUPS_FILE = "groups.csv"  # optional, in a data set's folder: columns path, group
# Two photos whose 256-bit difference hashes differ in at most this many bits are taken for copies of one another.
NEAR_COPY_BITS = 20


class DataError(ValueError):
    """A data set that cannot be used as it is; the message says what was expected and what was found."""


def read_class_folders(folder, allow_conflicts: bool = False) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Look at every photo of a folder of two class folders once.

    Returns two tables. The manifest: `path` (relative to `folder`, with forward slashes), `label` (the class
    folder's name) and `group` (photos that must stay on one side of a split: those of one person if the folder holds
    a `groups.csv` that says so, else copies and near copies of one another). And what was left out: `path`, `reason`.

    Raises `DataError` if the folder or a class is missing, a class has fewer than 10 readable photos, or the same
    photo lies in both classes (unless `allow_conflicts`, which leaves such photos out).
    """
    from tqdm.auto import tqdm

    folder = Path(folder)
    classes = _class_names(folder)
    rows, left_out = [], []
    for path in tqdm(
        [path for name in classes for path in find_photos(folder / name)], desc="reading photos", leave=False
    ):
        name = path.relative_to(folder).as_posix()
        try:
            photo = read_photo(path, at_least=64)
        except PhotoError as error:
            left_out.append({"path": name, "reason": str(error)})
            continue
        rows.append(
            {
                "path": name,
                "label": name.split("/")[0],
                "pixels": hashlib.sha256(photo).hexdigest(),
                "hash": difference_hash(photo),
            }
        )
    manifest = pd.DataFrame(rows, columns=["path", "label", "pixels", "hash"])
    manifest, conflicts = _set_conflicts_aside(manifest, allow_conflicts)
    left_out = pd.DataFrame(left_out + conflicts, columns=["path", "reason"])
    for name in classes:
        count = int((manifest["label"] == name).sum())
        if count < MIN_PHOTOS:
            raise DataError(
                f"{folder / name} holds {count} readable photos; at least {MIN_PHOTOS} a class are needed to train, validate and test."
            )
    if (folder / GROUPS_FILE).is_file():
        manifest["group"] = read_groups(folder / GROUPS_FILE, folder, manifest["path"])[0]["group"]
    else:
        manifest["group"] = copy_groups(manifest["hash"])
    return manifest[["path", "label", "group"]], left_out


def _class_names(folder: Path) -> list[str]:
    if not folder.is_dir():
        raise DataError(
            f"{folder} is no folder. Expected a folder that holds two class folders, such as with_mask/ and without_mask/."
        )
    names = sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if len(names) != 2:
        found = ", ".join(names) if names else "none"
        raise DataError(
            f"{folder} should hold exactly two class folders, such as with_mask/ and without_mask/. Found: {found}."
        )
    return names


def _set_conflicts_aside(manifest: pd.DataFrame, allow_conflicts: bool) -> tuple[pd.DataFrame, list[dict]]:
    labels_per_photo = manifest.groupby("pixels")["label"].transform("nunique")
    conflicts = manifest[labels_per_photo > 1].sort_values("pixels")
    if len(conflicts) and not allow_conflicts:
        named = ", ".join(conflicts["path"][:6])
        raise DataError(
            f"The same photo lies in both classes: {named}{' …' if len(conflicts) > 6 else ''}. "
            "Remove the wrong ones, or allow conflicts (allow_conflicts = True) to leave all of them out."
        )
    reasons = [{"path": path, "reason": "the same photo lies in both classes"} for path in conflicts["path"]]
    return manifest.drop(conflicts.index).reset_index(drop=True), reasons


def difference_hash(photo: np.ndarray, side: int = 16) -> np.ndarray:
    """256 bits that stay (nearly) the same when a photo is resized or saved again: is each point brighter than its left neighbor?

    Returns uint64 `(4,)`. After N. Krawetz, "Kind of like that" (2013), here with 16×16 comparisons.
    """
    gray = cv2.resize(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), (side + 1, side), interpolation=cv2.INTER_AREA)
    return np.packbits(gray[:, 1:] > gray[:, :-1]).view(np.uint64)


def near_copies(hashes: np.ndarray, max_bits: int = NEAR_COPY_BITS) -> np.ndarray:
    """Number the groups of near copies: `hashes` is uint64 `(n, 4)`, the answer int `(n,)`, equal within a group."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    first, second = [], []
    for row in range(len(hashes) - 1):
        differing = np.bitwise_count(hashes[row + 1 :] ^ hashes[row]).sum(axis=1)
        copies = np.flatnonzero(differing <= max_bits) + row + 1
        first.extend([row] * len(copies))
        second.extend(copies)
    links = coo_matrix((np.ones(len(first)), (first, second)), shape=(len(hashes), len(hashes)))
    return connected_components(links, directed=False)[1]


def copy_groups(hashes) -> list[str]:
    """Name each photo's group of near copies; hashes: see `difference_hash`."""
    return [f"copies{number:05d}" for number in near_copies(np.stack(hashes))]


def read_groups(file: str | Path, folder: str | Path, paths) -> tuple[pd.DataFrame, str]:
    """The rows of a CSV that say which photos belong together (one person, one source), in the order of `paths`.

    Args:
        file: a CSV with a column `path`, relative to `folder` or to the CSV's own folder, and a column `group` or
            `source_photo`.
        folder: where the photos are.
        paths: of the photos, relative to `folder`.

    Returns:
        The table, with all columns of the CSV as text and `group` among them, and the name of the column that `group`
        was read from.

    Raises:
        DataError: the CSV cannot be read, lacks a column, or says nothing about a photo.
    """
    file, folder = Path(file), Path(folder)
    table = read_csv(file, dtype=str)
    column = next((name for name in ("group", "source_photo") if name in table), None)
    if "path" not in table or column is None:
        raise DataError(f"{file} needs the columns path and group (or source_photo); it has {', '.join(table)}.")
    row_of = {}
    for base in (file.parent, folder):
        row_of |= {_place(base, path): row for row, path in enumerate(table["path"].astype(str))}
    rows = [row_of.get(_place(folder, path)) for path in paths]
    missing = [path for path, row in zip(paths, rows, strict=True) if row is None]
    if missing:
        more = f" and {len(missing) - 1} more" if missing[1:] else ""
        raise DataError(f"{file} says nothing about {missing[0]}{more}.")
    table["group"] = table[column].astype(str)
    return table.iloc[rows].reset_index(drop=True), column


def _place(base: Path, path: str) -> str:
    return os.path.normpath(os.path.join(os.path.abspath(base), path))


def read_csv(file: str | Path, **options) -> pd.DataFrame:
    """A CSV file as a table, see `pandas.read_csv`; raises `DataError` if it is missing or cannot be read as one."""
    try:
        return pd.read_csv(file, **options)
    except FileNotFoundError:
        raise DataError(f"There is no {file}.") from None
    except (ValueError, OSError) as error:  # no CSV, no UTF-8, a folder
        raise DataError(f"{file} cannot be read as a CSV file ({error}).") from None


def folds_by_group(manifest: pd.DataFrame, seed: int, n_folds: int = 5) -> np.ndarray:
    """Number each photo's fold, 0 to `n_folds`−1: about equal in size and class balance, no group in two folds."""
    from sklearn.model_selection import StratifiedGroupKFold

    folds = np.empty(len(manifest), dtype=int)
    splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    for fold, (_, members) in enumerate(splitter.split(manifest["path"], manifest["label"], manifest["group"])):
        folds[members] = fold
    return folds


def split_by_group(manifest: pd.DataFrame, seed: int) -> pd.Series:
    """Say for each photo "train", "validation" or "test": a fifth is test, a fifth of the rest validation.

    No group is on two sides. Raises `DataError` if there are fewer than 5 groups, or a part lacks a class.
    """
    if manifest["group"].nunique() < 5:
        raise DataError(f"Five groups at least are needed for a split by group; found {manifest['group'].nunique()}.")
    split = pd.Series("train", index=manifest.index, name="split")
    split[folds_by_group(manifest, seed) == 0] = "test"
    rest = manifest[split == "train"]
    split[rest.index[folds_by_group(rest, seed) == 0]] = "validation"
    classes_per_part = manifest["label"].groupby(split).nunique()
    if len(classes_per_part) < 3 or classes_per_part.min() < manifest["label"].nunique():
        raise DataError("The photos hang together in so few groups that some part of the split lacks a class.")
    return split


def stream(paths, targets, image_size: int, *, batch_size: int = 32, seed: int = 0, shuffle: bool = False, change=None):
    """Read photos in batches, on the fly: the memory in use does not depend on how many there are.

    Returns a `tf.data.Dataset` of (pixels float32 0–255 `(batch, image_size, image_size, 3)`, targets float32
    `(batch, classes)`). With `shuffle`, the order is another one in every pass. `change(photo, rng) -> photo`, if
    given, alters each photo as it is read, differently in every pass. `seed` repeats all of it.
    """
    import tensorflow as tf

    paths = [str(path) for path in paths]

    def load(path, number):
        photo = read_photo(path.decode(), at_least=image_size)
        if change is not None:
            photo = change(photo, np.random.default_rng(number))
        return fit_to_input(photo, image_size)

    def load_in_graph(path, target, number):
        pixels = tf.numpy_function(load, [path, number], tf.uint8, stateful=False)
        return tf.ensure_shape(tf.cast(pixels, tf.float32), (image_size, image_size, 3)), target

    photos = tf.data.Dataset.from_tensor_slices((paths, np.asarray(targets, dtype=np.float32)))
    if shuffle:
        photos = photos.shuffle(len(paths), seed=seed)
    numbers = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True).take(len(paths))
    photos = tf.data.Dataset.zip(photos, numbers).map(
        lambda photo, number: load_in_graph(photo[0], photo[1], number), num_parallel_calls=2, deterministic=True
    )
    return photos.batch(batch_size).prefetch(1)
