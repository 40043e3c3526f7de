"""Train the released classifier, and write its scores into its model card.

make release-model WILD=FOLDER    # first trains six times with params/street.yaml: three teachers, then three students
"""

import argparse
import hashlib
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import recipe, three_states
from maskdet_utils import augment, datasets, street_views, training_set
from maskdet_utils.classifier import CLASSIFIER, LABELS, RELEASED, load_classifier, read_config
from maskdet_utils.datasets import WORN_WRONG
from maskdet_utils.evaluate.calibration import unsure_band, with_temperature
from maskdet_utils.evaluate.folder import predict_crops
from maskdet_utils.evaluate.metrics import first_or_not, metrics_report
from maskdet_utils.evaluation import score_text
from maskdet_utils.paths import resolve, write_file
from maskdet_utils.photos import fit_to_input, read_photo
from maskdet_utils.pipeline import read_parameters
from maskdet_utils.runs import RunError, write_text
from tools.quantize import convert

PROFILE, SEEDS = "street", (0, 1, 2)  # the classifier of the first seed is released
CARD = "docs/model_card.md"
BEGIN, END = "<!-- figures: made by make release-model -->", "<!-- end of figures -->"
NAME = "v2"  # in benchmarks/results/three_states.json, which also has v1, the classifier released before


def training_photos(seed: int) -> pd.DataFrame:
    """List the photos that notebook 07 trains on with `params/street.yaml`, and the public test set."""
    folder = resolve("data/public")
    photos, _ = datasets.read_class_folders(folder)
    photos["file"] = str(folder) + "/" + photos["path"]
    return training_set.tell_worn_wrong(training_set.with_sample(photos, seed))


def train(seed: int, file: Path, teachers=()) -> None:
    """Train with the steps of notebook 07 and the parameters of `params/street.yaml`, and save the classifier.

    Args:
        seed: As in the notebook.
        file: Where to save it. `labels.json` goes into the same folder.
        teachers: See `recipe.train`.
    """
    parameters = read_parameters(PROFILE)
    names = "image_size n_drawn n_views epochs fine_tune_epochs cut_faces add_street cut".split()
    with tempfile.TemporaryDirectory() as folder:
        chosen = {name: parameters[name] for name in names} | {"seed": seed, "teachers": teachers}
        classifier = recipe.train(training_photos(seed), street_views.CLASSES, folder, **chosen)
    file.parent.mkdir(parents=True, exist_ok=True)
    classifier.save(file)
    config = {
        "classes": street_views.CLASSES,
        "input_size": classifier.input_shape[1],
        "threshold": 0.5,
        "crop_margin": street_views.MARGIN,
    }
    write_text(file.with_name(LABELS), json.dumps(config, indent=2) + "\n")


def train_all(folder: Path, teachers=()) -> list[Path]:
    """Train with each seed, unless the file of that seed is already in the folder, and return the files."""
    files = [folder / f"seed-{seed}.keras" for seed in SEEDS]
    for seed, file in zip(SEEDS, files, strict=True):
        if file.is_file():
            print(f"{file} is already there. Delete it to train it again.")
        else:
            train(seed, file, teachers)
    return files


