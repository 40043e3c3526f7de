"""What a source of frames is, and how to read frames from a camera.

Cameras stay with OpenCV: FFmpeg, and so PyAV, opens them by a different name, format, and resolution on each system, and
OpenCV by a number on all of them. Frames are RGB uint8 (height, width, 3); OpenCV's BGR stays inside this file.
"""

import math
import time
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from ..environment import PlainError

USUAL_RATE = 25.0  # frames per second, if a source does not give its rate


class VideoError(PlainError, RuntimeError):
    """A source cannot be read, or a file cannot be written; the message says why and what to do."""


@dataclass(frozen=True, eq=False)
class Moment:
    """When a frame of a video is shown.

    Attributes:
        seconds: Time since the beginning of the video.
        lasts: How long the frame is shown, in seconds.
        opacity: Of each pixel, uint8 (height, width), 0 to 255; None if all are opaque.
    """

    seconds: float
    lasts: float
    opacity: np.ndarray | None = None


@dataclass(eq=False)
class Source:
    """Where frames come from.

    Attributes:
        kind: "photos", "video", or "live".
        frames: Yields (place, frame). The place of a photo is its name, and that of a video's frame is its `Moment`.
        rate: Frames per second, on average.
        count: Number of frames; None if unknown.
        problem: Why there were fewer frames than there should be; empty if all came. Known after the last one.
        ending: The extension of a marked copy that a player of the original can play, too.
        loop: How often an animation repeats, as its format counts; 0 is forever, and None is not at all.
        sound: PyAV's audio stream; None if there is no sound, or if nobody wants it.
        sound_packets: The sound up to the frame that was read last. Whoever writes it removes it from here.
    """

    kind: str
    frames: Generator
    rate: float = USUAL_RATE
    count: int | None = None
    ending: str = ".mp4"
    loop: int | None = 0
    sound: Any = None
    problem: str = ""
    sound_packets: deque = field(default_factory=deque)


def usable_rate(rate) -> float:
    """Return frames per second as a float; the usual ones if a source says something impossible."""
    rate = float(rate or 0)
    return rate if math.isfinite(rate) and 0 < rate <= 1000 else USUAL_RATE


def open_camera(number: int) -> Source:
    """Open a camera of this computer; 0 is the first one.

    Raises:
        VideoError: If it gives no frame.
    """
    capture = cv2.VideoCapture(number)
    was_read, first = capture.read()
    if not was_read:
        capture.release()
        raise VideoError(f"There is no picture from camera {number}. Plug it in, or close other programs that use it.")
    rate = usable_rate(capture.get(cv2.CAP_PROP_FPS))
    source = Source("live", None, rate)
    source.frames = _captured(capture, first, source)
    return source


def _captured(capture, frame, source: Source):
    try:
        start, was_read = time.monotonic(), True  # few cameras keep to the rate that they give
        while was_read:
            yield Moment(time.monotonic() - start, 1 / source.rate), cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
            was_read, frame = capture.read()
        source.problem = "The camera stopped sending pictures."
    finally:
        capture.release()
