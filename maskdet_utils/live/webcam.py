"""The panel of the live demo: frames come from the browser or from the kernel, and boxes and labels go back.

    browser ──► frame (JPEG) ──► CameraPanel.handle_frame ──► MaskDetector ──► boxes ──► browser draws them

Only one frame is under way at a time: the browser sends the next one after it has received the answer. Pictures travel
as custom messages, never as traits: Jupyter saves a widget's traits in the notebook, and nobody's face belongs there.
JupyterLab delivers messages in another thread while a cell is running, so a lock protects the panel.
"""

import contextlib
import io
import itertools
import re
import threading
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path

import anywidget
import cv2
import numpy as np
import traitlets
from PIL import Image

from .. import faces
from ..classifier import ClassifierError
from ..detector import MaskDetector
from ..environment import quiet_stderr
from ..photos import MAX_PIXELS, MIN_SIDE, PhotoError, read_photo, resize_fast
from ..tracking import Tracker
from . import clips
from .capture import VideoError, open_camera

FACE_DETECTORS = ["auto", *faces.DETECTORS]
LONG_SIDE = 1600  # pixels; larger pictures are read at 1/2, 1/4, or 1/8 of their size
LATE_SECONDS = 1.0  # frames that waited longer are dropped
LOST_SECONDS = 10.0  # after this long the browser has given up, so a longer wait means that its clock was set
SAMPLE_PEOPLE = (8, 16)  # in the sample clip, both from clips.TEST_PEOPLE
CAMERA_SECONDS = 10.0  # the kernel's camera goes off if no browser has asked for a frame for this long
FROM_BROWSER = ("source", "face_detector", "threshold", "mirror", "status")  # the traits that it may set
LONGEST_TEXT = 100  # characters in a text from the browser
DETECTOR = ("detect", "track", "choose_faces", "classes", "mask_class", "threshold", "milliseconds", "full_look")


class Fraction(traitlets.Float):
    """A number between limits. To traitlets, NaN is neither too small nor too large."""

    def validate(self, obj, value):
        """Return the value as a float, or raise `traitlets.TraitError`."""
        return self.error(obj, value) if value != value else super().validate(obj, value)


@dataclass
class View:
    """The state of one view of the panel; every tab that shows the panel is a view.

    Attributes:
        tracker: Follows the people in this view's video.
        pictures: JPEGs from the kernel's own source; None if the browser sends the pictures.
        timer: Releases that source if the view disappears without a message.
        distance: Shortest time that a message took so far, in seconds, plus the difference between the two clocks.
        asked: When the last frame came, in seconds.
    """

    tracker: Tracker = field(default_factory=Tracker)
    pictures: Generator[bytes, None, None] | None = None
    timer: threading.Timer | None = None
    distance: float = float("inf")
    asked: float = 0.0

    def measure(self) -> None:
        """Average the time from frame to frame, for the tracker. A longer pause than a second says nothing about it."""
        seconds, self.asked = time.perf_counter() - self.asked, time.perf_counter()
        if seconds < 1:
            self.tracker.seconds += 0.1 * (seconds - self.tracker.seconds)

    def close(self) -> None:
        """Release the kernel's camera, if this view uses it."""
        if self.pictures:
            self.timer.cancel()
            self.pictures.close()


def panel_module() -> str:
    """Return labels.js and webcam.js as one ES module, because a widget's module cannot import a file."""
    shared, own = (Path(__file__).with_name(name).read_text("utf-8") for name in ("labels.js", "webcam.js"))
    return shared + re.sub(r'^import .* from "./labels.js";$', "", own, flags=re.MULTILINE)


