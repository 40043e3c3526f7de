"""What is drawn on frames: boxes, labels that hide no face and stay in their places, signs, and the legend."""

import json
import shutil
import subprocess

import numpy as np
import pytest
from conftest import ROOT

from maskdet_utils import drawing
from maskdet_utils.classifier import CLASSIFIER, LABELS, RELEASED, ClassifierError, by_meaning, load_classifier
from maskdet_utils.detector import Detection, MaskDetector
from maskdet_utils.drawing import NEUTRAL_STYLES, SMALLEST_LETTER, STYLES, caption, draw
from maskdet_utils.live import labels as live_labels
from maskdet_utils.live.labels import PATIENCE, Labels

CLASSES = ["with_mask", "without_mask"]


def people(boxes, tracks=False):
    """Detections with these boxes, every other one with a mask."""
    return [
        Detection(tuple(map(int, box)), CLASSES[number % 2], 0.98, 0.9, number + 1 if tracks else None)
        for number, box in enumerate(boxes)
    ]


def crowd(count=30, width=640, height=400, seed=0):
    """Faces of 20 to 50 pixels that overlap by little."""
    rng, boxes = np.random.default_rng(seed), []
    while len(boxes) < count:
        side = int(rng.integers(20, 50))
        box = (*rng.integers(0, (width - side, height - 1.2 * side)).tolist(), side, int(1.2 * side))
        if all(overlap(box, other) < 0.1 * side * side for other in boxes):
            boxes.append(box)
    return boxes


def overlap(one, other):
    sides = [min(one[i] + one[i + 2], other[i] + other[i + 2]) - max(one[i], other[i]) for i in (0, 1)]
    return max(0, sides[0]) * max(0, sides[1])


def hidden(faces, labels):
    """The largest share of each face, without a tenth at each edge, that one label hides."""
    inner = [(x + 0.1 * width, y + 0.1 * height, 0.8 * width, 0.8 * height) for x, y, width, height in faces]
    return [max(overlap(face, label.box) for label in labels) / (face[2] * face[3]) for face in inner]


def assert_readable(faces, labels, width, height):
    for number, label in enumerate(labels):
        left, top, label_width, label_height = label.box
        assert left >= 0 and top >= 0 and left + label_width <= width and top + label_height <= height
        assert label.letter >= SMALLEST_LETTER if label.text else min(label.box[2:]) >= SMALLEST_LETTER
        assert all(overlap(label.box, other.box) == 0 for other in labels[:number])


@pytest.mark.parametrize("seed", range(5))
def test_no_label_hides_a_face_of_a_crowd(seed):
    faces = crowd(seed=seed)
    labels = Labels(CLASSES).place(people(faces), (400, 640))
    assert_readable(faces, labels, 640, 400)
    assert max(hidden(faces, labels)) == 0
    assert {bool(label.text) for label in labels} == {True, False}, "a text where there is room, or else a sign"


def test_where_no_place_is_free_little_is_hidden():
    faces = [(24 * column, 30 * row, 24, 30) for row in range(6) for column in range(8)]  # a wall of faces
    frame = np.full((180, 192, 3), 128, np.uint8)
    labels = Labels(CLASSES).place(people(faces), frame.shape)
    assert not any(label.text for label in labels)
    assert max(hidden(faces, labels)) <= 0.3


def test_a_label_is_as_large_as_its_face_needs_and_not_as_its_photo():
    small = [
        Labels(CLASSES).place(people([(200, 150, 30, 36)]), shape)[0]
        for shape in [(400, 600), (4000, 6000), (40000, 600)]
    ]
    assert small[0] == small[1] == small[2] and small[0].text == "with mask 98%" and small[0].letter == SMALLEST_LETTER
    (large,) = Labels(CLASSES).place(people([(2000, 1500, 600, 700)]), (4000, 6000))
    assert large.letter == 60 and 300 < large.box[2] < 1200


@pytest.mark.parametrize("corner", [(0, 0), (560, 0), (0, 380), (560, 380), (280, 0), (280, 380), (0, 190), (560, 190)])
def test_a_label_at_the_frames_edge_is_whole_and_beside_the_face(corner):
    faces = [(*corner, 80, 100)]
    labels = Labels(CLASSES).place(people(faces), (480, 640))
    assert_readable(faces, labels, 640, 480)
    assert labels[0].text and hidden(faces, labels) == [0]