def release(files, wild) -> dict:
    """Calibrate and quantize a classifier, and put it into the package.

    Args:
        files: The same classifier, trained with several seeds, from `train`. The first one goes into the package.
        wild: A folder with class folders of face crops from photos that were not used for training. The last
            correction of the probabilities is fitted on them. Its `groups.csv` says which crops belong together.

    Returns:
        The scores of the released classifier, which also go into the model card: `temperature`, `shifts`, `test`, and
        `wild`. The means over all files go to benchmarks/results/three_states.json.

    Raises:
        RunError: A file or folder is missing.
    """
    from maskdet_utils.model import keras

    for path in (*files, wild):
        if not Path(path).exists():
            raise RunError(f"{path} is missing.")
    config = read_config(Path(files[0]).parent)
    classifier = keras.saving.load_model(files[0])
    before = predict_crops(classifier.predict_on_batch, config, Path(wild))
    truth = before.faces["label"].map(config["classes"].index).to_numpy()
    temperature, shifts = correct(classifier, truth, before.probabilities)
    two = truth < 2
    first = with_temperature(before.probabilities, temperature, shifts)[:, 0]
    config["unsure"] = unsure_band(truth[two] == 0, first[two], three_states.WRONG_ANSWERS)

    photos = training_photos(seed=0)
    content = convert(classifier, "int8", some_views(photos["file"][photos["split"] == "train"], config["input_size"]))
    write_file(RELEASED / CLASSIFIER, content)
    config["sha256"] = hashlib.sha256(content).hexdigest()
    write_text(RELEASED / LABELS, json.dumps(config, indent=2) + "\n")

    of_test = photos[(photos["split"] == "test") & photos["file"].str.startswith(str(resolve("data/public")))]
    scores: dict = {
        "temperature": round(temperature, 3),
        "shifts": shifts.round(3).tolist(),
        "test": judge_part(of_test),
        "wild": judge(wild),
    }
    three_states.keep(NAME, three_states.score(files, Path(wild)))
    write_text(RELEASED / "figures.json", json.dumps(scores, indent=1) + "\n")
    card = resolve(CARD)
    text = card.read_text(encoding="utf-8")
    start, rest = text.split(BEGIN)[0], text.split(END)[1]
    write_file(card, f"{start}{BEGIN}\n\n{as_table(scores)}\n{END}{rest}".encode())
    return scores


def correct(classifier, truth: np.ndarray, probabilities: np.ndarray) -> tuple[float, np.ndarray]:
    """Correct a classifier's probabilities by a temperature and shifts, in its last layer (see `three_states.fit_correction`).

    Args:
        classifier: A Keras model. Its last weights are changed in place.
        truth: The index of each face's true class, int `(n,)`.
        probabilities: The classifier's answers for these faces, `(n, classes)`.

    Returns:
        The temperature, and the shifts `(classes,)`.
    """
    temperature, shifts = three_states.fit_correction(truth, probabilities)
    last = classifier.get_layer("head").layers[-1]
    kernel, bias = last.get_weights()
    last.set_weights([kernel / temperature, (bias / temperature + shifts).astype(np.float32)])
    return temperature, shifts


def some_views(files, size: int, count: int = 300, seed: int = 0) -> np.ndarray:
    """Draw random photos and degrade them as in training, to measure the 8-bit ranges on.

    Args:
        files: The photos to draw from.
        size: The side of the classifier's input in pixels.
        count: How many to draw, or all if there are fewer.
        seed: Makes the choice repeatable.

    Returns:
        Pixels, float32 `(count, size, size, 3)`.
    """
    rng = np.random.default_rng(seed)
    chosen = rng.choice(np.asarray(files), min(len(files), count), replace=False)
    views = [augment.degrade(read_photo(file, at_least=size), rng) for file in chosen]
    return np.stack([fit_to_input(view, size) for view in views]).astype(np.float32)


def judge_part(photos) -> dict:
    """Evaluate the released classifier on photos (`file`, `label`, `group`, maybe `face_min_side_px`), see `judge`."""
    with tempfile.TemporaryDirectory() as folder:
        names = []
        for number, photo in enumerate(photos.itertuples()):
            names.append(f"{photo.label}/{number:05d}{Path(photo.file).suffix}")
            (Path(folder) / photo.label).mkdir(exist_ok=True)
            (Path(folder) / names[-1]).symlink_to(photo.file)
        photos.drop(columns="file").assign(path=names).to_csv(Path(folder) / "groups.csv", index=False)
        return judge(folder)


