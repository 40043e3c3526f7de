"""Measure how good a classifier is, and how sure we can be of that."""

import numpy as np

from .photos import fit_to_input, read_photo


def accuracy(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the fraction of photos whose likeliest class is the true one.

    Args:
        truth: the index of each photo's true class, int `(n,)`.
        probabilities: `(n, classes)`.

    Introduced in notebook 02.
    """
    return float((probabilities.argmax(axis=1) == truth).mean())


def balanced_accuracy(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the mean of the recalls of the classes, so that a frequent class counts no more than a rare one.

    Args:
        truth: the index of each photo's true class, int `(n,)`. A class that does not occur in it is left out.
        probabilities: `(n, classes)`.

    Introduced in notebook 07.
    """
    counts = confusion(truth, probabilities)
    totals = counts.sum(axis=1)
    return float((counts.diagonal() / np.maximum(totals, 1))[totals > 0].mean())


def confusion(truth: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Return the confusion matrix: the number of photos, int `(true class, likeliest class)`.

    Args:
        truth: the index of each photo's true class, int `(n,)`.
        probabilities: `(n, classes)`.

    Introduced in notebook 05.
    """
    n_classes = probabilities.shape[1]
    cells = np.asarray(truth) * n_classes + probabilities.argmax(axis=1)
    return np.bincount(cells, minlength=n_classes**2).reshape(n_classes, n_classes)


def roc_auc(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the area under the ROC curve of class 0 against all other classes.

    It is the chance that a random photo of class 0 gets a higher probability of class 0 than a random photo of another
    class. Ties count half. The value is the same as that of scikit-learn's `roc_auc_score`, but takes a tenth of the
    time. That matters because the intervals below compute it a thousand times.

    Args:
        truth: the index of each photo's true class, int `(n,)`.
        probabilities: `(n, classes)`.
    """
    is_positive, scores = np.asarray(truth) == 0, probabilities[:, 0]
    negatives = np.sort(scores[~is_positive])
    below, not_above = (np.searchsorted(negatives, scores[is_positive], side) for side in ("left", "right"))
    return float((below + not_above).mean() / (2 * len(negatives)))


def resamples(groups, n_resamples: int = 1000, seed: int = 0):
    """Yield bootstrap resamples that draw whole groups with replacement.

    Photos of one person resemble each other. Drawing single photos would make the intervals too narrow.

    Args:
        groups: the group of each photo, such as the person, `(n,)`.
        n_resamples: how many resamples to draw.
        seed: makes the resamples repeatable.

    Yields:
        The indices of the photos of one resample, an int array.
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
    """Compute scores and their 95% intervals.

    The intervals are percentile bootstrap intervals over groups (Efron and Tibshirani, 1993, chapter 13).

    Args:
        metrics: a dict from names to functions of (truth, probabilities), such as those above.
        truth: the index of each photo's true class, int `(n,)`.
        probabilities: float `(n, classes)`.
        groups: the group of each photo, such as the person, `(n,)`.
        n_resamples: how many resamples the intervals come from.
        seed: makes the intervals repeatable.
        centered: the names of metrics that resampling itself makes larger, such as the calibration error. Their
            interval is shifted until the resamples' median equals the value, but its low end stays at 0 or above.

    Returns:
        `{"value", "low", "high"}` for each name in `metrics`.
    """
    truth, probabilities = np.asarray(truth), np.asarray(probabilities)
    n_classes = len(np.unique(truth))
    values = {name: [] for name in metrics}
    for rows in resamples(groups, 10 * n_resamples, seed):
        drawn_truth, drawn_probabilities = truth[rows], probabilities[rows]
        if np.count_nonzero(np.bincount(drawn_truth)) < n_classes:  # some metrics need every class
            continue
        for name, metric in metrics.items():
            values[name].append(metric(drawn_truth, drawn_probabilities))
        if len(values[name]) == n_resamples:
            break
    scores = {}
    for name, metric in metrics.items():
        value = metric(truth, probabilities)
        low, median, high = np.percentile(values[name], [2.5, 50, 97.5])
        if name in centered:
            low, high = max(0.0, low + value - median), high + value - median
        scores[name] = {"value": value, "low": float(low), "high": float(high)}
    return scores


def with_interval(metric, truth, probabilities, groups, **options) -> dict:
    """Compute one score and its 95% interval, `{"value", "low", "high"}`. See `with_intervals` for the parameters.

    Introduced in notebook 02.
    """
    return with_intervals({"score": metric}, truth, probabilities, groups, **options)["score"]


def score_text(score: dict | None, digits: int = 3) -> str:
    """Format a score and its interval, such as "0.993 (0.982–0.999)".

    Args:
        score: `{"value", "low", "high"}`. If `low` is None, the interval is left out. None gives a dash.
        digits: how many digits after the decimal point.

    Introduced in notebook 02.
    """
    if score is None:
        return "–"
    interval = f" ({score['low']:.{digits}f}–{score['high']:.{digits}f})" if score["low"] is not None else ""
    return f"{score['value']:.{digits}f}{interval}"


def headline(truth, probabilities, groups, seed: int = 0) -> dict:
    """Compute the scores that every run reports.

    A score of exactly 1 gets no interval: every resample is perfect too, so the bootstrap can't tell how uncertain the
    score is. `groups_without_error` always has one, because its interval is exact.

    Returns:
        `{"value", "low", "high"}` for `accuracy`, `balanced_accuracy`, and `roc_auc` (see `with_intervals`), and the
        result of `groups_without_error` under that name. `low` and `high` are None if there is no interval.

    Introduced in notebook 05.
    """
    metrics = {"accuracy": accuracy, "balanced_accuracy": balanced_accuracy, "roc_auc": roc_auc}
    scores = with_intervals(metrics, truth, probabilities, groups, seed=seed)
    perfect = {name: {**score, "low": None, "high": None} for name, score in scores.items() if score["value"] == 1}
    return {**scores, **perfect, "groups_without_error": groups_without_error(truth, probabilities, groups)}


def groups_without_error(truth, probabilities, groups) -> dict:
    """Compute the fraction of groups (such as people) whose photos are all classified correctly.

    The 95% interval is the exact one of Clopper and Pearson (1934), with groups as the independent trials.

    Returns:
        `{"value", "low", "high", "count", "of"}`: the fraction, its interval, and the two counts.
    """
    from scipy.stats import binomtest

    is_right = np.asarray(probabilities).argmax(axis=1) == truth
    _, numbers = np.unique(np.asarray(groups), return_inverse=True)
    errors = np.bincount(numbers, weights=~is_right)
    count, total = int((errors == 0).sum()), len(errors)
    interval = binomtest(count, total).proportion_ci(0.95, method="exact")
    return {"value": count / total, "low": interval.low, "high": interval.high, "count": count, "of": total}


def classify_photos(
    classifier, paths, image_size: int, *, change=None, seed: int = 0, batch_size: int = 64
) -> np.ndarray:
    """Read photos from disk in batches and classify them.

    Args:
        classifier: a Keras model or a `LiteClassifier`.
        paths: the photos.
        image_size: the side of the classifier's input in pixels.
        change: `change(photo, rng)` alters each photo before it is resized, see `augment.degrade`.
        seed: makes these changes repeatable, whatever the classifier.
        batch_size: how many photos are in memory at once.

    Returns:
        Probabilities `(n, classes)`, in the order of `paths`.

    Raises:
        PhotoError: a photo cannot be read.

    Introduced in notebook 05.
    """
    from tqdm.auto import tqdm

    # A Keras model that is called directly keeps the outputs of all layers until it is done, which takes gigabytes.
    predict = getattr(classifier, "predict_on_batch", classifier)
    batches = []
    for start in tqdm(range(0, len(paths), batch_size), desc="classifying", leave=False):
        photos = [read_photo(path, at_least=image_size) for path in paths[start : start + batch_size]]
        if change is not None:
            photos = [change(photo, np.random.default_rng((seed, start + n))) for n, photo in enumerate(photos)]
        pixels = np.stack([fit_to_input(photo, image_size) for photo in photos]).astype(np.float32)
        batches.append(np.asarray(predict(pixels)))
    return np.concatenate(batches)
