"""`maskdet evaluate`: scores that you can count by hand on made-up folders, and clear errors for unusable folders."""

import json
import math

import numpy as np
import pandas as pd
import pytest

from maskdet_utils.classifier import ClassifierError, load_classifier
from maskdet_utils.datasets import DataError
from maskdet_utils.detector import MaskDetector
from maskdet_utils.evaluate import folder as module
from maskdet_utils.evaluate.folder import evaluate_folder
from maskdet_utils.evaluate.text import as_text
from maskdet_utils.faces import Face
from maskdet_utils.photos import read_ahead

CLASSES = ["with_mask", "without_mask"]
THREE = [*CLASSES, "worn_incorrectly"]
CONFIG = {"classes": CLASSES, "input_size": 32, "threshold": 0.5, "crop_margin": 0.25}


class BlueIsMask:
    """A classifier: the bluer a face, the likelier the mask. With three classes, green is a mask worn incorrectly."""

    input_size = 32

    def __init__(self, n_classes=2):
        self.n_classes, self.seen = n_classes, []

    def __call__(self, pixels):
        assert pixels.dtype == np.float32 and pixels.shape[1:] == (32, 32, 3)
        self.seen += list(pixels)
        red, green, blue = (pixels.mean(axis=(1, 2)) / 255).T
        parts = np.stack([blue, red, green][: self.n_classes], axis=1) + 0.01
        return parts / parts.sum(axis=1, keepdims=True)