class CameraPanel(anywidget.AnyWidget):
    """A panel with a camera picture, boxes, and labels. Display it in a notebook and press Start.

    Args:
        run_dir: The run whose classifier is used.
        source: Where pictures come from: "browser", "sample" (a clip), or "opencv" (the camera of the computer that the
            kernel runs on).
        face_detector: Name of the face detector, see `faces.face_detector`.
        detector: A `MaskDetector` to use instead of loading one from `run_dir` and `face_detector`.
        camera: For "opencv", the number of the camera; 0 is the first one. (The panel lists the browser's cameras itself.)

    Raises:
        ClassifierError: If the run has no usable classifier.
        ValueError: If an argument is impossible. The same goes for attributes that are set later.
    """

    _esm = panel_module()
    _css = Path(__file__).with_name("webcam.css")

    source = traitlets.Enum(["browser", "sample", "opencv"], "browser").tag(sync=True)
    face_detectors = traitlets.List(traitlets.Unicode(), FACE_DETECTORS).tag(sync=True)
    face_detector = traitlets.Enum(FACE_DETECTORS, "auto").tag(sync=True)
    threshold = Fraction(0.5, min=0.0, max=1.0).tag(sync=True)
    threshold_of = traitlets.Unicode("mask").tag(sync=True)  # what it is about: "mask", or the name of the first class
    mirror = traitlets.Bool(True).tag(sync=True)
    camera = traitlets.Int(0, min=0, max=99)  # to OpenCV, the hundreds say how to open a camera
    idle_seconds = traitlets.Int(120, min=1, max=86_400).tag(
        sync=True
    )  # the camera goes off after this long without a face
    status = traitlets.Unicode("stopped").tag(sync=True)  # set by the browser

    def __init__(self, run_dir="runs/lab", source="browser", face_detector="auto", detector=None, *, camera=0):
        self._views: dict[str, View] = {}
        self._lock = threading.RLock()
        self.source, self.face_detector, self.camera = source, face_detector, camera
        self.detector = _load(run_dir, face_detector) if detector is None else detector
        if isinstance(self.detector, type) or not all(hasattr(self.detector, name) for name in DETECTOR):
            raise ValueError(
                f"detector must be a MaskDetector, not {type(detector).__name__}. Use: MaskDetector.load(run_dir)"
            )
        self.threshold = self.detector.threshold
        self._loaded_face_detector = face_detector
        self.detector.detect(np.zeros((360, 480, 3), np.uint8))  # slow at first: warm up in the main thread
        super().__init__()
        self.on_msg(self._receive)
        self.threshold_of = "mask" if self.detector.mask_class else self.detector.classes[0]
        self.observe(self._change_face_detector, names=["face_detector"])

    def __setattr__(self, name, value):
        try:
            super().__setattr__(name, value)
        except traitlets.TraitError:
            raise ValueError(self._refusal(name, value)) from None

    def _refusal(self, name: str, value) -> str:
        trait = self.traits()[name]
        limits = f" from {trait.min} to {trait.max}" if getattr(trait, "max", None) is not None else ""
        return f"{name} must be {trait.info()}{limits}, not {value!r:.60}."

    def _handle_msg(self, msg) -> None:
        """Pass on the browser's messages that ipywidgets can handle. For others, it shows a traceback in the notebook."""
        data = {"method": None, "state": None, **msg["content"]["data"], "buffer_paths": []}
        if data["method"] != "update" or isinstance(data["state"], dict):
            super()._handle_msg({**msg, "content": {"data": data}})

    def set_state(self, sync_data: dict) -> None:
        """Apply settings from the browser, each only if the browser may set it and the value is valid."""
        for name, value in sync_data.items():
            if name not in FROM_BROWSER or isinstance(value, str) and len(value) > LONGEST_TEXT:
                continue
            try:
                super().set_state({name: value})
            except traitlets.TraitError:
                self.send_state(name)  # the browser shows the old value again
                self.send({"error": self._refusal(name, value)})

    def __repr__(self) -> str:
        return "CameraPanel()"  # always the same, so that stored and new outputs of a notebook are equal

    def handle_frame(self, jpeg, tracker: Tracker | None = None) -> dict:
        """Find and label the faces in one picture.

        Args:
            jpeg: The bytes of a JPEG, PNG, or other image file.
            tracker: The video's tracker, if the picture is the next frame of a video.

        Returns:
            `{"faces": [...], "milliseconds": {...}}`. A face has `box` (left, top, width, height as fractions of the
            picture), `label`, `words`, `style` (a number in `drawing.STYLES` and `drawing.NEUTRAL_STYLES`, or "unsure"),
            `probability`, and `track`. If the video gets full looks, `look` holds from how many frames one gets it, and
            the seconds per frame. For a picture that cannot be read the answer is `{"error": sentence}`.
        """
        start = time.perf_counter()
        try:
            frame = read_frame(jpeg)
        except PhotoError as error:
            return {"error": f"A picture could not be read: {error}."}
        milliseconds = {"decoding": 1000 * (time.perf_counter() - start)}
        with self._lock:
            self.detector.threshold = self.threshold
            detections = self.detector.detect(frame) if tracker is None else self.detector.track(frame, tracker)
            milliseconds |= self.detector.milliseconds
        milliseconds["whole"] = 1000 * (time.perf_counter() - start)
        answer = {"faces": [self._describe(face, frame.shape) for face in detections], "milliseconds": milliseconds}
        return answer | ({"look": [tracker.look_every, tracker.seconds]} if tracker and self.detector.full_look else {})

    def close(self) -> None:
        """Remove the panel from the page and release the kernel's camera."""
        for name in list(self._views):
            self._forget(name)
        super().close()

    def _describe(self, face, shape) -> dict:
        height, width = shape[:2]
        x, y, face_width, face_height = face.box
        classes, first_style = self.detector.classes, 0 if self.detector.mask_class else 3
        return {
            "box": [x / width, y / height, face_width / width, face_height / height],
            "label": face.label,
            "words": face.label.replace("_", " "),
            "style": first_style + classes.index(face.label) if face.label in classes else "unsure",
            "probability": round(face.probability, 3),
            "track": face.track,
        }

    def _receive(self, _widget, message, buffers) -> None:
        """Answer one message from a view; any error becomes a sentence in the panel. What makes no sense gets no answer."""
        view, number = (message.get("view"), message.get("number")) if isinstance(message, dict) else (None, None)
        if not isinstance(view, str) or len(view) > LONGEST_TEXT or type(number) is not int or abs(number) > 2**53:
            return
        answer = {"view": view, "number": number}
        try:
            with self._lock:
                content, pictures = self._answer(message, buffers or [])
        except Exception as error:  # noqa: BLE001  the panel must stay alive; nobody sees a traceback from this thread
            self._forget(view)
            words = f"Something went wrong that should not have: {type(error).__name__}. Press Start to try again."
            words = str(error) if type(error).__module__.startswith("maskdet_utils.") else words
            content, pictures = (
                {"error": words, "final": "no camera" if isinstance(error, VideoError) else "stopped"},
                [],
            )
        if content is not None:
            self.send({**answer, **content}, pictures)

    def _answer(self, message: dict, buffers: list) -> tuple[dict | None, list]:
        kind, name = message.get("type"), message["view"]
        if kind == "stop":
            self._forget(name)
        elif kind == "photo":
            return self.handle_frame(buffers[0] if buffers else b""), []
        elif kind == "frame":
            view = self._view(name)
            view.measure()
            if not self._is_late(view, message.get("sent")):
                return self.handle_frame(buffers[0] if buffers else b"", view.tracker), []
        elif kind == "next" and message.get("source") in ("sample", "opencv"):
            jpeg = self._next_picture(name, message.get("source"))
            self._view(name).measure()
            return self.handle_frame(jpeg, self._view(name).tracker), [jpeg]
        return None, []

    def _view(self, name: str) -> View:
        if name not in self._views:
            for old in list(self._views)[:-7]:  # a closed tab sends no message
                self._forget(old)
            self._views[name] = View()
        return self._views[name]

    def _next_picture(self, name: str, source) -> bytes:
        """Return the next picture of the kernel's own source, which opens when a view first asks."""
        view = self._view(name)
        if view.pictures is None:
            view.pictures = kernel_frames(source, self.camera)
        else:
            view.timer.cancel()
        view.timer = threading.Timer(CAMERA_SECONDS, self._forget, [name])
        view.timer.daemon = True
        view.timer.start()
        return next(view.pictures)

    def _forget(self, name: str) -> None:
        with self._lock:
            view = self._views.pop(name, None)
            if view:
                view.close()

    @staticmethod
    def _is_late(view: View, sent) -> bool:
        """Whether a frame waited too long behind others: only the newest frames are worth the work."""
        if not isinstance(sent, int | float) or not abs(sent) < 1e16:  # milliseconds
            return False
        travel_time = time.time() - sent / 1000  # the two clocks may differ, but always by the same amount
        if travel_time < view.distance or travel_time > view.distance + LOST_SECONDS:
            view.distance = travel_time
        return travel_time - view.distance > LATE_SECONDS

    def _change_face_detector(self, change) -> None:
        if change["new"] == self._loaded_face_detector:
            return
        try:
            self.detector.choose_faces(change["new"])
            self._loaded_face_detector = change["new"]
        except (RuntimeError, ValueError) as error:
            self.face_detector = self._loaded_face_detector
            self.send({"error": str(error)})


