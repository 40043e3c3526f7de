"""Frames in, frames out: every kind of source and sink, and clear errors for what cannot be read."""

import io
import json
import socket
import struct
import subprocess
import sys
import threading
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
from conftest import ROOT, OneFace, copy, film, moving_square
from PIL import Image

from maskdet_utils import datasets, training_set
from maskdet_utils.live import capture, clips, output, webcam
from maskdet_utils.live import video as video_module
from maskdet_utils.live.annotate import annotate
from maskdet_utils.live.output import open_output, open_sink
from maskdet_utils.live.video import VideoError, open_source
from maskdet_utils.photos import PhotoError
from tools import demo_gif


@pytest.fixture
def clip(tmp_path):
    return output.write_clip(tmp_path / "clip.mp4", moving_square(), rate=12.5)


def read_all(path):
    return [frame for _, frame in open_source(str(path)).frames]


def times(path):
    return [moment.seconds for moment, _ in open_source(str(path)).frames]


def sound_of(path):
    """Codec, first and last second, and loudness of the sound, decoded."""
    with av.open(f"file:{path}") as container:
        stream = container.streams.best("audio")
        frames = list(container.decode(stream))
        pitch = np.concatenate(
            [frame.to_ndarray().astype(float).reshape(len(frame.layout.channels), -1)[0] for frame in frames]
        )
        end = frames[-1].time + frames[-1].samples / frames[-1].sample_rate
        return stream.codec_context.codec.canonical_name, frames[0].time, end, pitch.std() / np.abs(pitch).max()


def test_mp4_keeps_rate_size_count_and_colors(clip):
    source = open_source(str(clip))
    frames = [frame for _, frame in source.frames]
    assert (source.kind, source.rate, source.count, len(frames)) == ("video", 12.5, 30, 30)
    assert frames[0].shape == (48, 64, 3)
    red = frames[0][15, 5].astype(int)
    assert red[0] > red[2] + 100  # RGB, not BGR
    assert not list(clip.parent.glob(".*"))  # no unfinished file is left


def test_gif_keeps_rate_and_count(tmp_path):
    path = output.write_clip(tmp_path / "clip.gif", moving_square(), rate=15)
    source = open_source(str(path))
    frames = [frame for _, frame in source.frames]
    assert len(frames) == source.count == 30 and source.rate == pytest.approx(15, rel=0.02)
    assert np.abs(frames[3].astype(int) - list(moving_square())[3]).max() < 12


def test_mjpeg_is_a_sequence_of_jpegs(tmp_path):
    content = output.write_clip(tmp_path / "clip.mjpeg", moving_square(3)).read_bytes()
    assert content.count(b"\xff\xd8\xff") == 3


@pytest.mark.parametrize("size", [(65, 49), (1, 1), (64, 33)])
def test_odd_sizes_lose_nothing(tmp_path, size):
    frame = read_all(output.write_clip(tmp_path / "odd.mp4", moving_square(3, *size)))[0]
    assert frame.shape == (size[1] + size[1] % 2, size[0] + size[0] % 2, 3)
    assert np.abs(frame[-1, -1].astype(int) - 60).max() < 12  # the last row and column again, not black


def test_a_photo_is_written_as_it_is(tmp_path, write_photo):
    source = open_source(str(write_photo(tmp_path / "a.png")))
    ((place, frame),) = source.frames
    assert (source.kind, source.count, source.ending, place) == ("photos", 1, ".jpg", "a.png")
    with open_sink(str(tmp_path / "out" / "b.png"), source) as sink:
        sink.write(frame, place)
    assert (next(open_source(str(tmp_path / "out" / "b.png")).frames)[1] == frame).all()


@pytest.mark.parametrize("output", ["x.avi", "x.jpg", "x.txt", "x"])
def test_an_output_that_does_not_fit_is_refused(clip, output):
    with pytest.raises(ValueError, match="does not fit: write video to .mp4, .gif, .webp, .png, .avif, or a folder"):
        open_sink(str(clip.parent / output), open_source(str(clip)))


