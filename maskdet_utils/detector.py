"""Masks in any frame: a face detector and the classifier of a run, joined in one object. No TensorFlow is imported.

frame ──► face detector ──► boxes ──► crops + margin ──► classifier (one batch) ──► Detection
                                                              └──► Tracker ──► steady labels, for video
"""

import json
import math
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import faces
from .datasets import fit_to_input
from .export import LiteClassifier
from .paths import resolve
from .tracking import Tracker, look_of

CLASSIFIER, LABELS = "classifier.tflite", "labels.json"


class DetectorError(RuntimeError):
    """A run folder does not hold a usable classifier; the message says what is wrong with it."""


@dataclass(frozen=True)
class Detection:
    """A face in a frame, and whether it wears a mask.

    box: (x, y, width, height) in whole pixels, within the frame. label: one of the run's classes, or, from
    `MaskDetector.track` only, "unsure". probability: that of the label, 0 to 1; of "unsure", that of the likelier
    class. face_score: how sure the face detector is that this is a face, 0 to 1. track: the number of the person in
    this video; None from `MaskDetector.detect`.
    """

    box: tuple[int, int, int, int]
    label: str
    probability: float
    face_score: float
    track: int | None = None


class MaskDetector:
    """Find faces and say of each whether it wears a mask.

    threshold: the first class is the label where its probability reaches this; may be set at any time.
    milliseconds: what the last frame took, as {"faces", "classifier", "whole"}.
    Several threads may share one object: they wait for each other.
    """

    def __init__(self, classifier, face_detector, classes, threshold: float = 0.5, crop_margin: float = 0.25):
        """classifier: an `export.LiteClassifier`, or what can be called like it. face_detector: has `detect`."""
        self.classifier, self.face_detector, self.classes = classifier, face_detector, list(classes)
        self.threshold, self.crop_margin = threshold, crop_margin
        self.milliseconds = {"faces": 0.0, "classifier": 0.0, "whole": 0.0}
        self._tracker = Tracker()
        self._lock = threading.Lock()

    @classmethod
    def load(cls, run_dir, face_detector="auto", threads: int = 2) -> "MaskDetector":
        """Join a run's classifier (`classifier.tflite`, `labels.json`) with a face detector.

        run_dir: relative to the repository's root, or absolute. face_detector: a name (see `faces.face_detector`) or
        any object with `detect(frame) -> list[Face]`. threads: for the classifier.

        Raises `DetectorError` if a file is missing, damaged or does not fit the other one; `AssetError` if the face
        detector's file cannot be had.
        """
        folder = resolve(run_dir)
        labels = read_labels(folder / LABELS)
        classifier = _load_classifier(folder / CLASSIFIER, labels, threads)
        if isinstance(face_detector, str):
            face_detector = faces.face_detector(face_detector)
        return cls(classifier, face_detector, labels["classes"], labels["threshold"], labels["crop_margin"])

    def detect(self, frame: np.ndarray) -> list[Detection]:
        """The faces of one photo, RGB uint8 (height, width, 3); an empty list if there are none.

        Raises ValueError for anything but such a photo.
        """
        with self._lock, self._timed():
            boxes, scores = self._find(frame)
            probabilities, _ = self._classify(frame, boxes)
        found = []
        for box, score, first in zip(boxes, scores, probabilities, strict=True):
            masked = first >= self.threshold
            found.append(Detection(box, self.classes[0 if masked else 1], first if masked else 1 - first, score))
        return found

    def track(self, frame: np.ndarray, tracker: Tracker | None = None) -> list[Detection]:
        """The faces of the next frame of a video: like `detect`, with a number for each person and steady labels.

        Labels and probabilities are smoothed over time; "unsure" stands where the frames so far do not say. Where a
        label is settled, the classifier looks at that person in every other frame only. Give each video its own
        `Tracker`; without one, all frames go to the object's own until `reset` is called.
        """
        tracker = tracker or self._tracker
        zero = _log_odds(self.threshold)
        with self._lock, self._timed():
            boxes, scores = self._find(frame)
            tracks = tracker.follow(boxes)
            due = [(box, track) for box, track in zip(boxes, tracks, strict=True) if tracker.is_due(track)]
            probabilities, crops = self._classify(frame, [box for box, _ in due])
            for (_, track), first, crop in zip(due, probabilities, crops, strict=True):
                tracker.weigh(track, _log_odds(first) - zero, look_of(crop))
        found = []
        for box, score, track in zip(boxes, scores, tracks, strict=True):
            first = 1 / (1 + math.exp(-(track.log_odds + zero)))
            if track.label is None:
                found.append(Detection(box, "unsure", max(first, 1 - first), score, track.number))
            else:
                probability = first if track.label == 0 else 1 - first
                found.append(Detection(box, self.classes[track.label], probability, score, track.number))
        return found

    def reset(self) -> None:
        """Forget the people of the video so far: what comes next is another one."""
        self._tracker = Tracker()

    def _find(self, frame) -> tuple[list, list]:
        """The box (whole pixels, within the frame) and the score of each face."""
        if not isinstance(frame, np.ndarray) or frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
            raise ValueError("A frame is an RGB uint8 array (height, width, 3); see photos.read_photo.")
        if 0 in frame.shape:
            raise ValueError(f"This frame has no pixels: {frame.shape[1]}×{frame.shape[0]}.")
        start = time.perf_counter()
        seen = [(faces.box_in_frame(face.box, frame.shape), face.score) for face in self.face_detector.detect(frame)]
        self.milliseconds["faces"] = 1000 * (time.perf_counter() - start)
        return [box for box, _ in seen if box], [score for box, score in seen if box]

    def _classify(self, frame, boxes) -> tuple[list, list]:
        """The probability of the first class and the crop of each face, all of them in one batch."""
        start = time.perf_counter()
        size = self.classifier.input_size
        crops = [fit_to_input(faces.crop_face(frame, box, self.crop_margin), size) for box in boxes]
        probabilities = self.classifier(np.stack(crops).astype(np.float32))[:, 0].tolist() if crops else []
        self.milliseconds["classifier"] = 1000 * (time.perf_counter() - start)
        return probabilities, crops

    @contextmanager
    def _timed(self):
        start = time.perf_counter()
        self.milliseconds = dict.fromkeys(self.milliseconds, 0.0)
        yield
        self.milliseconds["whole"] = 1000 * (time.perf_counter() - start)


