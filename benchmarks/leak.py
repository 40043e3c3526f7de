"""How much does a careless split of the public data set leak, and what besides the mask reveals the class?

    python benchmarks/leak.py [--public FOLDER] [--seeds 5]

All photos go through the frozen base once, at 128 × 128 pixels. Then simple classifiers are cross-validated on the
features, with five random folds and with five folds by group (copies and people, see data/README.md). Every photo is a
test photo once in both cases, so that only the folds differ. Each seed draws new folds.

"nonsense" gives each group a random label, by a coin toss. If more than half of the answers are right, the classifier
is remembering instead of recognizing. "giveaways" trains a small tree, with folds by group, that does not see the
photo or its features, but only the photo's size, sharpness, and light, and the size of its file. Writes JSON.
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
    """Assign each row to a fold, 0 to 4. `split` is "random" (stratified) or "by group"."""
    if split == "by group":
        return datasets.folds_by_group(table.assign(label=labels), seed)
    folds = np.empty(len(table), int)
    for fold, (_, members) in enumerate(StratifiedKFold(5, shuffle=True, random_state=seed).split(folds, labels)):
        folds[members] = fold
    return folds


def cross_validated(folds: np.ndarray, features: np.ndarray, labels: np.ndarray, make_classifier) -> np.ndarray:
    """Say which rows a classifier that was trained on the other folds classifies correctly, bool `(n,)`."""
    correct = np.empty(len(labels), bool)
    for fold in range(5):
        test = folds == fold
        classifier = make_classifier().fit(features[~test], labels[~test])
        correct[test] = classifier.predict(features[test]) == labels[test]
    return correct


def figures(correct: np.ndarray, groups: np.ndarray) -> dict:
    """Compute the accuracy for each seed, their mean, and its 95% interval over groups.

    Args:
        correct: Which photos are classified correctly, float `(seeds, n)`, or the difference of two such arrays.
        groups: The group of each photo.
    """
    mean = correct.mean(axis=0)  # per photo
    resampled = [mean[rows].mean() for rows in evaluation.resamples(groups)]
    low, high = np.percentile(resampled, [2.5, 97.5])
    of_seeds = [round(float(value), 4) for value in correct.mean(axis=1)]
    return {"of_seeds": of_seeds, "value": float(mean.mean()), "low": float(low), "high": float(high)}


def both_ways(table: pd.DataFrame, features: np.ndarray, labels_of, make_classifier, seeds: int) -> dict:
    """Score a classifier with random folds, with folds by group, and the difference.

    Args:
        table: The photos, with `group` and what `datasets.folds_by_group` needs.
        features: Float `(n, features)`.
        labels_of: A function from a seed to the labels.
        make_classifier: A function that makes a new classifier in scikit-learn's style.
        seeds: How many times to draw the folds.

    Returns:
        The scores of `figures` for "random", "by group", and "difference".
    """

    def one_seed(split, seed):
        labels = labels_of(seed)
        return cross_validated(folds_of(table, labels, split, seed), features, labels, make_classifier)

    correct = {
        split: np.array([one_seed(split, seed) for seed in range(seeds)]).astype(float)
        for split in ("random", "by group")
    }
    correct["difference"] = correct["random"] - correct["by group"]
    return {split: figures(values, table["group"].to_numpy()) for split, values in correct.items()}


def measures(folder: Path, paths) -> pd.DataFrame:
    """Measure each photo: width, height, blur, light, and contrast (see `subgroups.measure`), and bytes of its file."""
    rows = []
    for path in paths:
        photo = read_photo(folder / path)
        looks = subgroups.measure(photo, margin=0)
        rows.append(
            {"width": photo.shape[1], "height": photo.shape[0], **looks, "bytes": (folder / path).stat().st_size}
        )
    return pd.DataFrame(rows)


def giveaways(folder: Path, manifest: pd.DataFrame, names=GIVEAWAYS) -> list[dict]:
    """Compute the accuracy of a tree of depth 4 that sees only measures of the photo.

    Args:
        folder: Where the photos are.
        manifest: One row per photo: `path`, `label`, `group`.
        names: Keys of `GIVEAWAYS`.

    Returns:
        One row for "nothing" (always the more frequent class) and one for each name: what the tree `sees`, and `value`.
        The latter also have `low`, `high`, and `of_seeds`, see `figures`.
    """
    measured, labels = measures(folder, manifest["path"]), (manifest["label"] == "without_mask").to_numpy().astype(int)
    folds = datasets.folds_by_group(manifest, 0)
    rows = [{"sees": "nothing", "value": float(np.bincount(labels).max() / len(labels))}]
    for name in names:
        columns = measured[GIVEAWAYS[name]].to_numpy(float)
        correct = cross_validated(folds, columns, labels, partial(DecisionTreeClassifier, **TREE))
        rows.append({"sees": name, **figures(correct[np.newaxis], manifest["group"].to_numpy())})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--public", type=Path, default=resolve(public.FOLDER), help="default: data/public")
    parser.add_argument("--seeds", type=int, default=5, help="how many times to draw the folds (default: 5)")
    parser.add_argument("--results", type=Path, default=resolve(RESULTS), help=f"default: {RESULTS}")
    options = parser.parse_args()

    from maskdet_utils import model, training  # TensorFlow: not needed for --help

    table = public.read_table()
    table = table[table["faces"].notna()].reset_index(drop=True)  # the manifest leaves out files that nobody looked at
    labels = (table["label"] == "without_mask").to_numpy().astype(int)
    files = [options.public / path for path in table["path"]]
    features, _ = training.features_of_views(model.build_base(SIZE), files, np.eye(2)[labels], n_views=0, seed=0)
    clean = (table["exclude"] == "").to_numpy()

    splits = []
    for photos, rows in {"all files": np.ones(len(table), bool), "cleaned": clean}.items():
        subset = table[rows].reset_index(drop=True)
        for name, make_classifier in JUDGES.items():
            scores = both_ways(subset, features[rows], lambda _, own=labels[rows]: own, make_classifier, options.seeds)
            splits.append({"photos": photos, "count": len(subset), "judge": name, **scores})
            say(f"{photos}, {name}", scores)

    codes = pd.factorize(table["group"])[0]

    def coin(seed):
        return np.random.default_rng(seed).integers(2, size=codes.max() + 1)[codes]

    nonsense = both_ways(table, features, coin, JUDGES["nearest neighbor"], options.seeds)
    say("nonsense", nonsense)

    manifest, _ = datasets.read_class_folders(sample.build())
    from_measures = {
        "public": giveaways(options.public, table[clean].reset_index(drop=True)),
        "sample": giveaways(sample.build(), manifest, list(GIVEAWAYS)[:3]),
    }
    for name, rows in from_measures.items():
        print(f"{name}: " + ", ".join(f"{row['sees']} {row['value']:.3f}" for row in rows))
    results = {"seeds": options.seeds, "splits": splits, "nonsense": nonsense, "giveaways": from_measures}
    write_file(options.results, (json.dumps(results, indent=1) + "\n").encode())


def say(what: str, scores: dict) -> None:
    """Print the scores of `both_ways`."""
    shown = ", ".join(
        f"{split} {row['value']:.4f} ({row['low']:.4f}–{row['high']:.4f})" for split, row in scores.items()
    )
    print(f"{what}: {shown}", flush=True)


if __name__ == "__main__":
    main()
