"""Read frames from a photo, a folder of photos, a video, a GIF, a camera, or a network stream.

Frames are RGB uint8 (height, width, 3).
"""

import sys
from pathlib import Path

import numpy as np

from ..photos import MAX_PIXELS, SUFFIXES, PhotoError, find_photos, read_photo
from .capture import Source, VideoError, open_capture

STREAMS = ("rtsp://", "rtsps://", "rtmp://", "http://", "https://", "udp://")


def open_source(name: str) -> Source:
    """Open a photo, a folder of photos, a video file, a GIF, a camera ("0", "1", …), or a network stream.

    Raises:
        VideoError: If nothing has that name, or it cannot be opened.
        PhotoError: If `name` is a photo that cannot be read.
    """
    path = Path(name)
    if name.lower().startswith(STREAMS):
        return open_capture(name, "live")
    if path.is_dir():
        photos = find_photos(path)
        if not photos:
            raise VideoError(f"{name} holds no photos. They must end in: {', '.join(sorted(SUFFIXES))}.")
        return Source(
            "photos", ((photo.relative_to(path).as_posix(), _photo(photo)) for photo in photos), count=len(photos)
        )
    if not path.exists():
        if name.isdecimal():
            return open_capture(name, "live")
        raise VideoError(f"There is no file, folder, camera, or stream {name}. Check the name.")
    if path.suffix.lower() == ".gif":
        return _open_gif(path)
    if path.suffix.lower() in SUFFIXES:
        photo = read_photo(path)
        return Source("photos", (frame for frame in [(path.name, photo)]), count=1)
    return open_capture(name, "video")


def _photo(path: Path) -> np.ndarray | None:
    try:
        return read_photo(path)
    except PhotoError as error:
        print(f"{path} is skipped: {error}.", file=sys.stderr)
        return None


def _open_gif(path: Path) -> Source:
    from PIL import Image, ImageSequence

    try:
        image = Image.open(path)
        if image.width * image.height > MAX_PIXELS:
            raise VideoError(f"{path} has more than {MAX_PIXELS // 1_000_000} megapixels. Make it smaller.")
        count = getattr(image, "n_frames", 1)
        durations = []
        for frame in ImageSequence.Iterator(image):
            durations.append(frame.info.get("duration", 0))
    except (OSError, SyntaxError, EOFError) as error:
        raise VideoError(f"{path} is not a readable GIF ({error}). Save it again.") from None
    mean = sum(durations) / len(durations)
    frames = ((None, np.array(frame.convert("RGB"))) for frame in ImageSequence.Iterator(image))
    return Source("video", frames, 1000 / mean if mean else 10.0, count)
