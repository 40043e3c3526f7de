"""The live demo's panel: frames come in from the browser (or from here), boxes and labels go back.

    browser ──► frame (JPEG) ──► CameraPanel.handle_frame ──► MaskDetector ──► boxes ──► browser draws them

One frame is under way at a time: the browser sends the next one when the answer has come. Pictures are custom messages,
never traits, because a notebook is saved with the traits of its widgets, and nobody's face belongs there. JupyterLab
delivers messages in a thread of their own, beside a running cell: hence the lock.
"""

import contextlib
import io
import itertools
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
from ..detector import MaskDetector
from ..photos import MAX_PIXELS, MIN_SIDE, PhotoError
from ..tracking import Tracker
from . import clips, video

FACE_DETECTORS = ["auto", *faces.DETECTORS]
LONG_SIDE = 1600  # pixels; larger pictures are read at a half, a quarter or an eighth of their size
LATE_SECONDS = 1.0  # a frame that waited longer than this is dropped
CAMERA_SECONDS = 10.0  # the kernel's camera goes off when no browser has asked for a frame for so long


@dataclass
class View:
    """What belongs to one view of the panel: its people, its pictures if they come from here, its distance in time."""

    tracker: Tracker = field(default_factory=Tracker)
    pictures: Generator[bytes, None, None] | None = None
    timer: threading.Timer | None = None  # lets go of the pictures when the view has gone without a word
    distance: float = float("inf")  # seconds that a message takes at least, plus the difference of the two clocks

    def close(self) -> None:
        """Let go of the kernel's camera, if this view has it."""
        if self.pictures:
            self.timer.cancel()
            self.pictures.close()


class CameraPanel(anywidget.AnyWidget):
    """A panel with a camera picture, boxes and labels; display it in a notebook, press Start.

    run_dir: the run whose classifier is used. source: where pictures come from, "browser", "sample" or "opencv" (the
    camera of the computer that the kernel runs on). face_detector: see `faces.face_detector`. detector: a ready
    `MaskDetector`, instead of `run_dir` and `face_detector`.

    Raises `ClassifierError` if the run has no usable classifier.
    """

    _esm = Path(__file__).with_name("webcam.js")
    _css = Path(__file__).with_name("webcam.css")

    source = traitlets.Enum(["browser", "sample", "opencv"], "browser").tag(sync=True)
    face_detectors = traitlets.List(traitlets.Unicode(), FACE_DETECTORS).tag(sync=True)
    face_detector = traitlets.Enum(FACE_DETECTORS, "auto").tag(sync=True)
    threshold = traitlets.Float(0.5, min=0.01, max=0.99).tag(sync=True)
    mirror = traitlets.Bool(True).tag(sync=True)
    idle_seconds = traitlets.Int(120, min=1).tag(sync=True)  # the camera goes off after so long without a face
    status = traitlets.Unicode("stopped").tag(sync=True)  # set by the browser

    def __init__(self, run_dir="runs/lab", source="browser", face_detector="auto", detector=None):
        self.detector = detector or MaskDetector.load(run_dir, face_detector)
        self._views: dict[str, View] = {}
        self._guard = threading.RLock()
        self._found_by = face_detector
        self.detector.detect(np.zeros((360, 480, 3), np.uint8))  # warm, here in the main thread
        super().__init__(source=source, face_detector=face_detector, threshold=self.detector.threshold)
        self.on_msg(self._receive)
        self.observe(self._change_face_detector, names=["face_detector"])

    def __repr__(self) -> str:
        return "CameraPanel()"  # always the same, so that stored and fresh outputs of a notebook agree

    def handle_frame(self, jpeg, tracker: Tracker | None = None) -> dict:
        """Look at one picture (the bytes of a JPEG, PNG …); with a `Tracker`, as the next frame of its video.

        Returns `{"faces": [...], "milliseconds": {...}}`; a face has `box` (left, top, width, height as fractions of
        the picture), `label`, `words`, `style` (0, 1, 2 or "unsure") and `probability`. A picture that cannot be read
        gives `{"error": sentence}`.
        """
        start = time.perf_counter()
        try:
            frame = read_frame(jpeg)
        except PhotoError as error:
            return {"error": f"A picture could not be read: {error}."}
        milliseconds = {"decoding": 1000 * (time.perf_counter() - start)}
        with self._guard:
            self.detector.threshold = self.threshold
            found = self.detector.detect(frame) if tracker is None else self.detector.track(frame, tracker)
            milliseconds |= self.detector.milliseconds
        milliseconds["whole"] = 1000 * (time.perf_counter() - start)
        return {"faces": [self._describe(face, frame.shape) for face in found], "milliseconds": milliseconds}

    def close(self) -> None:
        """Remove the panel from the page and let go of the kernel's camera."""
        for name in list(self._views):
            self._forget(name)
        super().close()

    def _describe(self, face, shape) -> dict:
        height, width = shape[:2]
        x, y, face_width, face_height = face.box
        classes = self.detector.classes
        return {
            "box": [x / width, y / height, face_width / width, face_height / height],
            "label": face.label,
            "words": face.label.replace("_", " "),
            "style": classes.index(face.label) if face.label in classes else "unsure",
            "probability": round(face.probability, 3),
        }

    def _receive(self, _widget, message, buffers) -> None:
        """Answer one message of a view; whatever goes wrong becomes a sentence in the panel."""
        if not isinstance(message, dict) or not isinstance(message.get("view"), str):
            return
        answer = {"view": message["view"], "number": message.get("number")}
        try:
            with self._guard:
                content, pictures = self._answer(message, buffers or [])
        except video.VideoError as error:
            self._forget(message["view"])
            content, pictures = {"error": str(error), "final": "no camera"}, []
        except Exception as error:  # noqa: BLE001  the panel must stay alive; nobody reads a traceback of this thread
            content, pictures = {"error": f"{type(error).__name__}: {error}", "final": "stopped"}, []
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
            if not self._is_late(view, message.get("sent")):
                return self.handle_frame(buffers[0] if buffers else b"", view.tracker), []
        elif kind == "next":
            jpeg = self._next_picture(name, message.get("source"))
            return self.handle_frame(jpeg, self._view(name).tracker), [jpeg]
        return None, []

    def _view(self, name: str) -> View:
        if name not in self._views:
            for old in list(self._views)[:-7]:  # a closed tab says no goodbye
                self._forget(old)
            self._views[name] = View()
        return self._views[name]

    def _next_picture(self, name: str, source) -> bytes:
        """The next picture of the kernel's own source, opened when a view first asks."""
        view = self._view(name)
        if view.pictures is None:
            view.pictures = kernel_frames(source)
        else:
            view.timer.cancel()
        view.timer = threading.Timer(CAMERA_SECONDS, self._forget, [name])
        view.timer.daemon = True
        view.timer.start()
        return next(view.pictures)

    def _forget(self, name: str) -> None:
        with self._guard:
            view = self._views.pop(name, None)
            if view:
                view.close()

    @staticmethod
    def _is_late(view: View, sent) -> bool:
        """Whether a frame waited here because more came than could be answered: only the newest are worth the work."""
        if not isinstance(sent, int | float):
            return False
        under_way = time.time() - sent / 1000  # the two clocks may differ, but always by the same amount
        view.distance = min(view.distance, under_way)
        return under_way - view.distance > LATE_SECONDS

    def _change_face_detector(self, change) -> None:
        if change["new"] == self._found_by:
            return
        try:
            self.detector.face_detector = faces.face_detector(change["new"])
            self._found_by = change["new"]
        except (RuntimeError, ValueError) as error:
            self.face_detector = self._found_by
            self.send({"error": str(error)})


