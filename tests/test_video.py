"""Frames in, frames out: every kind of source and sink, and clear errors for what cannot be read."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import cv2
import numpy as np
import pytest
from PIL import Image

from maskdet_utils import datasets, training_set
from maskdet_utils.live import capture, clips, output, webcam
from maskdet_utils.live.output import open_sink
from maskdet_utils.live.video import VideoError, open_source
from tools import demo_gif


def moving_square(count=30, width=64, height=48):
    for number in range(count):
        frame = np.full((height, width, 3), 60, np.uint8)
        frame[10:20, number : number + 10] = (200, 30, 30)
        yield frame


@pytest.fixture
def clip(tmp_path):
    return output.write_clip(tmp_path / "clip.mp4", moving_square(), rate=12.5)


def read_all(path):
    return [frame for _, frame in open_source(str(path)).frames]


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


def test_odd_sizes_lose_at_most_one_pixel(tmp_path):
    frames = read_all(output.write_clip(tmp_path / "odd.mp4", moving_square(3, 65, 49)))
    assert frames[0].shape in ((48, 64, 3), (49, 65, 3))


def test_a_photo_and_a_folder(tmp_path, write_photo):
    write_photo(tmp_path / "in" / "a.png")
    write_photo(tmp_path / "in" / "deeper" / "b.jpg")
    (tmp_path / "in" / "c.jpg").write_bytes(b"not a photo")
    source = open_source(str(tmp_path / "in"))
    frames = dict(source.frames)
    assert source.kind == "photos" and source.count == 3 and list(frames) == ["a.png", "c.jpg", "deeper/b.jpg"]
    assert frames["c.jpg"] is None  # reported on stderr
    sink = open_sink(str(tmp_path / "out"), source)
    for name, frame in frames.items():
        if frame is not None:
            sink.write(frame, name)
    assert sorted(path.name for path in (tmp_path / "out").rglob("*.*")) == ["a.png", "b.jpg"]
    assert (open_source(str(tmp_path / "out" / "a.png")).frames.__next__()[1] == frames["a.png"]).all()


@pytest.mark.parametrize("output", ["x.avi", "x.jpg", "x.txt"])
def test_an_output_that_does_not_fit_is_refused(clip, output):
    with pytest.raises(ValueError, match="does not fit: write video to .mp4, .gif, or a folder"):
        open_sink(str(clip.parent / output), open_source(str(clip)))


def test_what_cannot_be_read_is_named(tmp_path, clip):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "text.gif").write_text("no GIF")
    (tmp_path / "cut.mp4").write_bytes(clip.read_bytes()[:-600])  # without its index, at the end
    (tmp_path / "folder").mkdir()
    for name, words in [
        ("empty.mp4", "empty"),
        ("text.mp4", "ffmpeg"),
        ("text.gif", "not a readable GIF"),
        ("cut.mp4", "cut off"),
        ("folder", "holds no photos. They must end in: "),
        ("nothing.mp4", "There is no file"),
    ]:
        with pytest.raises(VideoError, match=words):
            open_source(str(tmp_path / name))


def test_a_missing_camera():
    with pytest.raises(VideoError, match="There is no picture from camera 97"):
        open_source("97")


def test_an_unreachable_stream():
    with pytest.raises(VideoError, match="Check the address, and whether this computer can reach it"):
        open_source("http://127.0.0.1:9/stream.mjpg")


def test_a_stream_over_http(tmp_path):
    content = output.write_clip(tmp_path / "clip.mp4", moving_square(), rate=12.5).read_bytes()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        source = open_source(f"http://127.0.0.1:{server.server_port}/clip.mp4")
        assert source.kind == "live" and source.count is None and len(list(source.frames)) == 30
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_video_without_a_rate_gets_the_default_rate(monkeypatch, clip):
    class Capture:  # wraps the real one: subclasses of OpenCV's classes crash the garbage collector
        def __init__(self, name, real=cv2.VideoCapture):
            self.real = real(name)
            self.read, self.release, self.isOpened = self.real.read, self.real.release, self.real.isOpened

        def get(self, what):
            return float("nan") if what == cv2.CAP_PROP_FPS else 0.0

    monkeypatch.setattr(capture.cv2, "VideoCapture", Capture)
    source = open_source(str(clip))
    assert source.rate == capture.USUAL_RATE and source.count is None


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