def test_on_a_face_as_large_as_the_frame_the_text_is_a_narrow_strip():
    faces = [(0, 0, 640, 480)]
    labels = Labels(CLASSES).place(people(faces), (480, 640))
    assert_readable(faces, labels, 640, 480)
    assert labels[0].text and labels[0].letter > 20 and labels[0].box[3] <= 480 / 8


def test_texts_of_neighbors_do_not_touch():
    faces = [(100 + 70 * number, 100, 60, 70) for number in range(4)]
    labels = Labels(CLASSES).place(people(faces), (300, 500))
    assert_readable(faces, labels, 500, 300)
    assert max(hidden(faces, labels)) == 0 and sum(bool(label.text) for label in labels) >= 2


# In videos


def changes(place_of, frames):
    """How often a label changes its place, its kind, or its size."""
    seen = [[(label.place, bool(label.text), label.letter) for label in place_of(faces)] for faces in frames]
    return sum(
        before != after
        for one, other in zip(seen, seen[1:], strict=False)
        for before, after in zip(one, other, strict=True)
    )


def trembling(boxes, count=60):
    rng = np.random.default_rng(1)
    return [[np.add(box, rng.integers(-2, 3, 4)).clip(0) for box in boxes] for _ in range(count)]


def test_labels_of_a_trembling_crowd_stay_where_they_are():
    frames = trembling(crowd())
    labels = Labels(CLASSES)
    steady = changes(lambda faces: labels.place(people(faces, tracks=True), (400, 640)), frames)
    jumping = changes(lambda faces: Labels(CLASSES).place(people(faces), (400, 640)), frames)
    assert steady < 0.03 * 30 * 59 and steady < jumping / 8, (steady, jumping)


def test_the_order_of_the_detections_does_not_matter():
    frames = trembling(crowd(12), 10)
    labels, found = Labels(CLASSES), []
    for number, faces in enumerate(frames):
        shown = people(faces, tracks=True)
        shown = shown[number:] + shown[:number]
        found.append({face.track: label for face, label in zip(shown, labels.place(shown, (400, 640)), strict=True)})
    moved = sum(
        one[track].place != other[track].place for one, other in zip(found, found[1:], strict=False) for track in one
    )
    assert moved <= 3


def test_a_label_gives_way_to_a_passing_face_and_does_not_jump_back():
    labels, places = Labels(CLASSES), []
    for x in range(0, 500, 5):
        faces = people([(240, 200, 60, 70), (x, 130, 60, 60)], tracks=True)  # the second one passes above the first one
        first, second = labels.place(faces, (400, 640))
        assert overlap(first.box, faces[1].box) == 0 == overlap(second.box, faces[0].box)
        places.append((first.place, bool(first.text)))
    assert places[0] == (0, True) and 1 <= sum(a != b for a, b in zip(places, places[1:], strict=False)) <= 2


def test_a_sign_becomes_a_text_only_when_there_has_been_room_for_a_while():
    labels, alone = Labels(CLASSES), [(60, 60, 24, 30)]
    surrounded = alone + [
        (60 + 30 * x, 60 + 36 * y, 24, 30) for x in (-2, -1, 0, 1, 2) for y in (-1, 0, 1) if (x, y) != (0, 0)
    ]
    assert not labels.place(people(surrounded, tracks=True), (180, 170))[0].text
    kinds = [bool(labels.place(people(alone, tracks=True), (180, 170))[0].text) for _ in range(PATIENCE + 5)]
    assert kinds.index(True) == PATIENCE - 1 and all(kinds[PATIENCE:])


def test_the_legend_stays_in_its_place():
    labels, seen = Labels(CLASSES), []
    for faces in trembling(crowd(), 20):
        labels.draw(np.zeros((400, 640, 3), np.uint8), people(faces, tracks=True))
        seen.append(labels._spot)
    assert len(set(seen)) <= 2


