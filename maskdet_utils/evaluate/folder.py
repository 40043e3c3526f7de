"""Evaluate a classifier on a folder of photos: the work of `maskdet evaluate`.

class folders of crops ──► read, fit, measure (threads) ──► classifier (batches) ──► Predictions ──► report
whole photos ──► face detector ──► crops ──► classifier ─────────────────────────────┘
"""

import math
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from .. import datasets, faces
from ..boxes import clip_box, crop_face
from ..classifier import ClassifierError, at_threshold, load_classifier
from ..datasets import WORN_WRONG, DataError
from ..detector import MaskDetector
from ..layouts import class_folders
from ..photos import PhotoError, fit_to_input, letterbox, read_ahead, read_photo
from . import subgroups
from .annotations import read_annotations
from .matching import MIN_IOU, match
from .metrics import SMALLEST_BOXES, count_boxes, metrics_report

BOXES_FILE = "boxes.csv"
BATCH = 32


@dataclass
class Predictions:
    """A classifier's predictions for the faces of a folder.

    Attributes:
        faces: One row per face: `path` of its photo, `label` (the true class), `group`, `face_size` (the shorter side
            of its box in pixels), and the other measures of `subgroups`.
        probabilities: `(faces, classes)`, in the order of `faces`.
        groups_from: Where the groups are from, as text: a file and its column, or "near copies".
        photos: How many photos could be read.
        left_out: `path` and `reason` of each photo that could not be read.
        notes: Sentences for the reader of the report.
        without_face: Paths of the photos in which no face was found. None for face crops.
        boxes: The counts of `metrics.count_boxes` for each photo and each of `SMALLEST_BOXES`, int
            `(photos, sizes, classes + 1, 3)`. None without ground-truth boxes.
        box_groups: The group of each photo in `boxes`.
    """

    faces: pd.DataFrame
    probabilities: np.ndarray
    groups_from: str
    photos: int
    left_out: list[dict]
    notes: list[str]
    without_face: list[str] | None = None
    boxes: np.ndarray | None = None
    box_groups: list[str] = field(default_factory=list)


def evaluate_folder(
    model,
    folder,
    *,
    detect=False,
    groups=None,
    margin=0.25,
    turn=False,
    boxes=None,
    face_detector="careful",
    mask_class=None,
    min_overlap=MIN_IOU,
) -> dict:
    """Evaluate a classifier on a folder of photos.

    Args:
        model: A run folder, or a .tflite or .keras file, see `classifier.load_classifier`.
        folder: Holds the class folders `with_mask/`, `without_mask/`, and possibly `worn_incorrectly/`. For other names
            and layouts that are understood, see `class_photos`.
        detect: True for whole photos, see `predict_photos`. By default the photos are face crops, see `predict_crops`.
        groups: A CSV, see `find_groups`.
        margin: For crops, see `predict_crops`.
        turn: For crops, see `predict_crops`.
        boxes: For whole photos, see `predict_photos`.
        face_detector: For whole photos, a name (see `faces.face_detector`) or an object with the method `detect`.
        mask_class: The class that means "mask", see `classifier.load_classifier`.
        min_overlap: For whole photos with ground-truth boxes, see `predict_photos`.

    Returns:
        The report of `metrics.metrics_report`, together with `schema_version`, `model`, `folder`, `mode` ("crops",
        "photos", or "boxes"), `min_overlap` (None without ground-truth boxes), `seconds`, and `faces_per_second`. JSON
        can hold it.

    Raises:
        DataError: There is no photo or no face to evaluate on, or a CSV is unusable.
        ClassifierError: The classifier is unusable.
    """
    start = time.perf_counter()
    model, folder = Path(model).resolve(), Path(folder)
    classifier, config = load_classifier(model, mask_class=mask_class)
    if detect:
        finder = faces.face_detector(face_detector) if isinstance(face_detector, str) else face_detector
        detector = MaskDetector(
            classifier, finder, config["classes"], threshold=config["threshold"], crop_margin=config["crop_margin"]
        )
        predictions = predict_photos(detector, folder, groups, boxes, min_overlap=min_overlap)
    else:
        predictions = predict_crops(classifier, config, folder, groups=groups, margin=margin, turn=turn)
    if not np.isfinite(predictions.probabilities).all():
        raise ClassifierError(
            f"{model} gives NaN for some photos: it is damaged, or it was trained with too large steps."
        )
    predicted = time.perf_counter()
    report = metrics_report(predictions, config)
    return {
        "schema_version": 1,
        "model": str(model),
        "folder": str(folder),
        "mode": "crops" if not detect else "photos" if predictions.boxes is None else "boxes",
        "min_overlap": min_overlap if predictions.boxes is not None else None,
        **report,
        "seconds": {"looking": round(predicted - start, 2), "intervals": round(time.perf_counter() - predicted, 2)},
        "faces_per_second": round(len(predictions.faces) / (predicted - start), 1),
    }