def read_labels(path) -> dict:
    """What a run's `labels.json` says: `classes` (two names), `input_size`, `threshold`, `crop_margin`.

    Raises `DetectorError` if the file is missing, is no JSON or says something impossible.
    """
    path = Path(path)
    try:
        labels = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DetectorError(
            f"{path} is missing. Train a classifier first: maskdet pipeline, or 04_train_the_classifier.ipynb."
        ) from None
    except ValueError:  # no UTF-8 or no JSON
        raise DetectorError(f"{path} is damaged: it is no JSON. Export the classifier again.") from None
    asked_for = {
        "classes": lambda names: isinstance(names, list) and len(names) == 2 and all(isinstance(n, str) for n in names),
        "input_size": lambda size: type(size) is int and size > 0,
        "threshold": lambda value: type(value) in (int, float) and 0 < value < 1,
        "crop_margin": lambda value: type(value) in (int, float) and 0 <= value <= 2,
    }
    for name, is_possible in asked_for.items():
        if not isinstance(labels, dict) or name not in labels or not is_possible(labels[name]):
            raise DetectorError(f"{path} is damaged: its {name} is missing or impossible. Export the classifier again.")
    return labels


def _load_classifier(path: Path, labels: dict, threads: int) -> LiteClassifier:
    try:
        classifier = LiteClassifier(path, num_threads=threads)
    except (ValueError, RuntimeError, IndexError) as error:
        raise DetectorError(f"{path} is damaged: it is no LiteRT classifier ({error}).") from None
    except FileNotFoundError as error:
        raise DetectorError(str(error)) from None
    size = labels["input_size"]
    if classifier.input_size != size:
        raise DetectorError(
            f"{path} takes {classifier.input_size}×{classifier.input_size} pixels, but {LABELS} beside it says {size}: "
            "the two are from different runs. Export the classifier again."
        )
    outputs = classifier(np.zeros((1, size, size, 3), np.float32)).shape  # and the first real frame will not wait
    if outputs != (1, 2):
        raise DetectorError(f"{path} gives {outputs[-1]} probabilities for two classes. Export the classifier again.")
    return classifier


def _log_odds(probability: float) -> float:
    probability = min(max(probability, 1e-6), 1 - 1e-6)
    return math.log(probability / (1 - probability))
