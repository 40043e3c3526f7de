"""Read frames through OpenCV's VideoCapture: from a camera, a network stream, or a video file.

Frames are RGB uint8 (height, width, 3); OpenCV's BGR stays inside this file.
"""

import math
import os
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # no messages from FFmpeg: our errors explain what went wrong

import cv2
import numpy as np

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


def open_capture(name: str, kind: str) -> Source:
    """Open a video.

    Args:
        name: A camera ("0", "1", …), the address of a stream, or the path of a file.
        kind: "live" or "video", see `Source`.

    Raises:
        VideoError: If it gives no frame.
    """
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
        return f"There is no picture from camera {name}. Plug it in, and close other programs that use it. The first camera is 0."
    if kind == "live":
        return f"There is no picture from {name}. Check the address, and whether this computer can reach it."
    if Path(name).stat().st_size == 0:
        return f"{name} is empty. Copy or record it again."
    problem = "has no frame that OpenCV can decode" if was_open else "is cut off, or not a video that OpenCV can read"
    return f"{name} {problem}. If another program plays it, convert it: ffmpeg -i {name} -c:v libx264 converted.mp4"
