"""Things that are not masks: drawn in the right place and color, and nothing else in the photo changes."""

import json

import cv2
import numpy as np
import pytest

from maskdet_utils.synthesis.occluders import KINDS, draw_occluder, random_occluder


def rng(seed=0):
    return np.random.default_rng(seed)


def changed(photo, points, kind, seed=0):
    """Which pixels were changed: bool (height, width)."""
    return (draw_occluder(photo, points, kind, rng(seed))[0] != photo).any(axis=2)


def at(mask, points, number):
    return mask[int(points[number, 1]), int(points[number, 0])]


@pytest.mark.parametrize("kind", KINDS)
def test_it_stays_in_its_box_and_leaves_the_eyes_alone(photo, points, kind):
    before = photo.copy()
    for seed in range(10):
        result, description = draw_occluder(photo, points, kind, rng(seed))
        x, y, width, height = description["box"]
        outside = np.ones(photo.shape[:2], bool)
        outside[max(0, y - 4) : y + height + 4, max(0, x - 4) : x + width + 4] = False
        assert (result[outside] == photo[outside]).all() and description["kind"] == kind
        json.dumps(description)
        if kind != "hand":  # a finger may reach an eye
            assert not at((result != photo).any(axis=2), points, 159)
    assert (photo == before).all()


def test_hand_and_microphone_hide_the_mouth_or_what_is_below_it(photo, points):
    for kind, hidden in (("hand", 13), ("microphone", 17)):
        hits = [at(changed(photo, points, kind, seed), points, hidden) for seed in range(20)]
        assert np.mean(hits) > 0.8, kind


def test_a_hand_has_the_color_of_the_skin(photo, points):
    for color in ((1.0, 0.5, 0.3), (0.4, 0.6, 1.0)):
        tinted = (photo * np.array(color)).astype(np.uint8)
        result, _ = draw_occluder(tinted, points, "hand", rng(1))
        there = (result != tinted).any(axis=2)
        mean = result[there].mean(axis=0)
        assert mean / mean.max() == pytest.approx(np.array(color) / max(color), abs=0.12)


def test_a_beard_darkens_the_chin_and_leaves_the_lips(photo, points):
    result, _ = draw_occluder(photo, points, "beard", rng(3))
    chin = tuple(np.round(points[199, 1::-1]).astype(int))
    assert result[chin].mean() < 0.9 * photo[chin].mean()
    difference = np.abs(result.astype(int) - photo).max(axis=2)
    lips = cv2.fillPoly(np.zeros(photo.shape[:2], np.uint8), [np.round(points[[61, 0, 291, 17], :2]).astype(int)], 1)
    assert difference[lips == 1].mean() < 0.5 * difference[chin]


def test_a_scarf_leaves_mouth_and_nose_free(photo, points):
    for seed in range(10):
        there = changed(photo, points, "scarf", seed)
        assert not at(there, points, 13) and not at(there, points, 4)


def test_same_seed_gives_the_same_picture_and_all_kinds_occur(photo, points):
    assert (random_occluder(photo, points, rng(5))[0] == random_occluder(photo, points, rng(5))[0]).all()
    assert {random_occluder(photo, points, rng(seed))[1]["kind"] for seed in range(40)} == set(KINDS)
    with pytest.raises(ValueError, match="Unknown occluder 'veil'. Choose one of: hand, microphone, beard, scarf"):
        draw_occluder(photo, points, "veil", rng())
