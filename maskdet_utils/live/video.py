"""Read frames from a photo, a folder of photos, a video, a GIF, a camera, or a network stream.

Frames are RGB uint8 (height, width, 3); OpenCV's BGR stays inside this file.
"""

import math
import os
import sys
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # no messages from FFmpeg: our errors explain what went wrong

import cv2
import numpy as np

from ..photos import MAX_PIXELS, SUFFIXES, PhotoError, find_photos, read_photo

STREAMS = ("rtsp://", "rtsps://", "rtmp://", "http://", "https://", "udp://")
STREAM_TIMEOUT = 10_000  # milliseconds to wait for an answer
USUAL_RATE = 25.0  # frames per second, if a source does not give its rate


class VideoError(RuntimeError):
    """A source cannot be read, or a file cannot be written; the message says why and what to do."""


@dataclass(eq=False)
class Source:
    """Where frames come from.

    Attributes:
        kind: "photos", "video", or "live".
        frames: Yields (name, frame). A photo's name is its path below the folder; frames of a video have the name None.
            The frame is None if the photo cannot be read.
        rate: Frames per second.
        count: Number of frames; None if unknown.
    """

    kind: str
    frames: Generator[tuple[str | None, np.ndarray | None], None, None]
    rate: float = USUAL_RATE
    count: int | None = None


def open_source(name: str) -> Source:
    """Open a photo, a folder of photos, a video file, a GIF, a camera ("0", "1", …), or a network stream.

    Raises:
        VideoError: If nothing has that name, or it cannot be opened.
        PhotoError: If `name` is a photo that cannot be read.
    """
    path = Path(name)
    if name.lower().startswith(STREAMS):
        return _open_video(name, "live")
    if path.is_dir():
        photos = find_photos(path)
        if not photos:
            raise VideoError(f"{name} holds no photos. They must end in: {', '.join(sorted(SUFFIXES))}.")
        return Source(
            "photos", ((photo.relative_to(path).as_posix(), _photo(photo)) for photo in photos), count=len(photos)
        )
    if not path.exists():
        if name.isdecimal():
            return _open_video(name, "live")
        raise VideoError(f"There is no file, folder, camera, or stream {name}. Check the name.")
    if path.suffix.lower() == ".gif":
        return _open_gif(path)
    if path.suffix.lower() in SUFFIXES:
        photo = read_photo(path)
        return Source("photos", (frame for frame in [(path.name, photo)]), count=1)
    return _open_video(name, "video")


def _photo(path: Path) -> np.ndarray | None:
    try:
        return read_photo(path)
    except PhotoError as error:
        print(f"{path} is skipped: {error}.", file=sys.stderr)
        return None


def _open_video(name: str, kind: str) -> Source:
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    if name.isdecimal() and kind == "live":
        capture = cv2.VideoCapture(int(name))
    elif kind == "live":
        limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, STREAM_TIMEOUT, cv2.CAP_PROP_READ_TIMEOUT_MSEC, STREAM_TIMEOUT]
        capture = cv2.VideoCapture(name, cv2.CAP_FFMPEG, limits)
    else:
        capture = cv2.VideoCapture(name)
    was_read, first = capture.read()
    if not was_read:
        was_open = capture.isOpened()
        capture.release()
        raise VideoError(_why_unreadable(name, kind, was_open))
    rate, count = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)
    return Source(
        kind,
        _captured(capture, first),
        rate if math.isfinite(rate) and 0 < rate <= 1000 else USUAL_RATE,
        int(count) if kind == "video" and 0 < count < 1e9 else None,
    )


def _captured(capture, frame):
    try:
        was_read = True
        while was_read:
            yield None, cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
            was_read, frame = capture.read()
    finally:
        capture.release()


def _why_unreadable(name: str, kind: str, was_open: bool) -> str:
    if kind == "live" and name.isdecimal():
        return (
            f"Camera {name} gives no picture. Plug it in, and close other programs that use it. The first camera is 0."
        )
    if kind == "live":
        return f"{name} gives no picture. Check the address, and whether this computer can reach it."
    if Path(name).stat().st_size == 0:
        return f"{name} is empty. Copy or record it again."
    problem = "has no frame that OpenCV can decode" if was_open else "is cut off, or not a video that OpenCV can read"
    return f"{name} {problem}. If another program plays it, convert it: ffmpeg -i {name} -c:v libx264 converted.mp4"


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
