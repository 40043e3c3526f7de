"""MaskDetector and its tracker: the right crop to the classifier, steady labels, clear words about broken files."""

import json
import subprocess
import sys

import cv2
import nbformat
import numpy as np
import pytest
from conftest import ROOT

from maskdet_utils import assets, boxes
from maskdet_utils.boxes import crop_face
from maskdet_utils.classifier import ClassifierError
from maskdet_utils.detector import MaskDetector
from maskdet_utils.faces import Face
from maskdet_utils.live import clips
from maskdet_utils.photos import fit_to_input, read_photo
from maskdet_utils.tracking import BARE, MASKED, Tracker
from maskdet_utils.upright import Upright

LABELS = {"classes": ["with_mask", "without_mask"], "input_size": 192, "threshold": 0.5, "crop_margin": 0.25}


class FixedFaces:
    """A face detector that finds what it is told to."""

    def __init__(self, *boxes):
        self.boxes = boxes

    def detect(self, frame):
        return [Face(box, 0.9) for box in self.boxes]


class BlueIsMask:
    """A classifier: the bluer the crop, the likelier the mask. Keeps what it was given."""

    input_size = 32

    def __call__(self, pixels):
        self.pixels = pixels
        first = np.clip(pixels[..., 2].mean(axis=(1, 2)) / 255, 0.01, 0.99)
        return np.stack([first, 1 - first], axis=1)


def detector(*boxes, **more):
    return MaskDetector(BlueIsMask(), FixedFaces(*boxes), LABELS["classes"], **more)


def frame(height=100, width=120, color=(0, 0, 0)):
    return np.full((height, width, 3), color, np.uint8)


def test_no_face_gives_an_empty_list():
    assert detector().detect(frame()) == [] and detector().track(frame()) == []


def test_the_classifier_gets_the_crop_that_training_cut():
    noise = np.random.default_rng(0).integers(0, 255, (100, 120, 3), dtype=np.uint8)
    found = detector((20.3, 30.4, 40, 24))
    one = found.detect(noise)[0]
    assert one.box == (20, 30, 40, 24) and one.track is None
    assert (crop_face(noise, one.box, 0.25) == noise[24:60, 10:70]).all()
    assert (found.classifier.pixels[0] == fit_to_input(noise[24:60, 10:70], 32)).all()
    assert found.classifier.pixels.dtype == np.float32


def test_label_and_probability_belong_together():
    masked, bare = detector((10, 10, 20, 20)), detector((10, 10, 20, 20))
    assert masked.detect(frame(color=(0, 0, 230)))[0].label == "with_mask"
    one = bare.detect(frame(color=(230, 0, 51)))[0]
    assert one.label == "without_mask" and one.probability == pytest.approx(0.8, abs=0.01)
    bare.threshold = 0.15
    one = bare.detect(frame(color=(230, 0, 51)))[0]
    assert one.label == "with_mask" and one.probability == pytest.approx(0.2, abs=0.01)


