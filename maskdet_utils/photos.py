"""Read any photo as RGB uint8, or say in one sentence why it cannot be read."""

import warnings
from pathlib import Path

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

    Grey, palette, CMYK and 16-bit photos are converted; transparent pixels become white. `at_least` (pixels) lets
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


def _to_rgb(image) -> np.ndarray:
    from PIL import Image

    if image.mode.startswith(
        ("I", "F")
    ):  # 16-bit and floating-point grey: Pillow's own conversion would clip it to white
        values = np.asarray(image, dtype=np.float32)
        brightest = 65535.0 if values.max() > 255 else 255.0
        grey = np.clip(values * (255.0 / brightest), 0, 255).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return np.array(image.convert("RGB"))
