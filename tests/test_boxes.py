"""Found faces against marked boxes, with examples that you can count by hand."""

import numpy as np
import pytest

from maskdet_utils.evaluate import matching, metrics

CLASSES = ["with_mask", "without_mask"]
MASKED, BARE, WRONG = (0, 0, 40, 40), (100, 0, 40, 40), (200, 0, 40, 40)


def count(found, found_labels, marked, marked_labels, smallest=0):
    return metrics.count_boxes(found, found_labels, marked, marked_labels, CLASSES, smallest=smallest).tolist()


def test_each_found_face_is_matched_to_its_box_and_no_box_is_used_twice():
    marked = np.array([MASKED, BARE])
    found = np.array([(104, 2, 40, 40), (500, 0, 40, 40), (2, 0, 40, 40), (6, 0, 40, 40)])
    assert matching.match(found, marked).tolist() == [1, -1, 0, -1]
    assert matching.match(found[:0], marked).tolist() == [] and matching.match(found, marked[:0]).tolist() == [-1] * 4


@pytest.mark.parametrize(("shift", "partner"), [(13, 0), (14, -1)])
def test_a_pair_overlaps_by_at_least_half(shift, partner):
    # 27 of 53 columns overlap (0.51), or 26 of 54 (0.48).
    assert matching.match(np.array([(shift, 0, 40, 40)]), np.array([MASKED])).tolist() == [partner]


def test_the_better_of_two_ways_to_pair_up_is_chosen():
    marked = np.array([(0, 0, 40, 40), (10, 0, 40, 40)])
    found = np.array([(8, 0, 40, 40), (17, 0, 40, 40)])
    assert matching.match(found, marked).tolist() == [0, 1]


def test_correct_found_and_marked_faces_are_counted():
    # One is found with the correct label, one is found with a wrong label, one is not found, and one is not a face.
    marked, labels = [MASKED, BARE, (300, 0, 40, 40)], ["with_mask", "without_mask", "with_mask"]
    found, predictions = [MASKED, BARE, (400, 0, 40, 40)], ["with_mask", "with_mask", "without_mask"]
    counts = count(found, predictions, marked, labels)
    assert counts == [[1, 2, 2], [0, 1, 1], [2, 3, 3]]
    assert metrics.precision_recall_f1(np.array(counts[0])).tolist() == [1 / 2, 1 / 2, 1 / 2]
    assert metrics.precision_recall_f1(np.array(counts[1])).tolist() == [0, 0, 0]
    assert metrics.precision_recall_f1(np.array(counts))[2].tolist() == [2 / 3, 2 / 3, 2 / 3]


def test_faces_of_an_unknown_class_are_neutral():
    marked, labels = [MASKED, WRONG], ["with_mask", "worn_incorrectly"]
    ideal = [[1, 1, 1], [0, 0, 0], [1, 1, 1]]
    assert count([MASKED], ["with_mask"], marked, labels) == ideal
    assert count([MASKED, WRONG], ["with_mask", "with_mask"], marked, labels) == ideal
    # A second box on the same face is just as neutral as the first one.
    assert count([MASKED, WRONG, (204, 0, 40, 40)], ["with_mask"] * 3, marked, labels) == ideal


def test_tiny_boxes_can_be_made_neutral():
    marked, labels = [MASKED, (100, 0, 15, 30)], ["with_mask", "without_mask"]
    found, predictions = [MASKED, (100, 0, 15, 30), (500, 0, 12, 12), (600, 0, 50, 50)], ["with_mask"] * 4
    assert count(found, predictions, marked, labels) == [[1, 4, 1], [0, 0, 1], [2, 4, 2]]
    assert count(found, predictions, marked, labels, smallest=20) == [[1, 2, 1], [0, 0, 0], [1, 2, 1]]


def test_photos_without_marked_or_found_boxes():
    assert count([], [], [], []) == [[0, 0, 0]] * 3
    assert count([], [], [MASKED], ["with_mask"]) == [[0, 0, 1], [0, 0, 0], [0, 0, 1]]
    assert count([MASKED], ["with_mask"], [], []) == [[0, 1, 0], [0, 0, 0], [0, 1, 0]]
