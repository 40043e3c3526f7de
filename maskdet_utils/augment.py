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


def random_affine(
    photo: np.ndarray,
    rng: np.random.Generator,
    *,
    shift: float = 0.2,
    degrees: float = 20,
    zoom: float = 0.15,
    shear: float = 0.15,
) -> np.ndarray:
    """The same five as `position_layers`, by the same amounts, as one change of one photo, RGB uint8.

    The layers draw a photo anew five times; flip, shift, rotation, zoom and shear together are one matrix, so once is
    enough.
    """
    height, width = photo.shape[:2]
    across, down = rng.uniform(-shift, shift, size=2) * (width, height)
    angle = np.radians(rng.uniform(-degrees, degrees))
    rotated = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    lean_x, lean_y = rng.uniform(0, shear, size=2) * rng.choice([-1, 1])
    mirrored = np.diag([rng.choice([-1.0, 1.0]), 1.0]) * rng.uniform(1 - zoom, 1 + zoom)
    matrix = np.array([[1, lean_x], [lean_y, 1]]) @ rotated @ mirrored
    center = np.array([width - 1, height - 1]) / 2
    moved = np.column_stack([matrix, center + (across, down) - matrix @ center])
    return cv2.warpAffine(photo, moved, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def degrade(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Take a photo out of the studio: each fault of `STREET_FAULTS` with its chance.

    Takes and gives RGB uint8 `(height, width, 3)`; the size may change (another frame). In a street, heads are turned,
    things are in front of them, around them is a colorful world, the light is another one, and the photo is small,
    blurred and compressed.
    """
    for change, chance in STREET_FAULTS.items():
        if rng.random() < chance:
            photo = change(photo, rng)
    return photo


def turn(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A turned head, roughly: one half of the photo squeezed, the other stretched, by up to 40 %."""
    height, width = photo.shape[:2]
    x = np.linspace(-1, 1, width, dtype=np.float32)
    strength = rng.uniform(-0.8, 0.8)
    source = (x + 0.5 * strength * (1 - x**2)) * (1 + 0.35 * abs(strength) * rng.random())
    columns = np.tile((np.clip(source, -1, 1) + 1) / 2 * (width - 1), (height, 1)).astype(np.float32)
    rows = np.tile(np.arange(height, dtype=np.float32)[:, np.newaxis], (1, width))
    return cv2.remap(photo, columns, rows, cv2.INTER_LINEAR)


def in_front(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Something in front, from below or from a side, as in a crowd: a round thing of any color, the mouth left free."""
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
    uneven = cv2.resize(rng.normal(1, 0.2, (12, 12)).astype(np.float32), (width, height))[..., np.newaxis]
    return _to_uint8(photo * (1 - opacity) + _any_color(rng) * uneven * opacity)


def reframe(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Another frame around the face: half of the time a wider one, half of the time a closer one."""
    return wider(photo, rng) if rng.random() < 0.5 else closer(photo, rng)


def closer(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A frame that cuts off hair, ears and chin: up to 1.65 times as close, one side by up to 15 % more."""
    height, width = photo.shape[:2]
    share, stretch = np.exp(-rng.uniform(0, 0.5)), np.exp(rng.uniform(-0.15, 0.15, size=2))
    rows, columns = np.maximum(8, np.round(share * np.minimum(1, stretch) * (height, width))).astype(int)
    top, left = round((height - rows) * rng.uniform(0.25, 0.75)), round((width - columns) * rng.uniform(0.25, 0.75))
    return photo[top : top + rows, left : left + columns]


def wider(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The head on a plain body somewhere in a colorful or a white place, up to 2.5 times as large as the photo.

    The studio's background is plain, and its photos end at the chin. Without this, "something colorful in the
    picture" can pass for a mask, and a mask that is not where it always was for none.
    """
    height, width = photo.shape[:2]
    scale = np.exp(rng.uniform(np.log(1.1), np.log(2.5)))
    rows, columns = round(height * scale), max(width, round(width * scale * rng.uniform(0.85, 1.3)))
    top, left = int((rows - height) * rng.uniform(0.1, 0.6)), int((columns - width) * rng.uniform(0.25, 0.75))
    place = _any_place(rows, columns, rng)
    middle, neck, chest = left + width / 2, width * rng.uniform(0.18, 0.3), width * rng.uniform(0.6, 1.1)
    throat, shoulders = top + height * rng.uniform(0.86, 0.98), top + 1.25 * height
    body = [(-neck, throat), (neck, throat), (chest, shoulders), (1.1 * chest, 2 * rows)]
    body += [(-1.1 * chest, 2 * rows), (-chest, shoulders)]
    cv2.fillPoly(place, [np.int32([(middle + x, y) for x, y in body])], _any_color(rng).tolist())
    head = np.ones((height, width), np.float32)
    if rng.random() < 0.7:  # else the photo as it is, as on a poster or a screen
        half_axes = round(width * rng.uniform(0.4, 0.47)), round(height * rng.uniform(0.46, 0.55))
        cv2.ellipse(head := np.zeros_like(head), (width // 2, height // 2), half_axes, 0, 0, 360, 1, -1)
        head = cv2.GaussianBlur(head, (0, 0), rng.uniform(0.8, 3))
    around = place[top : top + height, left : left + width]
    around[:] = around * (1 - head[..., np.newaxis]) + photo * head[..., np.newaxis]
    return _to_uint8(place)


def _any_place(rows: int, columns: int, rng: np.random.Generator) -> np.ndarray:
    """A background, float32 (rows, columns, 3): a quarter of them white walls, the others blotches and boxes."""
    if rng.random() < 0.25:
        return np.full((rows, columns, 3), rng.uniform(200, 255), np.float32)
    place = np.full((rows, columns, 3), _any_color(rng), np.float32)
    for cells, strength in ((3, 60), (8, 35), (24, 20)):
        blotches = rng.normal(0, strength * rng.random(), (cells, cells, 3)).astype(np.float32)
        place += cv2.resize(blotches, (columns, rows))
    for _ in range(rng.integers(8)):
        center, size = rng.uniform(0, (columns, rows)), rng.uniform(0.08, 0.6, size=2) * (columns, rows)
        corners = cv2.boxPoints((tuple(center), tuple(size), rng.uniform(0, 180)))
        cv2.fillPoly(place, [corners.astype(np.int32)], _any_color(rng).tolist())
    return place


def _any_color(rng: np.random.Generator) -> np.ndarray:
    return rng.uniform(0, 255, size=3) * rng.uniform(0.2, 1)


def color_cast(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A color cast, as lamps and cheap cameras give it: each channel brighter or darker by up to 20 %."""
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
    """Grain, as in little light: normal noise with a standard deviation of up to 15 gray levels."""
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
    """Blur by up to 0.6 pixels (standard deviation), each photo by itself, so that a mask's crisp folds tell nothing.

    Takes and gives RGB uint8. Without it, sharpness alone names the class of 61 % of the photos.
    """
    return cv2.GaussianBlur(photo, (0, 0), rng.uniform(0.05, 0.6))
