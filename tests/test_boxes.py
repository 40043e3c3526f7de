"""Found faces against marked boxes, by examples that one can count."""

import numpy as np
import pytest

from maskdet_utils import boxes
from maskdet_utils.evaluate import metrics

CLASSES = ["with_mask", "without_mask"]
MASKED, BARE, WRONG = (0, 0, 40, 40), (100, 0, 40, 40), (200, 0, 40, 40)


def count(found, found_labels, marked, marked_labels, smallest=0):
    return metrics.count_boxes(found, found_labels, marked, marked_labels, CLASSES, smallest=smallest).tolist()


def test_each_found_face_gets_the_box_that_it_lies_on_and_no_box_is_given_twice():
    marked = np.array([MASKED, BARE])
    found = np.array([(104, 2, 40, 40), (500, 0, 40, 40), (2, 0, 40, 40), (6, 0, 40, 40)])
    assert boxes.match(found, marked).tolist() == [1, -1, 0, -1]
    assert boxes.match(found[:0], marked).tolist() == [] and boxes.match(found, marked[:0]).tolist() == [-1] * 4


@pytest.mark.parametrize(("shift", "partner"), [(13, 0), (14, -1)])
def test_a_pair_overlaps_by_half(shift, partner):
    # 27 of 53 columns are common: 0.51; 26 of 54: 0.48.
    assert boxes.match(np.array([(shift, 0, 40, 40)]), np.array([MASKED])).tolist() == [partner]


def test_of_two_ways_to_pair_up_the_better_one_is_taken():
    marked = np.array([(0, 0, 40, 40), (10, 0, 40, 40)])
    found = np.array([(8, 0, 40, 40), (17, 0, 40, 40)])
    assert boxes.match(found, marked).tolist() == [0, 1]


def test_right_found_and_marked():
    # One is found and labelled right, one found and labelled wrong, one not found; one is no face.
    marked, labels = [MASKED, BARE, (300, 0, 40, 40)], ["with_mask", "without_mask", "with_mask"]
    found, said = [MASKED, BARE, (400, 0, 40, 40)], ["with_mask", "with_mask", "without_mask"]
    counts = count(found, said, marked, labels)
    assert counts == [[1, 2, 2], [0, 1, 1], [2, 3, 3]]
    assert metrics.precision_recall_f1(np.array(counts[0])).tolist() == [1 / 2, 1 / 2, 1 / 2]
    assert metrics.precision_recall_f1(np.array(counts[1])).tolist() == [0, 0, 0]
    assert metrics.precision_recall_f1(np.array(counts))[2].tolist() == [2 / 3, 2 / 3, 2 / 3]


def test_what_the_classifier_does_not_know_is_neutral():
    marked, labels = [MASKED, WRONG], ["with_mask", "worn_incorrectly"]
    ideal = [[1, 1, 1], [0, 0, 0], [1, 1, 1]]
    assert count([MASKED], ["with_mask"], marked, labels) == ideal
    assert count([MASKED, WRONG], ["with_mask", "with_mask"], marked, labels) == ideal
    # A second box on the same face counts as little as the first one.
    assert count([MASKED, WRONG, (204, 0, 40, 40)], ["with_mask"] * 3, marked, labels) == ideal


def test_tiny_boxes_are_neutral_if_one_wants():
    marked, labels = [MASKED, (100, 0, 15, 30)], ["with_mask", "without_mask"]
    found, said = [MASKED, (100, 0, 15, 30), (500, 0, 12, 12), (600, 0, 50, 50)], ["with_mask"] * 4
    assert count(found, said, marked, labels) == [[1, 4, 1], [0, 0, 1], [2, 4, 2]]
    assert count(found, said, marked, labels, smallest=20) == [[1, 2, 1], [0, 0, 0], [1, 2, 1]]


def test_photos_without_a_box_or_a_find():
    assert count([], [], [], []) == [[0, 0, 0]] * 3
    assert count([], [], [MASKED], ["with_mask"]) == [[0, 0, 1], [0, 0, 0], [0, 0, 1]]
    assert count([MASKED], ["with_mask"], [], []) == [[0, 1, 0], [0, 0, 0], [0, 1, 0]]