@pytest.fixture
def paint(write_photo):
    """A function that writes a crop of one color, with a random sharp texture so that no two are near copies."""
    rng = np.random.default_rng(0)

    def write(path, color, side=60):
        texture = rng.integers(0, 40, (12, 12, 1)).repeat(side // 12, axis=0).repeat(side // 12, axis=1)
        return write_photo(path, (np.array(color) * 0.8 + texture).astype(np.uint8))

    return write


@pytest.fixture
def folder(tmp_path, paint):
    """20 masked faces (2 misclassified), 10 bare faces (1 misclassified), and 4 masks worn incorrectly."""
    folder = tmp_path / "crops"
    blue, red = (0, 60, 200), (200, 60, 0)
    for number in range(20):
        paint(folder / "with_mask" / f"{number:02d}.png", red if number < 2 else blue, side=36 if number < 4 else 84)
    for number in range(10):
        paint(folder / "without_mask" / f"{number:02d}.png", blue if number < 1 else red, side=84)
    for number in range(4):
        paint(folder / "worn_incorrectly" / f"{number:02d}.png", blue if number < 3 else red)
    return folder


@pytest.fixture
def classifier(monkeypatch):
    """The classifier that `evaluate_folder` loads for any model name. Tests may change its `config`."""
    classifier = BlueIsMask()
    classifier.config = dict(CONFIG)
    monkeypatch.setattr(module, "load_classifier", lambda model, **_: (classifier, classifier.config))
    return classifier


def report_of(folder, **more):
    """The report, after a round trip through strict JSON."""
    return json.loads(json.dumps(evaluate_folder("model", folder, **more), allow_nan=False))


def test_scores_are_what_you_count(classifier, folder):
    report = report_of(folder)
    assert report["faces"] == {"with_mask": 20, "without_mask": 10, "worn_incorrectly": 4}
    assert report["accuracy"]["value"] == pytest.approx(27 / 30)
    assert report["recall"]["with_mask"]["value"] == 18 / 20 and report["recall"]["without_mask"]["value"] == 9 / 10
    assert report["balanced_accuracy"]["value"] == pytest.approx(0.9)
    assert report["confusion"] == [[18, 2], [1, 9]]
    assert report["worn_incorrectly_called_with_mask"]["value"] == 3 / 4
    # 84 pixels of crop are 56 of face, 36 are 24.
    assert report["by_size"]["24"]["faces"] == {"with_mask": 20, "without_mask": 10, "worn_incorrectly": 4}
    assert report["by_size"]["48"]["faces"] == {"with_mask": 16, "without_mask": 10, "worn_incorrectly": 0}
    assert report["by_size"]["48"]["recall"]["with_mask"]["value"] == 1
    assert report["by_size"]["48"]["worn_incorrectly_called_with_mask"] is None
    assert report["warning"] is None and report["left_out"] == {"count": 0, "photos": []}
    assert report["groups"] == {"count": 34, "from": "near copies"} and report["mode"] == "crops"
    for name in ("accuracy", "balanced_accuracy", "roc_auc", "expected_calibration_error"):
        assert report[name]["low"] <= report[name]["value"] <= report[name]["high"]


def test_subgroups_hold_every_face_once(classifier, folder):
    report = report_of(folder)
    assert list(report["slices"]) == ["face_size", "blur", "light", "contrast"]
    for bins in report["slices"].values():
        assert sum(sum(subgroup["faces"].values()) for subgroup in bins) == 34
    small = report["slices"]["face_size"][1]
    assert (small["from"], small["to"], small["faces"]["with_mask"]) == (24, 48, 4)
    assert small["recall"]["with_mask"]["value"] == 0.5 and small["recall"]["without_mask"] is None


def test_the_text_says_the_same(classifier, folder):
    text = as_text(report_of(folder))
    assert "34 faces (20 with_mask, 10 without_mask, 4 worn_incorrectly) in 34 groups (near copies)" in text
    (line,) = [line for line in text.splitlines() if line.startswith("worn_incorrectly called with_mask")]
    assert line.split()[3] == "0.750" and line.split()[-1] == "–"
    assert "Worse than chance" not in text
    assert "below 24" in text and "at least 96" in text and "blur" in text


def test_swapped_labels_are_noticed(classifier, folder):
    (folder / "with_mask").rename(folder / "x")
    (folder / "without_mask").rename(folder / "with_mask")
    (folder / "x").rename(folder / "without_mask")
    report = report_of(folder)
    assert report["balanced_accuracy"]["value"] == pytest.approx(0.1)
    assert report["warning"] == "Worse than chance: are the labels swapped?"
    assert as_text(report).endswith(report["warning"])


def test_chance_is_not_mistaken_for_swapped_labels(classifier, folder, paint):
    for number in range(10, 19):
        paint(folder / "without_mask" / f"{number}.png", (0, 60, 200))
    report = report_of(folder)  # 10 of 19 bare faces are wrong
    assert report["recall"]["without_mask"]["value"] < 0.5 and report["warning"] is None


def test_unreadable_and_vanished_photos_are_left_out_and_named(classifier, folder, monkeypatch):
    (folder / "with_mask" / "broken.jpg").write_bytes(b"no photo")
    (folder / "with_mask" / "empty.png").write_bytes(b"")
    read, vanishing = module.read_photo, folder / "without_mask" / "05.png"

    def read_while_a_file_is_deleted(path, **more):
        vanishing.unlink(missing_ok=True)
        return read(path, **more)

    monkeypatch.setattr(module, "read_photo", read_while_a_file_is_deleted)
    report = report_of(folder)
    assert report["faces"] == {"with_mask": 20, "without_mask": 9, "worn_incorrectly": 4} and report["photos"] == 33
    reasons = {one["path"]: one["reason"] for one in report["left_out"]["photos"]}
    assert report["left_out"]["count"] == 3 and reasons["without_mask/05.png"] == "no such file"
    assert reasons["with_mask/empty.png"] == "empty file" and "not a readable photo" in reasons["with_mask/broken.jpg"]
    text = as_text(report)
    assert "left out: 3" in text and "without_mask/05.png: no such file" in text


def test_unknown_class_folders_are_named(classifier, folder, tmp_path, paint):
    paint(folder / "with_masks" / "a.png", (0, 0, 200))
    assert report_of(folder)["notes"] == [
        "Not clear who wears a mask in with_masks/. Use the names with_mask/, without_mask/, worn_incorrectly/ to say so.",
        "Left out, because the classifier does not know them: with_masks/ (1 photos).",
    ]
    paint(tmp_path / "other" / "masked" / "a.png", (0, 0, 200))
    (tmp_path / "other" / "with_mask").mkdir()
    with pytest.raises(
        DataError, match=r"with_mask/, without_mask/, .*Found: with_mask/ \(empty\), masked/ \(1 photos"
    ):
        report_of(tmp_path / "other")
    with pytest.raises(DataError, match="is not a folder"):
        report_of(tmp_path / "nowhere")
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match="Found: no folders"):
        report_of(tmp_path / "none")
    (tmp_path / "other" / "with_mask" / "a.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"None of the 1 photos can be read. with_mask/a.png: empty file"):
        report_of(tmp_path / "other")


def test_other_names_and_layouts(classifier, folder):
    before = report_of(folder)
    (folder / "with_mask").rename(folder / "Mask")
    (folder / "without_mask").rename(folder / "Non Mask")
    (folder / "worn_incorrectly").rename(folder / "mask_weared_incorrect")
    (folder / "Mask" / "notes.txt").write_text("x")
    (folder / "Mask" / "Thumbs.db").write_text("x")
    report = report_of(folder)
    assert report["confusion"] == before["confusion"] and report["faces"] == before["faces"]
    assert report["notes"] == [
        "Read Mask/ as with_mask, Non Mask/ as without_mask, mask_weared_incorrect/ as worn_incorrectly."
    ]
    assert report["left_out"]["photos"] == [{"path": "Mask/notes.txt", "reason": "not a photo"}]


def test_the_test_set_of_a_folder_with_sets(classifier, folder, paint):
    other = folder.parent / "sets" / "archive"
    for name in ("train", "test"):
        paint(other / name / "WithMask" / "x.png", (0, 60, 200))
        paint(other / name / "WithoutMask" / "x.png", (200, 60, 0))
    folder.rename(other / "val")
    report = report_of(other.parent)
    assert report["confusion"] == [[1, 0], [0, 1]]
    assert "Evaluated on the test set. The 36 photos in the other sets were left out." in report["notes"]
    report = report_of(other / "val")
    assert report["confusion"] == [[18, 2], [1, 9]]


def test_names_that_say_nothing_are_refused_with_better_ones(classifier, tmp_path, paint):
    for name in "01":
        paint(tmp_path / "data" / name / "a.png", (0, 0, 200))
    with pytest.raises(DataError) as error:
        report_of(tmp_path / "data")
    words = "Found: 0/ (1 photos), 1/ (1 photos). Not clear who wears a mask in 0/, 1/. Use the names with_mask/, "
    assert words in str(error.value)


def test_one_class_has_no_balanced_accuracy(classifier, tmp_path, paint):
    for number in range(3):
        paint(tmp_path / "a" / "without_mask" / f"{number}.png", (200, 0, 0))
        paint(tmp_path / "b" / "worn_incorrectly" / f"{number}.png", (200, 0, 0))
    report = report_of(tmp_path / "a")
    assert report["balanced_accuracy"] is report["roc_auc"] is report["recall"]["with_mask"] is None
    assert report["accuracy"]["value"] == report["recall"]["without_mask"]["value"] == 1
    assert report["notes"] == [
        "No faces of with_mask. Without a second class, there is no balanced accuracy and no ROC curve."
    ]
    report = report_of(tmp_path / "b")
    assert report["accuracy"] is None and report["worn_incorrectly_called_with_mask"]["value"] == 0
    assert "there is nothing to score" in report["notes"][0] and "–" in as_text(report)


def test_groups_come_from_a_csv_inside_or_outside_the_folder(classifier, folder, tmp_path):
    names = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*.png"))]
    sources = [f"street{number % 7}" for number in range(len(names))]
    in_folder = pd.DataFrame({"path": names, "group": sources})
    beside = pd.DataFrame({"path": [f"crops/{name}" for name in names], "source_photo": sources})
    by_copies = report_of(folder)
    in_folder.to_csv(folder / "groups.csv", index=False)
    report = report_of(folder)
    assert report["groups"] == {"count": 7, "from": "groups.csv: group"}
    assert report["accuracy"]["value"] == by_copies["accuracy"]["value"] and report["accuracy"] != by_copies["accuracy"]
    beside.assign(face_min_side_px=30).to_csv(tmp_path / "crops.csv", index=False)
    report = report_of(folder, groups=tmp_path / "crops.csv")
    assert report["groups"] == {"count": 7, "from": "crops.csv: source_photo"}
    assert sum(report["slices"]["face_size"][1]["faces"].values()) == 34, "sizes from the CSV"


def test_an_unusable_csv_is_named(classifier, folder, tmp_path):
    def with_csv(text):
        (tmp_path / "g.csv").write_text(text)
        report_of(folder, groups=tmp_path / "g.csv")

    with pytest.raises(DataError, match="has no row for with_mask/01.png and 32 more"):
        with_csv("path,group\nwith_mask/00.png,a\n")
    with pytest.raises(
        DataError, match=r"needs the columns path and group \(or source_photo\), but it has path, person"
    ):
        with_csv("path,person\nwith_mask/00.png,a\n")
    with pytest.raises(DataError, match="cannot be read as a CSV"):
        with_csv("")
    with pytest.raises(DataError, match="nowhere.csv does not exist"):
        report_of(folder, groups=tmp_path / "nowhere.csv")


def test_one_group_gives_no_interval(classifier, folder):
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*.png")]
    pd.DataFrame({"path": names, "group": "one"}).to_csv(folder / "groups.csv", index=False)
    report = report_of(folder)
    assert report["accuracy"] == {"value": pytest.approx(0.9), "low": None, "high": None}
    assert "0.900 " in as_text(report)


def test_a_classifier_for_tight_crops_gets_tight_crops(classifier, tmp_path, write_photo):
    framed = np.zeros((150, 150, 3), np.uint8)
    framed[25:125, 25:125] = 200
    write_photo(tmp_path / "with_mask" / "a.png", framed)
    classifier.config |= {"crop_margin": 0}
    report_of(tmp_path)
    assert classifier.seen[-1].min() > 190
    classifier.config |= {"crop_margin": 0.25}
    report_of(tmp_path)
    assert classifier.seen[-1].min() == 0
    classifier.config |= {"crop_margin": 0.5}
    assert (
        "crops with a margin of 50% around the face's box, but these crops show 25%" in report_of(tmp_path)["notes"][0]
    )


def test_three_classes(classifier, folder, paint):
    classifier.n_classes = 3
    classifier.config |= {"classes": THREE}
    for number in range(4, 10):
        paint(folder / "worn_incorrectly" / f"{number:02d}.png", (60, 200, 0))
    report = report_of(folder)
    # Of the ten masks worn incorrectly, 3 are predicted as with_mask, 1 as without_mask, and 6 correctly.
    assert report["confusion"] == [[18, 2, 0], [1, 9, 0], [3, 1, 6]]
    f1 = [2 * 18 / (20 + 22), 2 * 9 / (10 + 12), 2 * 6 / (10 + 6)]
    assert report["macro_f1"]["value"] == pytest.approx(np.mean(f1))
    assert report["macro_f1"]["low"] < report["macro_f1"]["value"] < report["macro_f1"]["high"]
    assert report["recall"]["worn_incorrectly"]["value"] == 0.6
    assert report["two_classes"]["balanced_accuracy"]["value"] == pytest.approx(0.9)
    assert not [name for name in report if name.startswith("worn_incorrectly")]
    text = as_text(report)
    assert "macro F1" in text and "called worn_incorrectly" in text and "as if there were no worn_incorrectly" in text


def test_threshold_and_unsure_range_of_the_run(classifier, folder):
    classifier.config |= {"threshold": 0.99, "unsure": [0.01, 0.99]}
    report = report_of(folder)
    assert report["accuracy"]["value"] == pytest.approx(0.9), "the headline score uses the likelier class"
    assert report["at_threshold"]["recall"]["with_mask"]["value"] == 0
    assert report["at_threshold"]["recall"]["without_mask"]["value"] == 1
    assert report["unsure"]["share"] == 1 and report["unsure"]["of_the_rest"]["accuracy"] is None
    assert "unsure: 100.0% of the faces" in as_text(report)


def test_reading_ahead_keeps_the_order_and_its_limit():
    done, behind = [], []

    def read(number):
        done.append(number)
        return -number

    for number, answer in read_ahead(read, range(50), depth=5):
        behind.append(len(done) - number)
        assert answer == -number
    assert max(behind) <= 7 and sorted(done) == list(range(50))


# Whole photos


class FindsSquares:
    """A face detector: each bright square is a face."""

    def detect(self, frame):
        import cv2

        bright = (frame.max(axis=2) > 100).astype(np.uint8)
        _, _, stats, _ = cv2.connectedComponentsWithStats(bright)
        marks = np.array([[1, 1], [3, 1], [2, 2], [1, 3], [3, 3]], float)
        return [Face(tuple(map(float, row[:4])), 0.9, marks) for row in stats[1:]]


def street(*squares):
    """A dark photo with colored squares, each (color, x, y, side)."""
    photo = np.zeros((200, 300, 3), np.uint8)
    for color, x, y, side in squares:
        photo[y : y + side, x : x + side] = color
    return photo


BLUE, RED = (0, 0, 255), (255, 0, 0)


def test_faces_of_whole_photos_have_the_class_of_their_photo(classifier, tmp_path, write_photo):
    write_photo(tmp_path / "with_mask" / "two.png", street((BLUE, 10, 10, 60), (RED, 150, 20, 30)))
    write_photo(tmp_path / "with_mask" / "none.png", street())
    write_photo(tmp_path / "without_mask" / "one.png", street((RED, 100, 100, 50)))
    report = report_of(tmp_path, detect=True, face_detector=FindsSquares())
    assert report["mode"] == "photos" and report["photos"] == 3
    assert report["faces"] == {"with_mask": 2, "without_mask": 1, "worn_incorrectly": 0}
    assert report["confusion"] == [[1, 1], [0, 1]]
    assert report["without_face"] == {"count": 1, "photos": ["with_mask/none.png"]}
    assert report["by_size"]["48"]["confusion"] == [[1, 0], [0, 1]], "sizes are those of the found boxes"
    assert report["slices"]["turn"][0]["faces"] == report["faces"]
    assert "no face found (of 3 photos): 1\n  with_mask/none.png" in as_text(report)


def test_found_and_labeled_correctly(classifier, tmp_path, write_photo):
    squares = [(BLUE, 10, 10, 60), (RED, 100, 10, 60), (BLUE, 200, 10, 60), (RED, 10, 120, 16), (BLUE, 100, 120, 40)]
    write_photo(tmp_path / "photos" / "a.png", street(*squares))
    write_photo(tmp_path / "photos" / "b.png", street((RED, 20, 20, 50)))
    rows = [
        ("photos/a.png", "with_mask", 12, 12, 60, 60),  # found, correct
        ("photos/a.png", "with_mask", 100, 10, 60, 60),  # found, wrong label
        ("photos/a.png", "worn_incorrectly", 200, 10, 60, 60),  # neutral
        ("photos/a.png", "without_mask", 10, 120, 16, 16),  # found, correct, tiny
        ("./photos/b.png", "without_mask", 100, 20, 50, 50),  # not found; another face is found where no box is
        ("photos/gone.png", "without_mask", 100, 20, 50, 50),
    ]
    table = pd.DataFrame(rows, columns=["path", "label", "x", "y", "width", "height"])
    table.to_csv(tmp_path / "boxes.csv", index=False)
    report = report_of(tmp_path, detect=True, face_detector=FindsSquares())
    assert report["mode"] == "boxes" and report["left_out"]["photos"] == [
        {"path": "photos/gone.png", "reason": "no such file"}
    ]
    assert report["faces"] == {"with_mask": 2, "without_mask": 1, "worn_incorrectly": 1}
    assert report["worn_incorrectly_called_with_mask"]["value"] == 1
    every = report["boxes"]["0"]
    assert (every["found"]["marked"], every["found"]["found"]) == (4, 5)
    assert every["found"]["precision"]["value"] == 3 / 5 and every["found"]["recall"]["value"] == 3 / 4
    assert every["labeled"]["precision"]["value"] == 2 / 5 and every["labeled"]["recall"]["value"] == 2 / 4
    assert every["labeled"]["f1"]["value"] == pytest.approx(4 / 9)
    assert every["labeled"]["f1"]["low"] <= 4 / 9 <= every["labeled"]["f1"]["high"]
    masked, bare = every["by_class"]["with_mask"], every["by_class"]["without_mask"]
    assert (masked["marked"], masked["found"], masked["recall"]["value"]) == (2, 2, 1 / 2)
    assert (bare["marked"], bare["found"], bare["precision"]["value"]) == (2, 3, 1 / 3)
    assert (
        report["boxes"]["20"]["labeled"]["marked"] == 3 and report["boxes"]["20"]["labeled"]["recall"]["value"] == 1 / 3
    )
    assert "worn_incorrectly (1)" in report["notes"][0]
    text = as_text(report)
    assert "found and labeled correctly" in text and "boxes of at least 20 pixels" in text
    elsewhere = report_of(tmp_path / "photos", detect=True, boxes=tmp_path / "boxes.csv", face_detector=FindsSquares())
    assert elsewhere["boxes"] == report["boxes"]


def test_how_much_boxes_must_overlap(classifier, tmp_path, write_photo):
    """The found box of 60×60 pixels lies in a marked one of 90×90: they share 0.44 of their area."""
    write_photo(tmp_path / "a.png", street((BLUE, 20, 20, 60), (RED, 200, 20, 60)))
    lines = "path,label,x,y,width,height", "a.png,with_mask,20,20,90,90", "a.png,without_mask,200,20,60,60"
    (tmp_path / "boxes.csv").write_text("\n".join(lines))
    scores = {}
    for overlap in (0.4, 0.5):
        report = report_of(tmp_path, detect=True, face_detector=FindsSquares(), min_overlap=overlap)
        scores[overlap] = sum(report["faces"].values()), report["boxes"]["20"]["labeled"]["f1"]["value"]
        assert report["min_overlap"] == overlap and f"overlap by at least {overlap}." in as_text(report)
    assert scores == {0.4: (2, 1), 0.5: (1, 0.5)}


def test_boxes_from_a_voc_folder_and_a_photo_without_faces(classifier, tmp_path, write_photo):
    write_photo(tmp_path / "photos" / "a.png", street((BLUE, 10, 10, 60)))
    write_photo(tmp_path / "photos" / "b.png", street((RED, 20, 20, 50)))
    (tmp_path / "annotations").mkdir()
    box = "<bndbox><xmin>10</xmin><ymin>10</ymin><xmax>70</xmax><ymax>70</ymax></bndbox>"
    for name, faces in {"a": f"<object><name>Mask</name>{box}</object>", "b": "", "gone": ""}.items():
        text = f"<annotation><filename>{name}.jpg</filename>{faces}</annotation>"
        (tmp_path / "annotations" / f"{name}.xml").write_text(text)
    report = report_of(tmp_path, detect=True, boxes=tmp_path / "annotations", face_detector=FindsSquares())
    assert report["mode"] == "boxes" and report["photos"] == 2
    assert report["left_out"]["photos"] == [{"path": "gone.jpg", "reason": f"no such photo in {tmp_path}"}]
    found = report["boxes"]["0"]["found"]
    assert (found["marked"], found["found"], found["precision"]["value"]) == (1, 2, 1 / 2)
    assert report["notes"][0] == "Read Mask as with_mask."


def test_invalid_boxes_and_photos_without_any_face(classifier, tmp_path, write_photo):
    write_photo(tmp_path / "with_mask" / "a.png", street())
    with pytest.raises(DataError, match="No face was found in the 1 photos .* leave out --detect"):
        report_of(tmp_path, detect=True, face_detector=FindsSquares())

    def with_boxes(text):
        (tmp_path / "b.csv").write_text(text)
        report_of(tmp_path, detect=True, boxes=tmp_path / "b.csv", face_detector=FindsSquares())

    with pytest.raises(DataError, match="lacks the columns width, height. It has path, label, x, y"):
        with_boxes("path,label,x,y\na.png,with_mask,1,2\n")
    with pytest.raises(
        DataError, match="b.csv, line 3: expected a path, a label, x, y, .* found 'a.png, with_mask, 1, 2, 0, 4'"
    ):
        with_boxes("path,label,x,y,width,height\na.png,with_mask,1,2,3,4\na.png,with_mask,1,2,0,4\n")
    with pytest.raises(DataError, match="marks no faces as with_mask or without_mask, only as helmet"):
        with_boxes("path,label,x,y,width,height\na.png,helmet,1,2,3,4\n")
    with pytest.raises(DataError, match="None of the 1 photos can be read. nowhere.png: no such file"):
        with_boxes("path,label,x,y,width,height\nnowhere.png,with_mask,1,2,3,4\n")


# End to end, with files


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory):
    """`classifier.tflite`, `classifier.keras` and `labels.json` of the same blue-is-mask classifier."""
    from maskdet_utils.export import to_litert
    from maskdet_utils.model import keras

    folder = tmp_path_factory.mktemp("run")
    pixels = keras.Input((32, 32, 3))
    mean = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(pixels))
    dense = keras.layers.Dense(2, activation="softmax")
    model = keras.Model(pixels, dense(mean))
    dense.set_weights([np.float32([[0, 5], [0, 0], [5, 0]]), np.zeros(2, np.float32)])
    model.save(folder / "classifier.keras")
    to_litert(model, folder / "classifier.tflite")
    (folder / "labels.json").write_text(json.dumps(CONFIG))
    return folder


