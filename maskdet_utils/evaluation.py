"""How good is a classifier, and how sure can we be of that?"""

import numpy as np

from .photos import fit_to_input, read_photo


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


def confusion(truth: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Counts of photos, int `(true class, likeliest class)`."""
    n_classes = probabilities.shape[1]
    cells = np.asarray(truth) * n_classes + probabilities.argmax(axis=1)
    return np.bincount(cells, minlength=n_classes**2).reshape(n_classes, n_classes)


def roc_auc(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """The chance that a random photo of class 0 gets a higher probability of class 0 than a random one of another class.

    Equal probabilities count half. The same as scikit-learn's `roc_auc_score`, in a tenth of the time: the intervals
    below ask for it a thousand times.
    """
    of_class_0, scores = np.asarray(truth) == 0, probabilities[:, 0]
    others = np.sort(scores[~of_class_0])
    below, not_above = (np.searchsorted(others, scores[of_class_0], side) for side in ("left", "right"))
    return float((below + not_above).mean() / (2 * len(others)))


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


def with_intervals(metrics: dict, truth, probabilities, groups, *, n_resamples=1000, seed=0, centered=()) -> dict:
    """Figures and their 95 % intervals: for each name in `metrics` `{"value", "low", "high"}`.

    A metric is a function of (truth, probabilities), such as those above; `truth` is int `(n,)`, `probabilities` float
    `(n, classes)`. The interval is a percentile bootstrap over groups (Efron and Tibshirani, 1993, chapter 13).
    centered: names of figures that resampling itself makes larger, such as the calibration error; their interval is
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
        if name in centered:
            low, high = max(0.0, low + value - middle), high + value - middle
        figures[name] = {"value": value, "low": float(low), "high": float(high)}
    return figures


def with_interval(metric, truth, probabilities, groups, **options) -> dict:
    """One figure and its 95 % interval, `{"value", "low", "high"}`: see `with_intervals`."""
    return with_intervals({"figure": metric}, truth, probabilities, groups, **options)["figure"]


def score_text(score: dict | None, digits: int = 3) -> str:
    """A score and its interval as text, "0.993 (0.982–0.999)"; a dash for None, no brackets where nothing is known."""
    if score is None:
        return "–"
    interval = f" ({score['low']:.{digits}f}–{score['high']:.{digits}f})" if score["low"] is not None else ""
    return f"{score['value']:.{digits}f}{interval}"


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
