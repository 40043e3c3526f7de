"""The measures of subgroups, on made-up faces with known values."""

import cv2
import numpy as np
import pytest

from maskdet_utils.evaluate import subgroups


def stripes(height=240, width=240, dark=60, light=180):
    """A crop with sharp edges."""
    crop = np.full((height, width, 3), dark, np.uint8)
    crop[:, (np.arange(width) // 20) % 2 == 0] = light
    return crop


def test_the_center_of_a_crop_is_the_box_it_was_cut_around():
    crop = np.arange(150 * 90 * 3, dtype=np.uint32).astype(np.uint8).reshape(150, 90, 3)
    assert subgroups.crop_center(crop, 0.25, 0).shape == (100, 60, 3)
    assert np.array_equal(subgroups.crop_center(crop, 0.25, 0), crop[25:125, 15:75])
    assert subgroups.crop_center(crop, 0.25, 0.25).shape == subgroups.crop_center(crop, 0.25, 1).shape == crop.shape


def test_blur_grows_with_blur_and_light_and_contrast_are_measured_in_the_box():
    blurs = [subgroups.measure(cv2.GaussianBlur(stripes(), (0, 0), sigma), 0.25)["blur"] for sigma in (0.5, 2, 4)]
    assert blurs[0] < blurs[1] < blurs[2]
    # A blur of 3 pixels at a side of 240 is a blur of 2 pixels at a side of 160.
    assert subgroups.measure(cv2.GaussianBlur(stripes(), (0, 0), 3), 0.25)["blur"] == pytest.approx(2, abs=0.4)
    framed = np.full((150, 150, 3), 255, np.uint8)
    framed[23:127, 23:127] = 40  # what lies around the box does not count
    about = subgroups.measure(framed, 0.25)
    assert about["light"] == pytest.approx(40, abs=1) and about["contrast"] < 5
    assert subgroups.measure(stripes(dark=60, light=180), 0.25)["contrast"] == pytest.approx(60, abs=8)


def test_turn_is_the_offset_of_the_nose_along_the_line_of_the_eyes():
    face = np.array([[10, 10], [30, 10], [20, 22], [12, 30], [28, 30]], float)
    assert subgroups.head_turn(face) == 0
    turned = face.copy()
    turned[2, 0] = 30
    assert subgroups.head_turn(turned) == pytest.approx(0.5) == subgroups.head_turn(turned * (-1, 1))
    tilted = turned @ np.array([[0.8, 0.6], [-0.6, 0.8]])
    assert subgroups.head_turn(tilted) == pytest.approx(0.5)
    assert np.isnan(subgroups.head_turn(None))


def test_every_face_is_in_one_bin():
    sizes = np.array([10, 24, 47.9, 48, 500, np.nan])
    found = subgroups.bins("face_size", sizes)
    assert [(low, high, inside.tolist().count(True)) for low, high, inside in found] == [
        (None, 24, 1),
        (24, 48, 2),
        (48, 96, 1),
        (96, None, 1),
        (None, None, 1),
    ]
    assert np.sum([inside for *_, inside in found], axis=0).tolist() == [1] * 6
    assert len(subgroups.bins("face_size", sizes[:5])) == 4
