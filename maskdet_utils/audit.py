"""What the audit of the public data set found, as tables; `tools/audit_public.py` is the audit itself."""

import pandas as pd

from .public import REMARK_WORN_WRONG

# Who is on a photo, or in which sitting it was taken, where the file's name tells: 0_0_<name>_0123.jpg, <date>-<time>.jpg
NAMED = r"^\d+_\d+_([a-z]+)_\d+\.jpg$|^(\d{4}-\d\d-\d\d)-\d{6}\b"


READY_MADE = r"(?i)^augmented_"


def overview(table: pd.DataFrame) -> pd.DataFrame:
    """How many photos of each class, and how many groups, each part of the split has, excluded ones aside."""
    used = table[table["exclude"] == ""]
    counts = pd.crosstab(used["split"], used["label"]).reindex(["train", "validation", "test"])
    counts["groups"] = used.groupby("split")["group"].nunique()
    return counts.rename_axis(index=None, columns=None)


def findings(table: pd.DataFrame) -> pd.DataFrame:
    """What the audit found, in numbers of files of each class; a file may be counted in several rows."""
    names = table["path"].str.split("/").str[1]
    found = {
        "exact copies of another file": table["blob"].duplicated(),
        "copies in a wider sense (smaller, mirrored, turned, blurred, another crop)": (table["copy_of"] != "")
        & ~table["blob"].duplicated(),
        "ready-made augmentations": names.str.contains(READY_MADE),
        "with a person's name in the file name": names.str.extract(NAMED)[0].notna(),
        "more than one large face": (table["faces"] > 1).fillna(False),
        "no face found by the detector": (table["faces"] == 0).fillna(False),
        "masks worn wrong": table["remark"].str.startswith(REMARK_WORN_WRONG),
        "wrong label": table["exclude"] == "wrong label",
    }
    counts = pd.DataFrame({what: table["label"][rows].value_counts() for what, rows in found.items()}).T
    return counts.reindex(columns=sorted(table["label"].unique())).fillna(0).astype(int).rename_axis(columns=None)


def leak(table: pd.DataFrame, seeds=range(5)) -> dict[str, float]:
    """What a random, stratified split with a fifth for testing leaks, as the mean over `seeds`.

    Returns two shares of the test photos: those of which a copy (in the wide sense) is in the training part, and those
    of whose group (copies, and photos of the same person) some photo is. Files that were not looked at are left out.
    """
    from sklearn.model_selection import train_test_split

    looked_at = table[table["faces"].notna()]
    keys = {
        "a copy": looked_at["copy_of"].where(looked_at["copy_of"] != "", looked_at["path"]),
        "the same person or a copy": looked_at["group"],
    }
    shares = []
    for seed in seeds:
        train, test = train_test_split(looked_at.index, test_size=0.2, stratify=looked_at["label"], random_state=seed)
        shares.append({name: float(key[test].isin(key[train]).mean()) for name, key in keys.items()})
    return pd.DataFrame(shares).mean().to_dict()


def exclusions(table: pd.DataFrame) -> pd.DataFrame:
    """How many files of each class are not used, by reason; the last rows say how many are, and how many there are."""
    counts = pd.crosstab(table["exclude"].replace("", "used"), table["label"])
    counts = counts.reindex([*sorted(set(counts.index) - {"used"}), "used"])
    counts.loc["all files"] = counts.sum()
    counts["both"] = counts.sum(axis=1)
    return counts.rename_axis(index=None, columns=None)