def _load(run_dir, face_detector: str) -> MaskDetector:
    if not isinstance(run_dir, str | Path) or not str(run_dir).strip():
        raise ValueError(f'run_dir must be the path of a run, such as "runs/lab", not {run_dir!r:.60}.')
    try:
        return MaskDetector.load(run_dir, face_detector)
    except OSError as error:
        raise ClassifierError(f"{str(run_dir)[:200]} cannot be opened: {error.strerror or error}.") from None


def read_frame(content) -> np.ndarray:
    """Decode the bytes of a picture as RGB uint8 (height, width, 3); a very large one at a fraction of its size.

    Raises:
        PhotoError: If the bytes are empty or not a picture, or the picture is too small or too large.
    """
    if not isinstance(content, bytes | bytearray | memoryview):
        raise PhotoError("it must be the bytes of a picture")
    content = bytes(content)
    Image.MAX_IMAGE_PIXELS = None  # as in `read_photo`
    try:
        with Image.open(io.BytesIO(content)) as header:  # reads the first bytes only
            (width, height), kind = header.size, header.format
    except Exception:  # noqa: BLE001  Pillow raises many kinds of errors for damaged pictures
        raise PhotoError("it is damaged, or not a picture" if content else "it is empty") from None
    if width * height > MAX_PIXELS or min(width, height) < MIN_SIDE:
        raise PhotoError(f"{width}×{height} pixels are too {'many' if width * height > MAX_PIXELS else 'few'}")
    factor = next((factor for factor in (1, 2, 4) if max(width, height) <= LONG_SIDE * factor), 8)
    if kind not in ("JPEG", "PNG"):  # of the others, OpenCV may not see the same size as Pillow
        frame = read_photo(io.BytesIO(content))
        return resize_fast(frame, (frame.shape[1] // factor, frame.shape[0] // factor)) if factor > 1 else frame
    flag = cv2.IMREAD_COLOR if factor == 1 else getattr(cv2, f"IMREAD_REDUCED_COLOR_{factor}")
    with quiet_stderr():  # the decoders print what they do not like
        frame = cv2.imdecode(np.frombuffer(content, np.uint8), flag)
    if frame is None:
        raise PhotoError("it is damaged, or not a picture")
    return cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)


def to_jpeg(frame: np.ndarray) -> bytes:
    """Encode an RGB uint8 frame (height, width, 3) as a JPEG, as a browser sends it."""
    return cv2.imencode(".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))[1].tobytes()


def kernel_frames(source, camera: int = 0) -> Generator[bytes, None, None]:
    """Yield JPEGs from the kernel's side: of a camera of this computer for "opencv", else of the sample clip in a loop."""
    return _kernel_camera(camera) if source == "opencv" else _sample_clip()


def _sample_clip() -> Generator[bytes, None, None]:
    actors = clips.cast_actors(SAMPLE_PEOPLE, [(50, 120), (85, 155)])  # bare at both ends: it can loop
    yield from itertools.cycle(to_jpeg(frame) for frame, _ in clips.play(actors, 180))


def _kernel_camera(number: int) -> Generator[bytes, None, None]:
    with contextlib.closing(open_camera(number).frames) as frames:
        for _, frame in frames:
            yield to_jpeg(frame)
    raise VideoError("The camera on the kernel's computer stopped sending pictures. Check that it is plugged in.")
