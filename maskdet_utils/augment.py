"""Augmentation: more training data from the same photos.

Keras layers and `random_affine` change the position of a face. The other functions make a photo look as if it had been
taken on the street.
"""

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    import keras


def position_layers(
    seed: int = 0, shift: float = 0.2, degrees: float = 20, zoom: float = 0.15, shear: float = 0.15
) -> "keras.Sequential":
    """The recipe's augmentation as Keras layers: random flip, shift, rotation, zoom, and shear.

    Args:
        seed: makes the random changes repeatable.
        shift: the largest shift in either direction, as a fraction of the photo's side.
        degrees: the largest rotation in either direction.
        zoom: the largest zoom in either direction, as a fraction of the photo's side.
        shear: the largest shear, as a fraction of the photo's side.

    Returns:
        Layers that take and return float32 `(batch, height, width, 3)`. Pixels from outside the photo repeat its edge.
        The layers work during training only; at inference they do nothing.

    Introduced in notebook 02.
    """
    import keras

    layers = keras.layers
    return keras.Sequential(
        [
            layers.RandomFlip("horizontal", seed=seed),
            layers.RandomTranslation(shift, shift, fill_mode="nearest", seed=seed + 1),
            layers.RandomRotation(degrees / 360, fill_mode="nearest", seed=seed + 2),
            layers.RandomZoom((-zoom, zoom), fill_mode="nearest", seed=seed + 3),
            layers.RandomShear((0, shear), (0, shear), fill_mode="nearest", seed=seed + 4),
        ],
        name="position",
    )