def test_what_cannot_be_read_is_named(tmp_path, clip):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "text.gif").write_text("no GIF")
    whole = film(tmp_path / "whole.mp4")
    (tmp_path / "cut.mp4").write_bytes(whole.read_bytes()[:-600])  # without its index, at the end
    output.write_clip(tmp_path / "picture.png", moving_square(1))
    (tmp_path / "cut.png").write_bytes((tmp_path / "picture.png").read_bytes()[:100])
    with av.open(str(tmp_path / "song.mp3"), "w") as song:
        tone = song.add_stream("libmp3lame", 44_100)
        samples = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.int16), "s16", "stereo")
        samples.sample_rate = 44_100
        song.mux(tone.encode(samples) + tone.encode())
    cover = b"\0image/jpeg\0\3\0" + webcam.to_jpeg(next(moving_square()))  # id3.org/id3v2.3.0, 4.15
    frame = b"APIC" + struct.pack(">IH", len(cover), 0) + cover
    head = b"ID3\3\0\0" + bytes(len(frame) >> 7 * place & 127 for place in (3, 2, 1, 0))
    (tmp_path / "cover.mp3").write_bytes(head + frame + (tmp_path / "song.mp3").read_bytes())
    (tmp_path / "text.txt").write_text("FFmpeg would film this.\n" * 200)
    (tmp_path / "folder").mkdir()
    for name, words in [
        ("empty.mp4", "empty"),
        ("text.mp4", "ffmpeg"),
        ("text.gif", "not a readable GIF"),
        ("cut.mp4", "cut off"),
        ("song.mp3", "not a video"),
        ("cover.mp3", "not a video"),
        ("text.txt", "not a video"),
        ("folder", "is not a file"),
        ("nothing.mp4", "There is no file"),
    ]:
        with pytest.raises(VideoError, match=words):
            open_source(str(tmp_path / name))


@pytest.mark.parametrize(
    ["number", "there", "advice"],
    [
        ("97", {}, "No camera was found on this computer. Plug one in"),
        ("1", {0: "Front", 2: ""}, "There are these cameras: 0 (Front), 2."),
        ("97", {97: "Front"}, "Close other programs that use it."),
        ("9" * 20, {0: ""}, "There are these cameras: 0."),
    ],
)
def test_a_missing_camera(monkeypatch, number, there, advice):
    monkeypatch.setattr(video_module, "cameras", lambda: there)
    with pytest.raises(VideoError) as error:
        open_source(number)
    assert str(error.value).startswith(f"There is no picture from camera {number}. {advice}")


def test_linux_knows_the_names_of_cameras(tmp_path, monkeypatch):
    for node, index, name in [("video10", "0", "USB"), ("video0", "0", "Front"), ("video1", "1", "Front")]:
        (tmp_path / node).mkdir()
        (tmp_path / node / "index").write_text(f"{index}\n")
        (tmp_path / node / "name").write_text(f"{name}\n")
    monkeypatch.setattr(video_module, "LINUX_CAMERAS", tmp_path)
    assert list(video_module.cameras().items()) == [
        (0, "Front"),
        (10, "USB"),
    ]  # video1 has no picture, only its settings


def test_elsewhere_cameras_are_tried(monkeypatch, tmp_path):
    class Capture:
        def __init__(self, number):
            self.number = number

        def isOpened(self):  # noqa: N802  OpenCV's name
            return self.number in (0, 3)

        def release(self):
            pass

    monkeypatch.setattr(video_module, "LINUX_CAMERAS", tmp_path / "nowhere")
    monkeypatch.setattr(video_module.cv2, "VideoCapture", Capture)
    assert video_module.cameras() == {0: "", 3: ""}


def test_an_unreachable_stream():
    with pytest.raises(VideoError, match="Check the address, and whether this computer can reach it"):
        open_source("http://127.0.0.1:9/stream.mjpg")


