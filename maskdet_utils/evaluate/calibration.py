"""Can a classifier's probabilities be trusted? Calibration error, reliability table, temperature."""

import numpy as np
import pandas as pd


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
