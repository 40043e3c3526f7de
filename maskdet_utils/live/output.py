"""Write marked frames to a photo, an MP4 file, or an animation.

Every sink has `write(frame, place)`. At the end of its `with` block, the file is finished, read back, and only then put in
the place of an earlier one. If the block raises an error, or somebody sets `is_whole` to False, the earlier file stays, and
what was written gets the name `NAME.partial.EXT`. `saved` is the path of the file that was written in the end.

Frames are RGB uint8 (height, width, 3), and places are those of `capture.Source`.
"""

import os
from collections.abc import Iterable
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from fractions import Fraction
from itertools import count
from pathlib import Path

import av
import cv2
import numpy as np

from ..paths import open_output, staging_file, swap_in
from .capture import Moment, Source, VideoError

PHOTO_ENDINGS = {".jpg", ".jpeg", ".png"}
ANIMATIONS = {".gif": "GIF", ".webp": "WEBP", ".png": "PNG", ".avif": "AVIF"}  # extension: Pillow's format
FILE_ENDINGS = {".mp4", *PHOTO_ENDINGS, *ANIMATIONS}
TICKS = 90_000  # per second: the clock of MPEG, in which every usual frame rate is a whole number of ticks
EVERYWHERE = ("aac", "mp3")  # the sound that all players of MP4 know: VS Code and QuickTime have no Opus
LONGEST_NAME = 255  # bytes, on most file systems
MOST_PIXELS = 2_000_000_000  # in all frames of an animation, which stay in memory: 2 GB for a GIF


class PhotoSink:
    """Write a frame as a photo."""

    is_whole = True

    def __init__(self, path: Path):
        self.path = path
        self.saved: str | None = None

    def write(self, frame: np.ndarray, _place: str | Moment) -> None:
        bgr = cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
        was_encoded, content = cv2.imencode(self.path.suffix, bgr, [cv2.IMWRITE_JPEG_QUALITY, 95])
        if not was_encoded:
            raise VideoError(f"OpenCV cannot write {self.path} as {self.path.suffix}. Choose .jpg or .png.")
        with _in_our_words(self.path), open_output(self.path) as staging:
            staging.write_bytes(content.tobytes())
            found = cv2.imdecode(np.fromfile(staging, np.uint8), cv2.IMREAD_COLOR)
            if found is None or found.shape != frame.shape:
                raise VideoError(f"{self.path} was not written correctly. Check the disk.")
        self.saved = str(self.path)