@pytest.fixture
def answer():
    """A function that answers every request with this content, of this type, in these pieces; it returns the address."""
    servers = []

    def start(content, kind="application/octet-stream"):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.end_headers()
                try:
                    self.wfile.write(content)
                except OSError:
                    pass  # the other side has seen enough

            def log_message(self, *_):
                pass

        servers.append(HTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_video_behind_an_address(clip, answer):
    source = open_source(answer(clip.read_bytes()) + "/clip.jpg?size=large")  # not what its name says
    assert source.kind == "video" and len(list(source.frames)) == 30


def test_a_photo_behind_an_address_is_a_photo(tmp_path, write_photo, answer):
    photo = write_photo(tmp_path / "a.png")
    source = open_source(answer(photo.read_bytes()) + "/image.php?id=5")
    ((_, frame),) = source.frames
    assert source.kind == "photos" and source.count == 1 and (frame == np.array(Image.open(photo))).all()
    copied = copy(answer(photo.read_bytes()) + "/a", tmp_path / "b.png")
    assert (np.array(Image.open(copied)) == frame).all()
    with pytest.raises(PhotoError):
        open_source(answer(photo.read_bytes()[:200]) + "/cut.png")


def test_an_animation_behind_an_address_moves(tmp_path, answer):
    path = output.write_clip(tmp_path / "a.webp", moving_square(4), rate=10)
    source = open_source(answer(path.read_bytes()))
    assert source.kind == "video" and source.ending == ".webp" and len(list(source.frames)) == 4


def test_a_network_camera_is_live_and_has_the_time_of_the_clock(answer, monkeypatch):
    """Pictures in a row have no time stamps; FFmpeg would say 25 per second."""
    jpegs = [webcam.to_jpeg(frame) for frame in moving_square(5)]
    parts = b"".join(b"--frame\r\nContent-Type: image/jpeg\r\n\r\n" + jpeg + b"\r\n" for jpeg in jpegs)
    clock = iter(range(100))
    monkeypatch.setattr(video_module, "time", SimpleNamespace(monotonic=lambda: next(clock) / 10))
    source = open_source(answer(parts, "multipart/x-mixed-replace; boundary=frame") + "/live")
    seconds = [moment.seconds for moment, _ in source.frames]
    assert source.kind == "live" and source.count is None
    assert len(seconds) >= 4 and np.diff(seconds) == pytest.approx(0.1)


def test_a_stream_that_falls_silent_ends(monkeypatch):
    """A server that accepts and then says nothing; without a time limit this test would never end."""
    monkeypatch.setattr(video_module, "STREAM_TIMEOUT", 0.3)
    real, limits = av.open, []
    monkeypatch.setattr(av, "open", lambda *a, **more: limits.append(more["timeout"]) or real(*a, **more))
    with socket.create_server(("127.0.0.1", 0)) as server:
        with pytest.raises(VideoError, match="Check the address"):
            open_source(f"http://127.0.0.1:{server.getsockname()[1]}/live.ts")
    assert limits == [0.3]


@pytest.mark.parametrize("rate", [None, 0, float("nan"), 90_000])
def test_a_video_without_a_usable_rate_gets_the_usual_one(rate):
    assert capture.usable_rate(rate) == capture.USUAL_RATE
    assert capture.usable_rate(Fraction(30_000, 1001)) == pytest.approx(29.97, abs=0.001)


# Time stamps


UNEVEN = [0.0, 0.04, 0.05, 0.4, 0.44, 1.5, 1.54]


def test_time_stamps_are_the_files_own_and_are_kept(tmp_path):
    path = film(tmp_path / "uneven.mkv", seconds=UNEVEN)
    assert times(path) == pytest.approx(UNEVEN, abs=0.0011)
    assert times(copy(path, tmp_path / "copy.mp4")) == pytest.approx(UNEVEN, abs=0.0011)
    starts = np.cumsum([0, *gif_durations(copy(path, tmp_path / "copy.gif"))[:-1]])
    assert starts == pytest.approx(1000 * np.array(UNEVEN), abs=20)  # a GIF has no shorter time than 20 ms


def test_time_begins_where_the_video_begins(tmp_path):
    late = film(tmp_path / "late.ts", seconds=np.arange(50) / 25 + 300)  # as if a recording had been cut
    assert times(late) == pytest.approx(np.arange(50) / 25, abs=0.001)


def test_time_never_goes_back(tmp_path):
    """Two transport streams in one file, as from `cat`: the time stamps begin anew in the middle."""
    path = film(tmp_path / "once.ts", seconds=np.arange(50) / 25)
    twice = tmp_path / "twice.ts"
    twice.write_bytes(path.read_bytes() * 2)
    seconds = times(twice)
    assert len(seconds) > 90 and (np.diff(seconds) > 0).all() and np.median(np.diff(seconds)) == pytest.approx(0.04)
    assert times(copy(twice, tmp_path / "copy.mp4"))[-1] == pytest.approx(seconds[-1], abs=0.01)


def test_the_last_frame_of_a_video_lasts_as_long_as_before(tmp_path):
    frames = [Image.fromarray(frame) for frame in moving_square(3)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=[100, 100, 3000])
    with av.open(str(copy(tmp_path / "a.gif", tmp_path / "a.mp4"))) as container:
        (video,) = container.streams
        assert float(video.duration * video.time_base) == pytest.approx(3.2)


# What other cameras and programs write


def test_mp4_is_what_browsers_play(tmp_path):
    path = copy(film(tmp_path / "in.mkv", "ffv1", "yuv444p", "flac"), tmp_path / "out.mp4")
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        assert video.codec_context.name == "h264" and video.codec_context.pix_fmt == "yuv420p"
    content = path.read_bytes()
    assert 0 < content.index(b"moov") < content.index(b"mdat")  # "faststart": it plays while it is loading


def test_colors_are_kept(tmp_path):
    wall = np.zeros((64, 192, 3), np.uint8)
    for number, color in enumerate(
        [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (90, 90, 90), (200, 150, 40)]
    ):
        wall[:, 32 * number : 32 * (number + 1)] = color
    (frame,) = read_all(output.write_clip(tmp_path / "a.mp4", [wall]))
    middle = slice(16, None, 32)
    assert np.abs(frame[32, middle].astype(int) - wall[32, middle]).max() <= 6
    with av.open(str(tmp_path / "a.mp4")) as container:
        picture = next(container.decode(video=0))
        assert (picture.colorspace, picture.color_range) == (6, 1)  # said, so that players need not guess


@pytest.mark.parametrize(
    ["name", "video", "pixels", "sound", "kept"],
    [
        ("a.mp4", "libx264", "yuv420p", "aac", "aac"),
        ("a.ts", "libx264", "yuv420p", "aac", "aac"),  # AAC of another shape: ADTS
        ("a.mov", "prores_ks", "yuv422p10le", "pcm_s16le", "aac"),
        ("a.webm", "libvpx-vp9", "yuv420p", "libopus", "aac"),
        ("a.avi", "mjpeg", "yuvj420p", "pcm_s16le", "aac"),
        ("a.flv", "flv", "yuv420p", "libmp3lame", "mp3"),
        ("a.mkv", "mpeg4", "yuv420p", "ac3", "aac"),
        ("50 % of %02d: 'ä' \"b\".mp4", "libx264", "yuv420p", "aac", "aac"),
    ],
)
def test_sound_is_kept(tmp_path, name, video, pixels, sound, kept):
    source = film(tmp_path / name, video, pixels, sound)
    target = copy(source, tmp_path / "out.mp4")
    _, _, end, loudness = sound_of(source)
    codec, start, new_end, new_loudness = sound_of(target)
    assert codec == kept and len(read_all(target)) == 50
    with av.open(f"file:{source}") as container:
        offset = (container.start_time or 0) / 1_000_000
    assert abs(start) < 0.03 and new_end == pytest.approx(end - offset, abs=0.03)  # a packet of AAC is 0.02 s
    assert new_loudness == pytest.approx(loudness, abs=0.06) and 0.6 < new_loudness < 0.8  # a sine has 0.707


def test_sound_that_cannot_be_read_is_left_out_and_that_is_said(tmp_path, capsys):
    path = film(tmp_path / "a.mp4", sound="aac")
    path.write_bytes(path.read_bytes().replace(b"mp4a", b"xxxx").replace(b"esds", b"xxxx"))
    assert len(read_all(copy(path, tmp_path / "out.mp4"))) == 50
    assert "The sound of" in capsys.readouterr().err


def test_damaged_sound_costs_only_what_it_hits(tmp_path):
    for name, sound in [("a.ts", "aac"), ("a.mkv", "flac")]:
        content = bytearray(film(tmp_path / name, sound=sound).read_bytes())
        for start in range(len(content) // 4, 3 * len(content) // 4, 2000):
            content[start : start + 21] = b"damaged" * 3
        (tmp_path / name).write_bytes(content)
        with av.open(str(copy(tmp_path / name, tmp_path / "out.mp4"))) as container:
            (audio,) = container.streams.audio
            assert float(audio.duration * audio.time_base) > 1.9


def test_copied_sound_is_the_same_bit_for_bit(tmp_path):
    def packets(path):
        with av.open(str(path)) as container:
            return [bytes(packet) for packet in container.demux(audio=0)]

    source = film(tmp_path / "a.mp4", sound="aac")
    assert packets(copy(source, tmp_path / "out.mp4")) == packets(source)


def test_sound_that_begins_before_the_picture_stays_in_step(tmp_path):
    source = film(tmp_path / "a.mkv", sound="flac", seconds=np.arange(50) / 25 + 0.5)
    assert times(source)[0] == pytest.approx(0.5, abs=0.001)
    assert times(copy(source, tmp_path / "out.mp4"))[0] == pytest.approx(0.5, abs=0.001)


def test_nobody_collects_sound_that_nobody_writes(tmp_path):
    source = open_source(str(film(tmp_path / "a.mp4", sound="aac")))
    with open_sink(str(tmp_path / "out.gif"), source) as sink:
        for place, frame in source.frames:
            sink.write(frame, place)
    assert len(source.sound_packets) < 10  # those before the sink was open


def turn(path, matrix):
    """Write a display matrix into an MP4, as phones do: ISO/IEC 14496-12, `tkhd`."""
    content = bytearray(path.read_bytes())
    start = content.index(b"tkhd") + 44
    content[start : start + 36] = struct.pack(">9i", *(value * 65536 for value in matrix), 1 << 30)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ["matrix", "turned"],
    [
        ((0, 1, 0, -1, 0, 0, 0, 0), lambda frame: np.rot90(frame, -1)),  # a phone held upright
        ((-1, 0, 0, 0, -1, 0, 0, 0), lambda frame: np.rot90(frame, 2)),
        ((0, -1, 0, 1, 0, 0, 0, 0), lambda frame: np.rot90(frame, 1)),
        ((-1, 0, 0, 0, 1, 0, 0, 0), lambda frame: frame[:, ::-1]),  # a mirrored selfie
        ((1, 0, 0, 0, -1, 0, 0, 0), lambda frame: frame[::-1]),
        ((0, 1, 0, 1, 0, 0, 0, 0), lambda frame: frame.transpose(1, 0, 2)),
    ],
)
def test_videos_are_turned_upright(tmp_path, matrix, turned):
    path = film(tmp_path / "a.mp4")
    before = turned(read_all(path)[20])
    after = read_all(turn(path, matrix))[20]
    assert after.shape == before.shape and (after == before).all()
    copied = read_all(copy(path, tmp_path / "out.mp4"))[20]
    assert copied.shape == before.shape and np.abs(copied.astype(int) - before).mean() < 3


@pytest.mark.parametrize(
    ["aspect", "size"],
    [(Fraction(64, 45), (91, 48)), (Fraction(1, 2), (64, 96)), (Fraction(5), (64, 48)), (None, (64, 48))],
)
def test_pixels_become_square(tmp_path, aspect, size):
    path = film(tmp_path / "a.mp4", aspect=aspect)
    assert read_all(path)[0].shape == (size[1], size[0], 3)
    with av.open(str(copy(path, tmp_path / "out.mp4"))) as container:
        video = container.streams.video[0]
        assert (video.width, video.height) == (size[0] + size[0] % 2, size[1])
        assert video.sample_aspect_ratio in (None, 0, 1)


def test_a_damaged_middle_costs_only_the_frames_that_it_hits(tmp_path):
    path = film(tmp_path / "a.ts", sound="aac")
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 400] = bytes(400)
    path.write_bytes(content)
    assert 30 <= len(read_all(copy(path, tmp_path / "out.mp4"))) <= 50