def predict_crops(classifier, config: dict, folder: Path, *, groups=None, margin=0.25, turn=False) -> Predictions:
    """Classify face crops in class folders.

    Only a batch of photos is in memory at once, so memory use grows by no more than one table row per photo.

    Args:
        classifier: A function from pixels to probabilities, see `classifier.load_classifier`.
        config: The classifier's config, see `classifier.read_config`.
        folder: Holds the class folders.
        groups: A CSV that says which photos belong together, see `find_groups`.
        margin: How much the crops show around the face's box on each side, in box sizes. If the classifier needs less,
            the crops are trimmed.
        turn: Also measure how far heads are turned. A face detector then searches every crop, which takes several times
            as long as everything else.

    Raises:
        DataError: There are no class folders with photos, no photo can be read, or the CSV is unusable.
    """
    labels, left_out, notes = class_photos(folder, config["classes"])
    if config["crop_margin"] > margin:
        notes.append(
            f"The classifier was trained on crops with a margin of {config['crop_margin']:.0%} around the face's box, "
            f"but these crops show {margin:.0%}. It may do better on whole photos."
        )
    detector = faces.DETECTORS["centerface"]() if turn else None
    read = partial(_read_crop, folder, config=config, margin=margin, turn=turn)
    rows, batch, probabilities = [], [], []
    for name, (pixels, measures, small) in _read_all(read, list(labels), 2 * BATCH, "classifying", left_out):
        if detector:
            found = detector.detect(small)
            measures["turn"] = subgroups.head_turn(found[0].landmarks if found else None)
        rows.append({"path": name, "label": labels[name], **measures})
        batch.append(pixels)
        if len(batch) == BATCH:
            probabilities.append(classifier(np.stack(batch).astype(np.float32)))
            batch.clear()
    if batch:
        probabilities.append(classifier(np.stack(batch).astype(np.float32)))
    _require_photos(rows, left_out[-len(labels) :])
    table = pd.DataFrame(rows)
    table["group"], groups_from, sizes = find_groups(groups, folder, table["path"], table.pop("hash"))
    table["face_size"] = sizes.fillna(table["face_size"])
    return Predictions(table, np.concatenate(probabilities), groups_from, len(table), left_out, notes)


