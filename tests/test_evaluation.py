"""Figures against counts made by hand, and intervals that say how sure one can be."""

import json

import numpy as np
import pytest

from maskdet_utils import augment, evaluation, run_page
from maskdet_utils.evaluate import calibration, metrics
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


def test_three_classes_by_hand():
    truth = np.array([0, 0, 0, 0, 1, 1, 2, 2])
    called = np.array([0, 0, 0, 1, 1, 0, 2, 1])
    probabilities = np.eye(3)[called]
    assert evaluation.confusion(truth, probabilities).tolist() == [[3, 1, 0], [1, 1, 0], [0, 1, 1]]
    assert [metrics.recall(truth, probabilities, label) for label in range(3)] == [3 / 4, 1 / 2, 1 / 2]
    assert evaluation.balanced_accuracy(truth, probabilities) == pytest.approx((3 / 4 + 1 / 2 + 1 / 2) / 3)
    # F1: 2·3 / (4 + 4), 2·1 / (2 + 3), 2·1 / (2 + 1).
    assert metrics.macro_f1(truth, probabilities) == pytest.approx((6 / 8 + 2 / 5 + 2 / 3) / 3)
    # Without photos of the last class, only the two others are averaged.
    assert metrics.macro_f1(truth[:6], probabilities[:6]) == pytest.approx((6 / 8 + 2 / 4) / 2)


def test_area_under_the_curve_is_that_of_scikit_learn():
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 200)
    probabilities = rng.dirichlet([1, 1, 1], 200).round(1)  # with many that are equal
    expected = roc_auc_score(truth == 0, probabilities[:, 0])
    assert evaluation.roc_auc(truth, probabilities) == pytest.approx(expected)


def test_calibration_error_by_hand():
    confidence = np.array([0.95, 0.55, 0.85, 0.65, 0.75, 1.0])
    right = np.array([True, False, True, True, False, True])
    probabilities = np.stack([confidence, 1 - confidence], axis=1)
    truth = np.where(right, 0, 1)
    table = calibration.reliability_table(truth, probabilities, n_bins=3)
    assert table["photos"].tolist() == [2, 2, 2]
    assert table["confidence"].tolist() == pytest.approx([0.6, 0.8, 0.975])
    assert table["accuracy"].tolist() == [0.5, 0.5, 1]
    by_hand = (2 * 0.1 + 2 * 0.3 + 2 * 0.025) / 6
    assert calibration.expected_calibration_error(truth, probabilities, n_bins=3) == pytest.approx(by_hand)


def test_calibration_error_does_not_hang_on_the_order_of_equal_photos():
    """A quantized classifier has few different probabilities, and photos come sorted by class."""
    truth = np.repeat([0, 1], 500)
    probabilities = np.tile([0.5, 0.5], (1000, 1))
    assert calibration.expected_calibration_error(truth, probabilities) == 0
    assert len(calibration.reliability_table(truth, probabilities)) == 1


@pytest.fixture
def calibrated():
    """4,000 photos whose probabilities are what they say: truth drawn with them."""
    rng = np.random.default_rng(0)
    first = rng.beta(0.7, 0.7, 4000)
    return (rng.random(4000) >= first).astype(int), np.stack([first, 1 - first], axis=1)


def test_temperature_undoes_false_confidence(calibrated):
    truth, probabilities = calibrated
    assert calibration.fit_temperature(truth, probabilities) == pytest.approx(1, abs=0.1)
    too_sure = calibration.with_temperature(probabilities, 1 / 2.5)
    assert (too_sure.argmax(axis=1) == probabilities.argmax(axis=1)).all()
    temperature = calibration.fit_temperature(truth, too_sure)
    assert temperature == pytest.approx(2.5, abs=0.25)
    mended = calibration.with_temperature(too_sure, temperature)
    errors = [calibration.expected_calibration_error(truth, said) for said in (too_sure, mended)]
    assert errors[0] > 0.08 and errors[1] < 0.03
    assert np.allclose(mended.sum(axis=1), 1)