def test_a_title_in_another_alphabet_does_no_harm(tmp_path):
    path = film(tmp_path / "a.avi", "mjpeg", "yuvj420p", title="Praha 2009")
    path.write_bytes(path.read_bytes().replace(b"Praha 2009", b"\xcf\xf0\xe0\xe3\xe0 2009"))  # Windows-1251
    assert len(read_all(copy(path, tmp_path / "out.mp4"))) == 50


def test_a_colon_in_a_name_is_no_protocol(tmp_path, clip, monkeypatch):
    monkeypatch.chdir(tmp_path)
    clip.rename("http:clip.mp4")
    assert len(read_all(copy("http:clip.mp4", Path("rtmp:out.mp4")))) == 30


def test_the_name_does_not_decide_what_a_file_is(tmp_path, clip, write_photo):
    for name in ("a.mov", "a", "a.jpg"):
        (tmp_path / name).write_bytes(clip.read_bytes())
        assert open_source(str(tmp_path / name)).kind == "video"
    photo = write_photo(tmp_path / "photo.png").read_bytes()
    for name in ("b.mp4", "b", "b.txt"):
        (tmp_path / name).write_bytes(photo)
        assert open_source(str(tmp_path / name)).kind == "photos"
    assert open_source(str(output.write_clip(tmp_path / "a.mjpeg", moving_square(3)))).kind == "video"


