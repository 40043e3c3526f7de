"""Figures against counts made by hand, and intervals that say how sure one can be."""

import numpy as np
import pytest

from maskdet_utils import evaluation
from maskdet_utils.photos import PhotoError

# Six photos of class 0, two of class 1; one of each is taken for the other.
TRUTH = np.array([0, 0, 0, 0, 0, 0, 1, 1])
OF_CLASS_0 = np.array([0.9, 0.8, 0.7, 0.95, 0.6, 0.3, 0.2, 0.65])
PROBABILITIES = np.stack([OF_CLASS_0, 1 - OF_CLASS_0], axis=1)


def test_metrics_are_what_one_counts_by_hand():
    assert evaluation.accuracy(TRUTH, PROBABILITIES) == 6 / 8
    assert evaluation.balanced_accuracy(TRUTH, PROBABILITIES) == pytest.approx((5 / 6 + 1 / 2) / 2)
    # Of the 6 × 2 pairs, 0.3 beats 0.2 only, 0.6 beats 0.2 only, the four others beat both.
    assert evaluation.roc_auc(TRUTH, PROBABILITIES) == pytest.approx(10 / 12)


def test_metrics_of_a_perfect_and_of_a_swapped_classifier():
    perfect = np.eye(2)[TRUTH]
    for metric in (evaluation.accuracy, evaluation.balanced_accuracy, evaluation.roc_auc):
        assert metric(TRUTH, perfect) == 1 and metric(TRUTH, perfect[:, ::-1]) == 0


@pytest.fixture
def people():
    """20 people with 10 photos each; with some people everything goes wrong, with most nothing."""
    groups = np.repeat(np.arange(20), 10)
    truth = np.tile([0, 1], 100)
    wrong = groups % 5 == 0
    probabilities = np.eye(2)[np.where(wrong, 1 - truth, truth)] * 0.8 + 0.1
    return truth, probabilities, groups


def test_intervals_hold_the_value_and_are_wider_by_person_than_by_photo(people):
    truth, probabilities, groups = people
    by_person = evaluation.with_interval(evaluation.accuracy, truth, probabilities, groups)
    by_photo = evaluation.with_interval(evaluation.accuracy, truth, probabilities, np.arange(len(truth)))
    for figure in (by_person, by_photo):
        assert figure["value"] == pytest.approx(0.8)
        assert figure["low"] < figure["value"] < figure["high"]
    assert by_person["high"] - by_person["low"] > 2 * (by_photo["high"] - by_photo["low"])
    # 20 people, of whom 4 fail: ±1.96·√(0.8·0.2/20) is ±0.175.
    assert by_person["high"] - by_person["low"] == pytest.approx(2 * 0.175, abs=0.06)


def test_the_seed_repeats_an_interval(people):
    truth, probabilities, _ = people
    by_photo = np.arange(len(truth))
    intervals = [
        evaluation.with_interval(evaluation.accuracy, truth, probabilities, by_photo, n_resamples=20, seed=seed)
        for seed in (1, 1, 2)
    ]
    assert intervals[0] == intervals[1] != intervals[2]


def test_resamples_without_a_class_are_drawn_again():
    groups = np.array([0, 0, 0, 0, 0, 0, 1, 1])
    interval = evaluation.with_interval(evaluation.roc_auc, TRUTH, PROBABILITIES, groups, n_resamples=50)
    assert 0 < interval["low"] <= interval["high"] < 1


def test_headline_has_three_figures_with_intervals(people):
    headline = evaluation.headline(*people)
    assert list(headline) == ["accuracy", "balanced_accuracy", "roc_auc"]
    assert all(set(figure) == {"value", "low", "high"} for figure in headline.values())


def test_photos_are_classified_in_order_whatever_the_batch(class_folders):
    paths = sorted(class_folders.rglob("*.png"))

    def redness(pixels):
        assert pixels.shape[1:] == (32, 32, 3) and pixels.dtype == np.float32
        return pixels.mean(axis=(1, 2))[:, :2] / 255

    probabilities = evaluation.classify_photos(redness, paths, 32, batch_size=7)
    assert probabilities.shape == (24, 2)
    assert np.allclose(probabilities, evaluation.classify_photos(redness, paths, 32))
    assert np.allclose(probabilities[5], evaluation.classify_photos(redness, paths[5:6], 32)[0])
    with pytest.raises(PhotoError):
        evaluation.classify_photos(redness, [*paths, class_folders / "nowhere.png"], 32)