def test_a_temperature_and_shifts_that_were_added_are_found_again():
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(3), 20_000)
    truth = (probabilities.cumsum(axis=1) > rng.random((20_000, 1))).argmax(axis=1)
    changed = calibration.with_temperature(probabilities, 0.5, [0, 1.5, -1])  # too sure, and too often the second class
    temperature, shifts = calibration.fit_shifts(truth, changed)
    assert temperature == pytest.approx(2, abs=0.1) and shifts[0] == 0
    assert shifts[1:] == pytest.approx([-0.75, 0.5], abs=0.1)
    corrected = calibration.with_temperature(changed, temperature, shifts)
    assert np.abs(corrected - probabilities).max() < 0.03

    rarer = calibration.with_temperature(changed, *calibration.fit_shifts(truth, changed, [1, 1, 0.25]))
    assert rarer[:, 2].mean() < 0.5 * corrected[:, 2].mean()


def test_the_interval_of_a_calibration_error_holds_it(calibrated):
    truth, probabilities = (part[:300] for part in calibrated)
    metrics = {"error": calibration.expected_calibration_error}
    plain, centered = (
        evaluation.with_intervals(metrics, truth, probabilities, np.arange(300), n_resamples=200, centered=names)[
            "error"
        ]
        for names in ((), ("error",))
    )
    assert plain["low"] > 0.8 * plain["value"], "resampling makes it larger"
    assert 0 <= centered["low"] < centered["value"] < centered["high"]


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


def test_resamples_draw_whole_groups():
    groups = np.array(["b", "a", "b", "c", "a", "b"])
    for drawn in evaluation.resamples(groups, n_resamples=20):
        counts = np.bincount(drawn, minlength=6)
        of_group = {name: set(counts[groups == name]) for name in "abc"}
        assert all(len(times) == 1 for times in of_group.values())
        assert sum(times.pop() for times in of_group.values()) == 3


def test_figures_together_are_the_same_as_one_by_one(people):
    metrics = {"accuracy": evaluation.accuracy, "roc_auc": evaluation.roc_auc}
    together = evaluation.with_intervals(metrics, *people, n_resamples=50)
    assert together == {name: evaluation.with_interval(metrics[name], *people, n_resamples=50) for name in metrics}


def test_resamples_without_a_class_are_drawn_again():
    groups = np.array([0, 0, 0, 0, 0, 0, 1, 1])
    interval = evaluation.with_interval(evaluation.roc_auc, TRUTH, PROBABILITIES, groups, n_resamples=50)
    assert 0 < interval["low"] <= interval["high"] < 1


def test_headline_has_three_scores_with_intervals_and_the_people_without_an_error(people):
    headline = evaluation.headline(*people)
    assert list(headline) == ["accuracy", "balanced_accuracy", "roc_auc", "groups_without_error"]
    for name in ("accuracy", "balanced_accuracy", "roc_auc"):
        score = headline[name]
        assert set(score) == {"value", "low", "high"} and score["low"] <= score["value"] <= score["high"]
    assert headline["groups_without_error"]["count"] == 16


def test_where_there_is_no_error_headline_gives_no_interval():
    truth, groups = np.tile([0, 1], 16), np.repeat(np.arange(8), 4)
    headline = evaluation.headline(truth, np.eye(2)[truth], groups)
    for name in ("accuracy", "balanced_accuracy", "roc_auc"):
        assert headline[name] == {"value": 1, "low": None, "high": None}
        assert evaluation.score_text(headline[name]) == "1.000"
    assert headline["groups_without_error"]["low"] == pytest.approx(0.6306, abs=1e-4)
    json.dumps(headline, allow_nan=False)