# Animations


def gif_durations(path):
    with Image.open(path) as image:
        durations = []
        for number in range(image.n_frames):
            image.seek(number)
            image.load()
            durations.append(image.info["duration"])
        return durations


@pytest.mark.parametrize("loop", [None, 0, 3])
def test_a_gif_keeps_its_durations_and_how_often_it_plays(tmp_path, loop):
    frames = [Image.fromarray(frame) for frame in moving_square(4)]
    more = {} if loop is None else {"loop": loop}
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=[100, 50, 3000, 20], **more)
    path = copy(tmp_path / "a.gif", tmp_path / "out.gif")
    assert gif_durations(path) == [100, 50, 3000, 20]
    assert Image.open(path).info.get("loop") == loop
    assert times(tmp_path / "a.gif") == pytest.approx([0, 0.1, 0.15, 3.15])


def test_a_gif_that_hurries_plays_as_in_a_browser(tmp_path):
    frames = [Image.fromarray(frame) for frame in moving_square(3)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=[0, 10, 20])
    assert times(tmp_path / "a.gif") == pytest.approx([0, 0.1, 0.2])


@pytest.mark.parametrize("ending", [".gif", ".webp", ".png", ".avif"])
def test_animations_stay_what_they_are_with_their_transparency(tmp_path, ending):
    frames = []
    for number, frame in enumerate(moving_square(5)):
        opacity = np.zeros(frame.shape[:2], np.uint8)
        opacity[8:30, 6 * number : 6 * number + 30] = 255
        frames.append(Image.fromarray(np.dstack([frame, opacity])))
    more = {".gif": {"disposal": 2}, ".png": {"disposal": 1}}.get(ending, {})  # each picture starts from nothing
    more["duration"] = [100, 200, 300, 100, 500]
    frames[0].save(tmp_path / f"a{ending}", save_all=True, append_images=frames[1:], **more)
    source = open_source(str(tmp_path / f"a{ending}"))
    assert (source.kind, source.ending, source.count) == ("video", ending, 5)
    moments, pixels = zip(*source.frames, strict=True)
    assert (pixels[2][:8] > 240).all(), "white where the picture is transparent, as in a photo"
    path = copy(tmp_path / f"a{ending}", tmp_path / f"out{ending}")
    copied, _ = zip(*open_source(str(path)).frames, strict=True)
    assert [moment.seconds for moment in copied] == pytest.approx([moment.seconds for moment in moments], abs=0.002)
    assert copied[-1].lasts == pytest.approx(0.5)
    for number, moment in enumerate(copied):  # AVIF has losses in the opacity, too
        left = 6 * number
        assert (moment.opacity[10:28, left + 3 : left + 27] > 240).all() and (moment.opacity[:6] < 15).all()
        assert (moment.opacity[:, : max(0, left - 3)] < 15).all(), "where the frame before was opaque"


