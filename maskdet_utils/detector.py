"""Masks in any frame: a face detector and the classifier of a run, joined in one object. No TensorFlow is imported.

frame ──► face detector ──► boxes ──► crops + margin ──► classifier (one batch) ──► Detection
                                                              └──► Tracker ──► steady labels, for video
"""

import math
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from . import faces
from .boxes import clip_box, crop_face
from .classifier import at_threshold, load_classifier
from .paths import resolve
from .photos import fit_to_input
from .tracking import MASKED, Tracker


@dataclass(frozen=True)
class Detection:
    """A face in a frame, and whether it wears a mask.

    box: (x, y, width, height) in whole pixels, within the frame. label: one of the run's classes, or "unsure".
    probability: that of the label, 0 to 1; of "unsure", that of the likelier
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

    threshold: the first class is the label where its probability reaches this; may be set at any time. (With three
    classes, the label is the likeliest one after the first class's odds were divided by those of the threshold.)
    unsure: (low, high), probabilities of the first class between which `detect` gives no label but "unsure"; None for no
    such band. (What `track` takes for sure, its `Tracker` says.) detect_every: in `track`, faces are looked for in every so-manieth frame only, and guessed to move on as before in
    between; a new face is seen up to so many frames later.
    milliseconds: what the last frame took, as {"faces", "classifier", "whole"}.
    Several threads may share one object: they wait for each other.
    """

    def __init__(
        self, classifier, face_detector, classes, *, threshold: float = 0.5, crop_margin: float = 0.25, unsure=None
    ):
        """classifier: an `classifier.LiteClassifier`, or what can be called like it. face_detector: has `detect`."""
        self.classifier, self.face_detector, self.classes = classifier, face_detector, list(classes)
        self.threshold, self.crop_margin = threshold, crop_margin
        self.detect_every, self.unsure = 1, unsure
        self.milliseconds = {"faces": 0.0, "classifier": 0.0, "whole": 0.0}
        self._tracker = Tracker()
        self._lock = threading.Lock()

    @classmethod
    def load(cls, run_dir, face_detector="auto", threads: int = 2) -> "MaskDetector":
        """Join a run's classifier (see `load_classifier`) with a face detector.

        run_dir: relative to the repository's root, or absolute. face_detector: a name (see `faces.face_detector`) or
        any object with `detect(frame) -> list[Face]`. threads: for the classifier.

        Raises `ClassifierError` if a file is missing, damaged or does not fit the other one; `AssetError` if the face
        detector's file cannot be had.
        """
        classifier, config = load_classifier(resolve(run_dir), threads)
        if isinstance(face_detector, str):
            face_detector = faces.face_detector(face_detector)
        settings = {name: config.get(name) for name in ("threshold", "crop_margin", "unsure")}
        return cls(classifier, face_detector, config["classes"], **settings)

    def detect(self, frame: np.ndarray) -> list[Detection]:
        """The faces of one photo, RGB uint8 (height, width, 3); an empty list if there are none.

        Raises ValueError for anything but such a photo.
        """
        with self._lock, self._timed():
            boxes, scores = self._find(frame)
            probabilities, _ = self.classify(frame, boxes)
        found = []
        for box, score, row in zip(boxes, scores, probabilities, strict=True):
            if self.unsure and self.unsure[0] < row[0] < self.unsure[1]:
                found.append(Detection(box, "unsure", float(row.max()), score))
            else:
                label = int(at_threshold(row[np.newaxis], self.threshold).argmax())
                found.append(Detection(box, self.classes[label], float(row[label]), score))
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
            boxes, scores, tracks = self._follow(frame, tracker)
            due = [(box, track) for box, track in zip(boxes, tracks, strict=True) if tracker.is_due(track)]
            probabilities, crops = self.classify(frame, [box for box, _ in due])
            for (_, track), row, crop in zip(due, probabilities.tolist(), crops, strict=True):
                # What a mask worn wrong looks like is no help in telling a covered mask from a bare face.
                looks_bare = row[1] == max(row[1:])
                tracker.weigh(track, _log_odds(row[0]) - zero, crop if looks_bare else None, row[1:])
        found = []
        for box, score, track in zip(boxes, scores, tracks, strict=True):
            first = 1 / (1 + math.exp(-(track.log_odds + zero)))
            likeliest = max(track.others)
            rest = (1 - first) * likeliest / sum(track.others)
            if track.label is None:
                found.append(Detection(box, "unsure", max(first, rest), score, track.number))
            elif track.label == MASKED:
                found.append(Detection(box, self.classes[0], first, score, track.number))
            else:
                label = self.classes[1 + track.others.index(likeliest)]
                found.append(Detection(box, label, rest, score, track.number))
        return found

    def reset(self) -> None:
        """Forget the people of the video so far: what comes next is another one."""
        self._tracker = Tracker()

    def _follow(self, frame, tracker: Tracker) -> tuple[list, list, list]:
        """The box and the score of each face of the next frame of a video, and whose it is."""
        if tracker.frame % self.detect_every == 0:
            boxes, scores = self._find(frame)
            return boxes, scores, tracker.follow(boxes, scores)
        _check(frame)
        guessed = [(clip_box(track.box, frame.shape), track) for track in tracker.guess()]
        tracks = [track for box, track in guessed if box]
        for box, track in guessed:
            track.box = box or track.box
        return [track.box for track in tracks], [track.score for track in tracks], tracks

    def _find(self, frame) -> tuple[list, list]:
        """The box (whole pixels, within the frame) and the score of each face."""
        _check(frame)
        start = time.perf_counter()
        seen = [(clip_box(face.box, frame.shape), face.score) for face in self.face_detector.detect(frame)]
        self.milliseconds["faces"] = 1000 * (time.perf_counter() - start)
        return [box for box, _ in seen if box], [score for box, score in seen if box]

    def classify(self, frame: np.ndarray, boxes) -> tuple[np.ndarray, list]:
        """The probabilities `(faces, classes)` and the fitted crop of each box of a frame, all of them in one batch."""
        start = time.perf_counter()
        size = self.classifier.input_size
        crops = [fit_to_input(crop_face(frame, box, self.crop_margin), size) for box in boxes]
        if crops:
            pixels = np.empty((len(crops), size, size, 3), np.float32)
            np.stack(crops, out=pixels)
            probabilities = np.asarray(self.classifier(pixels))
        else:
            probabilities = np.zeros((0, len(self.classes)))
        self.milliseconds["classifier"] = 1000 * (time.perf_counter() - start)
        return probabilities, crops

    @contextmanager
    def _timed(self):
        start = time.perf_counter()
        self.milliseconds = dict.fromkeys(self.milliseconds, 0.0)
        yield
        self.milliseconds["whole"] = 1000 * (time.perf_counter() - start)


def _check(frame) -> None:
    """Raise ValueError for anything but a frame."""
    if not isinstance(frame, np.ndarray) or frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
        raise ValueError("A frame is an RGB uint8 array (height, width, 3); see photos.read_photo.")
    if 0 in frame.shape:
        raise ValueError(f"This frame has no pixels: {frame.shape[1]}×{frame.shape[0]}.")


def _log_odds(probability: float) -> float:
    probability = min(max(probability, 1e-6), 1 - 1e-6)
    return math.log(probability / (1 - probability))