def test_sixty_faces_are_one_batch():
    boxes = [(10 * (n % 10), 15 * (n // 10), 9, 12) for n in range(60)]
    many = detector(*boxes)
    assert len(many.detect(frame())) == 60 and many.classifier.pixels.shape == (60, 32, 32, 3)
    assert len({one.track for one in many.track(frame())}) == 60


def test_boxes_are_cut_at_the_frame_and_empty_ones_left_out():
    found = detector((-20, 50, 40, 40), (110, 90, 50, 50), (300, 0, 20, 20), (30, 30, 0, 10), (40, 40, 0.2, 0.2))
    assert [one.box for one in found.detect(frame())] == [(0, 50, 20, 40), (110, 90, 10, 10)]


def test_the_crop_of_nothing_is_refused():
    with pytest.raises(ValueError, match="does not overlap this frame"):
        crop_face(frame(), (300, 10, 20, 20), 0.25)
    with pytest.raises(ValueError, match="does not overlap this frame"):
        crop_face(frame(), (10, 10, 0, 20), 0.25)


@pytest.mark.parametrize("size", [(1, 1), (3, 501), (481, 7)])
def test_odd_sizes_are_fine(size):
    height, width = size
    assert len(detector((0, 0, width, height)).detect(frame(height, width))) == 1


@pytest.mark.parametrize(
    "bad", [None, np.zeros((5, 5)), np.zeros((5, 5, 4), np.uint8), np.zeros((5, 5, 3)), np.zeros((0, 5, 3), np.uint8)]
)
def test_anything_but_a_frame_is_refused(bad):
    with pytest.raises(ValueError, match="frame"):
        detector((0, 0, 5, 5)).detect(bad)


def test_milliseconds_add_up():
    found = detector((10, 10, 20, 20))
    found.detect(frame())
    parts = found.milliseconds
    assert parts["whole"] >= parts["faces"] + parts["classifier"] > 0


THREE = ["with_mask", "without_mask", "worn_incorrectly"]


class ColorSays:
    """A classifier of three classes: blue is a mask, red a bare face, green a mask worn wrong."""

    input_size = 32

    def __call__(self, pixels):
        parts = pixels.mean(axis=(1, 2))[:, [2, 0, 1]] + 1
        return parts / parts.sum(axis=1, keepdims=True)


def three(**more):
    return MaskDetector(ColorSays(), FixedFaces((10, 10, 40, 40)), THREE, **more)


def test_of_three_classes_the_likeliest_is_the_label():
    for color, label in [((0, 0, 200), 0), ((200, 0, 0), 1), ((0, 200, 0), 2), ((60, 90, 80), 2)]:
        (one,) = three().detect(frame(color=color))
        assert one.label == THREE[label] and one.probability == pytest.approx((max(color) + 1) / (sum(color) + 3))
    (one,) = three(threshold=0.3).detect(frame(color=(60, 90, 80)))
    assert one.label == "with_mask" and one.probability == pytest.approx(81 / 233)


def test_three_classes_in_a_video_change_soon_and_do_not_flicker():
    detector, labels = three(), []
    script = ["mask"] * 15 + ["wrong"] * 15 + ["bare"] * 15 + ["wrong"] * 2 + ["bare"] * 5 + ["mask"] * 15
    colors = {"mask": (5, 5, 200), "wrong": (5, 200, 5), "bare": (200, 5, 5)}
    for word in script:
        (one,) = detector.track(frame(color=colors[word]))
        labels.append(one.label)
        assert 0 < one.probability < 1
    changes = [number for number in range(3, len(labels)) if labels[number] != labels[number - 1]]
    assert [labels[number] for number in changes] == [THREE[2], THREE[1], THREE[0]], labels
    assert all(number - start <= 5 for number, start in zip(changes, (15, 30, 52), strict=True)), changes


def test_unsure_between_three_classes():
    detector = three()
    labels = {detector.track(frame(color=(50, 50, 101)))[0].label for _ in range(10)}
    assert labels == {"unsure"}


def folder_with(tmp_path, labels, classifier=None):
    if labels is not None:
        (tmp_path / "labels.json").write_text(labels if isinstance(labels, str) else json.dumps(labels))
    if classifier is not None:
        (tmp_path / "classifier.tflite").write_bytes(classifier)
    return tmp_path


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (None, "labels.json is missing. Train"),
        ("{", "not JSON"),
        ([1], "classes"),
        ({**LABELS, "classes": ["one"]}, "classes"),
        ({**LABELS, "classes": ["one", "two", "two"]}, "classes"),
        ({**LABELS, "classes": ["one", "two", "three", "four"]}, "classes"),
        ({**LABELS, "unsure": [0.6, 0.4]}, "unsure"),
        ({**LABELS, "threshold": 2}, "threshold"),
        ({**LABELS, "input_size": "128"}, "input_size"),
        ({**LABELS, "crop_margin": None}, "crop_margin"),
        (LABELS, "classifier.tflite is missing"),
    ],
)
def test_missing_and_tampered_labels_are_named(tmp_path, labels, message):
    with pytest.raises(ClassifierError, match=message):
        MaskDetector.load(folder_with(tmp_path, labels), FixedFaces())


def test_a_damaged_classifier_is_named(tmp_path):
    other = assets.fetch("face_mesh").read_bytes()  # a LiteRT file, but none of ours
    for content in (b"", b"no network", other[: len(other) // 2]):
        with pytest.raises(ClassifierError, match="damaged"):
            MaskDetector.load(folder_with(tmp_path, LABELS, content), FixedFaces())
    with pytest.raises(ClassifierError, match="takes 192×192 pixels, but labels.json in the same folder says 128"):
        MaskDetector.load(folder_with(tmp_path, {**LABELS, "input_size": 128}, other), FixedFaces())
    with pytest.raises(ClassifierError, match="two classes"):
        MaskDetector.load(folder_with(tmp_path, LABELS, other), FixedFaces())


def test_live_use_imports_no_tensorflow_and_the_package_alone_no_opencv():
    code = (
        "import sys, maskdet_utils; assert 'cv2' not in sys.modules\n"
        "from maskdet_utils import MaskDetector; import maskdet_utils.live.annotate, maskdet_utils.live.webcam\n"
        "from maskdet_utils.assets import fetch; from maskdet_utils.classifier import LiteClassifier\n"
        "LiteClassifier(fetch('face_mesh')); assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# The tracker


def update(tracker, boxes, odds, crops=None):
    """The next frame for a tracker, every face classified."""
    tracks = tracker.follow(boxes)
    for track, value, crop in zip(tracks, odds, crops or [None] * len(boxes), strict=True):
        tracker.weigh(track, value, crop)
    return tracks


def run(odds, **options):
    """The labels of one face that stays where it is, for log-odds frame by frame."""
    tracker = Tracker(**options)
    return [update(tracker, [(10, 10, 50, 50)], [value])[0].label for value in odds]


def test_a_switch_shows_within_four_frames_and_once():
    labels = run([-5] * 20 + [5] * 20 + [-5] * 20)
    assert labels == sorted(labels[:30], key=lambda label: label == MASKED) + labels[30:]
    assert labels[19] == BARE and labels[23] == MASKED and labels[39] == MASKED and labels[43] == BARE


@pytest.mark.parametrize("wrong", [1, 2])
def test_a_few_wrong_frames_do_not_flicker(wrong):
    assert set(run([5] * 10 + [-9] * wrong + [5] * 10)) == {MASKED}


def test_a_coin_toss_is_called_unsure():
    assert set(run([0.2, -0.3] * 10)) == {None}
    assert run([5] * 10 + [0.1, -0.1] * 40)[-1] is None


def tracker_of_notebook_06():
    """The class that learners read in notebook 06."""
    cells = nbformat.read(ROOT / "notebooks/06_live_webcam_demo.ipynb", as_version=4).cells
    (source,) = [cell.source for cell in cells if cell.source.startswith("class SmallTracker")]
    names = {"np": np, "boxes": boxes}
    exec(source, names)
    return names["SmallTracker"]()


def test_the_tracker_of_notebook_06_and_ours_agree_on_every_switch():
    """Two faces sway; masks go on and off, single frames are wrong, and some frames are undecided."""
    noise = np.random.default_rng(0).normal(0, 0.5, (200, 2))
    truth = np.array([[30 <= frame < 90, frame >= 120] for frame in range(200)])
    odds = np.clip(np.where(truth, 2.5, -2.5) + noise, -2.94, 2.94)
    odds[[45, 60, 75, 150], [0, 0, 0, 1]] *= -1
    odds[100:105] *= 0.1
    small, tracker = tracker_of_notebook_06(), Tracker()
    shown = []
    for frame, values in enumerate(odds):
        sway = round(20 * np.sin(frame / 15))
        faces = [(100 + sway, 80, 60, 70), (300 - sway, 90, 60, 70)]
        theirs = [small.update(box, value) for box, value in zip(faces, values, strict=True)]
        ours = [track.label == MASKED for track in update(tracker, faces, values)]
        shown.append([theirs, ours])
    shown = np.array(shown)
    assert len(small.people) == 2
    for face, switches in enumerate([[30, 90], [120]]):
        for who in (0, 1):
            changes = np.flatnonzero(np.diff(shown[:, who, face])) + 1
            assert len(changes) == len(switches), f"face {face}: {changes}"
            assert all(0 < late <= 4 for late in changes - switches), changes
    assert (shown[:, 0] != shown[:, 1]).mean() < 0.02, "both nearly always show the same"


def test_two_faces_that_move_keep_their_numbers():
    tracker = Tracker()
    first = update(tracker, [(0, 0, 50, 50), (200, 0, 50, 50)], [5, -5])
    for step in range(1, 20):
        boxes = [(200 - 5 * step, 0, 50, 50), (5 * step, 0, 50, 50)] if step < 15 else [(70, 0, 50, 50)]
        tracks = update(tracker, boxes, [-5, 5][: len(boxes)])
        if step < 15:
            assert tracks == first[::-1]


def test_settled_faces_take_turns_and_the_first_doubt_gets_every_frame():
    found, tracker = detector((0, 0, 40, 40), (60, 0, 40, 40), (0, 50, 40, 40), (60, 50, 40, 40)), Tracker()
    looked_at = []
    for number in range(60):
        found.classifier.pixels = []
        labels = {one.label for one in found.track(frame(color=(0, 0, 230 if number < 30 else 20)), tracker)}
        looked_at.append(len(found.classifier.pixels))
        assert number in (30, 31, 32, 33) or labels == {"with_mask" if number < 30 else "without_mask"}
    assert looked_at[:8] == [4] * 8, "a new face is looked at until its label is settled"
    assert looked_at[15:30] == looked_at[50:] + [2] * 5 == [2] * 15, "then half of them in each frame"
    assert looked_at[32:36] == [4] * 4, "and all of them while evidence and label disagree"


def test_a_face_out_of_sight_for_a_moment_is_the_same_person():
    tracker = Tracker(patience=5)
    number = update(tracker, [(0, 0, 50, 50)], [5])[0].number
    for _ in range(5):
        update(tracker, [], [])
    assert update(tracker, [(3, 0, 50, 50)], [5])[0].number == number
    for _ in range(6):
        update(tracker, [], [])
    assert update(tracker, [(3, 0, 50, 50)], [5])[0].number == number + 1


@pytest.fixture(scope="module")
def actor():
    return clips.cast_actors([5], [()])[0]


def crops_of(actor):
    """Crops of the same face: bare, masked, and with a hand of the face's own color before the mask."""
    hand = actor.masked.copy()
    skin = np.median(actor.bare[40:60, 30:60].reshape(-1, 3), axis=0)
    for finger in range(4):
        cv2.line(hand, (26 + 14 * finger, 108), (30 + 11 * finger, 70), (skin * (1 - 0.1 * finger)).tolist(), 11)
    return [fit_to_input(photo, 128) for photo in (actor.bare, actor.masked, hand)]


def test_a_hand_before_the_mask_does_not_take_it_off(actor):
    bare, masked, hand = crops_of(actor)
    tracker = Tracker()
    script = [(-5, bare)] * 10 + [(5, masked)] * 10 + [(-5, hand)] * 40 + [(5, masked)] * 10 + [(-5, bare)] * 10
    labels = [update(tracker, [(0, 0, 50, 50)], [odds], [crop])[0].label for odds, crop in script]
    assert set(labels[14:70]) == {MASKED} and labels[74] == BARE


def test_but_not_for_ever(actor):
    bare, masked, hand = crops_of(actor)
    tracker = Tracker(covered=20)
    script = [(-5, bare)] * 10 + [(5, masked)] * 10 + [(-5, hand)] * 30
    labels = [update(tracker, [(0, 0, 50, 50)], [odds], [crop])[0].label for odds, crop in script]
    assert labels[35] == MASKED and labels[-1] == BARE


def test_everybodys_bare_face_is_kept_up_to_date_when_looked_at_in_every_other_frame_only(actor):
    bare, _, _ = crops_of(actor)
    dimmed, tracker = bare // 2, Tracker()
    for number in range(80):
        for track in tracker.follow([(0, 0, 50, 50), (100, 0, 50, 50)]):
            if tracker.is_due(track):
                tracker.weigh(track, -5, bare if number < 20 else dimmed)
    for track in tracker.tracks:
        assert track.bare_look.mean() == pytest.approx(dimmed.mean(), rel=0.1), track.number


class MovingFace:
    """A face detector whose face moves by 4 pixels to the right and 2 down with each call, and counts its calls."""

    def __init__(self, step):
        self.step, self.calls = step, 0

    def detect(self, frame):
        self.calls += 1
        place = (self.calls - 1) * self.step
        return [Face((10 + 4 * place, 10 + 2 * place, 30, 30), 0.9)]


def test_between_searches_faces_move_on_as_before():
    every_third = MaskDetector(BlueIsMask(), MovingFace(step=3), LABELS["classes"])
    every_third.detect_every = 3
    boxes = [every_third.track(frame(200, 300))[0].box for _ in range(7)]
    assert every_third.face_detector.calls == 3
    assert [box[:2] for box in boxes[:3]] == [(10, 10)] * 3, "the first search knows no motion yet"
    assert [box[:2] for box in boxes[3:6]] == [(22, 16), (26, 18), (30, 20)]
    assert boxes[6][:2] == (34, 22), "the next search agrees"
    assert {box[2:] for box in boxes} == {(30, 30)}


def test_a_guessed_face_keeps_its_number_label_and_score_and_leaves_with_the_frame():
    found = MaskDetector(BlueIsMask(), MovingFace(step=3), LABELS["classes"])
    found.detect_every = 3
    blue = frame(200, 50, color=(0, 0, 240))
    seen = [found.track(blue) for _ in range(6)]
    assert {one.track for faces in seen for one in faces} == {1}
    assert [faces[0].label for faces in seen[4:]] == ["with_mask"] * 2 and seen[4][0].face_score == 0.9
    last = [found.track(blue) for _ in range(6)]
    assert [faces[0].track for faces in last[:4]] == [1] * 4
    assert last[-1] == [] and found.face_detector.calls == 4, "beyond the right edge there is no face to classify"
    with pytest.raises(ValueError, match="RGB uint8"):
        found.track(blue.astype(float))


def test_a_face_that_is_gone_is_not_guessed():
    found = detector((10, 10, 30, 30))
    found.detect_every = 2
    assert len(found.track(frame())) == len(found.track(frame())) == 1
    found.face_detector.boxes = ()
    assert found.track(frame()) == found.track(frame()) == []


def test_between_the_ends_of_the_band_a_photos_face_gets_no_label():
    found = detector((20, 20, 40, 40), unsure=(0.25, 0.75))
    labels = [found.detect(frame(color=(0, 0, blue)))[0].label for blue in (20, 100, 160, 230)]
    assert labels == ["without_mask", "unsure", "unsure", "with_mask"]
    assert found.detect(frame(color=(0, 0, 100)))[0].probability == pytest.approx(1 - 100 / 255, abs=0.01)
    found.unsure = None
    assert found.detect(frame(color=(0, 0, 100)))[0].label == "without_mask"


# Full looks


def looking(quick, full, every=5):
    """A detector whose quick and slow face detectors find what they are told to, and its tracker: a look in 5 frames."""
    found = MaskDetector(BlueIsMask(), FixedFaces(*quick), LABELS["classes"])
    found.full_look = FixedFaces(*full)
    return found, Tracker(seconds=0.5 / every)


def places(detections):
    return sorted(one.box[0] for one in detections)


NEAR, FAR, NEW = (10, 10, 40, 40), (80, 10, 8, 8), (95, 60, 8, 8)


def test_the_first_frame_and_every_nth_get_a_full_look_and_its_faces_stay_in_between():
    found, tracker = looking([NEAR], [NEAR, FAR])
    calls = []
    found.full_look.detect = lambda frame: calls.append(tracker.frame) or [Face(NEAR, 0.9), Face(FAR, 0.6)]
    seen = [found.track(frame(), tracker) for _ in range(12)]
    assert calls == [0, 5, 10]
    assert [places(faces) for faces in seen] == [[10, 80]] * 12
    assert len({one.track for faces in seen for one in faces}) == 2, "they keep their numbers"


def test_a_new_small_face_appears_with_the_next_full_look_and_a_lost_one_leaves_with_it():
    found, tracker = looking([NEAR], [NEAR, FAR])
    seen = []
    for number in range(15):
        if number == 7:
            found.full_look.boxes = NEAR, NEW
        seen.append(places(found.track(frame(), tracker)))
    assert seen == [[10, 80]] * 10 + [[10, 95]] * 5


def test_a_face_that_the_quick_detector_sees_leaves_at_once():
    found, tracker = looking([NEAR], [NEAR])
    seen = []
    for number in range(8):
        if number >= 6:
            found.face_detector.boxes = found.full_look.boxes = ()
        seen.append(places(found.track(frame(), tracker)))
    assert seen == [[10]] * 6 + [[]] * 2


def test_small_faces_move_on_between_full_looks():
    found, tracker = looking([], [(20, 10, 20, 20)])
    seen = []
    for number in range(10):
        if number == 5:
            found.full_look.boxes = ((25, 10, 20, 20),)
        seen += places(found.track(frame(), tracker))
    assert seen == [20] * 5 + [25, 26, 27, 28, 29]


def test_looks_keep_to_half_a_second_but_leave_time_to_the_quick_detector():
    assert [Tracker(seconds=seconds).look_every for seconds in (1 / 60, 1 / 30, 0.1, 0.5)] == [30, 15, 5, 5]


def test_a_photo_gets_a_full_look():
    found, _ = looking([], [FAR])
    assert places(found.detect(frame())) == [80]
    found.full_look = None
    assert found.detect(frame()) == []


def test_auto_looks_twice_and_a_name_decides_by_hand(monkeypatch):
    from maskdet_utils import faces

    monkeypatch.setattr(faces, "face_detector", lambda name: f"the one called {name}")
    found = detector()
    found.choose_faces("auto")
    assert found.face_detector == "the one called auto" and found.full_look == "the one called careful"
    found.choose_faces("yunet")
    assert found.face_detector == "the one called yunet" and found.full_look is None and found.detect_every == 1


# Which way up


class Turned:
    """Says that each face needs this many quarter turns, or that nobody can tell."""

    def __init__(self, turns):
        self.turns = turns

    def quarter_turns(self, frame, box):
        return self.turns


@pytest.fixture
def brightness_on_top():
    """A function: what `upright` says → a detector that calls a face masked if its crop is brighter on top."""

    class Classifier:
        input_size = 32

        def __call__(self, pixels):
            is_bright = pixels[:, :16].mean(axis=(1, 2, 3)) > pixels[:, 16:].mean(axis=(1, 2, 3))
            return np.where(is_bright[:, None], [0.99, 0.01], [0.01, 0.99])

    class OneFace:
        def detect(self, frame):
            return [Face((20.0, 20.0, 40.0, 40.0), 0.9)]

    def make(turns):
        detector = MaskDetector(Classifier(), OneFace(), ["with_mask", "without_mask"], crop_margin=0)
        detector.upright = Turned(turns)
        return detector

    return make


@pytest.mark.parametrize(("turns", "label"), [(0, "with_mask"), (2, "without_mask"), (None, "unsure")])
def test_a_turned_face_is_put_upright_or_called_unsure_in_photos_and_videos(brightness_on_top, turns, label):
    frame = np.zeros((80, 80, 3), np.uint8)
    frame[20:40] = 200
    detector = brightness_on_top(turns)
    assert [found.label for found in detector.detect(frame)] == [label]
    assert [detector.track(frame)[0].label for _ in range(5)][-1] == label


def test_faces_of_the_sample_are_put_upright_whichever_way_they_are_turned(sample_folder):
    upright, frame = Upright(), np.full((240, 240, 3), 128, np.uint8)
    said = []
    for path in sorted((sample_folder / "with_mask").glob("s3*_01.jpg")):
        frame[64:176, 74:166] = read_photo(path)
        for turn in range(4):
            box = (80, 75, 80, 90) if turn % 2 == 0 else (75, 80, 90, 80)
            found = upright.quarter_turns(np.ascontiguousarray(np.rot90(frame, turn)), box)
            said.append(None if found is None else (found + turn) % 4)
    assert len(said) == 40 and said.count(0) >= 34 and len(said) - said.count(0) - said.count(None) <= 1


def test_a_photo_on_its_side_is_turned_and_its_boxes_come_back(brightness_on_top, monkeypatch):
    """The only face, in the photo as it is: 20 pixels wide, 30 high, at (10, 5), bright on the right."""
    frame = np.zeros((60, 90, 3), np.uint8)
    frame[5:35, 10:30] = 100
    frame[5:35, 20:30] = 200
    detector = brightness_on_top(0)

    def find_if_bright_on_top(turned):
        rows, columns = np.nonzero(turned[..., 0])
        box = (columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1)
        is_upright = turned[box[1], box[0], 0] == turned[box[1], box[0] + box[2] - 1, 0] == 200
        return [Face(tuple(map(float, box)), 0.9)] if is_upright else []

    detector.face_detector.detect = find_if_bright_on_top
    for turn in range(4):
        photo = np.ascontiguousarray(np.rot90(frame, turn))
        rows, columns = np.nonzero(photo[..., 0])
        [found] = detector.detect(photo)
        assert found.box == (columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1)
        assert found.label == "with_mask"
    assert detector.detect(np.zeros((60, 90, 3), np.uint8) + 1) == []
