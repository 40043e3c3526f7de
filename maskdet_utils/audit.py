"""The results of the audit of the public data set, as tables. The audit itself is `tools/audit_public.py`."""

import pandas as pd

from .public import REMARK_WORN_WRONG

# Some file names say who is in the photo, or in which session it was taken: 0_0_<name>_0123.jpg, <date>-<time>.jpg.
NAMED = r"^\d+_\d+_([a-z]+)_\d+\.jpg$|^(\d{4}-\d\d-\d\d)-\d{6}\b"


READY_MADE = r"(?i)^augmented_"


def overview(table: pd.DataFrame) -> pd.DataFrame:
    """Count the photos of each class and the groups in the training, validation, and test set.

    Args:
        table: The manifest, see `public.read_table`. Excluded photos are not counted.

    Returns:
        One row per set ("train", "validation", "test"), with a column for each class and a column `groups`.

    Introduced in notebook 08.
    """
    used = table[table["exclude"] == ""]
    counts = pd.crosstab(used["split"], used["label"]).reindex(["train", "validation", "test"])
    counts["groups"] = used.groupby("split")["group"].nunique()
    return counts.rename_axis(index=None, columns=None)


def findings(table: pd.DataFrame) -> pd.DataFrame:
    """Count what the audit found. A file may be counted in several rows.

    Args:
        table: The manifest, see `public.read_table`.

    Returns:
        One row per finding, with the number of files of each class.

    Introduced in notebook 08.
    """
    names = table["path"].str.split("/").str[1]
    found = {
        "exact copies of another file": table["blob"].duplicated(),
        "near copies (smaller, mirrored, rotated, blurred, or cropped differently)": (table["copy_of"] != "")
        & ~table["blob"].duplicated(),
        "ready-made augmentations": names.str.contains(READY_MADE),
        "with a person's name in the file name": names.str.extract(NAMED)[0].notna(),
        "more than one large face": (table["faces"] > 1).fillna(False),
        "no face found by the detector": (table["faces"] == 0).fillna(False),
        "masks worn incorrectly": table["remark"].str.startswith(REMARK_WORN_WRONG),
        "wrong label": table["exclude"] == "wrong label",
    }
    counts = pd.DataFrame({what: table["label"][rows].value_counts() for what, rows in found.items()}).T
    return counts.reindex(columns=sorted(table["label"].unique())).fillna(0).astype(int).rename_axis(columns=None)


def leak(table: pd.DataFrame, seeds=range(5)) -> dict[str, float]:
    """Measure the leak of a random, stratified split that puts a fifth of the photos in the test set.

    Args:
        table: The manifest, see `public.read_table`. Files that nobody has looked at are left out.
        seeds: The seeds of the random splits.

    Returns:
        Two fractions of the test photos, 0 to 1, each the mean over `seeds`. "a copy": a copy or near copy is in the
        training set. "the same person or a copy": a photo of the same group (copies, and photos of the same person) is
        in the training set.

    Introduced in notebook 08.
    """
    from sklearn.model_selection import train_test_split

    looked_at = table[table["faces"].notna()]
    keys = {
        "a copy": looked_at["copy_of"].where(looked_at["copy_of"] != "", looked_at["path"]),
        "the same person or a copy": looked_at["group"],
    }
    fractions = []
    for seed in seeds:
        train, test = train_test_split(looked_at.index, test_size=0.2, stratify=looked_at["label"], random_state=seed)
        fractions.append({name: float(key[test].isin(key[train]).mean()) for name, key in keys.items()})
    return pd.DataFrame(fractions).mean().to_dict()
