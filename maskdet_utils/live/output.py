"""Marked frames out: to a photo, a folder of photos, an MP4 file, or a GIF.

Frames are RGB uint8 (height, width, 3); OpenCV's BGR does not leave this file.
"""

import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from ..paths import write_file
from .video import Source, VideoError

PHOTO_ENDINGS = {".jpg", ".jpeg", ".png"}


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
    """Collects a GIF (256 colors a frame, all in memory until the end: for short clips)."""

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


def write_clip(path: str | Path, frames: Iterable[np.ndarray], rate: float = 25.0) -> Path:
    """Write RGB frames to .mp4, .gif or .mjpeg (JPEGs in a row: what Chromium takes for a fake camera).

    Chromium wants even sizes. Raises ValueError for another ending.
    """
    path = Path(path)
    if path.suffix.lower() == ".mjpeg":
        with open(path, "wb") as file:
            for frame in frames:
                file.write(cv2.imencode(".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))[1].tobytes())
        return path
    sink = open_sink(str(path), Source("video", (none for none in ()), rate))
    try:
        for frame in frames:
            sink.write(frame, None)
    finally:
        sink.close()
    return path
