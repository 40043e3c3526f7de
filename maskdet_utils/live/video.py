"""Frames in from anywhere (photo, folder, video, GIF, camera, stream), frames out to a file or a folder.

Frames are RGB uint8 (height, width, 3); OpenCV's BGR does not leave this file.
"""

import math
import os
import sys
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # FFmpeg's own notes; we say in a sentence what went wrong

import cv2
import numpy as np

from ..photos import MAX_PIXELS, SUFFIXES, PhotoError, find_photos, read_photo

STREAMS = ("rtsp://", "rtsps://", "rtmp://", "http://", "https://", "udp://")
STREAM_TIMEOUT = 10_000  # milliseconds without an answer
USUAL_RATE = 25.0  # frames per second, where a source does not say


class VideoError(RuntimeError):
    """A source cannot be read or a file cannot be written; the message says why and what helps."""


@dataclass(eq=False)
class Source:
    """Where frames come from.

    kind: "photos", "video" or "live". frames: gives (name, frame); the name of a photo is its path below the folder,
    that of a video's frame is None; the frame of an unreadable photo is None. rate: frames per second. count: of
    frames, None if not known.
    """

    kind: str
    frames: Generator[tuple[str | None, np.ndarray | None], None, None]
    rate: float = USUAL_RATE
    count: int | None = None


def open_source(name: str) -> Source:
    """Open a photo, a folder of photos, a video file, a GIF, a camera ("0", "1", …) or a network stream.

    Raises `VideoError` if there is none of that name, or it cannot be opened.
    """
    path = Path(name)
    if name.lower().startswith(STREAMS):
        return _open_video(name, "live")
    if path.is_dir():
        photos = find_photos(path)
        if not photos:
            raise VideoError(f"{name} holds no photos ({', '.join(sorted(SUFFIXES))}).")
        return Source(
            "photos", ((photo.relative_to(path).as_posix(), _photo(photo)) for photo in photos), count=len(photos)
        )
    if not path.exists():
        if name.isdecimal():
            return _open_video(name, "live")
        raise VideoError(f"There is no file, folder, camera or stream {name}.")
    if path.suffix.lower() == ".gif":
        return _open_gif(path)
    if path.suffix.lower() in SUFFIXES:
        photo = read_photo(path)
        return Source("photos", (one for one in [(path.name, photo)]), count=1)
    return _open_video(name, "video")


def _photo(path: Path) -> np.ndarray | None:
    try:
        return read_photo(path)
    except PhotoError as error:
        print(f"left out, {error}: {path}", file=sys.stderr)
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
    good, first = capture.read()
    if not good:
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
        good = True
        while good:
            yield None, cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
            good, frame = capture.read()
    finally:
        capture.release()


def _why_unreadable(name: str, kind: str, was_open: bool) -> str:
    if kind == "live" and name.isdecimal():
        return (
            f"Camera {name} gives no picture. Is it plugged in, and does no other program use it? 0 is the first one."
        )
    if kind == "live":
        return f"{name} gives no picture. Is the address right, and can this machine reach it?"
    if Path(name).stat().st_size == 0:
        return f"{name} is empty."
    found = "holds no frame that OpenCV can decode" if was_open else "is no video that OpenCV can read, or is cut off"
    return f"{name} {found}. If another program plays it, convert it: ffmpeg -i {name} -c:v libx264 converted.mp4"


def _open_gif(path: Path) -> Source:
    from PIL import Image, ImageSequence

    try:
        image = Image.open(path)
        if image.width * image.height > MAX_PIXELS:
            raise VideoError(f"{path} has more than {MAX_PIXELS // 1_000_000} megapixels.")
        count = getattr(image, "n_frames", 1)
        durations = []
        for frame in ImageSequence.Iterator(image):
            durations.append(frame.info.get("duration", 0))
    except (OSError, SyntaxError, EOFError) as error:
        raise VideoError(f"{path} is not a readable GIF ({error}).") from None
    mean = sum(durations) / len(durations)
    frames = ((None, np.array(frame.convert("RGB"))) for frame in ImageSequence.Iterator(image))
    return Source("video", frames, 1000 / mean if mean else 10.0, count)