def test_a_run_and_its_files_give_equal_scores(model_folder, folder):
    reports = [evaluate_folder(model_folder / name, folder) for name in ("", "classifier.tflite", "classifier.keras")]
    for report in reports:
        assert report["confusion"] == [[18, 2], [1, 9]]
        for name in ("accuracy", "roc_auc", "expected_calibration_error"):
            assert report[name]["value"] == pytest.approx(reports[0][name]["value"], abs=1e-5)
    assert reports[1]["model"].endswith("classifier.tflite")
    assert MaskDetector.load(model_folder / "classifier.tflite", FindsSquares()).classes == CLASSES


def test_unusable_models_are_refused(model_folder, folder, tmp_path):
    with pytest.raises(ClassifierError, match="labels.json is missing"):
        evaluate_folder(tmp_path / "nowhere", folder)
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(
        ClassifierError, match="notes.txt is not a classifier. Give a run folder, a .tflite file, or a .keras file"
    ):
        evaluate_folder(tmp_path / "notes.txt", folder)
    (tmp_path / "labels.json").write_text(json.dumps(CONFIG))
    with pytest.raises(ClassifierError, match="other.tflite is missing"):
        load_classifier(tmp_path / "other.tflite")
    whole = (model_folder / "classifier.keras").read_bytes()
    (tmp_path / "cut.keras").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ClassifierError, match="cut.keras is damaged: it is not a Keras classifier"):
        load_classifier(tmp_path / "cut.keras")
    (tmp_path / "classifier.tflite").write_bytes((model_folder / "classifier.tflite").read_bytes())
    (tmp_path / "labels.json").write_text(json.dumps(CONFIG | {"classes": THREE}))
    with pytest.raises(ClassifierError, match="gives 2 probabilities for three classes"):
        load_classifier(tmp_path)


