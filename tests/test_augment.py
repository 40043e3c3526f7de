"""Augmentation: does what it says, repeats with its seed, and keeps its hands off at inference."""

import cv2
import numpy as np
import pytest

from maskdet_utils import augment

SAME_SIZE = [change for change in augment.STREET_FAULTS if change is not augment.reframe]


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


def test_a_wider_frame_keeps_the_middle_of_the_face_and_adds_a_body_and_a_place(photo):
    height, width = photo.shape[:2]
    middle = photo[round(0.4 * height) : round(0.7 * height), round(0.35 * width) : round(0.65 * width)]
    shapes = []
    for seed in range(30):
        result = augment.wider(photo, np.random.default_rng(seed))
        assert cv2.matchTemplate(result, middle, cv2.TM_SQDIFF).min() < 1e-3, "the face itself is in there, untouched"
        shapes.append(result.shape[:2])
    assert all(height <= h <= 2.51 * height and width <= w <= 2.5 * 1.31 * width for h, w in shapes)
    assert max(h for h, _ in shapes) > 2 * height and len(set(shapes)) > 25


def test_a_closer_frame_is_a_part_of_the_photo(photo):
    height, width = photo.shape[:2]
    shapes = []
    for seed in range(50):
        result = augment.closer(photo, np.random.default_rng(seed))
        assert cv2.matchTemplate(photo, result, cv2.TM_SQDIFF).min() < 1e-3
        shapes.append(result.shape[:2])
    assert all(0.5 * height < h <= height and 0.5 * width < w <= width for h, w in shapes)
    assert min(h for h, _ in shapes) < 0.65 * height and max(h for h, _ in shapes) > 0.9 * height


def test_what_is_in_front_leaves_nose_and_mouth_free(photo):
    height, width = photo.shape[:2]
    middle = np.s_[round(0.4 * height) : round(0.68 * height), round(0.35 * width) : round(0.65 * width)]
    results = [augment.in_front(photo, np.random.default_rng(seed)) for seed in range(40)]
    assert all(np.array_equal(result[middle], photo[middle]) for result in results)
    assert np.mean([(result != photo).mean() for result in results]) > 0.05


def test_turning_squeezes_one_half_and_keeps_the_rows(photo):
    stripes = np.repeat(np.arange(96, dtype=np.uint8)[np.newaxis, :, np.newaxis], 3, axis=2).repeat(112, axis=0)
    for seed in range(20):
        turned = augment.turn(stripes, np.random.default_rng(seed))
        assert (turned == turned[:1]).all(), "columns move, rows do not"
        steps = np.diff(turned[0, :, 0].astype(int))
        assert steps.min() >= 0, "left stays left of right"


def test_worsen_applies_each_fault_with_its_chance(photo, monkeypatch):
    calls = []
    faults = {
        lambda photo, rng: calls.append("rare") or photo: 0.1,
        lambda photo, rng: calls.append("often") or photo: 0.9,
    }
    monkeypatch.setattr(augment, "STREET_FAULTS", faults)
    for seed in range(200):
        augment.degrade(photo, np.random.default_rng(seed))
    assert 5 <= calls.count("rare") <= 40 and 165 <= calls.count("often") <= 195


@pytest.mark.parametrize("change", [augment.shrink, augment.blur])
def test_shrinking_and_blurring_take_detail_away(photo, change):
    results = [change(photo, np.random.default_rng(seed)) for seed in range(20)]
    assert np.mean([detail(result) for result in results]) < 0.7 * detail(photo)
    assert all(detail(result) <= detail(photo) for result in results)


def test_noise_adds_grain(photo):
    assert detail(augment.noise(photo, np.random.default_rng(1))) > detail(photo)


def test_a_cast_changes_the_color_balance(photo):
    ratios = [
        augment.color_cast(photo, np.random.default_rng(seed)).mean(axis=(0, 1)) / photo.mean(axis=(0, 1))
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


def test_move_is_the_position_layers_in_one_step(photo):
    """Each of its five parts alone does what the Keras layer of that name may do, and no more."""
    nothing = {"shift": 0, "degrees": 0, "zoom": 0, "shear": 0}
    for seed in range(4):
        alone = augment.random_affine(photo, np.random.default_rng(seed), **nothing)
        assert np.array_equal(alone, photo) or np.array_equal(alone, photo[:, ::-1])
    dot = np.zeros((101, 101, 3), np.uint8)
    dot[48:53, 48:53] = dot[18:23, 48:53] = 255  # in the middle, and 30 pixels above it

    def ends(**part):
        """Where the middle and the upper dot come to lie, (x, y), in a hundred moves."""
        found = []
        for seed in range(100):
            moved = augment.random_affine(dot, np.random.default_rng(seed), **(nothing | part))
            _, _, stats, centers = cv2.connectedComponentsWithStats((moved[..., 0] > 100).astype(np.uint8))
            found.append(sorted(centers[1:].tolist(), key=lambda point: -point[1]))
        return np.array(found) - 50

    middle, upper = ends(shift=0.2)[:, 0], ends(degrees=20)[:, 1]
    assert 18 < np.abs(middle).max() <= 20.5
    assert 18 < np.degrees(np.abs(np.arctan2(upper[:, 0], -upper[:, 1]))).max() <= 21
    distance = np.linalg.norm(ends(zoom=0.15)[:, 1], axis=1)
    assert 25 < distance.min() < 26.5 and 33.5 < distance.max() < 35
    lean = np.abs(ends(shear=0.15)[:, 1, 0])
    assert 3.5 < lean.max() <= 5


def test_move_repeats_the_edge_and_keeps_the_size(photo):
    white = np.full_like(photo, 255)
    moved = augment.random_affine(white, np.random.default_rng(0))
    assert moved.shape == photo.shape and moved.dtype == np.uint8 and moved.min() == 255
    assert np.array_equal(
        augment.random_affine(photo, np.random.default_rng(1)), augment.random_affine(photo, np.random.default_rng(1))
    )