def predict_photos(
    detector: MaskDetector, folder: Path, groups=None, boxes=None, *, min_overlap: float = MIN_IOU
) -> Predictions:
    """Find the faces in whole photos and classify them.

    With ground-truth boxes, each found face gets the class of the box that it lies on. A face that lies on no box
    counts only toward the scores of the boxes. Without ground-truth boxes, `folder` holds class folders, and each found
    face gets the class of its photo.

    Args:
        detector: The face detector and the classifier.
        folder: Holds the photos.
        groups: A CSV that says which photos belong together, see `find_groups`.
        boxes: A file or folder with marked faces, see `annotations.read_annotations`. Only the photos that it names are
            searched. By default, `boxes.csv` in `folder` if that exists.
        min_overlap: A found face lies on a ground-truth box if their intersection over union is at least this.

    Raises:
        DataError: There are no photos, no photo can be read, no face is found, or a CSV is unusable.
    """
    if boxes is None and (folder / BOXES_FILE).is_file():
        boxes = folder / BOXES_FILE
    if boxes is not None:
        marked = read_annotations(boxes, folder, detector.classes)
        root, names, left_out, notes = marked.root, marked.boxes, marked.left_out, marked.notes
    else:
        root = folder
        names, left_out, notes = class_photos(folder, detector.classes)
    rows, probabilities, photos, counts = [], [], [], []
    read = partial(_read_whole, root)
    for name, (photo, photo_hash) in _read_all(read, list(names), 4, "looking for faces", left_out):
        found, measures = _faces_of(photo, detector)
        probabilities_of_photo, _ = detector.classify(photo, found)
        if boxes is not None:
            true_boxes, true_labels = marked.of_photo(name, photo.shape)
            labels = [
                true_labels[partner] if partner >= 0 else None for partner in match(found, true_boxes, min_overlap)
            ]
            scores = at_threshold(probabilities_of_photo, detector.threshold)
            predicted = [detector.classes[label] for label in scores.argmax(axis=1)]
            arguments = found, predicted, true_boxes, true_labels, detector.classes
            counts.append([count_boxes(*arguments, smallest=size, min_overlap=min_overlap) for size in SMALLEST_BOXES])
        else:
            labels = [names[name]] * len(found)
        photos.append({"path": name, "hash": photo_hash, "faces": len(found)})
        known = [number for number, label in enumerate(labels) if label is not None]
        rows += [{"path": name, "label": labels[number], **measures[number]} for number in known]
        probabilities.append(probabilities_of_photo[known])
    _require_photos(photos, left_out[-len(names) :])
    if not rows:
        raise DataError(
            f"No face was found in the {len(photos)} photos of {folder}. If they are face crops, leave out --detect."
        )
    photos = pd.DataFrame(photos)
    photos["group"], groups_from, _ = find_groups(groups, root, photos["path"], photos["hash"])
    table = pd.DataFrame(rows)
    table["group"] = table["path"].map(photos.set_index("path")["group"])
    return Predictions(
        table,
        np.concatenate(probabilities),
        groups_from,
        len(photos),
        left_out,
        notes,
        without_face=photos.loc[photos["faces"] == 0, "path"].tolist(),
        boxes=np.array(counts) if boxes is not None else None,
        box_groups=photos["group"].tolist(),
    )


def class_photos(folder: Path, classes) -> tuple[dict[str, str], list[dict], list[str]]:
    """Find the photos to evaluate on in the class folders of a folder.

    If the folder has a split of its own, these are the photos of its test set, or else of its validation set.

    Args:
        folder: Holds the class folders, one for each class of the classifier, and possibly `worn_incorrectly/`, in any
            of the layouts of `layouts.class_folders`.
        classes: The classifier's classes.

    Returns:
        The class of each photo (by its path relative to `folder`), `path` and `reason` of what is left out, and
        sentences about how the folder was read.

    Raises:
        DataError: No class folder holds a photo.
    """
    expected = list(dict.fromkeys([*classes, WORN_WRONG]))
    rows, left_out, notes = datasets.list_photos(folder, expected)
    sets = {row["split"] for row in rows if row["label"] in expected}
    chosen = next((name for name in ("test", "validation") if name in sets), None)
    if chosen and len(sets) > 1:
        rows, others = ([row for row in rows if (row["split"] == chosen) == kept] for kept in (True, False))
        notes.append(f"Evaluated on the {chosen} set. The {len(others)} photos in the other sets were left out.")
    found = {row["path"]: row["label"] for label in expected for row in rows if row["label"] == label}
    homes = {one.path.relative_to(folder).as_posix(): one.label for one in class_folders(folder, expected)[0]}
    photos = {home: sum(row["path"].startswith(f"{home}/") for row in rows) for home in homes}
    unknown = [f"{home}/ ({photos[home]} photos)" for home, label in homes.items() if label not in expected]
    if not found:
        empty = [f"{home}/ (empty)" for home, label in homes.items() if label in expected]
        present = ", ".join(empty + unknown) or "no folders"
        wanted = ", ".join(f"{name}/" for name in expected)
        message = f"{folder} holds no photos in the class folders {wanted}. Found: {present}."
        raise DataError(" ".join([message, *notes]))
    if unknown:
        notes.append(f"Left out, because the classifier does not know them: {', '.join(unknown)}.")
    return found, left_out, notes