def test_the_command(model_folder, folder, run_maskdet):
    done = run_maskdet("evaluate", "--model", model_folder, folder, "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["schema_version"] == 1 and report["accuracy"]["value"] == pytest.approx(0.9)
    assert list(report["seconds"]) == ["looking", "intervals"] and math.isfinite(report["faces_per_second"])
    done = run_maskdet("evaluate", "--model", model_folder / "classifier.tflite", folder, "--turn")
    assert done.returncode == 0 and "balanced accuracy" in done.stdout and "not known" in done.stdout, done.stderr


def test_the_command_says_what_is_wrong(model_folder, folder, tmp_path, run_maskdet):
    for code, arguments, words in [
        (1, [tmp_path / "nowhere", "--model", model_folder], "is not a folder"),
        (1, [folder, "--model", tmp_path / "nowhere"], "labels.json is missing"),
        (2, [folder, "--model", model_folder, "--boxes", "b.csv"], "together with --detect"),
        (2, [folder, "--model", model_folder, "--margin", "-1"], "from 0 to 2"),
    ]:
        done = run_maskdet("evaluate", *arguments)
        assert done.returncode == code and words in done.stderr and "Traceback" not in done.stderr, done.stderr


def test_no_tensorflow_without_a_keras_file(model_folder, folder):
    import subprocess
    import sys

    code = (
        "import sys; from maskdet_utils.cli import main; "
        f"assert main(['evaluate', {str(folder)!r}, '--model', {str(model_folder)!r}]) == 0; "
        "assert 'tensorflow' not in sys.modules and 'keras' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
