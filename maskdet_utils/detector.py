"""Find masks in any frame: a face detector and a run's classifier in one object. Does not import TensorFlow.

frame ──► face detector ──► boxes ──► crops + margin ──► classifier (one batch) ──► Detection
                                                              └──► Tracker ──► steady labels, for video
"""

import math
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np

from . import faces
from .boxes import clip_box, crop_face
from .classifier import at_threshold, by_meaning, load_classifier
from .paths import resolve
from .photos import fit_to_input
from .tracking import MASKED, Track, Tracker
from .upright import Upright


@dataclass(frozen=True)
class Detection:
    """A face in a frame, and whether it wears a mask.

    Attributes:
        box: (x, y, width, height) in whole pixels, inside the frame.
        label: one of the run's classes, or "unsure".
        probability: the probability of the label, 0 to 1. If the label is "unsure", that of the likeliest class.
        face_score: the face detector's confidence that this is a face, 0 to 1.
        track: the number of the person in this video. None from `MaskDetector.detect`.
    """

    box: tuple[int, int, int, int]
    label: str
    probability: float
    face_score: float
    track: int | None = None


class MaskDetector:
    """Find the faces in a frame and tell whether each of them wears a mask.

    Several threads may share one object. They wait for each other.

    Args:
        classifier: a `classifier.LiteClassifier`, or an object that can be called like one.
        face_detector: any object with a method `detect(frame) -> list[Face]`.
        classes: the names of the two or three classes in output order. `load` puts the one that means "mask" first.
        threshold: the first class is the label where its probability reaches this value. Otherwise, it's the likeliest
            of the others (see `classifier.at_threshold`).
        crop_margin: how much of a face's surroundings the classifier sees on each side, in box sizes.
        unsure: (low, high). Where the probability of the first class lies between the two, `detect` returns the label
            "unsure". With None it always decides. `track` ignores this: its `Tracker` decides what is unsure.
        mask_class: the name of the class that means "mask". By default, it follows from the names (see `classifier.by_meaning`).

    Attributes:
        mask_class: None if nothing tells which class means "mask".
        full_look: a slower face detector that finds more small faces, or None. `detect` uses it instead of
            `face_detector`. `track` uses it for the first frame and then about twice a second (see
            `Tracker.look_every`), and carries the faces that only it can find from one full look to the next.
        upright: an `upright.Upright`, which turns faces upright before they are classified, or None. If it
            can't tell which way up a face is, the label is "unsure".
        detect_every: `track` runs the face detector only in every `detect_every`-th frame. In between it assumes that
            faces keep moving as before, so a new face may appear up to that many frames late. You may set this,
            `threshold`, and `unsure` at any time.
        milliseconds: how long the last frame took, as {"faces", "classifier", "whole"}.

    Introduced in notebook 00.
    """

    def __init__(
        self, classifier, face_detector, classes, *, threshold=0.5, crop_margin=0.25, unsure=None, mask_class=None
    ):
        self.classifier, self.face_detector, self.classes = classifier, face_detector, list(classes)
        self.mask_class = by_meaning(classes, mask_class)[1]
        self.threshold, self.crop_margin = threshold, crop_margin
        self.full_look, self.upright, self.detect_every, self.unsure = None, None, 1, unsure
        self.milliseconds = {"faces": 0.0, "classifier": 0.0, "whole": 0.0}
        self._tracker = Tracker()
        self._lock = threading.Lock()

    @classmethod
    def load(cls, run_dir, face_detector="auto", threads: int = 2, *, mask_class=None) -> "MaskDetector":
        """Join a run's classifier with a face detector.

        Args:
            run_dir: a run folder or a classifier's file (see `load_classifier`), relative to the repository's root or
                absolute.
            face_detector: a name (see `faces.face_detector`), or any object with a method
                `detect(frame) -> list[Face]`. "auto" also sets `full_look`, and `detect_every` to 2.
            threads: how many CPU threads the classifier may use.
            mask_class: the name of the class that means "mask", if the names do not make it clear.

        Raises:
            ClassifierError: a file is missing or damaged, or the files do not match. Or no class is called
                `mask_class`.
            ValueError: no face detector has this name.
            AssetError: the face detector's file is not available.
        """
        classifier, config = load_classifier(resolve(run_dir), threads, mask_class=mask_class)
        settings = {name: config.get(name) for name in ("threshold", "crop_margin", "unsure", "mask_class")}
        detector = cls(classifier, face_detector, config["classes"], **settings)
        if isinstance(face_detector, str):
            detector.choose_faces(face_detector)
        return detector

    def choose_faces(self, name: str) -> None:
        """Change the face detector: "auto" for a quick one with full looks in between, or one for every frame.

        Args:
            name: see `faces.face_detector`.

        Raises:
            ValueError: no face detector has this name.
            AssetError: the face detector's file is not available.
        """
        self.face_detector = faces.face_detector(name)
        self.full_look, self.detect_every = (faces.face_detector("careful"), 2) if name == "auto" else (None, 1)
        self.upright = self.upright or Upright()

    def detect(self, frame: np.ndarray) -> list[Detection]:
        """Find and classify the faces in one photo.

        If there are none, the photo may lie on its side, so we turn it and look again.

        Args:
            frame: RGB uint8 (height, width, 3).

        Returns:
            One detection per face. The list is empty if there are no faces.

        Raises:
            ValueError: `frame` is not such an array, or has no pixels.
        """
        with self._lock, self._timed():
            for turn in range(4 if self.upright else 1):
                turned = np.ascontiguousarray(np.rot90(frame, turn)) if turn else frame
                detections = self._detect_as_it_is(turned)
                if detections:
                    break
        for back in range(turn if detections else 0, 0, -1):
            width = frame.shape[1 - (back - 1) % 2]
            detections = [replace(one, box=_turned_back(one.box, width)) for one in detections]
        return detections

    def _detect_as_it_is(self, frame) -> list[Detection]:
        boxes, scores = self._find(frame, self.full_look or self.face_detector)
        turns = [self.upright.quarter_turns(frame, box) if self.upright else 0 for box in boxes]
        probabilities, _ = self.classify(frame, boxes, turns)
        detections = []
        for box, score, turn, row in zip(boxes, scores, turns, probabilities, strict=True):
            if turn is None or self.unsure and self.unsure[0] < row[0] < self.unsure[1]:
                detections.append(Detection(box, "unsure", float(row.max()), score))
            else:
                label = int(at_threshold(row[np.newaxis], self.threshold).argmax())
                detections.append(Detection(box, self.classes[label], float(row[label]), score))
        return detections

    def track(self, frame: np.ndarray, tracker: Tracker | None = None) -> list[Detection]:
        """Find and classify the faces in the next frame of a video, with a number for each person and steady labels.

        Labels and probabilities are smoothed over time. The label is "unsure" where the frames so far do not decide.
        Once a person's label is settled, the classifier sees that person only in every other frame.

        Args:
            frame: RGB uint8 (height, width, 3).
            tracker: what is known about the people in this video. Give each video its own. Without one, all frames go
                to the detector's own tracker until you call `reset`.

        Returns:
            One detection per face. The list is empty if there are no faces.

        Raises:
            ValueError: `frame` is not such an array, or has no pixels.
        """
        tracker = tracker or self._tracker
        threshold = _log_odds(self.threshold)
        with self._lock, self._timed():
            is_full_look = self.full_look and tracker.frame >= tracker.next_look
            tracks = self._follow(frame, tracker)
            for track in tracks:
                if self.upright and (is_full_look or track.log_odds is None):
                    track.turn = self.upright.quarter_turns(frame, track.box)
            due = [track for track in tracks if tracker.is_due(track)]
            probabilities, crops = self.classify(frame, [track.box for track in due], [track.turn for track in due])
            for track, row, crop in zip(due, probabilities.tolist(), crops, strict=True):
                # The look of a mask worn incorrectly does not help to tell a covered mask from a bare face.
                looks_bare = row[1] == max(row[1:])
                evidence = _log_odds(row[0]) - threshold if track.turn is not None else 0.0
                tracker.weigh(track, evidence, crop if looks_bare else None, row[1:])
        detections = []
        for track in tracks:
            mask_probability = 1 / (1 + math.exp(-(track.log_odds + threshold)))
            likeliest = max(track.others)
            other_probability = (1 - mask_probability) * likeliest / sum(track.others)
            if track.label is None:
                label, probability = "unsure", max(mask_probability, other_probability)
            elif track.label == MASKED:
                label, probability = self.classes[0], mask_probability
            else:
                label, probability = self.classes[1 + track.others.index(likeliest)], other_probability
            detections.append(Detection(track.box, label, probability, track.score, track.number))
        return detections

    def reset(self) -> None:
        """Forget the people of the video so far, because the next frame belongs to another video."""
        self._tracker = Tracker()

    def _follow(self, frame, tracker: Tracker) -> list[Track]:
        """Return the tracks of the faces in the next frame of a video."""
        _check(frame)
        if self.full_look and tracker.frame >= tracker.next_look:
            tracker.next_look = tracker.frame + tracker.look_every
            found = tracker.follow(*self._find(frame, self.full_look), gap=tracker.look_every)
            tracks = found + tracker.guess(searched=True)
        elif tracker.frame % self.detect_every == 0:
            tracks = tracker.follow(*self._find(frame, self.face_detector)) + tracker.guess(searched=True)
        else:
            tracks = tracker.guess()
        for track in tracks:
            track.box = clip_box(track.box, frame.shape) or track.box
        return [track for track in tracks if clip_box(track.box, frame.shape)]

    def _find(self, frame, face_detector) -> tuple[list, list]:
        """Return the box (in whole pixels, inside the frame) and the score of each face."""
        _check(frame)
        start = time.perf_counter()
        clipped = [(clip_box(face.box, frame.shape), face.score) for face in face_detector.detect(frame)]
        self.milliseconds["faces"] = 1000 * (time.perf_counter() - start)
        return [box for box, _ in clipped if box], [score for box, score in clipped if box]

    def classify(self, frame: np.ndarray, boxes, turns=None) -> tuple[np.ndarray, list]:
        """Classify the faces in a frame, all of them in one batch.

        Args:
            frame: RGB uint8 (height, width, 3).
            boxes: (x, y, width, height) of each face in pixels.
            turns: how many quarter turns counterclockwise put each face upright. By default, all faces are upright.

        Returns:
            Probabilities `(faces, classes)`, and the crops as the classifier sees them: a list of RGB uint8 arrays
            (input_size, input_size, 3).
        """
        start = time.perf_counter()
        size = self.classifier.input_size
        crops = [fit_to_input(crop_face(frame, box, self.crop_margin), size) for box in boxes]
        crops = [np.rot90(crop, turn or 0) for crop, turn in zip(crops, turns or [0] * len(boxes), strict=True)]
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
    """Raise `ValueError` if this is not a frame."""
    if not isinstance(frame, np.ndarray) or frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
        raise ValueError("A frame must be an RGB uint8 array (height, width, 3). Read photos with photos.read_photo.")
    if 0 in frame.shape:
        raise ValueError(f"This frame has no pixels: its size is {frame.shape[1]}×{frame.shape[0]}.")


def _turned_back(box, width: int) -> tuple[int, int, int, int]:
    """Return where a box in a frame turned by `np.rot90` was before, in a frame of this width."""
    x, y, box_width, box_height = box
    return (width - y - box_height, x, box_height, box_width)


def _log_odds(probability: float) -> float:
    probability = min(max(probability, 1e-6), 1 - 1e-6)
    return math.log(probability / (1 - probability))
