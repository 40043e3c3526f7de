"""Frames in from anywhere (photo, folder, video, GIF, camera, stream), frames out to a file or a folder.

Frames are RGB uint8 (height, width, 3); OpenCV's BGR does not leave this file.
"""

import math
import os
import shutil
import sys
import tempfile
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # FFmpeg's own notes; we say in a sentence what went wrong

import cv2
import numpy as np

from .paths import write_file
from .photos import MAX_PIXELS, SUFFIXES, PhotoError, find_photos, read_photo

STREAMS = ("rtsp://", "rtsps://", "rtmp://", "http://", "https://", "udp://")
STREAM_TIMEOUT = 10_000  # milliseconds without an answer
USUAL_RATE = 25.0  # frames per second, where a source does not say
PHOTO_ENDINGS = {".jpg", ".jpeg", ".png"}


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


class PhotoSink:
    """Writes each frame as a photo: to one file, or below a folder, under its own name."""

    def __init__(self, path: Path, into_folder: bool):
        self.path, self.into_folder, self.count = path, into_folder, 0

    def write(self, frame: np.ndarray, name: str | None) -> None:
        self.count += 1
        target = self.path
        if self.into_folder:
            target = self.path / (name or f"frame_{self.count:06d}.jpg")
            if target.suffix.lower() not in PHOTO_ENDINGS:
                target = target.with_name(target.name + ".png")
        bgr = cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
        good, content = cv2.imencode(target.suffix, bgr, [cv2.IMWRITE_JPEG_QUALITY, 95])
        if not good:
            raise VideoError(f"{target} could not be written as {target.suffix}.")
        write_file(target, content.tobytes())

    def close(self) -> None:
        pass


class Mp4Sink:
    """Writes an MPEG-4 file, which every OpenCV can. It has no sound; an odd width or height loses one pixel."""

    def __init__(self, path: Path, rate: float):
        self.path, self.rate = path, rate
        self.writer: cv2.VideoWriter | None = None
        self.size: tuple[int, int] | None = None
        self.unfinished = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.stem}.")) / "unfinished.mp4"

    def write(self, frame: np.ndarray, name: str | None) -> None:
        if self.writer is None:
            self.size = frame.shape[1], frame.shape[0]
            self.writer = cv2.VideoWriter(str(self.unfinished), cv2.VideoWriter_fourcc(*"mp4v"), self.rate, self.size)
            if not self.writer.isOpened():
                raise VideoError(f"OpenCV cannot write {self.size[0]}×{self.size[1]} pixels to {self.path}.")
        if (frame.shape[1], frame.shape[0]) != self.size:  # a stream may change its size on the way
            frame = cv2.resize(frame, self.size)
        self.writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))

    def close(self) -> None:
        if self.writer is not None:
            self.writer.release()
            os.replace(self.unfinished, self.path)
        shutil.rmtree(self.unfinished.parent, ignore_errors=True)


class GifSink:
    """Collects a GIF (256 colours a frame, all in memory until the end: for short clips)."""

    def __init__(self, path: Path, rate: float):
        self.path, self.rate, self.frames = path, rate, []

    def write(self, frame: np.ndarray, name: str | None) -> None:
        from PIL import Image

        # Without dithering: its noise would flicker, and triple the size.
        self.frames.append(Image.fromarray(frame).quantize(255, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE))

    def close(self) -> None:
        import io

        if not self.frames:
            return
        # A GIF counts in hundredths of a second: rounding the points in time, not the durations, keeps the pace.
        times = [10 * round(100 * number / self.rate) for number in range(len(self.frames) + 1)]
        durations = [max(20, end - start) for start, end in zip(times, times[1:], strict=False)]
        file = io.BytesIO()
        self.frames[0].save(file, "GIF", save_all=True, append_images=self.frames[1:], duration=durations, loop=0)
        write_file(self.path, file.getvalue())


def open_sink(output: str, source: Source):
    """A sink for a source, by the output's ending; without an ending it is a folder.

    Raises ValueError if such a source does not fit such an output, or the ending is none that we write.
    """
    path, ending = Path(output), Path(output).suffix.lower()
    if path.is_dir() or not ending:
        return PhotoSink(path, into_folder=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    if ending in PHOTO_ENDINGS and source.kind == "photos" and source.count == 1:
        return PhotoSink(path, into_folder=False)
    if ending in (".mp4", ".gif") and source.kind != "photos":
        return (Mp4Sink if ending == ".mp4" else GifSink)(path, source.rate)
    wanted = "to .mp4, .gif or a folder" if source.kind != "photos" else "to a folder, or a single one to .jpg or .png"
    raise ValueError(f"{output} does not fit: {'photos go' if source.kind == 'photos' else 'video goes'} {wanted}.")