def test_a_perfect_order_has_no_interval_although_the_threshold_makes_errors():
    truth, groups = np.tile([0, 1], 20), np.repeat(np.arange(10), 4)
    first = np.where(truth == 0, 0.9, 0.1)
    first[1] = 0.6  # called class 0, but still below all of class 0
    headline = evaluation.headline(truth, np.stack([first, 1 - first], axis=1), groups)
    assert headline["roc_auc"] == {"value": 1, "low": None, "high": None}
    assert headline["accuracy"]["value"] == 39 / 40 and headline["accuracy"]["low"] < 39 / 40


@pytest.mark.parametrize(
    ("wrong", "low", "high"),
    [
        # 8 of 8: 0.025^(1/8) to 1. None of 8: 0 to 1 − 0.025^(1/8).
        ([], 0.025 ** (1 / 8), 1),
        (range(8), 0, 1 - 0.025 ** (1 / 8)),
        # 7 of 8: p⁷(8 − 7p) = 0.025 at the low end, 1 − p⁸ = 0.025 at the high end.
        ([3], 0.473490, 0.975 ** (1 / 8)),
    ],
)
def test_groups_without_error_have_the_interval_of_clopper_and_pearson(wrong, low, high):
    groups = np.array([f"person {number // 5}" for number in range(40)])
    truth = np.arange(40) % 2
    called = truth.copy()
    for person in wrong:
        called[5 * person + 2] = 1 - called[5 * person + 2]  # one wrong photo is enough
    share = evaluation.groups_without_error(truth, np.eye(2)[called], groups)
    count = 8 - len(wrong)
    assert (share["count"], share["of"], share["value"]) == (count, 8, count / 8)
    assert share["low"] == pytest.approx(low, abs=1e-5) and share["high"] == pytest.approx(high, abs=1e-5)


def test_people_without_an_error_in_words():
    share = {"value": 1.0, "low": 0.6306, "high": 1.0, "count": 8, "of": 8}
    assert run_page.groups_text(share) == (
        "no error in the photos of 8 of 8 people; with 95% confidence at least 63% of people like these"
    )
    share = {"value": 7 / 8, "low": 0.4735, "high": 0.9968, "count": 7, "of": 8}
    assert run_page.groups_text(share, "groups").endswith(
        "7 of 8 groups; with 95% confidence 47% to 100% of groups like these"
    )


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


def test_changed_photos_are_the_same_every_time_whatever_the_batch_and_differ_from_the_unchanged(class_folders):
    paths = sorted(class_folders.rglob("*.png"))

    def classify(**how):
        return evaluation.classify_photos(lambda pixels: pixels.mean(axis=(1, 2))[:, :2] / 255, paths, 32, **how)

    changed = classify(change=augment.degrade, seed=3)
    assert changed.shape == (24, 2)
    assert np.array_equal(changed, classify(change=augment.degrade, seed=3))
    assert np.allclose(changed, classify(change=augment.degrade, seed=3, batch_size=7))
    assert not np.allclose(changed, classify(change=augment.degrade, seed=4))
    assert not np.allclose(changed, classify())
    # Each photo has its own random numbers, made from the seed and its place: what notebook 05 shows is what was seen.
    seen = []
    classify(change=lambda photo, rng: seen.append(rng.random()) or photo, seed=3)
    assert seen == [np.random.default_rng((3, number)).random() for number in range(24)]


def test_the_unsure_band_is_the_narrowest_that_leaves_few_errors_outside():
    first = np.concatenate([np.full(98, 0.95), [0.62, 0.38, 0.7]])
    is_masked = np.concatenate([np.full(98, True), [False, True, True]])
    assert calibration.unsure_band(is_masked, first) == [0.38, 0.62], "one error of 0.62 or 0.38 is one too many"
    assert calibration.unsure_band(is_masked, first, wrong=0.05) == [0.5, 0.5], "all answers are good enough"
    assert calibration.unsure_band(~is_masked, first) == [0.1, 0.9], "never wider, however many errors there are"
