"""Photos as RGB uint8: read any kind, resize them in one way everywhere, measure blur and noise."""

import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".pgm", ".ppm", ".tif", ".tiff"}
# A 100-megapixel photo takes 300 MB as an array; beyond that a file is more likely a mistake or an attack than a photo.
MAX_PIXELS = 100_000_000
MIN_SIDE = 8


class PhotoError(ValueError):
    """A file that is not a usable photo; the message says why."""


def find_photos(folder: str | Path) -> list[Path]:
    """All files below `folder` (hidden ones aside) whose name ends like a photo's, sorted by path.

    Sorted, because the order in which a file system lists its files differs between machines.
    """
    folder = Path(folder)
    found = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    return sorted(path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts))


def read_photo(path, at_least: int | None = None) -> np.ndarray:
    """Read a photo as RGB uint8 `(height, width, 3)`, turned upright by its EXIF tag.

    Gray, palette, CMYK and 16-bit photos are converted; transparent pixels become white. `at_least` (pixels) lets
    a large JPEG be decoded at a fraction of its size, never below `at_least` on its short side.

    Raises `PhotoError` if the file is missing, empty, broken, no photo, below 8 pixels or above 100 megapixels.
    """
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit, below, is the stricter one
            with Image.open(path) as image:
                width, height = image.size
                if width * height > MAX_PIXELS:
                    raise PhotoError(f"{width}×{height} pixels are more than {MAX_PIXELS // 1_000_000} megapixels")
                if min(width, height) < MIN_SIDE:
                    raise PhotoError(f"{width}×{height} pixels are too few to show a face")
                if at_least:
                    image.draft("RGB", (at_least, at_least))
                return _to_rgb(ImageOps.exif_transpose(image))
    except PhotoError:
        raise
    except FileNotFoundError:
        raise PhotoError("no such file") from None
    except Image.DecompressionBombError:
        raise PhotoError(f"more than {MAX_PIXELS // 1_000_000} megapixels") from None
    except Exception as error:  # Pillow's decoders raise many kinds of errors for broken files
        reason = "empty file" if Path(path).stat().st_size == 0 else f"not a readable photo ({error})"
        raise PhotoError(reason.replace(str(path), Path(path).name)) from None


def read_ahead(read: Callable, items: Iterable, depth: int) -> Iterator[tuple]:
    """Give each item with `read(item)`, in order, while two threads work up to `depth` items ahead: memory stays flat."""
    waiting: deque = deque()
    with ThreadPoolExecutor(2) as pool:
        try:
            for item in items:
                waiting.append((item, pool.submit(read, item)))
                if len(waiting) > depth:
                    done, answer = waiting.popleft()
                    yield done, answer.result()
            for done, answer in waiting:
                yield done, answer.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _to_rgb(image) -> np.ndarray:
    from PIL import Image

    if image.mode.startswith(
        ("I", "F")
    ):  # 16-bit and floating-point gray: Pillow's own conversion would clip it to white
        values = np.asarray(image, dtype=np.float32)
        brightest = 65535.0 if values.max() > 255 else 255.0
        gray = np.clip(values * (255.0 / brightest), 0, 255).astype(np.uint8)
        return np.repeat(gray[:, :, None], 3, axis=2)
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return np.array(image.convert("RGB"))


def resize_fast(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize a frame to size (width, height), fast: by whole numbers with area averaging, then the rest bilinear.

    Area averaging by a fraction takes ten times as long, and the networks see no difference. Some pixels at the right
    and lower edge are lost, fewer than the whole numbers.
    """
    height, width = frame.shape[:2]
    across, down = max(1, width // size[0]), max(1, height // size[1])
    if across > 1 or down > 1:
        smaller = width // across, height // down
        frame = frame[: smaller[1] * down, : smaller[0] * across]
        frame = cv2.resize(frame, smaller, interpolation=cv2.INTER_AREA)
    return cv2.resize(frame, size, interpolation=cv2.INTER_LINEAR)


def letterbox(frame: np.ndarray, side: int, filled: float = 1.0, fast: bool = False) -> tuple[np.ndarray, float]:
    """Fit a frame into the top left corner of a black square of `side` pixels, keeping its proportions.

    filled: the share of the square's side that the frame's longer side takes. fast: see `resize_fast`. Returns the square
    (side, side, 3) and the scale: pixels of the square per pixel of the frame.
    """
    height, width = frame.shape[:2]
    scale = side * filled / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    square = np.zeros((side, side, 3), np.uint8)
    small = resize_fast(frame, size) if fast else cv2.resize(frame, size, interpolation=interpolation)
    square[: size[1], : size[0]] = small
    return square, scale


def fit_to_input(photo: np.ndarray, size: int) -> np.ndarray:
    """Stretch a face crop to the classifier's input, RGB uint8 `(size, size, 3)`: the one place that does so.

    Bilinear; a photo of at least twice the size is first shrunk by a whole number with area averaging, as bilinear
    would skip pixels (see `resize_fast`: shrinking by a fraction with area averaging takes ten times as long). No
    letterbox. A classifier is sensitive to how its photos were resized, so training, evaluation and live use all come
    through here.
    """
    if min(photo.shape[:2]) >= size:
        return resize_fast(photo, (size, size))
    return cv2.resize(photo, (size, size), interpolation=cv2.INTER_LINEAR)


def blur_sigma(gray: np.ndarray) -> float:
    """Estimate the blur of a gray float32 photo at its sharpest edges: a Gaussian's standard deviation in pixels.

    One more blur of 1 pixel lowers the slope of an edge by a ratio that tells the blur it had before (Zhuo and Sim,
    "Defocus map estimation from a single image", 2011).
    """
    slope, weaker = (
        np.hypot(cv2.Sobel(image, -1, 1, 0), cv2.Sobel(image, -1, 0, 1))
        for image in (gray, cv2.GaussianBlur(gray, (0, 0), 1))
    )
    strong = slope >= 0.6 * np.percentile(slope, 99.5)
    ratio = np.median(slope[strong] / (weaker[strong] + 1e-6))
    sobel = 0.6  # pixels squared: the measuring filter blurs, too
    return float(np.sqrt(np.clip(1 / max(ratio**2 - 1, 0.04) - sobel, 0.09, 25)))


def noise_sigma(gray: np.ndarray) -> float:
    """Estimate the standard deviation of a gray float32 photo's noise, in gray levels (after Immerkaer, 1996).

    The filter gives nothing on flat parts and straight edges, and the median passes over what other detail there is.
    """
    response = cv2.filter2D(gray, -1, np.float32([[1, -2, 1], [-2, 4, -2], [1, -2, 1]]))
    return float(np.median(np.abs(response)) / (0.6745 * 6))