def random_affine(
    photo: np.ndarray,
    rng: np.random.Generator,
    *,
    shift: float = 0.2,
    degrees: float = 20,
    zoom: float = 0.15,
    shear: float = 0.15,
) -> np.ndarray:
    """Flip, shift, rotate, zoom, and shear one photo at random: the same as `position_layers`, in one step.

    The layers resample a photo five times. But the five changes together are one matrix, so once is enough.

    Args:
        photo: RGB uint8 `(height, width, 3)`.
        rng: makes the random changes repeatable.
        shift, degrees, zoom, shear: the largest changes, as in `position_layers`.

    Returns:
        A new photo of the same shape. Pixels from outside the photo repeat its edge.

    Introduced in notebook 04.
    """
    height, width = photo.shape[:2]
    shift_x, shift_y = rng.uniform(-shift, shift, size=2) * (width, height)
    angle = np.radians(rng.uniform(-degrees, degrees))
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shear_x, shear_y = rng.uniform(0, shear, size=2) * rng.choice([-1, 1])
    flip_and_zoom = np.diag([rng.choice([-1.0, 1.0]), 1.0]) * rng.uniform(1 - zoom, 1 + zoom)
    matrix = np.array([[1, shear_x], [shear_y, 1]]) @ rotation @ flip_and_zoom
    center = np.array([width - 1, height - 1]) / 2
    affine = np.column_stack([matrix, center + (shift_x, shift_y) - matrix @ center])
    return cv2.warpAffine(photo, affine, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def degrade(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Make a studio photo look like a street photo: apply each fault of `STREET_FAULTS` with its probability.

    In street photos, heads are turned, things are in front of them, and the world around them is colorful. The light is
    different, and the photo is small, blurred, and compressed.

    Args:
        photo: RGB uint8 `(height, width, 3)`.
        rng: makes the random changes repeatable.

    Returns:
        A photo of the same kind. Its size may differ, because `reframe` chooses another frame.

    Introduced in notebook 02.
    """
    for fault, probability in STREET_FAULTS.items():
        if rng.random() < probability:
            photo = fault(photo, rng)
    return photo


def turn(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Turn the head, roughly: squeeze one half of the photo and stretch the other, by up to 40%."""
    height, width = photo.shape[:2]
    x = np.linspace(-1, 1, width, dtype=np.float32)
    strength = rng.uniform(-0.8, 0.8)
    source = (x + 0.5 * strength * (1 - x**2)) * (1 + 0.35 * abs(strength) * rng.random())
    columns = np.tile((np.clip(source, -1, 1) + 1) / 2 * (width - 1), (height, 1)).astype(np.float32)
    rows = np.tile(np.arange(height, dtype=np.float32)[:, np.newaxis], (1, width))
    return cv2.remap(photo, columns, rows, cv2.INTER_LINEAR)


def in_front(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Slide a round thing of any color in front of the face, from below or from one side, as in a crowd. The mouth nearly always stays visible."""
    height, width = photo.shape[:2]
    if rng.random() < 0.6:
        center = rng.uniform(0, width), rng.uniform(1, 1.2) * height
        half_axes = rng.uniform(0.25, 0.7) * width, rng.uniform(0.1, 0.3) * height
    else:
        center = rng.choice([-0.1, 1.1]) * width, rng.uniform(0, height)
        half_axes = rng.uniform(0.15, 0.35) * width, rng.uniform(0.2, 0.5) * height
    shape = np.zeros((height, width), np.float32)
    cv2.ellipse(shape, (center, 2 * np.array(half_axes), rng.uniform(-20, 20)), 1, -1)
    opacity = cv2.GaussianBlur(shape, (0, 0), rng.uniform(0.5, 1.5))[..., np.newaxis]
    shading = cv2.resize(rng.normal(1, 0.2, (12, 12)).astype(np.float32), (width, height))[..., np.newaxis]
    return _to_uint8(photo * (1 - opacity) + _random_color(rng) * shading * opacity)


def reframe(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Choose another frame around the face: a wider one half the time, a closer one the other half."""
    return wider(photo, rng) if rng.random() < 0.5 else closer(photo, rng)


def closer(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Choose a closer frame without hair, ears, and chin: up to 1.65 times closer, with height or width cut up to 15% more."""
    height, width = photo.shape[:2]
    fraction, stretch = np.exp(-rng.uniform(0, 0.5)), np.exp(rng.uniform(-0.15, 0.15, size=2))
    rows, columns = np.maximum(8, np.round(fraction * np.minimum(1, stretch) * (height, width))).astype(int)
    top, left = round((height - rows) * rng.uniform(0.25, 0.75)), round((width - columns) * rng.uniform(0.25, 0.75))
    return photo[top : top + rows, left : left + columns]


def wider(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Put the head on a plain body in front of a colorful or white background, up to 2.5 times as large as the photo.

    Studio photos have a plain background and end at the chin. Without wider frames, the classifier may mistake
    "something colorful in the photo" for a mask, and miss a mask that is not in its usual place in the photo.
    """
    height, width = photo.shape[:2]
    scale = np.exp(rng.uniform(np.log(1.1), np.log(2.5)))
    rows, columns = round(height * scale), max(width, round(width * scale * rng.uniform(0.85, 1.3)))
    top, left = int((rows - height) * rng.uniform(0.1, 0.6)), int((columns - width) * rng.uniform(0.25, 0.75))
    canvas = _random_background(rows, columns, rng)
    center_x, neck, chest = left + width / 2, width * rng.uniform(0.18, 0.3), width * rng.uniform(0.6, 1.1)
    neck_y, shoulders_y = top + height * rng.uniform(0.86, 0.98), top + 1.25 * height
    body = [(-neck, neck_y), (neck, neck_y), (chest, shoulders_y), (1.1 * chest, 2 * rows)]
    body += [(-1.1 * chest, 2 * rows), (-chest, shoulders_y)]
    cv2.fillPoly(canvas, [np.int32([(center_x + x, y) for x, y in body])], _random_color(rng).tolist())
    opacity = np.ones((height, width), np.float32)
    if rng.random() < 0.7:  # otherwise the whole photo stays visible, as on a poster or a screen
        half_axes = round(width * rng.uniform(0.4, 0.47)), round(height * rng.uniform(0.46, 0.55))
        cv2.ellipse(opacity := np.zeros_like(opacity), (width // 2, height // 2), half_axes, 0, 0, 360, 1, -1)
        opacity = cv2.GaussianBlur(opacity, (0, 0), rng.uniform(0.8, 3))
    behind = canvas[top : top + height, left : left + width]
    behind[:] = behind * (1 - opacity[..., np.newaxis]) + photo * opacity[..., np.newaxis]
    return _to_uint8(canvas)


def _random_background(rows: int, columns: int, rng: np.random.Generator) -> np.ndarray:
    """Paint a background, float32 `(rows, columns, 3)`: a white wall in 1 of 4 cases, otherwise blotches and boxes."""
    if rng.random() < 0.25:
        return np.full((rows, columns, 3), rng.uniform(200, 255), np.float32)
    background = np.full((rows, columns, 3), _random_color(rng), np.float32)
    for cells, strength in ((3, 60), (8, 35), (24, 20)):
        blotches = rng.normal(0, strength * rng.random(), (cells, cells, 3)).astype(np.float32)
        background += cv2.resize(blotches, (columns, rows))
    for _ in range(rng.integers(8)):
        center, size = rng.uniform(0, (columns, rows)), rng.uniform(0.08, 0.6, size=2) * (columns, rows)
        corners = cv2.boxPoints((tuple(center), tuple(size), rng.uniform(0, 180)))
        cv2.fillPoly(background, [corners.astype(np.int32)], _random_color(rng).tolist())
    return background


def _random_color(rng: np.random.Generator) -> np.ndarray:
    return rng.uniform(0, 255, size=3) * rng.uniform(0.2, 1)


def color_cast(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add a color cast like that of lamps and cheap cameras: each channel gets up to 20% brighter or darker."""
    return _to_uint8(photo * rng.uniform(0.8, 1.2, size=3))


def light(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Change the light: contrast (70–140%), brightness (±10%), and gamma (0.74–1.35)."""
    values = np.clip((photo / 255.0 - 0.5) * rng.uniform(0.7, 1.4) + 0.5 + rng.uniform(-0.1, 0.1), 0, 1)
    return _to_uint8(255 * values ** np.exp(rng.uniform(-0.3, 0.3)))


def shrink(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Make the face look far away: shrink to 32–96 pixels on the longer side (log-uniform), then enlarge again."""
    height, width = photo.shape[:2]
    scale = np.exp(rng.uniform(np.log(32), np.log(96))) / max(height, width)
    if scale >= 1:
        return photo
    small = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(cv2.resize(photo, small, interpolation=cv2.INTER_AREA), (width, height))


def blur(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Put the photo out of focus: a Gaussian blur of up to 2% of the photo's width (standard deviation)."""
    return cv2.GaussianBlur(photo, (0, 0), rng.uniform(0.003, 0.02) * photo.shape[1])


def noise(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add grain, as in poor light: Gaussian noise with a standard deviation of up to 15 gray levels."""
    return _to_uint8(photo + rng.normal(0, rng.uniform(2, 15), size=photo.shape))


def compress(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Compress as JPEG at a quality from 25 to 90 (of 100)."""
    quality = int(rng.integers(25, 91))
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(photo, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.cvtColor(cv2.imdecode(encoded, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def _to_uint8(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


# Each fault with its probability, in the order in which faults happen on the way from the scene to the file.
STREET_FAULTS = {
    turn: 0.35,
    in_front: 0.2,
    reframe: 1.0,
    color_cast: 0.15,
    light: 0.3,
    shrink: 0.2,
    blur: 0.1,
    noise: 0.2,
    compress: 0.3,
}


def soften(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Blur a photo (RGB uint8) by up to 0.6 pixels (standard deviation), to hide the crisp folds of drawn masks.

    Each photo gets its own amount. Without this, sharpness alone gives away the class of 61% of the photos.
    """
    return cv2.GaussianBlur(photo, (0, 0), rng.uniform(0.05, 0.6))
