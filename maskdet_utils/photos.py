"""Photos as RGB uint8 arrays: read any format, resize the same way everywhere, estimate blur and noise."""

import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".pgm", ".ppm", ".tif", ".tiff"}
# A 100-megapixel photo takes up 300 MB as an array. A larger file is more likely a mistake or an attack than a photo.
MAX_PIXELS = 100_000_000
MIN_SIDE = 8


class PhotoError(ValueError):
    """A file is not a usable photo. The message says why."""


def find_photos(folder: str | Path) -> list[Path]:
    """Find all photos in a folder and its subfolders by file name extension, sorted by path.

    Hidden files and folders are skipped. The paths are sorted because file systems list files in different orders.
    """
    folder = Path(folder)
    found = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    return sorted(path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts))


def read_photo(path, at_least: int | None = None) -> np.ndarray:
    """Read a photo as RGB uint8 `(height, width, 3)`, turned upright by its EXIF tag.

    Grayscale, palette, CMYK, and 16-bit photos are converted. Transparent pixels become white.

    Args:
        path: The photo, as a path or an open binary file.
        at_least: If given, a large JPEG is decoded at a fraction of its size, which is faster. Its short side still
            has at least this many pixels.

    Raises:
        PhotoError: The file is missing, empty, damaged, or not a photo, or the photo has a side of fewer than 8 pixels
            or more than 100 megapixels.

    Introduced in notebook 00.
    """
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit below is stricter
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
    except Exception as error:  # Pillow's decoders raise many kinds of errors for damaged files
        reason = f"not a readable photo ({error})"
        if isinstance(path, str | Path):
            is_empty = Path(path).stat().st_size == 0
            reason = "empty file" if is_empty else reason.replace(str(path), Path(path).name)
        raise PhotoError(reason) from None


def read_ahead(read: Callable, items: Iterable, depth: int) -> Iterator[tuple]:
    """Read items in two threads ahead of the caller, so that reading and computing overlap and memory use stays flat.

    Args:
        read: A function that reads one item. It runs in a thread.
        items: What to read.
        depth: How many items the threads may read ahead.

    Yields:
        Each item with `read(item)`, in the order of `items`.
    """
    pending: deque = deque()
    with ThreadPoolExecutor(2) as pool:
        try:
            for item in items:
                pending.append((item, pool.submit(read, item)))
                if len(pending) > depth:
                    oldest, future = pending.popleft()
                    yield oldest, future.result()
            for oldest, future in pending:
                yield oldest, future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _to_rgb(image) -> np.ndarray:
    from PIL import Image

    # Pillow's own conversion would clip 16-bit and floating-point grayscale to white.
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image, dtype=np.float32)
        white_level = 65535.0 if values.max() > 255 else 255.0
        gray = np.clip(values * (255.0 / white_level), 0, 255).astype(np.uint8)
        return np.repeat(gray[:, :, None], 3, axis=2)
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return np.array(image.convert("RGB"))


def resize_fast(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize a frame quickly: shrink it by whole factors with area averaging, then do the rest with bilinear resizing.

    Area averaging by a fractional factor takes ten times as long and makes no difference to the networks. A few pixels
    are cut off at the right and bottom edges, but fewer than the whole factor.

    Args:
        frame: Pixels, `(height, width)` or `(height, width, channels)`.
        size: The new (width, height) in pixels.

    Introduced in notebook 09.
    """
    height, width = frame.shape[:2]
    factor_x, factor_y = max(1, width // size[0]), max(1, height // size[1])
    if factor_x > 1 or factor_y > 1:
        smaller = width // factor_x, height // factor_y
        frame = frame[: smaller[1] * factor_y, : smaller[0] * factor_x]
        frame = cv2.resize(frame, smaller, interpolation=cv2.INTER_AREA)
    return cv2.resize(frame, size, interpolation=cv2.INTER_LINEAR)


def letterbox(frame: np.ndarray, side: int, filled: float = 1.0, fast: bool = False) -> tuple[np.ndarray, float]:
    """Fit a frame into the top left corner of a black square, keeping its aspect ratio.

    Args:
        frame: RGB or BGR uint8 `(height, width, 3)`.
        side: The side of the square in pixels.
        filled: The fraction of the square's side that the frame's longer side takes up.
        fast: Whether to resize with `resize_fast`.

    Returns:
        The square, uint8 `(side, side, 3)`, and the scale: pixels of the square per pixel of the frame.
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
    """Stretch a face crop to the classifier's input size, without a letterbox.

    A classifier is sensitive to how its photos were resized. That's why training, evaluation, and live use all resize
    with this function and no other. The resizing is bilinear. A photo of at least twice the size is first shrunk by
    a whole factor with area averaging, because bilinear resizing alone would skip pixels (see `resize_fast`).

    Args:
        photo: RGB uint8 `(height, width, 3)`.
        size: The side of the classifier's input in pixels.

    Returns:
        RGB uint8 `(size, size, 3)`.

    Introduced in notebook 01.
    """
    if min(photo.shape[:2]) >= size:
        return resize_fast(photo, (size, size))
    return cv2.resize(photo, (size, size), interpolation=cv2.INTER_LINEAR)


def blur_sigma(gray: np.ndarray) -> float:
    """Estimate the blur of a photo at its sharpest edges.

    If you blur the photo again, by 1 pixel, the gradient at an edge falls. The ratio of the two gradients tells you how
    blurred the edge was before (Zhuo and Sim, "Defocus map estimation from a single image", 2011).

    Args:
        gray: The photo in grayscale, float32 `(height, width)`.

    Returns:
        The standard deviation of the Gaussian blur in pixels, 0.3 to 5.
    """
    gradient, reblurred_gradient = (
        np.hypot(cv2.Sobel(image, -1, 1, 0), cv2.Sobel(image, -1, 0, 1))
        for image in (gray, cv2.GaussianBlur(gray, (0, 0), 1))
    )
    strong = gradient >= 0.6 * np.percentile(gradient, 99.5)
    ratio = np.median(gradient[strong] / (reblurred_gradient[strong] + 1e-6))
    sobel_variance = 0.6  # pixels squared: the Sobel filter itself blurs, too
    return float(np.sqrt(np.clip(1 / max(ratio**2 - 1, 0.04) - sobel_variance, 0.09, 25)))


def noise_sigma(gray: np.ndarray) -> float:
    """Estimate the standard deviation of a photo's noise in gray levels (after Immerkaer, 1996).

    The filter's response is zero on flat areas and straight edges. The median ignores most of the remaining detail.

    Args:
        gray: The photo in grayscale, float32 `(height, width)`.
    """
    response = cv2.filter2D(gray, -1, np.float32([[1, -2, 1], [-2, 4, -2], [1, -2, 1]]))
    return float(np.median(np.abs(response)) / (0.6745 * 6))