def read_frame(content) -> np.ndarray:
    """Decode a picture (bytes) as RGB uint8 (height, width, 3), a very large one at a fraction of its size.

    Raises `PhotoError` if it is empty, no picture, or of an impossible size.
    """
    try:
        with Image.open(io.BytesIO(content)) as header:  # reads the first bytes only
            width, height = header.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise PhotoError("it is empty" if not len(content) else "it is no picture, or a damaged one") from None
    if width * height > MAX_PIXELS or min(width, height) < MIN_SIDE:
        raise PhotoError(f"{width}×{height} pixels are too {'many' if width * height > MAX_PIXELS else 'few'}")
    shrunk = next((by for by in (1, 2, 4) if max(width, height) <= LONG_SIDE * by), 8)
    flag = cv2.IMREAD_COLOR if shrunk == 1 else getattr(cv2, f"IMREAD_REDUCED_COLOR_{shrunk}")
    frame = cv2.imdecode(np.frombuffer(content, np.uint8), flag)
    if frame is None:
        raise PhotoError("it is no picture, or a damaged one")
    return cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)


def to_jpeg(frame: np.ndarray) -> bytes:
    """An RGB uint8 frame as a JPEG, as a browser would send it."""
    return cv2.imencode(".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))[1].tobytes()


def kernel_frames(source) -> Generator[bytes, None, None]:
    """JPEGs from this side: of the sample clip, again and again, or of the camera of this computer."""
    return _kernel_camera() if source == "opencv" else _sample_clip()


def _sample_clip() -> Generator[bytes, None, None]:
    actors = clips.cast_actors([22, 35], [(50, 120), (85, 155)])  # all bare at the end as at the beginning: it can loop
    yield from itertools.cycle(to_jpeg(frame) for frame, _ in clips.play(actors, 180))


def _kernel_camera() -> Generator[bytes, None, None]:
    with contextlib.closing(video.open_source("0").frames) as frames:
        for _, frame in frames:
            yield to_jpeg(frame)
    raise video.VideoError("The camera of the kernel's computer gives no more pictures. Is it still plugged in?")
