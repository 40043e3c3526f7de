"""Read frames from a photo, a video, an animation, a camera, or a network stream.

A file's first bytes say what it is, not its name. Frames are RGB uint8 (height, width, 3), upright, with square pixels.
"""

import http.client
import io
import os
import sys
import time
import urllib.request
import warnings
from collections import defaultdict
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from ..photos import MAX_PIXELS, SUFFIXES, PhotoError, read_photo
from .capture import Moment, Source, VideoError, open_camera, usable_rate

STREAMS = ("rtsp://", "rtsps://", "rtmp://", "http://", "https://", "udp://")
# PyAV 18, which Python 3.11 needs, would refuse a file whose title is not UTF-8; PyAV 19 does not, and has no such option.
OLD_TAGS: Any = {"metadata_errors": "replace"} if av.__version__.startswith("18.") else {}
STREAM_TIMEOUT = 10.0  # seconds to wait for an answer
CUT = "It is cut off or damaged."
LONGEST_GAP = 3600.0  # seconds between two frames; more is a damaged time stamp, or another recording's
LARGEST_DOWNLOAD = 200_000_000  # bytes; a JPEG of MAX_PIXELS in the best quality has about a third of them
# The first bytes of JPEG, PNG, GIF, BMP, TIFF (two byte orders), PGM and PPM, and JPEG 2000.
PICTURES = b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"P5", b"P6", b"\0\0\0\x0cjP  "
BRANDS = b"avif", b"avis", b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"  # AVIF, HEIC: bytes 8 to 11
LINUX_CAMERAS = Path("/sys/class/video4linux")
ANIMATIONS = {"GIF": ".gif", "WEBP": ".webp", "PNG": ".png", "AVIF": ".avif"}  # Pillow's format: extension


def open_source(name: str) -> Source:
    """Open a photo, a video file, an animation, a camera ("0", "1", …), or a network stream.

    A photo or animation may also be at an http or https address.

    Raises:
        VideoError: If nothing has that name, or it cannot be opened.
        PhotoError: If `name` is a photo that cannot be read.
    """
    path = Path(name)
    if name.lower().startswith(STREAMS):
        content = _download_picture(name) if name.lower().startswith("http") else None
        return _open_picture(name, io.BytesIO(content)) if content else _open_video(name, is_address=True)
    if not os.path.exists(name):
        if name.isdecimal():
            return _open_camera(int(name))
        raise VideoError(f"There is no file, folder, camera, or stream {name}. Check the name.")
    if not path.is_file():  # opening a named pipe would never end
        raise VideoError(f"{name} is not a file. For a camera, use its number: maskdet annotate 0.")
    with open(path, "rb") as file:
        head = file.read(16)
    is_film = path.suffix.lower() in (".mjpeg", ".mjpg")  # JPEGs in a row begin like a single one
    if (_is_picture(head) and not is_film) or (path.suffix.lower() in SUFFIXES and head[4:8] != b"ftyp"):
        return _open_picture(name, path)
    if not head:
        raise VideoError(f"{name} is empty. Copy or record it again.")
    return _open_video(name, is_address=False)


def _open_camera(number: int) -> Source:
    try:
        return open_camera(number)
    except (VideoError, OverflowError, cv2.error):
        found = cameras()
        if not found:
            advice = "No camera was found on this computer. Plug one in, or allow this program to use it."
        elif number in found:
            advice = "Close other programs that use it."
        else:
            names = (f"{camera} ({name})" if name else str(camera) for camera, name in found.items())
            advice = f"There are these cameras: {', '.join(names)}."
        raise VideoError(f"There is no picture from camera {number}. {advice}") from None


def cameras() -> dict[int, str]:
    """The cameras of this computer: {number: name}. Only Linux gives the names without another package."""
    if LINUX_CAMERAS.is_dir():
        # The other nodes of a camera give no pictures.
        nodes = [node for node in LINUX_CAMERAS.glob("video*") if (node / "index").read_text().strip() == "0"]
        names = {int(node.name.removeprefix("video")): (node / "name").read_text().strip() for node in nodes}
        return dict(sorted(names.items()))
    found = {}
    for number in range(10):
        capture = cv2.VideoCapture(number)
        if capture.isOpened():
            found[number] = ""
        capture.release()
    return found