def test_a_photo_of_the_same_format_is_a_photo(tmp_path, write_photo):
    for ending in (".webp", ".png", ".avif"):
        assert open_source(str(write_photo(tmp_path / f"a{ending}"))).kind == "photos"


def test_the_pages_of_a_tiff_are_no_video_and_what_is_left_out_is_said(tmp_path, capsys):
    pages = [Image.fromarray(frame) for frame in moving_square(3)]
    pages[0].save(tmp_path / "scan.tif", save_all=True, append_images=pages[1:])
    source = open_source(str(tmp_path / "scan.tif"))
    assert source.kind == "photos" and source.count == 1 and "has 3 pages" in capsys.readouterr().err


def test_an_animation_that_ends_too_soon_gives_what_is_there(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (6, 40, 40, 3), np.uint8)
    path = output.write_clip(tmp_path / "a.gif", noise)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    source = open_source(str(path))
    assert 3 <= len(list(source.frames)) < 6


def test_animations_too_large_for_memory_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(output, "MOST_PIXELS", 5 * 64 * 48)
    with pytest.raises(VideoError, match="short clips. Choose .mp4"):
        output.write_clip(tmp_path / "a.gif", moving_square(6))
    assert not list(tmp_path.iterdir())


# With boxes


def test_the_seconds_in_json_are_the_files_own(tmp_path):
    path = film(tmp_path / "uneven.mkv", seconds=UNEVEN, sound="flac")
    text = io.StringIO()
    annotate(str(path), str(tmp_path / "out.mp4"), OneFace(), text)
    assert [frame["seconds"] for frame in json.loads(text.getvalue())["frames"]] == pytest.approx(UNEVEN, abs=0.002)
    assert sound_of(tmp_path / "out.mp4")[0] == "aac"


