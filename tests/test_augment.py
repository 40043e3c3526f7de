"""Augmentation: does what it says, repeats with its seed, and keeps its hands off at inference."""

import cv2
import numpy as np
import pytest

from maskdet_utils import augment

CHANGES = [augment.cast, augment.light, augment.shrink, augment.blur, augment.noise, augment.compress]


@pytest.fixture
def photo():
    """A face-sized photo with both fine and coarse detail."""
    rng = np.random.default_rng(0)
    coarse = cv2.resize(rng.integers(40, 216, (6, 6, 3), dtype=np.uint8), (96, 112), interpolation=cv2.INTER_CUBIC)
    return np.clip(coarse + rng.normal(0, 12, coarse.shape), 0, 255).astype(np.uint8)


def detail(photo):
    return cv2.Laplacian(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var()


@pytest.mark.parametrize("change", [*CHANGES, augment.worsen])
def test_changes_give_another_photo_of_the_same_kind_and_repeat_with_their_seed(photo, change):
    before = photo.copy()
    changed = [change(photo, np.random.default_rng(seed)) for seed in range(10)]
    assert all(result.shape == photo.shape and result.dtype == np.uint8 for result in changed)
    assert np.array_equal(photo, before), "the photo handed in stays as it was"
    assert sum(not np.array_equal(result, photo) for result in changed) >= 9
    assert len({result.tobytes() for result in changed}) >= 9
    assert np.array_equal(changed[4], change(photo, np.random.default_rng(4)))


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
