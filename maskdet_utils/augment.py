"""More data from the same photos: other positions (Keras layers) and worse cameras (plain functions on one photo)."""

import cv2
import numpy as np


def position_layers(seed: int = 0, shift: float = 0.2, degrees: float = 20, zoom: float = 0.15, shear: float = 0.15):
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
    """A random worse camera: each of colour cast, light, shrink, blur, noise and JPEG, with some chance.

    Takes and gives RGB uint8 `(height, width, 3)`. Faces in a street are small, blurred, dark and compressed; a
    classifier that has only seen sharp portraits takes those very faults for a mask, or for none.
    """
    for change, chance in CAMERA_FAULTS.items():
        if rng.random() < chance:
            photo = change(photo, rng)
    return photo


def cast(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A colour cast, as lamps and cheap cameras give it: each channel brighter or darker by up to 20 %."""
    return _to_uint8(photo * rng.uniform(0.8, 1.2, size=3))


def light(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Other light: contrast, brightness and gamma."""
    values = np.clip((photo / 255.0 - 0.5) * rng.uniform(0.5, 1.4) + 0.5 + rng.uniform(-0.2, 0.2), 0, 1)
    return _to_uint8(255 * values ** np.exp(rng.uniform(-0.5, 0.5)))


def shrink(photo: np.ndarray, rng: np.random.Generator, smallest: int = 20, largest: int = 96) -> np.ndarray:
    """A face far away: shrunk to between `smallest` and `largest` pixels (small ones as likely as large), then enlarged again."""
    height, width = photo.shape[:2]
    scale = np.exp(rng.uniform(np.log(smallest), np.log(largest))) / max(height, width)
    if scale >= 1:
        return photo
    small = cv2.resize(
        photo, (max(1, round(width * scale)), max(1, round(height * scale))), interpolation=cv2.INTER_AREA
    )
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


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
CAMERA_FAULTS = {cast: 0.5, light: 0.7, shrink: 0.6, blur: 0.3, noise: 0.3, compress: 0.5}
