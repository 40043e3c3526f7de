"""More data from the same photos: other positions (Keras layers) and worse photos (plain functions on one photo)."""

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    import keras


def position_layers(
    seed: int = 0, shift: float = 0.2, degrees: float = 20, zoom: float = 0.15, shear: float = 0.15
) -> "keras.Sequential":
    """The recipe's augmentation as Keras layers: flip, shift, rotation, zoom and shear, all random, for training only.

    `shift`, `zoom` and `shear` are fractions of the photo's side, `degrees` the largest rotation either way. Pixels
    outside the photo repeat its edge. Takes and gives float32 `(batch, height, width, 3)`; does nothing at inference.
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


def worsen(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Take a photo out of the studio: half of the time each fault of `STREET_FAULTS` with its chance, else nothing.

    Takes and gives RGB uint8 `(height, width, 3)`; the size may change (the face moves away). Photos from a street are
    framed wider, with things around the face, in other light, small, blurred and compressed.
    """
    if rng.random() < 0.5:
        return photo
    for change, chance in STREET_FAULTS.items():
        if rng.random() < chance:
            photo = change(photo, rng)
    return photo


def step_back(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A wider frame: up to 30 % of the photo is added on each side, as its mirror image."""
    height, width = photo.shape[:2]
    top, bottom = rng.integers(0, round(0.3 * height) + 1, size=2)
    left, right = rng.integers(0, round(0.3 * width) + 1, size=2)
    return cv2.copyMakeBorder(photo, top, bottom, left, right, cv2.BORDER_REFLECT_101)


def clutter(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Up to five coloured things beside and behind the face; an ellipse in the middle stays free.

    The studio's background is plain. Without this, "something colourful in the picture" can pass for a mask.
    """
    height, width = photo.shape[:2]
    face = np.zeros((height, width), np.float32)
    middle, half_axes = (width // 2, round(0.55 * height)), (round(0.37 * width), round(0.42 * height))
    cv2.ellipse(face, middle, half_axes, 0, 0, 360, 1, -1)
    result = photo.astype(np.float32)
    for _ in range(rng.integers(1, 6)):
        centre, size = rng.uniform(0, (width, height)), rng.uniform(0.1, 0.5, size=2) * (width, height)
        corners = cv2.boxPoints((tuple(centre), tuple(size), rng.uniform(0, 180)))
        shape = cv2.fillPoly(np.zeros_like(face), [corners.astype(np.int32)], 1)
        opacity = cv2.GaussianBlur(shape * (1 - face), (0, 0), rng.uniform(0.5, 1.5))[..., np.newaxis]
        cells = int(rng.integers(2, 20))
        mixed = cv2.resize(rng.random((cells, cells), np.float32), (width, height))[..., np.newaxis]
        surface = mixed * rng.uniform(0, 255, size=3) + (1 - mixed) * rng.uniform(0, 255, size=3)
        result = result * (1 - opacity) + surface * opacity
    return _to_uint8(result)


def cast(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A colour cast, as lamps and cheap cameras give it: each channel brighter or darker by up to 20 %."""
    return _to_uint8(photo * rng.uniform(0.8, 1.2, size=3))


def light(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Other light: contrast (70–140 %), brightness (±10 %) and gamma (0.74–1.35)."""
    values = np.clip((photo / 255.0 - 0.5) * rng.uniform(0.7, 1.4) + 0.5 + rng.uniform(-0.1, 0.1), 0, 1)
    return _to_uint8(255 * values ** np.exp(rng.uniform(-0.3, 0.3)))


def shrink(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A face far away: shrunk to 32–96 pixels (small ones as likely as large ones), then enlarged again."""
    height, width = photo.shape[:2]
    scale = np.exp(rng.uniform(np.log(32), np.log(96))) / max(height, width)
    if scale >= 1:
        return photo
    small = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(cv2.resize(photo, small, interpolation=cv2.INTER_AREA), (width, height))


def blur(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Out of focus: a Gaussian blur of up to 2 % of the photo's width."""
    return cv2.GaussianBlur(photo, (0, 0), rng.uniform(0.003, 0.02) * photo.shape[1])


def noise(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Grain, as in little light: normal noise with a standard deviation of up to 15 grey levels."""
    return _to_uint8(photo + rng.normal(0, rng.uniform(2, 15), size=photo.shape))


def compress(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """JPEG at a quality between 25 and 90 of 100."""
    quality = int(rng.integers(25, 91))
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(photo, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.cvtColor(cv2.imdecode(encoded, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def _to_uint8(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


# In the order in which they happen to a photo, each with the chance that it does.
STREET_FAULTS = {
    step_back: 0.5,
    clutter: 0.4,
    cast: 0.15,
    light: 0.3,
    shrink: 0.15,
    blur: 0.05,
    noise: 0.3,
    compress: 0.3,
}
