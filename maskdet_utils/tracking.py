"""Recognize people from one frame to the next, and give each of them a label that does not flicker."""

from dataclasses import dataclass, field

import cv2
import numpy as np

from .boxes import iou

MASKED, BARE = 0, 1  # indices of the classes


@dataclass(eq=False)
class Track:
    """One person in a video.

    Attributes:
        number: 1 for the first person, and so on.
        box: (x, y, width, height) in pixels, where the face was last seen or is predicted to be.
        score: the face detector's score when the face was last seen.
        seen: the box where the face was last seen, followed by the number of that frame. None if it is new.
        motion: (x, y) in pixels per frame, between the last two times the face was seen.
        log_odds: of the first class against the others, smoothed over time.
        label: MASKED, BARE (any of the other classes), or None if unsure.
        others: the probabilities of the other classes, smoothed over time. With three classes, they show which one of
            the others it is.
        missed: how many searches ago the face was last seen.
        gap: how many frames passed between the last two times the face was seen. For a new face, how many pass until a
            search like the one that found it.
        agreed: how many classifications in a row supported the label.
        undecided: for how many frames in a row the log-odds supported neither class.
        covered: for how many frames in a row something seemed to be held in front of the mask.
        turn: how many quarter turns put the face upright. None if nobody can tell, which is no evidence for any label.
        bare_look: the look of this person without a mask (see `look_of`), or None if it is not known.
    """

    number: int
    box: tuple[int, int, int, int] = (0, 0, 0, 0)
    score: float = 1.0
    seen: tuple[int, int, int, int, int] | None = None
    motion: tuple[float, float] = (0.0, 0.0)
    log_odds: float | None = None
    label: int | None = None
    others: list[float] | None = None
    missed: int = 0
    gap: int = 1
    agreed: int = 0
    undecided: int = 0
    covered: int = 0
    turn: int | None = 0
    bare_look: np.ndarray | None = None


