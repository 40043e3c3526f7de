"""How good is a classifier, and how sure can we be of that?"""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from .datasets import fit_to_input
from .photos import read_photo


def accuracy(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """The share of photos whose likeliest class (argmax) is the true one."""
    return float((probabilities.argmax(axis=1) == truth).mean())


def balanced_accuracy(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """The mean of each class's own accuracy (its recall), so that a frequent class counts no more than a rare one.

    Over the classes that occur in `truth`.
    """
    counts = confusion(truth, probabilities)
    in_truth = counts.sum(axis=1)
    return float((counts.diagonal() / np.maximum(in_truth, 1))[in_truth > 0].mean())


def recall(truth: np.ndarray, probabilities: np.ndarray, label: int) -> float:
    """The share of the photos of class number `label` that are taken for it."""
    return float((probabilities[truth == label].argmax(axis=1) == label).mean())


def confusion(truth: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Counts of photos, int `(true class, likeliest class)`."""
    n_classes = probabilities.shape[1]
    cells = np.asarray(truth) * n_classes + probabilities.argmax(axis=1)
    return np.bincount(cells, minlength=n_classes**2).reshape(n_classes, n_classes)


def macro_f1(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """The mean, over the classes that occur in `truth`, of F1: the harmonic mean of a class's precision and recall."""
    counts = confusion(truth, probabilities)
    in_truth, called = counts.sum(axis=1), counts.sum(axis=0)
    return float((2 * counts.diagonal() / np.maximum(in_truth + called, 1))[in_truth > 0].mean())


def roc_auc(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """The chance that a random photo of class 0 gets a higher probability of class 0 than a random one of another class.

    Equal probabilities count half. The same as scikit-learn's `roc_auc_score`, in a tenth of the time: the intervals
    below ask for it a thousand times.
    """
    of_class_0, scores = np.asarray(truth) == 0, probabilities[:, 0]
    others = np.sort(scores[~of_class_0])
    below, not_above = (np.searchsorted(others, scores[of_class_0], side) for side in ("left", "right"))
    return float((below + not_above).mean() / (2 * len(others)))


def reliability_table(truth: np.ndarray, probabilities: np.ndarray, n_bins: int = 15) -> pd.DataFrame:
    """How sure the classifier is, and how often it is right: a row per bin, the least sure photos first.

    Columns: `photos` (a count), `confidence` (mean probability of the likeliest class) and `accuracy`. The bins hold
    equally many photos (Nguyen and O'Connor, "Posterior calibration", 2015), but photos of the same confidence stay
    together, so that their order does not matter; there may be fewer bins for that.
    """
    photos, confidence, hits = _bins(truth, probabilities, n_bins)
    return pd.DataFrame({"photos": photos, "confidence": confidence / photos, "accuracy": hits / photos})


def expected_calibration_error(truth: np.ndarray, probabilities: np.ndarray, n_bins: int = 15) -> float:
    """How far confidence and accuracy are apart, on average over photos, 0 to 1 (Naeini et al., AAAI 2015).

    The bins are those of `reliability_table`. Even a perfectly calibrated classifier gets more than 0 on few photos.
    """
    _, confidence, hits = _bins(truth, probabilities, n_bins)
    return float(np.abs(confidence - hits).sum() / len(truth))


def _bins(truth, probabilities, n_bins: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count of photos, sum of their confidences and count of hits, for each bin that is not empty."""
    confidence = probabilities.max(axis=1).astype(float)
    hits = probabilities.argmax(axis=1) == truth
    edges = np.sort(confidence)[np.arange(1, n_bins) * len(confidence) // n_bins]
    numbers = np.searchsorted(edges, confidence, side="right")
    photos = np.bincount(numbers, minlength=n_bins)
    sums = [np.bincount(numbers, weights, n_bins)[photos > 0] for weights in (confidence, hits)]
    return photos[photos > 0], *sums


def with_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities `(n, classes)` made less sure (temperature > 1) or surer (< 1); the likeliest class stays the same.

    Their logarithms are divided by the temperature and go through softmax again (Guo et al., arXiv:1706.04599).
    """
    logits = np.log(np.clip(probabilities, 1e-7, 1)) / temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def fit_temperature(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """The temperature, 0.05 to 20, with which the probabilities of the true classes fit best (least log loss).

    Fit it on photos that neither trained the classifier nor judge it.
    """
    from scipy.optimize import minimize_scalar

    def log_loss(log_temperature):
        scaled = with_temperature(probabilities, np.exp(log_temperature))
        return -np.log(np.clip(scaled[np.arange(len(truth)), truth], 1e-12, 1)).mean()

    return float(np.exp(minimize_scalar(log_loss, bounds=np.log([0.05, 20]), method="bounded").x))


def resamples(groups, n_resamples: int = 1000, seed: int = 0):
    """Give the places (int array) of the photos of one bootstrap resample after the other: whole groups are drawn.

    Photos of one person resemble each other: drawing photos one by one would promise too much.
    """
    _, numbers = np.unique(np.asarray(groups), return_inverse=True)
    members, sizes = np.argsort(numbers, kind="stable"), np.bincount(numbers)
    starts = sizes.cumsum() - sizes
    rng = np.random.default_rng(seed)
    for _ in range(n_resamples):
        drawn = rng.integers(len(sizes), size=len(sizes))
        ends = sizes[drawn].cumsum()
        yield members[np.arange(ends[-1]) + np.repeat(starts[drawn] - ends + sizes[drawn], sizes[drawn])]


def with_intervals(metrics: dict, truth, probabilities, groups, n_resamples=1000, seed=0, centred=()) -> dict:
    """Figures and their 95 % intervals: for each name in `metrics` `{"value", "low", "high"}`.

    A metric is a function of (truth, probabilities), such as those above; `truth` is int `(n,)`, `probabilities` float
    `(n, classes)`. The interval is a percentile bootstrap over groups (Efron and Tibshirani, 1993, chapter 13).
    centred: names of figures that resampling itself makes larger, such as the calibration error; their interval is
    moved so that the resamples' median lies on the value (down to 0 at most).
    """
    truth, probabilities = np.asarray(truth), np.asarray(probabilities)
    n_classes = len(np.unique(truth))
    values = {name: [] for name in metrics}
    for drawn in resamples(groups, 10 * n_resamples, seed):
        some_truth, some_probabilities = truth[drawn], probabilities[drawn]
        if np.count_nonzero(np.bincount(some_truth)) < n_classes:  # a resample that misses a class has no such figure
            continue
        for name, metric in metrics.items():
            values[name].append(metric(some_truth, some_probabilities))
        if len(values[name]) == n_resamples:
            break
    figures = {}
    for name, metric in metrics.items():
        value = metric(truth, probabilities)
        low, middle, high = np.percentile(values[name], [2.5, 50, 97.5])
        if name in centred:
            low, high = max(0.0, low + value - middle), high + value - middle
        figures[name] = {"value": value, "low": float(low), "high": float(high)}
    return figures


def with_interval(metric, truth, probabilities, groups, n_resamples: int = 1000, seed: int = 0) -> dict:
    """One figure and its 95 % interval, `{"value", "low", "high"}`: see `with_intervals`."""
    return with_intervals({"figure": metric}, truth, probabilities, groups, n_resamples, seed)["figure"]


def headline(truth, probabilities, groups, seed: int = 0) -> dict:
    """The three figures that every run reports, each with its interval."""
    metrics = {"accuracy": accuracy, "balanced_accuracy": balanced_accuracy, "roc_auc": roc_auc}
    return with_intervals(metrics, truth, probabilities, groups, seed=seed)


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
