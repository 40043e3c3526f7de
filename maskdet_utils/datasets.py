"""From class folders to a manifest, a split without leaks, and a stream of batches that needs little memory."""

import hashlib
import io
import os
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from .layouts import MASK_CLASSES, SETS, WORN_WRONG, DataError, class_folders, class_of, set_of, subfolders, unwrapped
from .photos import PhotoError, fit_to_input, read_photo, sort_files

MIN_PHOTOS = 10  # per class: with fewer, no split into training, validation, and test set is possible
GROUPS_FILE = "groups.csv"  # optional, in a data set's folder, see `read_class_folders`
# Two photos count as near copies if their 256-bit difference hashes differ in at most this many bits.
NEAR_COPY_BITS = 20


def read_class_folders(folder: str | Path, allow_conflicts: bool = False) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read every photo in two class folders once and list them in a manifest.

    Args:
        folder: The folder that contains the two class folders in any of the layouts of `layouts.class_folders`. It may
            also hold a `groups.csv` (see `read_groups`). There, a column `split` says which set each photo is in
            (train, validation, or test), and a column `exclude` says why a photo is not used.
        allow_conflicts: Whether to leave out photos that are in both classes, instead of raising an error.

    Returns:
        Two tables: the manifest, and the files left out (`path`, `reason`). The manifest's columns are `path` (relative
        to `folder`, with forward slashes), `label` (the class), `group`, and, if the folder has a split of its own,
        `split`. Photos with the same group must stay on one side of a split. The groups come from `groups.csv`, for
        example one per person. Without this file, a photo's group contains its copies and near copies.
        `manifest.attrs["notes"]` holds sentences about how the folder was read, and about leaks in its own split.

    Raises:
        DataError: The folder or a class is missing, a class has fewer than 10 readable photos, the same photo is in
            both classes (unless `allow_conflicts`), or the folder's own split or `groups.csv` is not usable.

    Introduced in notebook 01.
    """
    from tqdm.auto import tqdm

    folder = Path(folder)
    classes = two_classes(folder)
    listed, left_out, notes = list_photos(folder)
    rows = []
    for row in tqdm(listed, desc="reading photos", leave=False):
        try:
            photo = read_photo(folder / row["path"], at_least=64)
        except PhotoError as error:
            left_out.append({"path": row["path"], "reason": str(error)})
            continue
        rows.append({**row, "pixels": hashlib.sha256(photo).hexdigest(), "hash": difference_hash(photo)})
    manifest = pd.DataFrame(rows, columns=["path", "label", "split", "pixels", "hash"])
    manifest, conflicts = _leave_out_conflicts(manifest, allow_conflicts)
    for name in classes:
        count = int((manifest["label"] == name).sum())
        if count < MIN_PHOTOS:
            raise DataError(
                f"{folder}: {name} holds {count} readable photos. Add some: each class needs at least {MIN_PHOTOS}."
            )
    file = groups_file(folder)
    if file:
        manifest["group"] = read_groups(file, folder, manifest["path"])[0]["group"]
    else:
        manifest["group"] = copy_groups(manifest["hash"])
    columns = ["path", "label", "group"]
    if manifest["split"].notna().any():
        notes += _complete_split(manifest, folder)
        columns.append("split")
    manifest = manifest[columns]
    manifest.attrs["notes"] = notes
    return manifest, pd.DataFrame(left_out + conflicts, columns=["path", "reason"])


def two_classes(folder: Path) -> list[str]:
    """The two classes of a folder in alphabetical order. Raises `DataError` if there are more or fewer.

    Introduced in notebook 01.
    """
    found, notes = class_folders(folder)
    classes = sorted({one.label for one in found})
    # A folder around class folders is no class, whatever is next to it.
    inside = [one.path for one in found if {class_of(path.name) for path in subfolders(one.path)} >= set(MASK_CLASSES)]
    if len(classes) == 2 and not inside:
        return classes
    names = [one.path.relative_to(folder).as_posix() for one in found]
    hint = f" Maybe you mean {inside[0]}." if inside else " Move the others somewhere else." if names[2:] else ""
    raise DataError(
        f"{folder} should hold exactly two class folders, such as with_mask/ and without_mask/. "
        f"Found: {', '.join(names[:10]) or ' '.join(notes).rstrip('.') or 'none'}{', …' if names[10:] else ''}.{hint}"
    )


def groups_file(folder: Path) -> Path | None:
    """The folder's own `groups.csv`, which may also be in the one folder inside it, or None."""
    files = (folder / GROUPS_FILE, unwrapped(folder) / GROUPS_FILE)
    return next((file for file in files if file.is_file()), None)