class VideoSink:
    """Write H.264 (yuv420p), which browsers and players know, with the time stamps and the sound of the source.

    H.264 in yuv420p has only even widths and heights. An odd one gets one more row or column, like the last.
    """

    is_whole = True

    def __init__(self, path: Path, source: Source, staging: Path):
        self.path, self.source, self.staging = path, source, staging
        self.saved: str | None = None
        self.frames, self.now = 0, -1
        self.container: av.container.OutputContainer | None = None
        self.video: av.VideoStream | None = None
        self.sound: av.AudioStream | None = None

    def write(self, frame: np.ndarray, place: Moment) -> None:
        if self.video is None:
            self._start(frame.shape)
        size = self.video.width, self.video.height
        frame = cv2.copyMakeBorder(frame, 0, frame.shape[0] % 2, 0, frame.shape[1] % 2, cv2.BORDER_REPLICATE)
        if (frame.shape[1], frame.shape[0]) != size:  # a stream may change its size while it runs
            frame = cv2.resize(frame, size)
        picture = av.VideoFrame.from_ndarray(cv2.cvtColor(frame, cv2.COLOR_RGB2YUV_I420), format="yuv420p")
        self.now = max(round(place.seconds * TICKS), self.now + 1)
        picture.pts, picture.time_base, picture.duration = self.now, Fraction(1, TICKS), round(place.lasts * TICKS)
        self.container.mux(self.video.encode(picture))
        self.frames += 1
        self._write_sound()

    def finish(self) -> None:
        """Write what the encoders still hold, and the index."""
        try:
            self._write_sound()
            self.container.mux(self.video.encode())
            if self.sound is not None and self.sound.codec_context.is_encoder:
                self.container.mux(self.sound.encode())
        finally:
            self.container.close()

    def is_readable(self) -> bool:
        """Whether the file has all frames, and the last one can be decoded. Only its group of pictures is decoded."""
        with av.open(f"file:{self.staging}") as container:
            stream = container.streams.video[0]
            packets = sum(packet.dts is not None for packet in container.demux(stream))
            container.seek(stream.duration or 0, stream=stream)
            *_, last = container.decode(stream)
            return packets == self.frames and abs(last.time - self.now / TICKS) < 0.01

    def _start(self, shape) -> None:
        # The index comes first ("faststart"), so that a browser plays the file while it is loading.
        options = {"movflags": "+faststart"}
        self.container = av.open(f"file:{self.staging}", "w", format="mp4", options=options)
        # "superfast" takes half the time of "veryfast", which would slow the detectors down, for a file half as large
        # again; crf 23 is the quality that x264 itself chooses. Without B-frames (bf), which are stored out of order, the
        # length of a video with a variable frame rate is right.
        options = {"preset": "superfast", "crf": "23", "bf": "0"}
        self.video = self.container.add_stream("libx264", Fraction(self.source.rate).limit_denominator(1001), options)
        self.video.width, self.video.height = shape[1] + shape[1] % 2, shape[0] + shape[0] % 2
        self.video.pix_fmt = "yuv420p"
        context = self.video.codec_context
        context.time_base = Fraction(1, TICKS)
        context.flags |= av.codec.context.Flags.frame_duration  # the last picture, too, lasts as long as it should
        # Without these notes, players would guess from the size (numbers of ISO/IEC 23091-2). OpenCV converts RGB by
        # SMPTE 170M, which is BT.601, with a limited range; sRGB has the primaries and, nearly, the curve of BT.709.
        context.colorspace, context.color_range, context.color_primaries, context.color_trc = 6, 1, 1, 1
        if self.source.sound is None:
            return
        if self.source.sound.codec_context.codec.canonical_name in EVERYWHERE:
            self.sound = self.container.add_stream_from_template(self.source.sound)
        else:
            sound = self.source.sound.codec_context
            rate = sound.sample_rate if sound.sample_rate in av.Codec("aac", "w").audio_rates else 48_000
            self.sound = self.container.add_stream("aac", rate, layout="mono" if sound.channels == 1 else "stereo")

    def _write_sound(self) -> None:
        while self.source.sound_packets:
            packet = self.source.sound_packets.popleft()
            with suppress(av.error.InvalidDataError, av.error.ArgumentError):  # damaged: the next one may be fine
                if self.sound is None:
                    continue
                if self.sound.codec_context.is_encoder:
                    for samples in packet.decode():
                        self.container.mux(self.sound.encode(samples))
                elif packet.dts is not None:  # the last one is empty
                    packet.stream = self.sound
                    self.container.mux(packet)


class AnimationSink:
    """Collect the frames of an animation. All of them stay in memory until the end: for short clips only."""

    is_whole = True

    def __init__(self, path: Path, source: Source, staging: Path):
        self.path, self.loop, self.staging = path, source.loop, staging
        self.saved: str | None = None
        self.images: list = []
        self.moments: list[Moment] = []

    @property
    def frames(self) -> int:
        return len(self.images)

    def write(self, frame: np.ndarray, place: Moment) -> None:
        from PIL import Image

        if (len(self.images) + 1) * frame.shape[0] * frame.shape[1] > MOST_PIXELS:
            raise VideoError(f"{self.path} would be too large: {self.path.suffix} is for short clips. Choose .mp4.")
        image = Image.fromarray(frame)
        clear = None if place.opacity is None else place.opacity < 128
        if self.path.suffix.lower() == ".gif":
            # Without dithering: its noise would flicker and make the file three times as large.
            image = image.quantize(255, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
            if clear is not None:
                image.paste(255, mask=Image.fromarray(clear))
                image.info["transparency"] = 255
        elif clear is not None:
            image.putalpha(Image.fromarray(place.opacity))
        self.images.append(image)
        self.moments.append(place)

    def finish(self) -> None:
        """Write the animation."""
        starts = [moment.seconds for moment in self.moments]
        ends = starts[1:] + [starts[-1] + self.moments[-1].lasts]
        # A GIF counts in hundredths of a second, and browsers take less than two of them for ten. Rounding the points in
        # time, not the durations, keeps the rate right.
        is_gif = self.path.suffix.lower() == ".gif"
        step = 10 if is_gif else 1
        durations, clock = [], step * round(1000 / step * starts[0])
        for end in ends:
            durations.append(max(2 * step, step * round(1000 / step * end) - clock))
            clock += durations[-1]
        options = {"loop": self.loop} if self.loop is not None else {} if is_gif else {"loop": 1}
        if any(moment.opacity is not None for moment in self.moments):
            # Each picture starts from nothing, or the one before would show through.
            options["disposal"] = 2 if is_gif else 1
        self.images[0].save(
            self.staging,
            ANIMATIONS[self.path.suffix.lower()],
            save_all=True,
            append_images=self.images[1:],
            duration=durations,
            quality=90,
            **options,
        )

    def is_readable(self) -> bool:
        """Whether the last picture can be decoded."""
        from PIL import Image

        with Image.open(self.staging) as image:
            image.seek(getattr(image, "n_frames", 1) - 1)  # equal frames in a row are one
            image.load()
            return image.size == self.images[-1].size


@contextmanager
def _open_clip(kind: type[VideoSink] | type[AnimationSink], path: Path, source: Source):
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} already exists, and it is not a file. Choose another name.")
    with ExitStack() as stack:
        with _in_our_words(path):
            sink = kind(path, source, stack.enter_context(staging_file(path.parent, path.suffix)))
        try:
            yield sink
        except BaseException as error:
            sink.is_whole = False
            with suppress(Exception):  # the first error is the one to report
                _save(sink)
            if isinstance(error, av.FFmpegError):
                raise VideoError(f"{path} cannot be written: {error.strerror}.") from None
            raise
        _save(sink)


