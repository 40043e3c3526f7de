"""Augmentation: does what it says, repeats with its seed, and keeps its hands off at inference."""

import cv2
import numpy as np
import pytest

from maskdet_utils import augment

SAME_SIZE = [change for change in augment.STREET_FAULTS if change is not augment.step_back]


@pytest.fixture
def photo():
    """A face-sized photo with both fine and coarse detail."""
    rng = np.random.default_rng(0)
    coarse = cv2.resize(rng.integers(40, 216, (6, 6, 3), dtype=np.uint8), (96, 112), interpolation=cv2.INTER_CUBIC)
    return np.clip(coarse + rng.normal(0, 12, coarse.shape), 0, 255).astype(np.uint8)


def detail(photo):
    return cv2.Laplacian(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var()


@pytest.mark.parametrize("change", SAME_SIZE)
def test_changes_give_another_photo_of_the_same_kind_and_repeat_with_their_seed(photo, change):
    before = photo.copy()
    changed = [change(photo, np.random.default_rng(seed)) for seed in range(10)]
    assert all(result.shape == photo.shape and result.dtype == np.uint8 for result in changed)
    assert np.array_equal(photo, before), "the photo handed in stays as it was"
    assert sum(not np.array_equal(result, photo) for result in changed) >= 9
    assert len({result.tobytes() for result in changed}) >= 9
    assert np.array_equal(changed[4], change(photo, np.random.default_rng(4)))


def test_stepping_back_adds_at_most_30_percent_on_each_side_and_keeps_the_photo(photo):
    height, width = photo.shape[:2]
    shapes = [augment.step_back(photo, np.random.default_rng(seed)).shape[:2] for seed in range(50)]
    assert all(height <= h <= 1.61 * height and width <= w <= 1.61 * width for h, w in shapes)
    assert len(set(shapes)) > 40
    wider = augment.step_back(photo, np.random.default_rng(0))
    assert cv2.matchTemplate(wider, photo, cv2.TM_SQDIFF).min() == 0, "the photo itself is in there, untouched"


def test_clutter_leaves_the_middle_of_the_face_alone(photo):
    height, width = photo.shape[:2]
    middle = np.s_[round(0.4 * height) : round(0.7 * height), round(0.35 * width) : round(0.65 * width)]
    results = [augment.clutter(photo, np.random.default_rng(seed)) for seed in range(20)]
    assert all(np.array_equal(result[middle], photo[middle]) for result in results)
    assert np.mean([(result != photo).mean() for result in results]) > 0.1


def test_worsen_applies_each_fault_with_its_chance(photo, monkeypatch):
    calls = []
    faults = {
        lambda photo, rng: calls.append("rare") or photo: 0.1,
        lambda photo, rng: calls.append("often") or photo: 0.9,
    }
    monkeypatch.setattr(augment, "STREET_FAULTS", faults)
    for seed in range(200):
        augment.worsen(photo, np.random.default_rng(seed))
    assert 2 <= calls.count("rare") <= 20 and 70 <= calls.count("often") <= 110, "each in half of the photos"


@pytest.mark.parametrize("change", [augment.shrink, augment.blur])
def test_shrinking_and_blurring_take_detail_away(photo, change):
    results = [change(photo, np.random.default_rng(seed)) for seed in range(20)]
    assert np.mean([detail(result) for result in results]) < 0.7 * detail(photo)
    assert all(detail(result) <= detail(photo) for result in results)


def test_noise_adds_grain(photo):
    assert detail(augment.noise(photo, np.random.default_rng(1))) > detail(photo)


def test_a_cast_changes_the_colour_balance(photo):
    ratios = [
        augment.cast(photo, np.random.default_rng(seed)).mean(axis=(0, 1)) / photo.mean(axis=(0, 1))
        for seed in range(20)
    ]
    assert 0.75 < np.min(ratios) < 0.9 and 1.1 < np.max(ratios) < 1.25
    assert np.ptp(ratios, axis=1).max() > 0.1


def test_position_layers_alter_photos_in_training_only(photo):
    layers = augment.position_layers(seed=1)
    pixels = np.stack([photo] * 8).astype(np.float32)
    assert np.array_equal(layers(pixels, training=False), pixels)
    moved = np.asarray(layers(pixels, training=True))
    assert moved.shape == pixels.shape and moved.min() >= 0 and moved.max() <= 255
    assert np.abs(moved - pixels).mean(axis=(1, 2, 3)).min() > 5, "every photo is altered"
    assert np.abs(moved[0] - moved[1]).mean() > 5, "each in another way"


def test_position_layers_are_the_recipes(photo):
    names = [type(layer).__name__ for layer in augment.position_layers().layers]
    assert names == ["RandomFlip", "RandomTranslation", "RandomRotation", "RandomZoom", "RandomShear"]
    unmoved = augment.position_layers(shift=0, degrees=0, zoom=0, shear=0)
    pixels = np.stack([photo] * 16).astype(np.float32)
    moved = np.asarray(unmoved(pixels, training=True))
    flipped = [np.allclose(one, pixels[0, :, ::-1], atol=1) for one in moved]
    kept = [np.allclose(one, pixels[0], atol=1) for one in moved]
    assert all(np.logical_xor(flipped, kept)) and any(flipped) and any(kept), "what is left is the horizontal flip"