def judge(folder) -> dict:
    """Evaluate the released classifier on a folder of face crops.

    Returns:
        What `metrics_report` returns if the only question is "mask or not?", so that it can be compared with classifiers
        of two classes. `three_states` holds some scores of all three classes.
    """
    classifier, config = load_classifier(RELEASED)
    found = predict_crops(classifier, config, Path(folder))
    three = metrics_report(found, config)
    found = replace(found, probabilities=first_or_not(found.probabilities))
    report = metrics_report(found, {**config, "classes": config["classes"][:2]})
    for name in ("left_out", "notes", "groups"):  # these name files and folders of this machine
        report.pop(name)
    names = ("faces", "accuracy", "balanced_accuracy", "macro_f1", "recall", "confusion")
    return {**report, "three_states": {name: three[name] for name in names}}


def as_table(figures: dict) -> str:
    """Format the scores from `release` as Markdown tables for the model card."""
    rows: list[tuple[str, ...]] = [("mask or not?", "number", "accuracy", "balanced accuracy", "calibration error")]
    wild = figures["wild"]
    for name, report in (
        ("public data set, clean test set", figures["test"]),
        ("street photos, faces at least 24 pixels wide", wild["by_size"]["24"]),
        ("street photos, faces at least 48 pixels wide", wild["by_size"]["48"]),
    ):
        keys = ("accuracy", "balanced_accuracy", "expected_calibration_error")
        rows.append((name, _count(report), *(score_text(report[key]) for key in keys)))
    for measure, bins in wild["slices"].items():
        for subgroup in bins:
            if subgroup["balanced_accuracy"]:
                low, high = subgroup["from"], subgroup["to"]
                span = f"{low} to {high}" if low and high else f"below {high}" if high else f"at least {low}"
                balanced = score_text(subgroup["balanced_accuracy"])
                rows.append((f"{measure.replace('_', ' ')} {span}", _count(subgroup), "", balanced, ""))
    three = wild["three_states"]
    states = [("street photos", *(f"called {name.replace('_', ' ')}" for name in three["faces"]), "recall")]
    for (name, recall), row in zip(three["recall"].items(), three["confusion"], strict=True):
        states.append((name.replace("_", " "), *map(str, row), score_text(recall)))
    rest, called = wild["unsure"]["of_the_rest"], wild["worn_incorrectly_called_with_mask"]
    unsure = 1 - int(_count(rest)) / int(_count(wild))
    results = json.loads(resolve(three_states.RESULTS).read_text())
    seeds = [("street photos", "v1", f"{NAME}, mean of {results[NAME]['files']} seeds")]
    for name, score in results[NAME]["scores"].items():
        seeds.append((name, score_text(results["v1"]["scores"].get(name)), score_text(score)))
    return (
        f"{_table(seeds)}\n{_table(rows)}\n{_table(states)}\n"
        f"Macro F1 of the three states: {score_text(three['macro_f1'])}. "
        f'Fraction of the incorrectly worn masks that it calls "with mask": {score_text(called)}. '
        f'"Unsure": {unsure:.1%} of the masked '
        f"and bare faces; of the others, {rest['accuracy']['value']:.1%} are right.\n"
    )


def _table(rows) -> str:
    lines = ["| " + " | ".join(row) + " |\n" for row in rows]
    return "".join([lines[0], "|---" * len(rows[0]) + "|\n", *lines[1:]])


def _count(report: dict) -> str:
    return str(sum(count for name, count in report["faces"].items() if name != WORN_WRONG))


def main(arguments: list[str] | None = None) -> int:
    """Train and release a classifier, and print its scores. Returns the exit code."""
    parser = argparse.ArgumentParser(description="Train the released classifier and put it into the package.")
    parser.add_argument(
        "folder", nargs="?", default="runs/release", help="for the trained files (default: runs/release)"
    )
    parser.add_argument("--wild", metavar="FOLDER", required=True, help="class folders of face crops from other photos")
    options = parser.parse_args(arguments)
    from maskdet_utils.model import keras

    teachers = train_all(resolve(options.folder) / "teachers")
    files = train_all(resolve(options.folder), [keras.saving.load_model(file) for file in teachers])
    print(as_table(release(files, options.wild)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