def _is_picture(head: bytes) -> bool:
    brand = head[8:12]
    return (
        head.startswith(PICTURES)
        or (head[4:8] == b"ftyp" and brand in BRANDS)
        or (head[:4], brand) == (b"RIFF", b"WEBP")
    )


def _download_picture(address: str) -> bytes | None:
    """Return the picture at an address; None if there is no answer, or no picture."""
    try:
        request = urllib.request.Request(address, headers={"User-Agent": "maskdet"})  # some sites refuse urllib's name
        with urllib.request.urlopen(request, timeout=STREAM_TIMEOUT) as answer:
            head = answer.read(16)
            if not _is_picture(head) or answer.headers.get_content_maintype() == "video":
                return None
            return head + answer.read(LARGEST_DOWNLOAD)
    except (OSError, ValueError, http.client.HTTPException):
        return None  # FFmpeg tries next: it also speaks dialects of HTTP that only cameras use


def _open_picture(name: str, file: Path | io.BytesIO) -> Source:
    """Open a photo or an animation."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is stricter
            image = Image.open(file)
            pages = getattr(image, "n_frames", 1)
    except Exception as error:  # as in `read_photo`, of many kinds
        if Path(name).suffix.lower() == ".gif":
            raise VideoError(
                f"{name} is not a readable GIF ({getattr(error, 'strerror', None) or error}). Save it again."
            ) from None
        image, pages = None, 1  # `read_photo` below says what is wrong
    if image and (image.format == "GIF" or (image.format in ANIMATIONS and pages > 1)):
        return _open_animation(name, image)
    if image and image.format == "TIFF" and pages > 1:
        print(f"{name} has {pages} pages. Only the first one is used: save the others as files.", file=sys.stderr)
    if isinstance(file, io.BytesIO):
        file.seek(0)
    try:
        photo = read_photo(file)
    except PhotoError as error:
        raise PhotoError(f"{name}: {error}") from None
    return Source("photos", (frame for frame in [(Path(name).name, photo)]), count=1, ending=".jpg")


def _open_animation(name: str, image) -> Source:
    if image.width * image.height > MAX_PIXELS:
        raise VideoError(f"{name} has more than {MAX_PIXELS // 1_000_000} megapixels. Make it smaller.")
    loop = image.info.get("loop", None if image.format == "GIF" else 0)  # only a GIF that does not say plays once
    lasts = [seconds for seconds, _ in _animated(image)]
    if not lasts:
        raise VideoError(f"{name} is not a readable {image.format}. Save it again.")
    count = image.n_frames - getattr(image, "default_image", False)
    source = Source("video", _timed(_animated(image)), len(lasts) / sum(lasts), count, ANIMATIONS[image.format], loop)
    source.problem = CUT if len(lasts) < count else ""
    return source


def _animated(image):
    """Yield how long each picture of an animation lasts, in seconds, and the picture. A damaged one ends it."""
    for number in range(getattr(image, "default_image", False), image.n_frames):  # PNG: a still for older programs
        try:
            image.seek(number)
            if image.width * image.height > MAX_PIXELS:  # a picture of a GIF can be larger than the first
                return
            image.load()
            _ = image.has_transparency_data  # fails if a palette is missing
        except Exception:  # as in `read_photo`, of many kinds
            return
        # Browsers show a picture that asks for at most 10 milliseconds for 100.
        milliseconds = image.info.get("duration", 0)
        yield (milliseconds if milliseconds > 10 else 100) / 1000, image


def _timed(pictures):
    """Yield the moments and frames of an animation. Transparent pixels become white, as in a photo."""
    from PIL import Image

    start = 0.0
    for lasts, picture in pictures:
        opacity = None
        if picture.has_transparency_data:
            picture = picture.convert("RGBA")
            opacity = np.array(picture.getchannel("A"))
            opacity = None if opacity.min() == 255 else opacity
            picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
        yield Moment(start, lasts, opacity), np.array(picture.convert("RGB"))
        start += lasts


def _open_video(name: str, is_address: bool) -> Source:
    """Open a video file or a network stream with PyAV."""
    # Without "file:", FFmpeg would take the beginning of a name such as "a:b.mp4" for a protocol. As in OpenCV, RTSP
    # comes over TCP, because networks lose packets of UDP.
    address, options = (name, {"rtsp_transport": "tcp"}) if is_address else (f"file:{name}", {})
    try:
        container = av.open(address, options=options, timeout=STREAM_TIMEOUT if is_address else None, **OLD_TAGS)
    except (av.FFmpegError, ValueError):
        raise VideoError(_why_unreadable(name, is_address, was_open=False)) from None
    video: Any = container.streams.best("video")
    is_cover = video is not None and bool(video.disposition & av.stream.Disposition.attached_pic)  # of a song
    if (
        video is None or video.codec_context is None or is_cover or container.format.name == "tty"
    ):  # FFmpeg would film any text
        raise VideoError(_why_unreadable(name, is_address, was_open=False))
    if video.width * video.height > MAX_PIXELS:
        raise VideoError(f"{name} has more than {MAX_PIXELS // 1_000_000} megapixels. Make it smaller.")
    video.thread_type = "AUTO"
    rate = usable_rate(video.average_rate or video.guessed_rate)
    is_live = is_address and not container.duration
    length = video.duration * video.time_base if video.duration else (container.duration or 0) / 1_000_000
    source = Source("live" if is_live else "video", None, rate, video.frames or round(length * rate) or None)
    source.sound = container.streams.best("audio")
    if source.sound and not (source.sound.codec_context and source.sound.codec_context.sample_rate):
        source.sound = None
        print(f"The sound of {name} cannot be read. The copy has none.", file=sys.stderr)
    source.frames = _decoded(container, video, source)
    first = next(source.frames, None)
    if first is None:
        raise VideoError(_why_unreadable(name, is_address, was_open=True))
    source.frames = _first_and(first, source.frames)
    return source


def _first_and(first, others):
    try:
        yield first
        yield from others
    finally:
        others.close()


def _decoded(container, video, source: Source):
    """Yield the moments and frames of a video, and put the packets of its sound into `source.sound_packets`."""
    has_stamps = source.kind == "video" or "jpeg" not in container.format.name  # a camera's pictures in a row have none
    start = None if container.start_time is None else container.start_time / av.time_base
    last, size, began, come = None, None, time.monotonic(), defaultdict(float)
    # The container is not closed here, because what is left of the sound may still be decoded after the last frame.
    for packet in _packets(container, [stream for stream in (video, source.sound) if stream], come):
        if start is None and packet.pts is not None:
            start = float(packet.pts * packet.time_base)
        if packet.pts is not None:
            ends = float((packet.pts + (packet.duration or 0)) * packet.time_base) - start
            come[packet.stream.type] = max(come[packet.stream.type], ends)
            come["bytes"] = max(come["bytes"], (packet.pos or 0) + packet.size)
        if packet.stream.index != video.index:  # not stream_index, which is 0 in the empty packets at the end
            _keep_sound(packet, source, start)
            continue
        come["packets"] += packet.dts is not None
        come["damaged"] += packet.is_corrupt and come["frames"] > 0
        for frame in _pictures(packet, come):
            size = size or _square_size(video, frame)
            lasts = float(frame.duration * frame.time_base) if frame.duration else 1 / source.rate
            usual = 0.0 if last is None else last + 1 / source.rate
            if not has_stamps:
                seconds = time.monotonic() - began
            elif frame.time is None:
                seconds = usual
            else:
                seconds = frame.time - start
                if last is not None and not -1 < seconds - last < LONGEST_GAP:  # the time stamps begin anew
                    start, seconds = frame.time - usual, usual
            last = max(seconds, 0.0 if last is None else last + 0.001)
            yield Moment(last, lasts), _upright(frame, size, video.codec_context.name)
    source.problem = _what_is_missing(video, source, container.size, come)


def _what_is_missing(video, source: Source, size: int, come: dict) -> str:
    """Say whether a video has less than it promises, or parts that cannot be decoded.

    Args:
        video: PyAV's stream.
        source: What the frames came from.
        size: Of the file in bytes; at most 0 if unknown.
        come: How many `packets` and `frames` came, how many were `damaged` (`early`: before the first frame) or
            `doubtful`, how often the file or connection broke (`breaks`), how many seconds of `video` and `audio`, and how
            many `bytes` of the file.
    """
    if source.kind == "live":  # promises nothing, and a lost packet is nothing unusual
        return "The connection broke." if come["breaks"] else ""
    nearly = 0.98 * (source.count or 0) - 1  # cut without coding it again, a video may count frames that nobody shows
    if video.frames:
        if come["damaged"] or come["packets"] < nearly or (come["early"] and come["frames"] < nearly):
            return CUT
        return "Its sound is cut off." if come["audio"] < 0.9 * _length(source.sound) - 1 else ""
    # An estimate, and so is the count. Only MP4 in fragments says how long the video is without the sound.
    length = (source.count or 0) / source.rate
    is_short = max(come["video"], come["audio"]) < 0.97 * length - 0.5 or come["bytes"] < 0.9 * size
    is_short = is_short or come["video"] < 0.98 * _length(video) - 0.5
    if come["breaks"] or come["doubtful"]:
        is_short = is_short or come["frames"] < nearly or not source.count
    return CUT if come["damaged"] or is_short else ""


def _length(stream) -> float:
    """How many seconds of picture or sound an MP4 file should have; 0 if it does not say so."""
    if stream is None or not stream.duration or "mp4" not in stream.container.format.name:
        return 0.0
    return float(stream.duration * stream.time_base)


def _packets(container, streams, come: dict):
    try:
        yield from container.demux(streams)
    except av.FFmpegError:  # cut off: with an empty packet, as at the end of a whole file, decoders give what they hold
        come["breaks"] += 1
        for stream in streams:
            packet = av.Packet()
            packet.stream, packet.time_base = stream, stream.time_base
            yield packet


def _pictures(packet, come: dict):
    try:
        pictures = packet.decode()
    except av.FFmpegError:  # the next one may be fine
        # A recording may begin in the middle of a group of pictures.
        come["damaged" if come["frames"] else "early"] += 1
        return []
    come["frames"] += len(pictures)
    come["doubtful"] += sum(picture.is_corrupt for picture in pictures)
    return pictures


def _keep_sound(packet, source: Source, start: float) -> None:
    if source.sound is None:
        return
    if packet.dts is not None:  # the last packet is empty
        offset = round(start / packet.time_base)
        packet.dts -= offset
        packet.pts = packet.dts if packet.pts is None else packet.pts - offset
    source.sound_packets.append(packet)


def _square_size(video, frame) -> tuple[int, int]:
    """Return (width, height) with square pixels. Rather than making one side smaller, it makes the other one larger."""
    aspect = float(video.sample_aspect_ratio or 1)  # width of a pixel ÷ its height
    aspect = aspect if 1 / 4 < aspect < 4 else 1  # nobody films like that: a mistake
    return round(frame.width * max(1, aspect)), round(frame.height / min(1, aspect))


def _upright(frame, size, codec: str) -> np.ndarray:
    pixels = frame.to_ndarray(format="rgb24", width=size[0], height=size[1], threads=1)
    try:
        # Asked for that of a PNG, PyAV frees the name of its color profile twice, and Python crashes.
        matrix = None if codec.endswith("png") else frame.side_data.get("DISPLAYMATRIX")
    except ValueError:  # PyAV refuses to list what it does not know, such as the EXIF tags of a JPEG
        matrix = None
    if matrix is None:
        return pixels
    # Multiplied by it, (x, y) in the file becomes (x, y) on the screen (ISO/IEC 14496-12, 8.3.2).
    a, b, _, c, d = np.frombuffer(matrix, np.int32)[:5]
    across, down = a, d
    if abs(b) > abs(a):
        pixels, across, down = cv2.transpose(pixels), c, b
    if across < 0 or down < 0:
        pixels = cv2.flip(pixels, -1 if across < 0 and down < 0 else int(across < 0))
    return pixels


def _why_unreadable(name: str, is_address: bool, was_open: bool) -> str:
    if is_address:
        return f"There is no picture from {name}. Check the address, and whether this computer can reach it."
    problem = "has no frame that FFmpeg can decode" if was_open else "is cut off, or not a video that FFmpeg can read"
    return f"{name} {problem}. If another program plays it, convert it: ffmpeg -i {name} -c:v libx264 converted.mp4"