def test_boxes_on_transparent_parts_are_opaque(tmp_path):
    clear = Image.new("RGBA", (64, 48), (255, 255, 255, 0))
    clear.save(tmp_path / "a.gif", save_all=True, append_images=[Image.new("RGBA", (64, 48), (200, 0, 0, 0))])
    annotate(str(tmp_path / "a.gif"), str(tmp_path / "out.gif"), OneFace())
    moment, frame = next(open_source(str(tmp_path / "out.gif")).frames)
    assert (moment.opacity[12, 0] == 255) and (moment.opacity[40, 40:] == 0).all()


@pytest.mark.parametrize(
    ["name", "marked"],
    [
        ("a.mkv", "a-marked.mp4"),
        ("a.gif", "a-marked.gif"),
        ("a.webp", "a-marked.webp"),
        ("really a PNG.gif", "really a PNG-marked.png"),
        ("photo.png", "photo-marked.jpg"),
        ("folder", "folder-marked/a-marked.jpg"),
        ("address/b.php?size=9", "b-marked.jpg"),
        ("address/c.mp4", "c-marked.mp4"),
        ("address", "address-marked.jpg"),
    ],
)
def test_marked_copies_are_named_for_what_they_are(tmp_path, monkeypatch, answer, name, marked):
    def moving(ending):
        return output.write_clip(tmp_path / f"made{ending}", moving_square(3)).read_bytes()

    still = webcam.to_jpeg(next(moving_square()))
    content = moving(Path(marked).suffix) if Path(marked).suffix not in ("", ".jpg") else still
    monkeypatch.chdir(tmp_path)
    if name.startswith("address"):
        name = answer(content) + name.removeprefix("address")
    elif name == "folder":
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.jpg").write_bytes(still)
    else:
        (tmp_path / name).write_bytes(content)
    assert annotate(name, None, OneFace())["outputs"] == [marked] and (tmp_path / marked).exists()


# Outputs


@pytest.mark.parametrize("name", ["a.mp4", "a.gif", "a.webp", "a.mjpeg"])
def test_an_error_leaves_what_was_there_before(tmp_path, name):
    (tmp_path / name).write_bytes(b"before")

    def failing():
        yield from moving_square(12)
        raise RuntimeError("in frame 12")

    with pytest.raises(RuntimeError, match="in frame 12"):
        output.write_clip(tmp_path / name, failing())
    assert [path.name for path in tmp_path.iterdir()] == [name] and (tmp_path / name).read_bytes() == b"before"


