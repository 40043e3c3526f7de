"""Judge a classifier on a folder of photos: what `maskdet evaluate` does.

class folders of crops ──► read, fit, measure (threads) ──► classifier (batches) ──► Predictions ──► scorecard
whole photos ──► face detector ──► crops ──► classifier ─────────────────────────────┘
"""

import math
import os
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from .. import datasets, faces
from ..boxes import clip_box, crop_face, match
from ..classifier import at_threshold, load_classifier
from ..datasets import WORN_WRONG, DataError
from ..detector import MaskDetector
from ..photos import PhotoError, find_photos, fit_to_input, letterbox, read_ahead, read_photo
from . import subgroups
from .metrics import SMALLEST_BOXES, count_boxes, metrics_report

BOXES_FILE = "boxes.csv"
BATCH = 32


@dataclass
class Predictions:
    """What a classifier said of the faces of a folder.

    faces: a row per face: `path` of its photo, `label` (true), `group`, `face_size` and the other measures of `subgroups`.
    probabilities: `(faces, classes)`. groups_from: what says which photos belong together. photos: how many could be
    read. left_out: `path` and `reason` of the others. without_face: paths of photos in which no face was found. boxes:
    `(photos, sizes, classes + 1, 3)`, the counts of `count_boxes` for each of `SMALLEST_BOXES`; None without
    marked boxes. box_groups: of those photos. notes: sentences for the reader.
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
    model, folder, *, detect=False, groups=None, margin=0.25, turn=False, boxes=None, face_detector="careful"
) -> dict:
    """Figures of a classifier on class folders of photos: `with_mask/`, `without_mask/`, `worn_incorrectly/`.

    model: a run folder or a .tflite or .keras file, see `classifier.load_classifier`. detect: the photos are whole ones,
    see `predict_photos`; otherwise they are face crops, see `predict_crops`, which say what the other arguments mean.

    Returns a dictionary that JSON can hold, see README and `metrics.face_scores`. Raises `DataError` if there is no photo
    or face to judge by, `ClassifierError` if the classifier is unusable.
    """
    start = time.perf_counter()
    model, folder = Path(model).resolve(), Path(folder)
    classifier, config = load_classifier(model)
    if detect:
        finder = faces.face_detector(face_detector) if isinstance(face_detector, str) else face_detector
        detector = MaskDetector(
            classifier, finder, config["classes"], threshold=config["threshold"], crop_margin=config["crop_margin"]
        )
        predictions = predict_photos(detector, folder, groups, boxes)
    else:
        predictions = predict_crops(classifier, config, folder, groups=groups, margin=margin, turn=turn)
    looked = time.perf_counter()
    report = metrics_report(predictions, config)
    return {
        "schema_version": 1,
        "model": str(model),
        "folder": str(folder),
        "mode": "crops" if not detect else "photos" if predictions.boxes is None else "boxes",
        **report,
        "seconds": {"looking": round(looked - start, 2), "intervals": round(time.perf_counter() - looked, 2)},
        "faces_per_second": round(len(predictions.faces) / (looked - start), 1),
    }


def predict_crops(classifier, config: dict, folder: Path, *, groups=None, margin=0.25, turn=False) -> Predictions:
    """Classify face crops in class folders. Memory does not grow with their number, but for a line in a table.

    groups: a CSV that says which photos belong together, see `find_groups`; by default `groups.csv` in the folder, and
    without one near copies do. margin: how much the crops show around the face's box, in box sizes on every side; cut
    down if the classifier wants less. turn: measure how far heads are turned, too: a face detector then looks at every
    crop, which takes several times as long as all the rest.
    """
    paths, notes = class_photos(folder, config["classes"])
    if config["crop_margin"] > margin:
        notes.append(
            f"The classifier was made for crops with {config['crop_margin']:.0%} around the face's box, these show "
            f"{margin:.0%}: on whole photos it may do better."
        )
    detector = faces.DETECTORS["centerface"]() if turn else None
    read = partial(_read_crop, config=config, margin=margin, turn=turn)
    rows, left_out, batch, probabilities = [], [], [], []
    for path, answer in _with_progress(read, paths, 2 * BATCH, "classifying"):
        name = path.relative_to(folder).as_posix()
        if isinstance(answer, str):
            left_out.append({"path": name, "reason": answer})
            continue
        pixels, about, small = answer
        if detector:
            found = detector.detect(small)
            about["turn"] = subgroups.head_turn(found[0].landmarks if found else None)
        rows.append({"path": name, "label": name.split("/")[0], **about})
        batch.append(pixels)
        if len(batch) == BATCH:
            probabilities.append(classifier(np.stack(batch).astype(np.float32)))
            batch.clear()
    if batch:
        probabilities.append(classifier(np.stack(batch).astype(np.float32)))
    _complain_if_none(rows, left_out)
    table = pd.DataFrame(rows)
    table["group"], groups_from, sizes = find_groups(groups, folder, table["path"], table.pop("hash"))
    table["face_size"] = sizes.fillna(table["face_size"])
    return Predictions(table, np.concatenate(probabilities), groups_from, len(table), left_out, notes)


def predict_photos(detector: MaskDetector, folder: Path, groups=None, boxes=None) -> Predictions:
    """Find the faces of whole photos and classify them.

    boxes: a CSV with a line per face, see `read_boxes`; by default `boxes.csv` in the folder. If there is one, the
    photos that it names are looked at, and a face is of the class of the marked box that it lies on; faces on no
    marked box count there only. Without one, the folder holds class folders, and each face that is found is of its
    photo's class. groups: as in `predict_crops`, of the whole photos.
    """
    if boxes is None and (folder / BOXES_FILE).is_file():
        boxes = folder / BOXES_FILE
    if boxes is not None:
        marked, notes = read_boxes(boxes, detector.classes)
        root = Path(boxes).parent
        marked = dict(list(marked.groupby("path", sort=False)))
        names = {root / name: name for name in marked}
    else:
        root = folder
        paths, notes = class_photos(folder, detector.classes)
        names = {path: path.relative_to(folder).as_posix() for path in paths}
    rows, left_out, probabilities, photos, counts = [], [], [], [], []
    for path, answer in _with_progress(_read_whole, list(names), 4, "looking for faces"):
        name = names[path]
        if isinstance(answer, str):
            left_out.append({"path": name, "reason": answer})
            continue
        photo, bits = answer
        found, about = _faces_of(photo, detector)
        said, _ = detector.classify(photo, found)
        if boxes is not None:
            of_photo = marked[name]
            places, labels = of_photo[["x", "y", "width", "height"]].to_numpy(float), of_photo["label"].tolist()
            partners = match(found, places)
            truth = [labels[partner] if partner >= 0 else None for partner in partners]
            called = [detector.classes[label] for label in at_threshold(said, detector.threshold).argmax(axis=1)]
            counts.append(
                [count_boxes(found, called, places, labels, detector.classes, smallest=size) for size in SMALLEST_BOXES]
            )
        else:
            truth = [name.split("/")[0]] * len(found)
        photos.append({"path": name, "hash": bits, "faces": len(found)})
        known = [number for number, label in enumerate(truth) if label is not None]
        rows += [{"path": name, "label": truth[number], **about[number]} for number in known]
        probabilities.append(said[known])
    _complain_if_none(photos, left_out)
    if not rows:
        raise DataError(
            f"No face was found in the {len(photos)} photos of {folder}. Are they face crops? Then leave --detect out."
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


def class_photos(folder: Path, classes) -> tuple[list[Path], list[str]]:
    """The photos in the class folders of a folder, and sentences about what else lies there.

    Class folders are those of the classifier's classes and `worn_incorrectly/`. Raises `DataError` if none of them
    holds a photo.
    """
    expected = list(dict.fromkeys([*classes, WORN_WRONG]))
    wanted = ", ".join(f"{name}/" for name in expected)
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder. Expected a folder that holds class folders: {wanted}.")
    inside = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    photos = {path.name: find_photos(path) for path in inside}
    found = [path for name in expected for path in photos.get(name, [])]
    strange = [f"{name}/ ({len(photos[name])} photos)" for name in photos if name not in expected]
    if not found:
        empty = [f"{name}/ (empty)" for name in expected if name in photos]
        there = ", ".join(empty + strange) or "no folders"
        raise DataError(f"{folder} holds no photo of a class that the classifier knows: {wanted}. Found: {there}.")
    return found, [f"Left out, no class of this classifier: {', '.join(strange)}."] if strange else []


def find_groups(file, folder: Path, paths, hashes) -> tuple[list[str], str, pd.Series]:
    """The group of each photo: photos that belong together (one person, one source) are resampled together.

    Args:
        file: a CSV, see `datasets.read_groups`; None: `groups.csv` in `folder`, and if there is none, near copies are
            groups.
        folder: where the photos are.
        paths: of the photos, relative to `folder`.
        hashes: of the photos, see `datasets.difference_hash`.

    Returns:
        The groups, where they are from, and the column `face_min_side_px` if the CSV has it (else not a number).

    Raises:
        DataError: the CSV cannot be read, lacks a column, or says nothing about a photo.
    """
    unknown = pd.Series(np.nan, index=range(len(paths)))
    if file is None and not (folder / datasets.GROUPS_FILE).is_file():
        return datasets.copy_groups(hashes), "near copies", unknown
    file = Path(file) if file is not None else folder / datasets.GROUPS_FILE
    table, column = datasets.read_groups(file, folder, paths)
    sizes = pd.to_numeric(table["face_min_side_px"], errors="coerce") if "face_min_side_px" in table else unknown
    return table["group"].tolist(), f"{file.name}: {column}", sizes


def read_boxes(file, classes) -> tuple[pd.DataFrame, list[str]]:
    """Marked boxes from a CSV: columns `path` (relative to the CSV's folder), `label`, `x`, `y`, `width`, `height`.

    Returns them, and sentences about labels that the classifier does not know. Raises `DataError` if a column is
    missing, a number is none, a box is empty, or no label is known.
    """
    table = datasets.read_csv(file)
    sides = ["x", "y", "width", "height"]
    missing = [name for name in ("path", "label", *sides) if name not in table]
    if missing:
        raise DataError(f"{file} lacks the columns {', '.join(missing)}; it has {', '.join(map(str, table.columns))}.")
    table[sides] = table[sides].apply(pd.to_numeric, errors="coerce")
    wrong = table[sides].isna().any(axis=1) | (table[["width", "height"]] <= 0).any(axis=1) | table["path"].isna()
    if wrong.any():
        raise DataError(f"{file}, line {int(np.flatnonzero(wrong)[0]) + 2}: this is no box.")
    table["label"] = table["label"].astype(str)
    table["path"] = [Path(os.path.normpath(str(path))).as_posix() for path in table["path"]]
    labels = table["label"].value_counts()
    if not any(label in labels for label in classes):
        raise DataError(f"{file} marks no {' or '.join(classes)}, only {', '.join(labels.index)}.")
    neutral = [f"{label} ({count})" for label, count in labels.items() if label not in classes]
    note = f"Marked boxes that count neither for nor against the classifier, which does not know them: {', '.join(neutral)}."
    return table, [note] if neutral else []


def _with_progress(read, paths: list, depth: int, title: str):
    from tqdm.auto import tqdm

    return tqdm(read_ahead(read, paths, depth), total=len(paths), desc=title, unit="photo", leave=False)


def _complain_if_none(rows: list, left_out: list[dict]) -> None:
    if not rows:
        first = left_out[0]
        raise DataError(f"None of the {len(left_out)} photos can be read. {first['path']}: {first['reason']}.")


def _read_crop(path, config: dict, margin: float, turn: bool):
    """What the classifier sees of a photo, its measures, and a small copy for the face detector (if it is to look).

    A sentence if it cannot be read.
    """
    # Never so much smaller than it is that its face would fall into another band of sizes.
    at_least = math.ceil(max(config["input_size"], subgroups.BINS["face_size"][-1]) * (1 + 2 * margin))
    try:
        photo = read_photo(path, at_least=at_least)
    except (PhotoError, OSError) as error:
        return str(error)
    pixels = fit_to_input(subgroups.crop_center(photo, margin, config["crop_margin"]), config["input_size"])
    about = {"face_size": min(photo.shape[:2]) / (1 + 2 * margin), **subgroups.measure(photo, margin)}
    small = letterbox(photo, 320)[0] if turn else None
    return pixels, {**about, "hash": datasets.difference_hash(photo)}, small


def _read_whole(path):
    try:
        photo = read_photo(path)
    except (PhotoError, OSError) as error:
        return str(error)
    return photo, datasets.difference_hash(photo)


def _faces_of(photo: np.ndarray, detector: MaskDetector) -> tuple[list, list[dict]]:
    """The box (whole pixels, within the photo) and the measures of each face that is found."""
    boxes, about = [], []
    for face in detector.face_detector.detect(photo):
        box = clip_box(face.box, photo.shape)
        if box is None:
            continue
        boxes.append(box)
        looks = subgroups.measure(crop_face(photo, box, 0.25), 0.25)
        about.append({"face_size": min(box[2:]), **looks, "turn": subgroups.head_turn(face.landmarks)})
    return boxes, about