@dataclass(eq=False, kw_only=True)
class Tracker:
    """Recognize faces by the overlap of their boxes between frames, and smooth their log-odds over time.

    To a classifier, a hand in front of a mask looks like bare skin. But when a mask comes off, the face looks as it did
    before the mask. So as long as the eyes look as they did without a mask and the mouth does not, the label stays.

    Attributes:
        min_iou: two boxes with at least this intersection over union are the same face.
        patience: for how many frames a face may be out of sight (a turned head) and still be the same person.
        weight: how much the newest frame counts, 0 to 1. 1 means no smoothing.
        limit: the log-odds of a single frame are clipped to ± this value.
        sure: a new label needs smoothed log-odds of at least this absolute value. Below it, the old label stays.
        unsure: smoothed log-odds below this absolute value support neither class.
        undecided: after more than this many such frames in a row, a person loses the label.
        covered: for how many frames in a row something in front of a mask may look like a bare face.
        settled: after this many classifications in a row that support the label, every other frame is enough.
        seconds: per frame, as far as known; that of a usual camera until somebody sets it.
        frame: how many frames there were so far.
        next_look: the frame at which the next full look is due (see `detector.MaskDetector`).
        tracks: the people who are in sight now, or were in sight within the last `patience` frames.

    Introduced in notebook 06.
    """

    min_iou: float = 0.3
    patience: int = 30
    weight: float = 0.4
    limit: float = 3.0
    sure: float = 1.0
    unsure: float = 0.4
    undecided: int = 30
    covered: int = 60
    settled: int = 8
    seconds: float = 0.04
    frame: int = 0
    next_look: int = 0
    tracks: list[Track] = field(default_factory=list)
    _count: int = 0

    @property
    def look_every(self) -> int:
        """How many frames there are from one full look to the next: half a second, but at least five frames.

        Where each frame takes long, five leave most of the time to the quick face detector.
        """
        return max(5, round(0.5 / self.seconds))

    def follow(self, boxes, scores=None, gap: int = 1) -> list[Track]:
        """Match the faces of the next frame with the people of this video.

        Args:
            boxes: (x, y, width, height) of each face, in pixels.
            scores: the face detector's scores, or None for 1.0 each.
            gap: how many frames pass until the next search that finds as much as this one.

        Returns:
            The track of each box, in the same order. A box that matches nobody starts a new track.
        """
        pairs = dict(self._pair(boxes))
        self.frame += 1
        for track in self.tracks:
            track.missed += 1
        matches = [pairs.get(index) or self._new_track() for index in range(len(boxes))]
        for track, box, score in zip(matches, boxes, scores or [1.0] * len(boxes), strict=True):
            if track.seen:
                frames = self.frame - track.seen[4]
                track.motion = (box[0] - track.seen[0]) / frames, (box[1] - track.seen[1]) / frames
            track.gap = frames if track.seen else gap
            track.box, track.score, track.missed, track.seen = tuple(box), score, 0, (*box, self.frame)
        self.tracks = [track for track in self.tracks if track.missed <= self.patience]
        return matches

    def guess(self, searched: bool = False) -> list[Track]:
        """Predict who is in sight without having been found in this frame: they keep moving as before.

        Args:
            searched: False to go on to the next frame, where everybody is predicted, because nobody looked for faces.
                True after `follow`, for those whom it did not get. They count as in sight for as long as they were out
                of sight before: faces that are too small for a quick face detector, from one full look to the next.
        """
        self.frame += not searched
        missing = [track for track in self.tracks if track.missed and self.frame - track.seen[4] < track.gap]
        tracks = missing if searched else missing + [track for track in self.tracks if not track.missed]
        for track in tracks:
            frames = self.frame - track.seen[4]
            x, y = (round(track.seen[axis] + frames * track.motion[axis]) for axis in (0, 1))
            track.box = (x, y, *track.seen[2:4])
        return tracks

    def is_due(self, track: Track) -> bool:
        """Return whether this person should be classified now: with a settled label, only in every other frame.

        That halves the classifier's work. The first classification that does not support the label unsettles it.
        """
        return track.agreed < self.settled or (self.frame + track.number) % 2 == 0

    def weigh(self, track: Track, log_odds: float, crop=None, others=(1.0,)) -> None:
        """Add a frame's evidence about a person.

        Args:
            track: the person.
            log_odds: of the first class against the others.
            crop: what the classifier saw, see `look_of`. None if it does not help to tell a covered mask from a bare
                face.
            others: the probabilities of the other classes.
        """
        log_odds, others = min(max(log_odds, -self.limit), self.limit), [max(other, 1e-6) for other in others]
        if track.log_odds is None:
            track.log_odds = log_odds / 2  # a single frame is weak evidence
            track.others = others
        vote = None if abs(log_odds) < self.sure else MASKED if log_odds > 0 else BARE
        track.agreed = track.agreed + 1 if vote is not None and vote == track.label else 0
        self._average(track, log_odds, crop, others)
        self._decide(track)

    def _new_track(self) -> Track:
        self._count += 1
        self.tracks.append(Track(self._count))
        return self.tracks[-1]

    def _average(self, track: Track, log_odds: float, crop, others: list[float]) -> None:
        """Average the new evidence in, unless it suggests a bare face only because something covers the mask."""
        if track.label == MASKED and log_odds < 0 and track.covered < self.covered and _occluded(track.bare_look, crop):
            track.covered += 1
            return
        if log_odds > 0:
            track.covered = 0
        track.log_odds += self.weight * (log_odds - track.log_odds)
        track.others = [old + self.weight * (new - old) for old, new in zip(track.others, others, strict=True)]
        if track.label == BARE and log_odds <= -self.sure and crop is not None:
            if track.bare_look is None:
                track.bare_look = look_of(crop)
            elif track.agreed % 4 == 0:  # faces do not change faster than that
                track.bare_look = (track.bare_look + look_of(crop)) / 2

    def _decide(self, track: Track) -> None:
        if abs(track.log_odds) >= self.sure:
            label = MASKED if track.log_odds > 0 else BARE
            if label != track.label:
                track.label, track.covered = label, 0
        track.undecided = track.undecided + 1 if abs(track.log_odds) < self.unsure else 0
        if track.undecided > self.undecided:
            track.label = None

    def _pair(self, boxes):
        """Yield (index of the box, its track) by decreasing overlap, each box and each track at most once."""
        # In plain Python, because for a few faces the overhead of NumPy calls exceeds the calculation itself.
        pairs = [
            (overlap, row, column)
            for row, box in enumerate(boxes)
            for column, track in enumerate(self.tracks)
            if (overlap := iou(box, track.box)) >= self.min_iou
        ]
        rows, columns = set(), set()
        for _, row, column in sorted(pairs, key=lambda pair: -pair[0]):
            if row not in rows and column not in columns:
                rows.add(row)
                columns.add(column)
                yield row, self.tracks[column]


def look_of(crop: np.ndarray) -> np.ndarray:
    """Return the look of a face crop (square, RGB uint8, box and margin): a gray float32 picture (32, 32)."""
    gray = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    return cv2.resize(gray, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)


def _occluded(bare_look, crop, eyes: float = 0.8, mouth: float = 0.75) -> bool:
    """Return whether the eyes correlate with those of the bare face (−1 to 1), but the nose and mouth do not."""
    if bare_look is None or crop is None:
        return False
    look = look_of(crop)
    return _similarity(bare_look, look, slice(4, 15)) >= eyes and _similarity(bare_look, look, slice(16, 29)) < mouth


def _similarity(known: np.ndarray, look: np.ndarray, rows: slice, shift: int = 2) -> float:
    """Return the best correlation of some rows of a known look with a new look, over shifts of up to `shift` pixels."""
    search_area = look[rows.start - shift : rows.stop + shift, 6 - shift : 26 + shift]
    return float(cv2.matchTemplate(search_area, known[rows, 6:26], cv2.TM_CCOEFF_NORMED).max())
