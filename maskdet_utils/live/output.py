"""Write marked frames to a photo, a folder of photos, an MP4 file, or a GIF.

Every sink has `write(frame, name)` and `close()`. Frames are RGB uint8 (height, width, 3); OpenCV's BGR stays inside
this file.
"""

import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from ..paths import write_file
from .capture import Source, VideoError

PHOTO_ENDINGS = {".jpg", ".jpeg", ".png"}


class PhotoSink:
    """Write each frame as a photo: to one file, or below a folder under its own name."""

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
        was_encoded, content = cv2.imencode(target.suffix, bgr, [cv2.IMWRITE_JPEG_QUALITY, 95])
        if not was_encoded:
            raise VideoError(f"OpenCV cannot write {target} as {target.suffix}. Choose .jpg or .png.")
        write_file(target, content.tobytes())

    def close(self) -> None:
        pass


class Mp4Sink:
    """Write an MP4 file (MPEG-4, which every build of OpenCV can write).

    It has no sound. An odd width or height loses one pixel.
    """

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
                raise VideoError(f"OpenCV cannot write {self.path} with (width, height) = {self.size}. Choose .gif.")
        if (frame.shape[1], frame.shape[0]) != self.size:  # a stream may change its size while it runs
            frame = cv2.resize(frame, self.size)
        self.writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))

    def close(self) -> None:
        if self.writer is not None:
            self.writer.release()
            os.replace(self.unfinished, self.path)
        shutil.rmtree(self.unfinished.parent, ignore_errors=True)


class GifSink:
    """Write a GIF with at most 256 colors per frame. All frames stay in memory until the end: for short clips only."""

    def __init__(self, path: Path, rate: float):
        self.path, self.rate, self.frames = path, rate, []

    def write(self, frame: np.ndarray, name: str | None) -> None:
        from PIL import Image

        # Without dithering: its noise would flicker and make the file three times as large.
        self.frames.append(Image.fromarray(frame).quantize(255, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE))

    def close(self) -> None:
        import io

        if not self.frames:
            return
        # A GIF counts in hundredths of a second. Rounding the points in time, not the durations, keeps the rate right.
        times = [10 * round(100 * number / self.rate) for number in range(len(self.frames) + 1)]
        durations = [max(20, end - start) for start, end in zip(times, times[1:], strict=False)]
        file = io.BytesIO()
        self.frames[0].save(file, "GIF", save_all=True, append_images=self.frames[1:], duration=durations, loop=0)
        write_file(self.path, file.getvalue())


def open_sink(output: str, source: Source):
    """Open the sink for an output, chosen by its file name extension; without one the output is a folder.

    Args:
        output: A file (.jpg or .png for one photo, .mp4 or .gif for video), or a folder for any source.
        source: Where the frames come from.

    Returns:
        A `PhotoSink`, `Mp4Sink`, or `GifSink`.

    Raises:
        ValueError: If the output does not fit the source, or we cannot write that extension.
    """
    path, ending = Path(output), Path(output).suffix.lower()
    if path.is_dir() or not ending:
        return PhotoSink(path, into_folder=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    if ending in PHOTO_ENDINGS and source.kind == "photos" and source.count == 1:
        return PhotoSink(path, into_folder=False)
    if ending in (".mp4", ".gif") and source.kind != "photos":
        return (Mp4Sink if ending == ".mp4" else GifSink)(path, source.rate)
    fits = "a folder, or one photo to .jpg or .png" if source.kind == "photos" else ".mp4, .gif, or a folder"
    raise ValueError(f"{output} does not fit: write {'photos' if source.kind == 'photos' else 'video'} to {fits}.")


def write_clip(path: str | Path, frames: Iterable[np.ndarray], rate: float = 25.0) -> Path:
    """Write a video.

    Args:
        path: File that ends in .mp4, .gif, or .mjpeg. The last one is a sequence of JPEGs, which Chromium can play as a
            fake camera if width and height are even.
        frames: RGB uint8 frames (height, width, 3).
        rate: Frames per second.

    Returns:
        The path.

    Raises:
        ValueError: If the extension is another one.
    """
    path = Path(path)
    if path.suffix.lower() == ".mjpeg":
        with open(path, "wb") as file:
            for frame in frames:
                file.write(cv2.imencode(".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))[1].tobytes())
        return path
    sink = open_sink(str(path), Source("video", (frame for frame in ()), rate))
    try:
        for frame in frames:
            sink.write(frame, None)
    finally:
        sink.close()
    return path
