"""How good is a classifier, and how sure can we be of that?"""

import json
from pathlib import Path

import numpy as np

from .datasets import fit_to_input
from .photos import read_photo


def accuracy(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """The share of photos whose likeliest class (argmax) is the true one."""
    return float((probabilities.argmax(axis=1) == truth).mean())


def balanced_accuracy(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """The mean of each class's own accuracy (its recall), so that a frequent class counts no more than a rare one."""
    hits = probabilities.argmax(axis=1) == truth
    return float(np.mean([hits[truth == label].mean() for label in np.unique(truth)]))


def roc_auc(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """The chance that a random photo of class 0 gets a higher probability of class 0 than a random one of class 1."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(truth == 0, probabilities[:, 0]))


def with_interval(metric, truth, probabilities, groups, n_resamples: int = 1000, seed: int = 0) -> dict:
    """A figure and its 95 % interval: `{"value", "low", "high"}`.

    `metric(truth, probabilities)` is one of the functions above; `truth` is int `(n,)`, `probabilities` float
    `(n, classes)`. The interval is a percentile bootstrap (Efron and Tibshirani, 1993, chapter 13) that draws whole
    groups, not photos: photos of one person resemble each other, so drawing photos would promise too much.
    """
    truth, probabilities = np.asarray(truth), np.asarray(probabilities)
    members = [np.flatnonzero(np.asarray(groups) == group) for group in np.unique(groups)]
    rng = np.random.default_rng(seed)
    values = []
    while len(values) < n_resamples:
        drawn = np.concatenate([members[i] for i in rng.integers(len(members), size=len(members))])
        if len(np.unique(truth[drawn])) == len(np.unique(truth)):  # a resample that misses a class has no such figure
            values.append(metric(truth[drawn], probabilities[drawn]))
    low, high = np.percentile(values, [2.5, 97.5])
    return {"value": metric(truth, probabilities), "low": float(low), "high": float(high)}


def headline(truth, probabilities, groups, seed: int = 0) -> dict:
    """The three figures that every run reports, each with its interval."""
    metrics = {"accuracy": accuracy, "balanced_accuracy": balanced_accuracy, "roc_auc": roc_auc}
    return {name: with_interval(metric, truth, probabilities, groups, seed=seed) for name, metric in metrics.items()}


def classify_photos(classifier, paths, image_size: int, batch_size: int = 64) -> np.ndarray:
    """Probabilities `(n, classes)` for photos read from disk in batches; `classifier` is a Keras model or a `LiteClassifier`.

    Raises `PhotoError` for a photo that cannot be read.
    """
    from tqdm.auto import tqdm

    # Called directly, a Keras model keeps the output of every layer until the last one is done: gigabytes.
    predict = getattr(classifier, "predict_on_batch", classifier)
    batches = []
    for start in tqdm(range(0, len(paths), batch_size), desc="classifying", leave=False):
        photos = [read_photo(path, at_least=image_size) for path in paths[start : start + batch_size]]
        pixels = np.stack([fit_to_input(photo, image_size) for photo in photos]).astype(np.float32)
        batches.append(np.asarray(predict(pixels)))
    return np.concatenate(batches)


def read_labels(run_dir) -> dict:
    """The `labels.json` beside a classifier: `classes` in output order, `input_size`, `threshold`, `crop_margin`."""
    return json.loads((Path(run_dir) / "labels.json").read_text())
