"""Photos as RGB uint8 arrays: read any format, resize the same way everywhere, estimate blur and noise."""

import contextlib
import io
import os
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from .environment import PlainError, quiet_stderr

SUFFIXES = set(
    ".jpg .jpeg .jpe .jfif .png .bmp .gif .webp .pgm .ppm .tif .tiff .heic .heif .hif .avif .jp2 .j2k".split()
)
# The first bytes of these formats, for photos whose names end in something else.
SIGNATURES = rb"(?s)\xff\xd8\xff|\x89PNG|GIF8|RIFF....WEBP|\xff\x4f\xff\x51|....jP  |....ftyp(he[iv]|m[is]f1|avi[fs])"
# What files that are called photos often are instead, by their first bytes without white space.
OTHER_CONTENT = {
    rb"<(!doctype|html|\?xml|svg)": "a web page or another text",
    rb"version https://git-lfs": "a pointer of Git LFS (get the photo with: git lfs pull)",
    rb"....ftyp|RIFF....AVI|\x1aE\xdf\xa3": "a video, or a format that is not supported",
    rb"%PDF": "a PDF document",
}
# What computers put into folders without being asked. Hidden files and folders (.DS_Store) are not looked at, either.
CLUTTER = {"__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "@eadir", "$recycle.bin", "system volume information"}
# A 100-megapixel photo takes up 300 MB as an array. A larger file is more likely a mistake or an attack than a photo.
MAX_PIXELS = 100_000_000
MIN_SIDE = 8
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # our errors say what is wrong with a photo or camera


class PhotoError(PlainError, ValueError):
    """A file is not a usable photo. The message says why."""


def is_clutter(name: str) -> bool:
    """Whether a file or folder is hidden, or one that Windows, macOS, or a NAS puts into people's folders."""
    return name.startswith(".") or name.lower() in CLUTTER


def is_photo(path: str | Path) -> bool:
    """Whether a file is a photo by the end of its name or, failing that, by its first bytes. It may still be damaged."""
    if Path(path).suffix.lower() in SUFFIXES:
        return True
    try:
        with open(path, "rb") as file:
            return re.match(SIGNATURES, file.read(12)) is not None
    except OSError:
        return False


def sort_files(folder: str | Path) -> tuple[list[Path], list[Path]]:
    """Find all photos and all other files in a folder and its subfolders, without clutter (see `is_clutter`).

    Linked subfolders are included. A folder that can be reached in several ways, or that contains itself, is listed once.

    Returns:
        The photos and the other files, each sorted by path, because file systems list files in different orders. Folders
        that cannot be opened count as other files, and so do links to a folder that is listed elsewhere or contains this
        one.
    """
    photos, others, seen = [], [], set(map(str, Path(folder).resolve().parents))
    for where, folders, files in os.walk(folder, onerror=lambda e: others.append(Path(e.filename)), followlinks=True):
        if (real := os.path.realpath(where)) in seen:
            others.append(Path(where))
            folders[:], files = [], []
        seen.add(real)
        # Links come last, so that photos are listed where they are.
        ordered = sorted((os.path.islink(os.path.join(where, name)), name) for name in folders if not is_clutter(name))
        folders[:] = [name for _, name in ordered]
        for path in (Path(where, name) for name in files if not is_clutter(name)):
            # A named pipe is not a file: reading from it would never end.
            (photos if path.is_file() and is_photo(path) else others).append(path)
    return sorted(photos), sorted(others)


def find_photos(folder: str | Path) -> list[Path]:
    """Find all photos in a folder and its subfolders, sorted by path. For the files that it skips, see `sort_files`."""
    return sort_files(folder)[0]


def read_photo(path, at_least: int | None = None) -> np.ndarray:
    """Read a photo as RGB uint8 `(height, width, 3)`, turned upright by its EXIF tag.

    The content says what format it is, not the name. Grayscale, palette, and CMYK photos are converted, as are photos
    with a color space that is larger than sRGB, and photos with more than 8 bits. Transparent pixels become white.

    Args:
        path: The photo, as a path or an open binary file.
        at_least: If given, a large JPEG is decoded at a fraction of its size, which is faster. Its short side still
            has at least this many pixels.

    Raises:
        PhotoError: The file is missing, empty, damaged, or not a photo, or the photo has a side of fewer than 8 pixels
            or more than 100 megapixels. A JPEG of up to 400 megapixels is decoded at half its width and height.

    Introduced in notebook 00.
    """
    try:
        Image.MAX_IMAGE_PIXELS = None  # our own limit is stricter, and it comes before anything is decoded
        with _open(path) as image:
            width, height = image.size
            if image.format in ("EPS", "WMF"):  # programs that Pillow would have Ghostscript or Windows run
                raise PhotoError(f"a drawing ({image.format}), not a photo")
            too_large = width * height > MAX_PIXELS
            if min(width, height) < MIN_SIDE:
                raise PhotoError(f"{width}×{height} pixels are too few to show a face")
            if at_least or too_large:
                wanted = (min(at_least or side, side // 2 if too_large else side) for side in image.size)
                image.draft("RGB", tuple(wanted))  # changes nothing unless it is a JPEG
            if image.width * image.height > MAX_PIXELS:
                megapixels = f"{width * height / 1e6:.0f} megapixels, but the limit is {MAX_PIXELS // 1_000_000}"
                raise PhotoError(f"{width}×{height} pixels are {megapixels}. Make the photo smaller")
            with quiet_stderr() if image.format == "TIFF" else contextlib.nullcontext():  # libtiff prints, too
                return _to_rgb(image)
    except PhotoError:
        raise
    except FileNotFoundError:
        raise PhotoError("no such file") from None
    except Exception as error:  # Pillow's decoders raise many kinds of errors for damaged files
        raise PhotoError(_reason(path, error)) from None


def _open(path):
    with contextlib.suppress(UnidentifiedImageError):
        return Image.open(path)
    # The decoder for phones' HEIC photos is imported only when a file may need it.
    from pillow_heif import register_heif_opener

    register_heif_opener()
    try:
        return Image.open(path)
    except UnidentifiedImageError:
        is_deep = re.match(rb"II\*\0|MM\0\*|#\?R|PF", _start(path))  # maybe TIFF or HDR with floating-point colors
        with open(path, "rb") if isinstance(path, str | Path) else contextlib.nullcontext(path) as file:
            values = _read_deep(file) if is_deep else None
        if values is None:
            raise
        return _scaled(values)


def _reason(path, error: Exception) -> str:
    """Why a file is not a photo, in words for people."""
    # A number means that the system said no: for example, it is a folder, or there is no right to read it.
    if getattr(error, "errno", None):
        return f"not a readable photo ({getattr(error, 'strerror', None) or error})"
    if "\0" in str(path):
        return "no such file"
    start = _start(path).lstrip(b"\xef\xbb\xbf \t\r\n")
    if not start:
        return "empty file"
    what = next((words for found, words in OTHER_CONTENT.items() if re.match(found, start, re.DOTALL | re.I)), None)
    problem = str(error).replace(str(path), Path(path).name if isinstance(path, str | Path) else "").strip()
    if not problem or isinstance(error, cv2.error):  # which quotes its own source code
        problem = "it is damaged, or too large"
    return f"not a readable photo ({f'it is {what}' if what else problem})"


def _start(path) -> bytes:
    """The first bytes of a path or an open file."""
    with open(path, "rb") if isinstance(path, str | Path) else contextlib.nullcontext(path) as file:
        file.seek(0)
        return file.read(64)


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
    profile = image.info.get("icc_profile") if image.mode != "CMYK" else None
    image = ImageOps.exif_transpose(_to_8_bits(image))
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return np.array(_to_srgb(image.convert("RGB"), profile))


def _to_8_bits(image):
    """Scale a photo with 10, 12, 14, or 16 bits, or with floating-point values, by the smallest range that holds them."""
    values = None
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image)
    elif image.mode in ("RGB", "RGBA", "LA") and (image.format == "JPEG2000" or ";16" in str(vars(image).get("tile"))):
        # Pillow would keep only the upper 8 bits of deep colors. Of JPEG 2000, it would turn white to black.
        values = _read_deep(image.fp)
        image.load()  # raises an error if the file is truncated, which OpenCV doesn't
    if values is None or values.dtype == np.uint8:
        return image
    shallow = _scaled(values)
    shallow.getexif()[0x0112] = image.getexif().get(0x0112, 1)  # how to turn it upright
    return shallow


def _scaled(values: np.ndarray):
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    top = np.nanmax(values[:, :, :3] if values.ndim == 3 else values)
    # Floating-point photos go up to 1, with highlights above that, or they hold the levels of integers.
    is_fraction = values.dtype.kind == "f" and top < 32
    white = 1 if is_fraction else next((level for level in (255, 1023, 4095, 16383, 65535) if level >= top), top)
    return Image.fromarray(cv2.convertScaleAbs(np.maximum(values, 0), alpha=255 / white))


def _read_deep(file) -> np.ndarray | None:
    """Decode a photo with OpenCV, which keeps all bits: gray, RGB, or RGBA. None if OpenCV cannot read it."""
    place = file.tell()
    file.seek(0)
    with quiet_stderr():  # libpng prints what it does not like
        pixels = cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_UNCHANGED)
    file.seek(place)
    if pixels is None or pixels.ndim == 2:
        return pixels
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB if pixels.shape[2] == 3 else cv2.COLOR_BGRA2RGBA)


def _to_srgb(image, profile: bytes | None):
    """Convert a photo with a larger color space, such as the Display P3 of phones, to sRGB."""
    if not profile:
        return image
    try:
        own, srgb = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
        spaces = own.profile, ImageCms.ImageCmsProfile(srgb).profile
        primaries = [(space.red_primary[1], space.green_primary[1], space.blue_primary[1]) for space in spaces]
        if np.ptp(primaries, axis=0)[:, :2].max() < 0.01:  # in the chromaticity diagram
            return image
        return ImageCms.profileToProfile(image, own, srgb, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, TypeError):  # a damaged profile, or one for other colors than RGB
        return image


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