def list_photos(folder: Path, known=(*MASK_CLASSES, WORN_WRONG)) -> tuple[list[dict], list[dict], list[str]]:
    """List the photos in a folder's class folders without opening them.

    Args:
        folder: The folder.
        known: The names that the classes should have, see `layouts.class_folders`.

    Returns:
        The photos (`path`, `label`, and `split`, which may be None), what is left out (`path`, `reason`), and sentences
        about how the folder was read.

    Raises:
        DataError: See `layouts.class_folders`, or `groups.csv` is not usable.
    """
    found, notes = class_folders(folder, known)
    homes = {one.path: one for one in found}
    photos, others = sort_files(folder)
    rows, left_out = [], []
    for path in photos:
        home = next(filter(None, map(homes.get, path.parents)), None)
        name = path.relative_to(folder).as_posix()
        if home:
            rows.append({"path": name, "label": home.label, "split": home.split})
        else:
            left_out.append({"path": name, "reason": "in no class folder"})
    others = [path.relative_to(folder).as_posix() for path in others if homes.keys() & set(path.parents)]
    left_out += [{"path": name, "reason": "not a photo"} for name in others]
    rows, excluded = _follow_groups_file(folder, rows)
    return rows, left_out + excluded, notes


def _follow_groups_file(folder: Path, rows: list[dict]) -> tuple[list[dict], list[dict]]:
    """Apply the columns `split` and `exclude` of the folder's `groups.csv`, if any, to the rows of `list_photos`."""
    file = groups_file(folder)
    table = read_csv(file, dtype=str).fillna("") if file else pd.DataFrame()
    if "path" not in table or not {"split", "exclude"} & set(table):
        return rows, []
    said = {_place(file.parent, row["path"]): row for row in table.to_dict("records")}
    used, left_out = [], []
    for row in rows:
        own = said.pop(_place(folder, row["path"]), {})
        if own.get("exclude"):
            left_out.append({"path": row["path"], "reason": own["exclude"]})
            continue
        if own.get("split"):
            row["split"] = set_of(own["split"])
            if row["split"] is None:
                raise DataError(f"{file}: {own['split']!r} is not a set. Write train, validation, or test.")
        used.append(row)
    absent = [Path(os.path.relpath(place, folder)).as_posix() for place in said if not os.path.isfile(place)]
    return used, left_out + [{"path": name, "reason": "absent"} for name in absent]


def _complete_split(manifest: pd.DataFrame, folder: Path) -> list[str]:
    """Take the sets that a folder's own split lacks from its training set. Returns sentences about that and about leaks."""
    unset = manifest["path"][manifest["split"].isna()]
    if len(unset):
        raise DataError(f"{folder}: some photos are in a set, but {unset.iloc[0]} is in none.")
    notes = []
    for name in ("test", "validation"):
        if (manifest["split"] == name).any():
            continue
        rest = manifest[manifest["split"] == "train"]
        if rest["group"].nunique() < 5:
            raise DataError(f"{folder} has no {name} set, and its training set is too small to take one from.")
        manifest.loc[rest.index[folds_by_group(rest, seed=0) == 0], "split"] = name
        notes.append(f"The folder has no {name} set. A fifth of its training set is used instead.")
    counts = pd.crosstab(manifest["split"], manifest["label"]).reindex(list(SETS), fill_value=0)
    for (name, label), count in counts.stack().items():
        if count == 0:
            raise DataError(f"{folder}: the {name} set holds no readable photos of {label}.")
    for column, what in (("group", "photos that belong together"), ("pixels", "copies of one photo")):
        leaking = manifest[manifest.groupby(column)["split"].transform("nunique") > 1]
        if len(leaking):
            pair = leaking[leaking[column] == leaking[column].iloc[0]].drop_duplicates("split")["path"].iloc[:2]
            such = f"{len(leaking)} in all, such as {' and '.join(pair)}"
            return [*notes, f"Warning: {what} are in different sets, {such}. Scores on the test set may be too good."]
    return notes