def test_open_output_is_whole_or_nothing(tmp_path):
    target = tmp_path / "deeper" / ("n" * 240 + ".json")  # as long as file systems allow
    with open_output(target) as staging:
        staging.write_text("first")
        assert staging.parent == target.parent and not target.exists()
    with pytest.raises(KeyboardInterrupt), open_output(target) as staging:
        staging.write_text("second")
        raise KeyboardInterrupt
    assert target.read_text() == "first" and len(list(target.parent.iterdir())) == 1
    with open_output(tmp_path / "empty.json"):
        pass  # there was nothing to write
    assert not (tmp_path / "empty.json").exists()
    with pytest.raises(ValueError, match="not a file"), open_output(tmp_path / "deeper"):
        pass


def test_a_full_disk_is_an_error(tmp_path):
    """A limit on the size of files stands in for a full disk."""
    code = f"""
import resource, signal, sys
import numpy as np
from maskdet_utils.live import output
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
rng = np.random.default_rng(0)
try:
    output.write_clip({str(tmp_path / "a.mp4")!r}, (rng.integers(0, 256, (240, 320, 3), np.uint8) for _ in range(60)))
except output.VideoError as error:
    print(error)
"""
    (tmp_path / "a.mp4").write_bytes(b"before")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert "a.mp4 cannot be written" in done.stdout, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"] and (tmp_path / "a.mp4").read_bytes() == b"before"


PEAK = """
import resource, sys
import numpy as np
from maskdet_utils.live.output import open_sink
from maskdet_utils.live.video import open_source

source = open_source(sys.argv[1])
with open_sink(sys.argv[2], source) as sink:
    for place, frame in source.frames:
        sink.write(frame, place)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts memory in kilobytes on Linux only")
def test_memory_stays_flat(tmp_path):
    """Ten minutes take no more memory than one. (An hour with faces was measured by hand.)"""
    minute, ten = (
        film(tmp_path / f"{n}.mp4", "mpeg4", sound="aac", seconds=np.arange(n * 60 * 25) / 25, size=(320, 240))
        for n in (1, 10)
    )
    peaks = []
    for path in (minute, ten):
        command = [sys.executable, "-c", PEAK, path, tmp_path / "out.mp4"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        peaks.append(int(done.stdout) / 1024)
    assert sound_of(tmp_path / "out.mp4")[2] > 590 and peaks[1] < peaks[0] + 15, peaks


def test_a_gif_of_one_frame_and_without_durations(tmp_path):
    Image.fromarray(next(moving_square())).save(tmp_path / "one.gif")
    source = open_source(str(tmp_path / "one.gif"))
    assert source.count == 1 and source.rate == 10 and len(list(source.frames)) == 1


def test_the_actors_of_a_clip_switch_when_they_should():
    (actor,) = clips.cast_actors([5], [(3, 6)])
    labels = [ground_truth[0][1] for _, ground_truth in clips.play([actor], 8, width=160, height=120)]
    assert labels == ["without_mask"] * 3 + ["with_mask"] * 3 + ["without_mask"] * 2


def test_the_people_of_the_clips_are_in_no_training_set(sample_folder):
    photos, _ = datasets.read_class_folders(sample_folder)
    in_test_set = datasets.split_by_group(photos, seed=0) == "test"
    assert set(photos["group"][in_test_set]) == {f"s{person:02d}" for person in clips.TEST_PEOPLE}
    released = training_set.with_sample(photos[:0].assign(file="", split=""), seed=0)
    assert set(released["group"][released["split"] == "validation"]) == set(photos["group"][in_test_set])
    assert {*webcam.SAMPLE_PEOPLE, *demo_gif.PEOPLE} <= set(clips.TEST_PEOPLE)


@pytest.mark.parametrize("end", [300_000, 950_000, 2_000_000, None])
def test_a_real_video_in_fragments_says_when_it_was_cut(shared, tmp_path, end):
    (tmp_path / "a.mp4").write_bytes((shared / "video" / "airport.mp4").read_bytes()[:end])
    source = open_source(str(tmp_path / "a.mp4"))
    frames = sum(1 for _ in source.frames)
    assert (frames == 661) == (source.problem == "") == (end is None)