def find_groups(file: str | Path | None, folder: Path, paths, hashes) -> tuple[list[str], str, pd.Series]:
    """Assign each photo to a group.

    The photos of a group belong together (one person, one source), so the bootstrap draws them together.

    Args:
        file: A CSV, see `datasets.read_groups`. If None, `groups.csv` in `folder` is read. If that does not exist, near
            copies form groups.
        folder: Where the photos are.
        paths: The photos, relative to `folder`.
        hashes: The photos' hashes, see `datasets.difference_hash`.

    Returns:
        The groups, where they are from (as text), and the shorter side of each face in pixels: the column
        `face_min_side_px` if the CSV has it, else NaN.

    Raises:
        DataError: The CSV cannot be read, lacks a column, or has no row for a photo.
    """
    unknown = pd.Series(np.nan, index=range(len(paths)))
    file = Path(file) if file is not None else datasets.groups_file(folder)
    if file is None:
        return datasets.copy_groups(hashes), "near copies", unknown
    table, column = datasets.read_groups(file, folder, paths)
    sizes = pd.to_numeric(table["face_min_side_px"], errors="coerce") if "face_min_side_px" in table else unknown
    return table["group"].tolist(), f"{file.name}: {column}", sizes


def _read_all(read, names: list, depth: int, title: str, left_out: list[dict]):
    """Yield each photo's name with `read(name)`, see `read_ahead`. What cannot be read is added to `left_out`."""
    from tqdm.auto import tqdm

    def read_or_tell_why(name: str):
        try:
            return read(name)
        except (PhotoError, OSError) as error:
            return str(error)

    results = read_ahead(read_or_tell_why, names, depth)
    for name, result in tqdm(results, total=len(names), desc=title, unit="photo", leave=False):
        if isinstance(result, str):
            left_out.append({"path": name, "reason": result})
        else:
            yield name, result


def _require_photos(rows: list, left_out: list[dict]) -> None:
    if not rows:
        first = left_out[0]
        raise DataError(f"None of the {len(left_out)} photos can be read. {first['path']}: {first['reason']}.")


def _read_crop(folder: Path, name: str, config: dict, margin: float, turn: bool):
    """The classifier's input, the measures, and a small copy for the face detector."""
    # Decoding at a reduced size must not move the face into another bin of sizes.
    at_least = math.ceil(max(config["input_size"], subgroups.BINS["face_size"][-1]) * (1 + 2 * margin))
    photo = read_photo(folder / name, at_least=at_least)
    pixels = fit_to_input(subgroups.crop_center(photo, margin, config["crop_margin"]), config["input_size"])
    measures = {"face_size": min(photo.shape[:2]) / (1 + 2 * margin), **subgroups.measure(photo, margin)}
    small = letterbox(photo, 320)[0] if turn else None
    return pixels, {**measures, "hash": datasets.difference_hash(photo)}, small


def _read_whole(folder: Path, name: str):
    """The photo and its hash."""
    photo = read_photo(folder / name)
    return photo, datasets.difference_hash(photo)


def _faces_of(photo: np.ndarray, detector: MaskDetector) -> tuple[list, list[dict]]:
    """The box (in whole pixels, clipped to the photo) and the measures of each face that is found."""
    boxes, measures = [], []
    for face in detector.face_detector.detect(photo):
        box = clip_box(face.box, photo.shape)
        if box is None:
            continue
        boxes.append(box)
        looks = subgroups.measure(crop_face(photo, box, 0.25), 0.25)
        measures.append({"face_size": min(box[2:]), **looks, "turn": subgroups.head_turn(face.landmarks)})
    return boxes, measures