def _save(sink: VideoSink | AnimationSink) -> None:
    if not sink.frames:
        return
    with _in_our_words(sink.path):
        sink.finish()
        try:
            is_readable = sink.is_readable()
        except Exception:  # noqa: BLE001  the decoders of damaged files raise almost anything
            is_readable = False
        if not is_readable:
            raise VideoError(f"{sink.path} was not written correctly. Check the disk.")
        path = sink.path if sink.is_whole else _partial(sink.path)
        try:
            swap_in(sink.staging, path)
        finally:  # Ctrl-C may come just after the swap
            sink.saved = None if sink.staging.exists() else str(path)


@contextmanager
def _in_our_words(path: Path):
    try:
        yield
    except (FileExistsError, NotADirectoryError):
        raise VideoError(f"{path} cannot be written: a part of its path is a file, not a folder.") from None
    except (OSError, av.FFmpegError) as error:  # the disk is full, for example
        raise VideoError(f"{path} cannot be written: {error.strerror or error}.") from None


def _partial(path: Path) -> Path:
    """Choose a free name for a file that is not whole."""
    ends = (f".partial{f'-{number}' if number > 1 else ''}{path.suffix}" for number in count(1))
    names = (path.with_name(shorten(path.stem, end) + end) for end in ends)
    return next(name for name in names if not os.path.lexists(name))


def shorten(base: str, end: str) -> str:
    """Cut the base of a file name so that, with its end, it is not longer than file systems allow."""
    while len(os.fsencode(base + end)) > LONGEST_NAME:
        base = base[:-1]
    return base


def open_sink(output: str, source: Source):
    """Open the sink for an output, chosen by its file name extension.

    Args:
        output: A file: .jpg or .png for a photo; .mp4, .gif, .webp, .png, or .avif for video.
        source: Where the frames come from.

    Returns:
        A context manager that gives the sink.

    Raises:
        ValueError: If the output does not fit the source, or we cannot write that extension.
    """
    path, ending = Path(output), Path(output).suffix.lower()
    if ending == ".mp4" and source.kind != "photos":
        return _open_clip(VideoSink, path, source)
    source.sound = None
    if ending in PHOTO_ENDINGS and source.kind == "photos":
        return nullcontext(PhotoSink(path))
    if ending in ANIMATIONS and source.kind != "photos":
        return _open_clip(AnimationSink, path, source)
    what, endings = ("photos", ".jpg, .png") if source.kind == "photos" else ("video", ", ".join([".mp4", *ANIMATIONS]))
    raise ValueError(f"{output} does not fit: write {what} to {endings}, or a folder (its name may end in /).")


def write_clip(path: str | Path, frames: Iterable[np.ndarray], rate: float = 25.0) -> Path:
    """Write a video.

    Args:
        path: File that ends in .mp4, .gif, .webp, .png, .avif, or .mjpeg. The last one is a sequence of JPEGs, which
            Chromium can play as a fake camera if width and height are even.
        frames: RGB uint8 frames (height, width, 3).
        rate: Frames per second.

    Returns:
        The path.

    Raises:
        ValueError: If the extension is another one.
    """
    path = Path(path)
    if path.suffix.lower() == ".mjpeg":
        with open_output(path) as staging, open(staging, "wb") as file:
            for frame in frames:
                file.write(cv2.imencode(".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))[1].tobytes())
        return path
    sink = None
    try:
        with open_sink(str(path), Source("video", (frame for frame in ()), rate)) as sink:
            for number, frame in enumerate(frames):
                sink.write(frame, Moment(number / rate, 1 / rate))
    finally:
        if sink and sink.saved and not sink.is_whole:  # nobody wants half a clip
            os.unlink(sink.saved)
    return path
