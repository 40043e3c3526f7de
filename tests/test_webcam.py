"""The camera panel without a browser: messages in, answers out."""

import json
import os
import re
import shutil
import subprocess
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from maskdet_utils.detector import Detection, MaskDetector
from maskdet_utils.live import capture, webcam
from maskdet_utils.photos import PhotoError

ROOT = Path(__file__).resolve().parent.parent


class OneFace:
    """A stand-in for `MaskDetector` that finds one bare face in the middle of every frame."""

    classes, mask_class = ["with_mask", "without_mask"], "with_mask"
    threshold = 0.5
    milliseconds = {"faces": 1.0, "classifier": 2.0, "whole": 3.0}
    pause = 0.0
    upright = True
    full_look = None

    def __init__(self):
        self.seen, self.trackers = [], []

    def detect(self, frame):
        time.sleep(self.pause)
        self.seen.append((frame.shape, threading.current_thread().name))
        height, width = frame.shape[:2]
        return [Detection((width // 4, height // 4, width // 2, height // 2), "without_mask", 0.9, 0.8)]

    def track(self, frame, tracker):
        self.trackers.append(tracker)
        return self.detect(frame)

    def choose_faces(self, name):
        MaskDetector.choose_faces(self, name)


@pytest.fixture
def panel():
    panel = webcam.CameraPanel(detector=OneFace())
    panel.sent = []
    panel.send = lambda content, buffers=None: panel.sent.append((content, buffers or []))
    yield panel
    panel.close()


@pytest.fixture
def jpeg():
    return jpeg_of(480, 360)


def jpeg_of(width, height):
    pixels = np.random.default_rng(0).integers(0, 256, (max(1, height // 40), max(1, width // 40), 3), dtype=np.uint8)
    return cv2.imencode(".jpg", cv2.resize(pixels, (width, height)))[1].tobytes()


def send(panel, buffers=(), view="a", number=1, **message):
    """Deliver a message from the browser as ipywidgets does; return the answer and its pictures."""
    before = len(panel.sent)
    panel._handle_custom_msg({"view": view, "number": number, **message}, [memoryview(b) for b in buffers])
    return panel.sent[-1] if len(panel.sent) > before else (None, [])


def test_a_frame_is_answered_with_boxes_as_fractions(panel, jpeg):
    answer, pictures = send(panel, [jpeg], type="frame", number=7)
    assert (answer["view"], answer["number"]) == ("a", 7)
    assert answer["faces"][0]["box"] == [0.25, 0.25, 0.5, 0.5]
    assert (answer["faces"][0]["words"], answer["faces"][0]["style"]) == ("without mask", 1)
    assert set(answer["milliseconds"]) == {"decoding", "faces", "classifier", "whole"}
    assert pictures == [], "no picture travels back"
    json.dumps(answer)


def test_the_style_of_a_face_follows_the_meaning_of_its_class(jpeg):
    detector = OneFace()
    panel = webcam.CameraPanel(detector=detector)
    assert panel.threshold_of == "mask" and panel.handle_frame(jpeg)["faces"][0]["style"] == 1
    detector.mask_class = None
    panel = webcam.CameraPanel(detector=detector)
    assert panel.threshold_of == "with_mask" and panel.handle_frame(jpeg)["faces"][0]["style"] == 4
    panel.close()


def test_no_frame_in_the_saved_state(panel, jpeg):
    before = panel.get_state()
    send(panel, [jpeg], type="frame")
    send(panel, [jpeg], type="photo")
    assert panel.get_state() == before
    assert not [name for name, value in panel.get_state().items() if isinstance(value, bytes | memoryview)]


def test_the_panel_shows_as_the_same_text_in_every_run(panel):
    assert repr(panel) == "CameraPanel()"
    assert panel._repr_mimebundle_()[0]["text/plain"] == "CameraPanel()"


def test_everything_comes_from_this_package(panel):
    """The panel works in a classroom without internet: it loads nothing from elsewhere."""
    for text in (panel._esm, panel._css):
        assert not re.search(r"\bimport\b\W*[\w({\"']|url\(|https?://\w+\.", text)


@pytest.mark.parametrize("content", [b"", b"\x00", bytes(range(256)) * 8, b"\xff\xd8\xff\xe0" + bytes(500)])
def test_bytes_that_are_not_a_picture(panel, content, jpeg):
    answer, _ = send(panel, [content], type="frame")
    assert answer["error"].startswith("A picture could not be read: it is ")
    assert "faces" in send(panel, [jpeg], type="frame")[0], "the panel is still alive"


def test_a_frame_without_a_buffer(panel):
    assert "empty" in send(panel, type="frame")[0]["error"]


@pytest.mark.parametrize("size", [(481, 361), (9, 301), (8000, 6000)])
def test_odd_and_huge_sizes(panel, size):
    answer, _ = send(panel, [jpeg_of(*size)], type="frame")
    assert answer["faces"]
    assert max(panel.detector.seen[-1][0]) <= 1600


def test_sizes_that_are_refused(monkeypatch):
    with pytest.raises(PhotoError, match="too few"):
        webcam.read_frame(jpeg_of(4, 300))
    monkeypatch.setattr(webcam, "MAX_PIXELS", 1000)
    with pytest.raises(PhotoError, match="too many"):
        webcam.read_frame(jpeg_of(100, 100))


@pytest.mark.parametrize(
    "message", [None, "frame", {}, {"view": 3, "type": "frame"}, {"view": "a"}, {"view": "a", "type": "dance"}]
)
def test_messages_that_mean_nothing(panel, message):
    panel._handle_custom_msg(message, [])
    assert panel.sent == []


def test_each_view_has_its_own_people(panel, jpeg):
    for view in ("a", "b", "a"):
        send(panel, [jpeg], view=view, type="frame")
    first, second, third = panel.detector.trackers
    assert first is third and first is not second
    send(panel, view="a", type="stop")
    send(panel, [jpeg], view="a", type="frame")
    assert panel.detector.trackers[-1] is not first, "a new video starts after Stop"


def test_views_that_disappear_are_forgotten(panel, jpeg):
    for number in range(50):
        send(panel, [jpeg], view=str(number), type="frame")
    assert len(panel._views) <= 8


def test_a_photo_is_classified_without_a_tracker(panel, jpeg):
    assert send(panel, [jpeg], type="photo")[0]["faces"]
    assert panel.detector.trackers == []


def test_frames_that_waited_too_long_are_dropped(panel, jpeg):
    clock = 1000 * (time.time() - 7200)  # the browser's clock may be hours behind
    assert send(panel, [jpeg], type="frame", sent=clock)[0]
    assert send(panel, [jpeg], type="frame", sent=clock - 2500)[0] is None
    assert send(panel, [jpeg], type="frame", sent=clock + 10)[0]
    assert send(panel, [jpeg], type="frame", sent="yesterday")[0]


def test_threads_wait_for_each_other(panel, jpeg):
    panel.detector.pause = 0.02
    busy, most = [], []

    def detect(frame, original=panel.detector.detect):
        busy.append(1)
        most.append(len(busy))
        detections = original(frame)
        busy.pop()
        return detections

    panel.detector.detect = detect
    threads = [threading.Thread(target=send, args=(panel, [jpeg], str(n)), kwargs={"type": "frame"}) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 1 and len(panel.sent) == 6


def test_stop_during_a_detection(panel, jpeg):
    panel.detector.pause = 0.1
    detection = threading.Thread(target=send, args=(panel, [jpeg]), kwargs={"type": "frame"})
    detection.start()
    time.sleep(0.02)
    send(panel, type="stop")
    detection.join()
    assert panel._views == {}
    assert send(panel, [jpeg], type="frame")[0]["faces"]


def test_an_unexpected_error_becomes_a_sentence(panel, jpeg, monkeypatch):
    monkeypatch.setattr(panel.detector, "track", lambda *_: 1 / 0)
    answer, _ = send(panel, [jpeg], type="frame")
    assert answer["final"] == "stopped" and "ZeroDivisionError" in answer["error"]
    monkeypatch.undo()
    assert send(panel, [jpeg], type="frame")[0]["faces"]


def test_the_threshold_of_the_panel_is_the_detectors(panel, jpeg):
    panel.threshold = 0.75
    panel.handle_frame(jpeg)
    assert panel.detector.threshold == 0.75


def test_another_face_detector(panel, monkeypatch):
    names = {"centerface": "the other one", "auto": "a quick one", "careful": "a slow one"}
    monkeypatch.setattr(webcam.faces, "face_detector", names.get)
    panel.face_detector = "centerface"
    assert panel.detector.face_detector == "the other one" and panel.detector.full_look is None
    panel.face_detector = "auto"
    assert (panel.detector.face_detector, panel.detector.full_look) == ("a quick one", "a slow one")


def test_the_panel_says_how_often_it_looks_closely(panel, jpeg, monkeypatch):
    answer, _ = send(panel, [jpeg], type="frame")
    assert "look" not in answer, "there is only one face detector"
    panel.detector.full_look = "a slow one"
    now = time.perf_counter()
    monkeypatch.setattr(webcam.time, "perf_counter", lambda: now)
    for seconds in [0.05] * 100 + [300.0]:  # nobody looked at the panel for five minutes
        now += seconds
        answer, _ = send(panel, [jpeg], type="frame")
    assert answer["look"] == [10, pytest.approx(0.05, abs=1e-4)]
    assert "look" not in send(panel, [jpeg], type="photo")[0], "a photo is always looked at closely"


def test_a_face_detector_that_is_not_available(panel, monkeypatch):
    def refuse(name):
        raise webcam.faces.assets.AssetError("its file is not here")

    monkeypatch.setattr(webcam.faces, "face_detector", refuse)
    panel.face_detector = "yunet"
    assert panel.face_detector == "auto"
    assert panel.sent == [({"error": "its file is not here"}, [])]


def test_the_sample_clip_comes_with_its_pictures(panel):
    for _ in range(3):
        answer, pictures = send(panel, type="next", source="sample")
        assert answer["faces"] and len(pictures) == 1
        assert webcam.read_frame(pictures[0]).shape[2] == 3
    send(panel, type="stop")
    assert panel._views == {}


class FakeCapture:
    """A stand-in for `cv2.VideoCapture`: three frames, then nothing."""

    released, opened = 0, []

    def __init__(self, number):
        self.left = 3
        self.opened.append(number)

    def read(self):
        self.left -= 1
        return self.left >= 0, np.zeros((48, 64, 3), np.uint8)

    def get(self, _property):
        return 30.0

    def isOpened(self):  # noqa: N802  OpenCV's name
        return True

    def release(self):
        FakeCapture.released += 1


def test_the_kernels_camera(panel, monkeypatch):
    monkeypatch.setattr(capture.cv2, "VideoCapture", FakeCapture)
    FakeCapture.released = 0
    assert send(panel, type="next", source="opencv")[1]
    send(panel, type="stop")
    assert FakeCapture.released == 1, "Stop turns it off"
    for _ in range(3):
        assert send(panel, type="next", source="opencv")[1]
    answer, _ = send(panel, type="next", source="opencv")
    assert answer["final"] == "no camera" and "plugged in" in answer["error"]
    assert FakeCapture.released == 2, "an unplugged camera is released"


def test_another_camera_of_the_kernel(monkeypatch):
    monkeypatch.setattr(capture.cv2, "VideoCapture", FakeCapture)
    panel = webcam.CameraPanel(source="opencv", detector=OneFace(), camera=2)
    panel.send = lambda *_: None
    panel._handle_custom_msg({"view": "a", "number": 1, "type": "next", "source": "opencv"}, [])
    panel.close()
    assert FakeCapture.opened[-1] == 2


def test_the_kernels_camera_goes_off_when_its_tab_disappears(panel, monkeypatch):
    monkeypatch.setattr(capture.cv2, "VideoCapture", FakeCapture)
    monkeypatch.setattr(webcam, "CAMERA_SECONDS", 0.1)
    FakeCapture.released = 0
    send(panel, type="next", source="opencv")
    time.sleep(0.5)
    assert FakeCapture.released == 1
    assert not any(isinstance(thread, threading.Timer) for thread in threading.enumerate()), "no thread is left behind"


def test_closing_the_panel_turns_the_kernels_camera_off(panel, monkeypatch):
    monkeypatch.setattr(capture.cv2, "VideoCapture", FakeCapture)
    FakeCapture.released = 0
    send(panel, type="next", source="opencv")
    panel.close()
    assert FakeCapture.released == 1


def test_the_javascript():
    node = shutil.which("node")
    if node is None and os.environ.get("MASKDET_REQUIRE_BROWSER") != "1":
        pytest.skip("needs Node (on Debian or Ubuntu: sudo apt-get install nodejs)")
    assert node, "MASKDET_REQUIRE_BROWSER=1, but Node is not installed"
    done = subprocess.run([node, "--test", str(ROOT / "tests/webcam.test.mjs")], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:]
