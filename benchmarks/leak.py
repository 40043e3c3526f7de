"""What a careless split is worth, and what gives the class away besides the mask: the public data set. Writes JSON.

    python benchmarks/leak.py [--public FOLDER] [--seeds 5]

All photos go through the frozen base once, at 128 × 128 pixels. Then simple judges are cross-validated on the features, in
five folds: random ones, and folds by group (copies and people, see data/README.md). Every photo is judged once by either,
so that the folds differ and nothing else; each seed deals the folds anew. "nonsense" gives each group a label by the toss
of a coin: what is right more often than half of the time was remembered, not recognized. "giveaways" asks a small tree
for the class, in folds by group, and lets it see neither the photo nor its features: only how large, how sharp, how light
and how large a file it is.
"""

import argparse
import json
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from maskdet_utils import datasets, evaluation, public, sample
from maskdet_utils.evaluate import subgroups
from maskdet_utils.paths import resolve, write_file
from maskdet_utils.photos import read_photo

RESULTS = "benchmarks/results/leak.json"
SIZE = 128
JUDGES = {
    "logistic regression": lambda: make_pipeline(StandardScaler(), LogisticRegression(C=0.001, max_iter=300)),
    "nearest neighbor": lambda: KNeighborsClassifier(1, metric="cosine"),
}
TREE = {"max_depth": 4, "min_samples_leaf": 20, "random_state": 0}
GIVEAWAYS = {
    "photo's width and height": ["width", "height"],
    "sharpness": ["blur"],
    "light and contrast": ["light", "contrast"],
    "all of these and the file's size": ["width", "height", "blur", "light", "contrast", "bytes"],
}


def folds_of(table: pd.DataFrame, labels: np.ndarray, split: str, seed: int) -> np.ndarray:
    """The fold of each row, 0 to 4. split: "random" (stratified) or "by group"."""
    if split == "by group":
        return datasets.folds_by_group(table.assign(label=labels), seed)
    folds = np.empty(len(table), int)
    for fold, (_, members) in enumerate(StratifiedKFold(5, shuffle=True, random_state=seed).split(folds, labels)):
        folds[members] = fold
    return folds


def cross_validated(folds: np.ndarray, features: np.ndarray, labels: np.ndarray, judge) -> np.ndarray:
    """Which rows are judged rightly, bool `(n,)`, by judges that trained on the other folds."""
    right = np.empty(len(labels), bool)
    for fold in range(5):
        test = folds == fold
        right[test] = judge().fit(features[~test], labels[~test]).predict(features[test]) == labels[test]
    return right


def figures(right: np.ndarray, groups: np.ndarray) -> dict:
    """Accuracy of each seed; their mean and its 95 % interval over groups. right: `(seeds, n)`, may be a difference."""
    mean = right.mean(axis=0)  # of a photo
    drawn = [mean[rows].mean() for rows in evaluation.resamples(groups)]
    low, high = np.percentile(drawn, [2.5, 97.5])
    of_seeds = [round(float(value), 4) for value in right.mean(axis=1)]
    return {"of_seeds": of_seeds, "value": float(mean.mean()), "low": float(low), "high": float(high)}


def both_ways(table: pd.DataFrame, features: np.ndarray, labels_of, judge, seeds: int) -> dict:
    """Figures of random folds, of folds by group, and of what the first have more. labels_of: from seed to labels."""
    right = {
        split: np.array(
            [
                cross_validated(folds_of(table, labels_of(seed), split, seed), features, labels_of(seed), judge)
                for seed in range(seeds)
            ]
        ).astype(float)
        for split in ("random", "by group")
    }
    right["difference"] = right["random"] - right["by group"]
    return {split: figures(values, table["group"].to_numpy()) for split, values in right.items()}


def measures(folder: Path, paths) -> pd.DataFrame:
    """How large, sharp, light, rich in contrast and large a file each photo is; see `subgroups.measure`."""
    rows = []
    for path in paths:
        photo = read_photo(folder / path)
        looks = subgroups.measure(photo, margin=0)
        rows.append(
            {"width": photo.shape[1], "height": photo.shape[0], **looks, "bytes": (folder / path).stat().st_size}
        )
    return pd.DataFrame(rows)


def giveaways(folder: Path, manifest: pd.DataFrame, names=GIVEAWAYS) -> list[dict]:
    """The accuracy of a tree of depth 4 that sees measures of the photo alone."""
    seen, labels = measures(folder, manifest["path"]), (manifest["label"] == "without_mask").to_numpy().astype(int)
    folds = datasets.folds_by_group(manifest, 0)
    rows = [{"sees": "nothing", "value": float(np.bincount(labels).max() / len(labels))}]
    for name in names:
        columns = seen[GIVEAWAYS[name]].to_numpy(float)
        right = cross_validated(folds, columns, labels, partial(DecisionTreeClassifier, **TREE))
        rows.append({"sees": name, **figures(right[np.newaxis], manifest["group"].to_numpy())})
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--public", type=Path, default=resolve(public.FOLDER), help="default: data/public")
    parser.add_argument("--seeds", type=int, default=5, help="how often the folds are dealt (default: 5)")
    parser.add_argument("--results", type=Path, default=resolve(RESULTS), help=f"default: {RESULTS}")
    options = parser.parse_args()

    from maskdet_utils import model, training  # TensorFlow: not needed for --help

    table = public.read_table()
    table = table[table["faces"].notna()].reset_index(drop=True)  # what was not looked at is in no manifest either
    labels = (table["label"] == "without_mask").to_numpy().astype(int)
    files = [options.public / path for path in table["path"]]
    features, _ = training.features_of_views(model.build_base(SIZE), files, np.eye(2)[labels], n_views=0, seed=0)
    clean = (table["exclude"] == "").to_numpy()

    splits = []
    for photos, rows in {"all files": np.ones(len(table), bool), "cleaned": clean}.items():
        part = table[rows].reset_index(drop=True)
        for name, judge in JUDGES.items():
            found = both_ways(part, features[rows], lambda seed, own=labels[rows]: own, judge, options.seeds)
            splits.append({"photos": photos, "count": len(part), "judge": name, **found})
            say(f"{photos}, {name}", found)

    codes = pd.factorize(table["group"])[0]

    def coin(seed):
        return np.random.default_rng(seed).integers(2, size=codes.max() + 1)[codes]

    nonsense = both_ways(table, features, coin, JUDGES["nearest neighbor"], options.seeds)
    say("nonsense", nonsense)

    manifest, _ = datasets.read_class_folders(sample.build())
    gives = {
        "public": giveaways(options.public, table[clean].reset_index(drop=True)),
        "sample": giveaways(sample.build(), manifest, list(GIVEAWAYS)[:3]),
    }
    for name, rows in gives.items():
        print(f"{name}: " + ", ".join(f"{row['sees']} {row['value']:.3f}" for row in rows))
    results = {"seeds": options.seeds, "splits": splits, "nonsense": nonsense, "giveaways": gives}
    write_file(options.results, (json.dumps(results, indent=1) + "\n").encode())


def say(what: str, found: dict) -> None:
    shown = ", ".join(
        f"{split} {row['value']:.4f} ({row['low']:.4f}–{row['high']:.4f})" for split, row in found.items()
    )
    print(f"{what}: {shown}", flush=True)


if __name__ == "__main__":
    main()