PANEL = """
import { readFileSync } from "node:fs";

const source = readFileSync(process.argv[2], "utf8");
const { placeLabels } = await import(`data:text/javascript,${encodeURIComponent(source)}`);
const measure = (text, letter) => [letter * Math.floor(text.length / 2) + letter, Math.floor(1.8 * letter)];
const answers = [];
let before = [];
for (const { faces, texts } of JSON.parse(readFileSync(process.argv[3]))) {
  before = placeLabels(faces, texts, [640, 400], faces.map((_, number) => before[number]), measure);
  answers.push(before.map(({ text, box, letter, place, roomy }) => [text, box, letter, place, roomy]));
}
console.log(JSON.stringify(answers));
"""


@pytest.mark.skipif(not shutil.which("node"), reason="needs Node")
def test_the_panel_places_labels_as_we_do(tmp_path, monkeypatch):
    monkeypatch.setattr(
        drawing, "label_size", lambda text, letter: (letter * (len(text) // 2) + letter, int(1.8 * letter))
    )
    rng = np.random.default_rng(2)
    large = [(rng.integers(0, 400), rng.integers(0, 200), *rng.integers(60, 200, 2)) for _ in range(5)]
    videos = [crowd(), crowd(60, seed=1), [*large, *crowd(8, seed=2)]]
    scenes = [np.array(faces).round().astype(int).tolist() for video in videos for faces in trembling(video, 20)]
    scenes = [
        {"faces": faces, "texts": ["with mask 98%", "unsure"] * (len(faces) // 2) + ["0"] * (len(faces) % 2)}
        for faces in scenes
    ]
    (tmp_path / "scenes.json").write_text(json.dumps(scenes))
    (tmp_path / "panel.mjs").write_text(PANEL)
    script = ROOT / "maskdet_utils" / "live" / "labels.js"
    command = ["node", tmp_path / "panel.mjs", script, tmp_path / "scenes.json"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    before = []
    for scene, answers in zip(scenes, json.loads(done.stdout), strict=True):
        old = [before[number] if number < len(before) else None for number in range(len(scene["faces"]))]
        before = live_labels.place(scene["faces"], scene["texts"], (400, 640), old)
        for ours, theirs in zip(before, answers, strict=True):
            assert [ours.text, list(ours.box), ours.letter, ours.place, ours.roomy] == theirs


# What is drawn


def test_drawing_leaves_the_frame_alone_and_the_face_as_well():
    frame = np.full((200, 300, 3), 128, np.uint8)
    face = [Detection((100, 80, 60, 70), "with_mask", 0.97, 0.9)]
    for marked in (draw(frame, face, CLASSES), Labels(CLASSES).draw(frame, face)):
        assert (frame == 128).all() and marked.shape == frame.shape
        assert (marked[80:150, 100:160] == 128).all(), "lines and label are around the face"
        assert (marked[115, 90:100] == STYLES[0][0]).all(axis=1).any()


@pytest.mark.parametrize("size", [(12, 10), (112, 92), (480, 640), (2160, 3840)])
@pytest.mark.parametrize("label", [*CLASSES, "worn_incorrectly", "unsure"])
def test_drawing_works_at_every_size_and_place(size, label):
    height, width = size
    frame = np.zeros((height, width, 3), np.uint8)
    classes = [*CLASSES, "worn_incorrectly"]
    for box in [(0, 0, width, height), (width - 1, height - 1, 1, 1), (0, height // 2, width // 2, 3)]:
        face = [Detection(box, label, 0.8, 0.9)]
        assert draw(frame, face, classes).any() and Labels(classes).draw(frame, face).any()


@pytest.mark.parametrize("width", [92, 276, 640])
def test_the_frame_cuts_no_text_off(width, monkeypatch):
    written = []
    monkeypatch.setattr(drawing, "write", lambda frame, *label: written.append(label))
    face = [Detection((width // 20, 20, width * 9 // 10, 200), "without_mask", 0.99, 0.9)]
    frame = np.zeros((240, width, 3), np.uint8)
    draw(frame, face, CLASSES)
    Labels(CLASSES).draw(frame, face)
    for text, (left, top), letter, _ in written:
        assert left >= 0 and top >= 0 and left + drawing.label_size(text, letter)[0] <= width, (text, left, letter)


def test_each_label_has_its_own_line_words_and_sign():
    frame = np.zeros((300, 400, 3), np.uint8)
    pictures = [
        draw(frame, [Detection((100, 80, 200, 180), label, 0.8, 0.9)], CLASSES) for label in (*CLASSES, "unsure")
    ]
    column = next(x for x in range(90, 100) if (pictures[0][150, x] == STYLES[0][0]).all())
    on_the_line = [(picture[90:250, column].min(axis=1) < 200) for picture in pictures]
    assert on_the_line[0].all() and 0.3 < on_the_line[1].mean() < 0.9 and on_the_line[2].mean() < 0.9
    assert caption(Detection((0, 0, 1, 1), "with_mask", 1.0, 0.9)) == "with mask 99%"
    assert caption(Detection((0, 0, 1, 1), "unsure", 0.6, 0.9)) == "unsure"
    signs = set()
    for style in (*STYLES, *NEUTRAL_STYLES, drawing.UNSURE_STYLE):
        sign = np.zeros((11, 11, 3), np.uint8)
        live_labels.draw_sign(sign, style, (0, 0, 11, 11))
        white = sign.min(axis=2) > 150
        assert (sign[0, 0] == style[0]).all() and not white[0].any() and 0.05 < white.mean() < 0.6
        signs.add(white.tobytes())
    assert len(signs) == 7


def test_signs_are_explained_at_the_edge_and_only_there():
    frame = np.full((400, 640, 3), 128, np.uint8)
    marked = Labels(CLASSES).draw(frame, people(crowd()))
    legend = (marked == live_labels.LEGEND_COLOR).all(axis=2)
    rows, columns = np.nonzero(legend)
    assert legend.any() and (rows.max() == 399 or rows.min() == 0 or columns.min() < 20 or columns.max() == 639)
    alone = Labels(CLASSES).draw(frame, people([(300, 200, 40, 50)]))
    assert not (alone == live_labels.LEGEND_COLOR).all(axis=2).any()


def test_white_text_can_be_read_on_every_color():
    def luminance(color):
        parts = np.array(color) / 255
        parts = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return parts @ (0.2126, 0.7152, 0.0722)

    for color, _ in (*STYLES, *NEUTRAL_STYLES, drawing.UNSURE_STYLE):
        assert 1.05 / (luminance(color) + 0.05) >= 4.5, color


# The style follows the meaning


MEANINGS = [
    (["with_mask", "without_mask", "worn_incorrectly"], [0, 1, 2]),
    (["AFDB_face_dataset", "AFDB_masked_face_dataset"], [1, 0]),
    (["mask_weared_incorrect", "with_mask", "without_mask"], [2, 0, 1]),
    (["incorrect_mask", "bare", "mask"], [2, 1, 0]),
    (["mask_on_chin", "mask", "nomask"], [2, 0, 1]),
    (["no_mask", "mask"], [1, 0]),
    (["bare", "masked"], [1, 0]),
    (["WithMask", "WithoutMask"], [0, 1]),
    (["WITHOUTMASK", "WITHMASK"], [1, 0]),
    (["Mask", "Non Mask"], [0, 1]),
    (["face_no_mask", "face_with_mask"], [1, 0]),
    (["not wearing a mask", "wearing a mask"], [1, 0]),
    (["facemask", "no face mask"], [0, 1]),
    (["mask_off", "mask_on"], [1, 0]),
    (["maskless", "mask"], [1, 0]),
    (["unmasked", "masked"], [1, 0]),
    (["mask", "w/o mask"], [0, 1]),
    (["with", "without"], [0, 1]),
]


@pytest.mark.parametrize(("names", "styles"), MEANINGS)
def test_the_class_that_says_mask_has_the_calm_style(names, styles):
    found = drawing.styles_of(names)
    assert [found[name] for name in names] == [STYLES[style] for style in styles]
    assert by_meaning(names) == ([names[styles.index(number)] for number in range(len(names))], names[styles.index(0)])


@pytest.mark.parametrize("names", [["0", "1"], ["cat", "dog"], ["surgical_mask", "cloth_mask"], ["bare", "no_mask"]])
def test_names_that_do_not_tell_get_neutral_styles_until_the_user_tells(names):
    assert list(drawing.styles_of(names).values()) == list(NEUTRAL_STYLES[:2])
    assert by_meaning(names) == (names, None)
    assert drawing.styles_of(names, names[1]) == {names[1]: STYLES[0], names[0]: STYLES[1]}


def a_run(folder, **labels):
    """The released classifier under other names."""
    shutil.copy(RELEASED / CLASSIFIER, folder)
    config = json.loads((RELEASED / LABELS).read_text()) | labels
    (folder / LABELS).write_text(json.dumps(config))
    return folder


def test_the_threshold_is_about_the_class_that_means_mask(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (3, 160, 160, 3)).astype(np.float32)
    released, _ = load_classifier(RELEASED)
    run = a_run(tmp_path, classes=["bare", "masked", "mask_below_nose"], threshold=0.01, unsure=[0.005, 0.006])
    classifier, config = load_classifier(run)
    assert config["classes"] == ["masked", "bare", "mask_below_nose"] and config["mask_class"] == "masked"
    np.testing.assert_allclose(classifier(pixels), released(pixels)[:, [1, 0, 2]])
    frame = np.random.default_rng(0).integers(0, 255, (90, 90, 3), dtype=np.uint8)

    class OneFace:
        def detect(self, frame):
            from maskdet_utils.faces import Face

            return [Face((20, 20, 50, 50), 0.9)]

    detector = MaskDetector.load(run, OneFace())
    probabilities, _ = detector.classify(frame, [(20, 20, 50, 50)])
    other = config["classes"][1 + probabilities[0, 1:].argmax()]
    for threshold, label in [(0.9 * probabilities[0, 0], "masked"), (min(0.999, 1.1 * probabilities[0, 0]), other)]:
        detector.threshold, detector.unsure = float(threshold), None
        (face,) = detector.detect(frame)
        assert face.label == label


def test_labels_json_or_the_user_may_say_which_class_means_mask(tmp_path):
    run = a_run(tmp_path, classes=["0", "1", "2"])
    assert load_classifier(run)[1]["classes"] == ["0", "1", "2"] and load_classifier(run)[1]["mask_class"] is None
    assert load_classifier(run, mask_class="1")[1]["classes"] == ["1", "0", "2"]
    with pytest.raises(ClassifierError, match="No class of .* is called 'mask'. It has 0, 1, 2"):
        load_classifier(run, mask_class="mask")
    a_run(tmp_path, classes=["0", "1", "2"], mask_class="1")
    assert load_classifier(run)[1]["classes"] == ["1", "0", "2"] and MaskDetector.load(run, object()).mask_class == "1"
    assert load_classifier(run, mask_class="0")[1]["classes"] == ["0", "1", "2"]
    a_run(tmp_path, classes=["0", "1", "2"], mask_class="3")
    with pytest.raises(ClassifierError, match="mask_class"):
        load_classifier(run)


def test_the_commands_take_the_users_word_for_it(tmp_path, write_photo, capsys):
    from maskdet_utils.cli import main

    run = a_run(tmp_path, classes=["0", "1", "2"], threshold=0.6)
    for name in ("0", "1"):
        write_photo(tmp_path / "faces" / name / "a.png")
    first = {}
    for more in ([], ["--mask-class", "1"]):
        assert main(["evaluate", str(tmp_path / "faces"), "--model", str(run), "--json", *more]) == 0
        report = json.loads(capsys.readouterr().out)
        first[tuple(more)] = report["classes"][0]
        assert main(["evaluate", str(tmp_path / "faces"), "--model", str(run), *more]) == 0
        assert f"{report['classes'][0]} at a threshold of 0.6" in capsys.readouterr().out
    assert list(first.values()) == ["0", "1"]
    photo = str(tmp_path / "faces" / "0" / "a.png")
    for more, status in ((["--mask-class", "1"], 0), (["--mask-class", "mask"], 1)):
        assert main(["annotate", photo, "--model", str(run), "--json", *more]) == status
    assert "No class of" in capsys.readouterr().err