def _leave_out_conflicts(manifest: pd.DataFrame, allow_conflicts: bool) -> tuple[pd.DataFrame, list[dict]]:
    classes_per_photo = manifest.groupby("pixels")["label"].transform("nunique")
    conflicts = manifest[classes_per_photo > 1].sort_values("pixels")
    if len(conflicts) and not allow_conflicts:
        examples = ", ".join(conflicts["path"][:6])
        raise DataError(
            f"The same photo is in both classes: {examples}{' …' if len(conflicts) > 6 else ''}. "
            "Remove the wrong ones, or allow conflicts (allow_conflicts = True) to leave all of them out."
        )
    reasons = [{"path": path, "reason": "the same photo is in both classes"} for path in conflicts["path"]]
    return manifest.drop(conflicts.index).reset_index(drop=True), reasons


def difference_hash(photo: np.ndarray, side: int = 16) -> np.ndarray:
    """Compute a hash that stays nearly the same when a photo is resized or saved again.

    The photo is shrunk to `side` rows of `side` + 1 points. Each bit says whether a point is brighter than its left
    neighbor. After N. Krawetz, "Kind of like that" (2013), here with 16×16 comparisons.

    Args:
        photo: RGB uint8 `(height, width, 3)`.
        side: The square root of the number of bits.

    Returns:
        The 256 bits, uint64 `(4,)`.
    """
    gray = cv2.resize(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), (side + 1, side), interpolation=cv2.INTER_AREA)
    return np.packbits(gray[:, 1:] > gray[:, :-1]).view(np.uint64)


def near_copies(hashes: np.ndarray, max_bits: int = NEAR_COPY_BITS) -> np.ndarray:
    """Group photos with their near copies. A near copy of a near copy is in the same group, too.

    Args:
        hashes: See `difference_hash`, uint64 `(n, 4)`.
        max_bits: Two photos are near copies if their hashes differ in at most this many bits.

    Returns:
        The number of each photo's group, int `(n,)`.
    """
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
    """Give each photo the name of its group of near copies. For the hashes, see `difference_hash`."""
    return [f"copies{number:05d}" for number in near_copies(np.stack(hashes))]


def read_groups(file: str | Path, folder: str | Path, paths) -> tuple[pd.DataFrame, str]:
    """Read which photos belong together (one person, one source) from a CSV file.

    Args:
        file: A CSV with a column `path`, relative to `folder` or to the CSV's own folder, and a column `group` or
            `source_photo`.
        folder: The folder with the photos.
        paths: The paths of the photos, relative to `folder`.

    Returns:
        A table with one row per photo, in the order of `paths`, and the name of the column that the groups were read
        from. The table has all columns of the CSV as text, and a column `group`.

    Raises:
        DataError: The CSV cannot be read, lacks a column, or has no row for a photo.
    """
    file, folder = Path(file), Path(folder)
    table = read_csv(file, dtype=str)
    column = next((name for name in ("group", "source_photo") if name in table), None)
    if "path" not in table or column is None:
        raise DataError(f"{file} needs the columns path and group (or source_photo), but it has {', '.join(table)}.")
    table = table.dropna(subset=["path", column])
    listed = table["path"].astype(str)
    row_of = {_place(base, path): row for base in (file.parent, folder) for row, path in enumerate(listed)}
    rows = [row_of.get(_place(folder, path)) for path in paths]
    missing = [path for path, row in zip(paths, rows, strict=True) if row is None]
    if missing:
        more = f" and {len(missing) - 1} more" if missing[1:] else ""
        raise DataError(f"{file} has no row for {missing[0]}{more}, or no group there.")
    table["group"] = table[column].astype(str)
    return table.iloc[rows].reset_index(drop=True), column


