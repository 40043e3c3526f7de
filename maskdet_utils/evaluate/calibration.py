"""Can we trust a classifier's probabilities? Calibration error, reliability table, temperature, unsure band."""

import numpy as np
import pandas as pd


def reliability_table(truth: np.ndarray, probabilities: np.ndarray, n_bins: int = 15) -> pd.DataFrame:
    """Compare how sure the classifier is with how often it is right, from the least sure photos to the surest.

    Each bin holds the same number of photos (Nguyen and O'Connor, "Posterior calibration", 2015). Photos with the same
    confidence stay in one bin, so that their order does not matter. That's why you may get fewer bins than you ask for.

    Args:
        truth: The index of each photo's true class, int `(n,)`.
        probabilities: `(n, classes)`.
        n_bins: The largest number of bins.

    Returns:
        One row per bin: `photos` (a count), `confidence` (the mean probability of the likeliest class), and `accuracy`.
    """
    photos, confidence, correct = _bins(truth, probabilities, n_bins)
    return pd.DataFrame({"photos": photos, "confidence": confidence / photos, "accuracy": correct / photos})


def expected_calibration_error(truth: np.ndarray, probabilities: np.ndarray, n_bins: int = 15) -> float:
    """Compute the mean gap between confidence and accuracy over all photos, 0 to 1 (Naeini et al., AAAI 2015).

    The bins and parameters are those of `reliability_table`. With few photos, even a perfectly calibrated classifier
    gets more than 0.
    """
    _, confidence, correct = _bins(truth, probabilities, n_bins)
    return float(np.abs(confidence - correct).sum() / len(truth))


def _bins(truth: np.ndarray, probabilities: np.ndarray, n_bins: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each bin that is not empty: the number of photos, the sum of their confidences, and the number correct."""
    confidence = probabilities.max(axis=1).astype(float)
    correct = probabilities.argmax(axis=1) == truth
    edges = np.sort(confidence)[np.arange(1, n_bins) * len(confidence) // n_bins]
    bin_of_photo = np.searchsorted(edges, confidence, side="right")
    photos = np.bincount(bin_of_photo, minlength=n_bins)
    sums = [np.bincount(bin_of_photo, weights, n_bins)[photos > 0] for weights in (confidence, correct)]
    return photos[photos > 0], *sums


def with_temperature(probabilities: np.ndarray, temperature: float, shifts=0.0) -> np.ndarray:
    """Make probabilities more or less confident. Without shifts, the likeliest class stays the same.

    This function divides the logarithms of the probabilities by the temperature, adds the shifts, and applies softmax
    again (Guo et al., 2017, arXiv:1706.04599; with shifts: Alexandari et al., 2020, arXiv:1901.06852).

    Args:
        probabilities: `(n, classes)`.
        temperature: A value above 1 makes them less confident, and a value below 1 makes them more confident.
        shifts: What is added to the logit of each class, `(classes,)`.

    Returns:
        The new probabilities, `(n, classes)`.
    """
    logits = np.log(np.clip(probabilities, 1e-7, 1)) / temperature + shifts
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def fit_temperature(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """Find the temperature, 0.05 to 20, that gives the smallest log loss.

    Fit it on photos that are neither in the training set nor in the test set.

    Args:
        truth: The index of each photo's true class, int `(n,)`.
        probabilities: `(n, classes)`.
    """
    from scipy.optimize import minimize_scalar

    def log_loss(log_temperature):
        scaled = with_temperature(probabilities, np.exp(log_temperature))
        return -np.log(np.clip(scaled[np.arange(len(truth)), truth], 1e-12, 1)).mean()

    return float(np.exp(minimize_scalar(log_loss, bounds=np.log([0.05, 20]), method="bounded").x))


def fit_shifts(truth: np.ndarray, probabilities: np.ndarray, weights=None) -> tuple[float, np.ndarray]:
    """Find the temperature and the shift of each class that give the smallest weighted log loss, see `with_temperature`.

    Fit them on photos that are neither in the training set nor in the test set.

    Args:
        truth: The index of each photo's true class, int `(n,)`.
        probabilities: `(n, classes)`.
        weights: How much a photo of each class counts, `(classes,)`, if the classes are more or less frequent here than
            in use. By default, all photos count the same.

    Returns:
        The temperature, 0.05 to 20, and the shifts `(classes,)`. That of the first class is 0.
    """
    from scipy.optimize import minimize

    weights = np.ones(probabilities.shape[1]) if weights is None else np.asarray(weights)

    def log_loss(values):
        corrected = with_temperature(probabilities, np.exp(values[0]), np.append(0, values[1:]))
        return -(weights[truth] * np.log(np.clip(corrected[np.arange(len(truth)), truth], 1e-12, 1))).mean()

    n_shifts = probabilities.shape[1] - 1
    bounds = [tuple(np.log([0.05, 20]))] + [(-10, 10)] * n_shifts
    values = minimize(log_loss, np.zeros(1 + n_shifts), bounds=bounds, method="L-BFGS-B").x
    return float(np.exp(values[0])), np.append(0, values[1:])


def unsure_band(is_first: np.ndarray, first: np.ndarray, wrong: float = 0.01, widest: float = 0.1) -> list[float]:
    """Find the probabilities between which a classifier should say "unsure" instead of deciding.

    The band is the narrowest one, symmetric about 0.5, that leaves at most the fraction `wrong` of the answers outside
    it wrong. With three classes, too, it is about the first class: mask or no mask.

    Args:
        is_first: Whether each photo's true class is the first one, bool `(n,)`. Use validation photos.
        first: The probability of the first class, `(n,)`.
        wrong: The largest fraction of wrong answers outside the band.
        widest: The band never goes below this probability, or above 1 minus it.

    Returns:
        `[low, high]`, with two digits: what `labels.json` calls `unsure`.

    Introduced in notebook 07.
    """
    sure_of = np.maximum(first, 1 - np.asarray(first))
    is_wrong = (np.asarray(first) >= 0.5) != is_first
    for low in np.arange(0.5, widest, -0.01):
        outside = sure_of >= 1 - low
        if is_wrong[outside].sum() <= wrong * outside.sum():
            return [round(float(low), 2), round(1 - float(low), 2)]
    return [widest, round(1 - widest, 2)]
