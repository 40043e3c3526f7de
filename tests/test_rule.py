"""The rule that turns probabilities into a label is the same everywhere. For the web page, see test_web_page.py."""

import numpy as np
import pytest

from maskdet_utils.classifier import at_threshold
from maskdet_utils.detector import MaskDetector
from maskdet_utils.evaluate.metrics import face_scores
from maskdet_utils.faces import Face
from maskdet_utils.tracking import Tracker

CLASSES = ["with_mask", "without_mask", "worn_incorrectly"]
FRAME = np.zeros((64, 64, 3), np.uint8)


class Row:
    """A classifier that gives the same probabilities for every face."""

    input_size = 32

    def __call__(self, pixels):
        return np.tile(np.float32(self.row), (len(pixels), 1))


class Corner:
    """A face detector that always finds one face."""

    def detect(self, frame):
        return [Face((2, 2, 28, 28), 1.0)]


def by_hand(row, threshold):
    return 0 if row[0] >= threshold else 1 + int(np.argmax(row[1:]))


def cases(n_classes):
    rng = np.random.default_rng(0)
    rows = rng.dirichlet(np.ones(n_classes), 300).astype(np.float32)
    return [(row, threshold) for row in rows for threshold in (0.2, 0.5, 0.9) if abs(row[0] - threshold) > 1e-3]


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_mask_is_one_at_the_threshold_and_else_the_likeliest_other_class_wins(n_classes):
    for row, threshold in cases(n_classes):
        assert at_threshold(row[np.newaxis], threshold).argmax() == by_hand(row, threshold), (row, threshold)
    assert at_threshold(np.array([[0.5, 0.2, 0.3], [0.45, 0.2, 0.35], [1, 0, 0]]), 0.5).argmax(axis=1).tolist() == [
        0,
        2,
        0,
    ]
    assert at_threshold(np.empty((0, 3)), 0.5).shape == (0, 3)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_photos_videos_and_evaluate_follow_it(n_classes):
    classes = CLASSES[:n_classes]
    detector = MaskDetector(Row(), Corner(), classes)
    for row, threshold in cases(n_classes):
        detector.classifier.row, detector.threshold = row, threshold
        label = classes[by_hand(row, threshold)]
        assert detector.detect(FRAME)[0].label == label
        in_video = detector.track(FRAME, Tracker(sure=0, unsure=0))[0]
        assert in_video.label == label, (row, threshold)
        if threshold == 0.5:
            scores = face_scores(np.array([label]), row[np.newaxis], np.array(["a"]), classes)
            assert scores["accuracy"]["value"] == 1 and scores["recall"][label]["value"] == 1


def test_the_band_is_about_the_mask_alone():
    detector = MaskDetector(Row(), Corner(), CLASSES, unsure=[0.3, 0.7])
    for row, label in (
        ([0.5, 0.25, 0.25], "unsure"),
        ([0.2, 0.41, 0.39], "without_mask"),
        ([0.75, 0.05, 0.2], "with_mask"),
    ):
        detector.classifier.row = row
        assert detector.detect(FRAME)[0].label == label