def _place(base: Path, path: str) -> str:
    return os.path.normpath(os.path.join(os.path.abspath(base), path))


def read_csv(file: str | Path, **options) -> pd.DataFrame:
    """Read a CSV file as a table.

    Args:
        file: The CSV file.
        **options: Options of `pandas.read_csv`.

    Raises:
        DataError: The file is missing or cannot be read as a CSV file.
    """
    try:
        content = Path(file).read_bytes()
        # Excel writes UTF-16 or a byte-order mark, and semicolons where the comma separates decimals.
        encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        text = content.decode(encoding)
        head = text.partition("\n")[0]
        table = pd.read_csv(io.StringIO(text), sep=max(",;\t", key=head.count), skipinitialspace=True, **options)
    except FileNotFoundError:
        raise DataError(f"{file} does not exist. Check the path.") from None
    except (ValueError, OSError) as error:
        words = {UnicodeDecodeError: "it is not text in UTF-8", pd.errors.EmptyDataError: "it is empty"}
        problem = words.get(type(error)) or getattr(error, "strerror", None) or error
        raise DataError(f"{file} cannot be read as a CSV file ({problem}).") from None
    table.columns = table.columns.map(lambda name: str(name).strip())
    if "path" in table:
        # Windows separates folders by \
        table["path"] = table["path"].astype("string").str.strip().str.replace("\\", "/")
    return table


def folds_by_group(manifest: pd.DataFrame, seed: int, n_folds: int = 5) -> np.ndarray:
    """Divide photos into folds of about equal size and class balance, keeping each group in one fold.

    Args:
        manifest: A table with the columns `path`, `label`, and `group`.
        seed: The seed of the random order.
        n_folds: How many folds to make.

    Returns:
        The number of each photo's fold, 0 to `n_folds` − 1: int `(n,)`.

    Introduced in notebook 02.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    folds = np.empty(len(manifest), dtype=int)
    splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    for fold, (_, members) in enumerate(splitter.split(manifest["path"], manifest["label"], manifest["group"])):
        folds[members] = fold
    return folds


def split_by_group(manifest: pd.DataFrame, seed: int) -> pd.Series:
    """Divide photos into a training, a validation, and a test set, keeping each group in one set.

    A fifth of the photos is for testing, and a fifth of the rest is for validation.

    Args:
        manifest: A table with the columns `path`, `label`, and `group`.
        seed: The seed of the random order.

    Returns:
        "train", "validation", or "test" for each photo.

    Raises:
        DataError: There are fewer than 5 groups, or one of the three sets lacks a class.

    Introduced in notebook 01.
    """
    if manifest["group"].nunique() < 5:
        raise DataError(f"A split by group needs at least five groups. Found: {manifest['group'].nunique()}.")
    split = pd.Series("train", index=manifest.index, name="split")
    split[folds_by_group(manifest, seed) == 0] = "test"
    rest = manifest[split == "train"]
    split[rest.index[folds_by_group(rest, seed) == 0]] = "validation"
    classes_per_set = manifest["label"].groupby(split).nunique()
    if len(classes_per_set) < 3 or classes_per_set.min() < manifest["label"].nunique():
        raise DataError("The photos form so few groups that the training, validation, or test set lacks a class.")
    return split


def stream(paths, targets, image_size: int, *, batch_size: int = 32, seed: int = 0, shuffle: bool = False, change=None):
    """Read photos in batches during training, so that the memory in use does not depend on the number of photos.

    Args:
        paths: The photos' paths.
        targets: One row per photo, `(n, classes)`.
        image_size: The side of the classifier's input in pixels.
        batch_size: How many photos a batch contains.
        seed: The seed of the order and of the changes. The same seed gives the same photos again.
        shuffle: Whether to shuffle the photos, in a new order in every pass.
        change: A function `change(photo, rng) -> photo` that alters each photo after it is read, differently in every
            pass.

    Returns:
        A `tf.data.Dataset` of (pixels, targets): float32 `(batch, image_size, image_size, 3)`, 0 to 255, and float32
        `(batch, classes)`.

    Introduced in notebook 03.
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
