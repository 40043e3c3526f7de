"""Make the released classifier from a run, and write its scores into its model card.

make release-model    # first runs the pipeline with params/public.yaml
"""

import argparse
import hashlib
import json
import sys
import tempfile
from pathlib import Path

import numpy as np

from maskdet_utils import augment, evaluation, runs
from maskdet_utils.classifier import CLASSIFIER, LABELS, RELEASED, read_config
from maskdet_utils.datasets import WORN_WRONG
from maskdet_utils.evaluate.calibration import fit_temperature
from maskdet_utils.evaluate.folder import evaluate_folder
from maskdet_utils.evaluation import score_text
from maskdet_utils.paths import resolve, write_file
from maskdet_utils.photos import fit_to_input, read_photo
from tools.quantize import convert

CARD = "docs/model_card.md"
BEGIN, END = "<!-- figures: made by make release-model -->", "<!-- end of figures -->"
UNSURE = [0.25, 0.75]  # between these probabilities of "with mask", the label should be "unsure"


def release(run_dir, wild=None) -> dict:
    """Calibrate and quantize the classifier of a run on the public data set, and put it into the package.

    Args:
        run_dir: Holds `classifier.keras`, `labels.json`, and the manifest of notebook 01.
        wild: A folder with class folders of face crops from other photos, to evaluate on. Next to it, `crops.csv` says
            which crops belong together.

    Returns:
        The scores, which also go into the model card: `temperature`, `test`, and, with `wild`, `wild`.

    Raises:
        RunError: The run lacks a file, or it is not on the public data set.
    """
    import pandas as pd

    from maskdet_utils.model import keras

    folder = resolve(run_dir)
    manifest = pd.read_csv(runs.require(run_dir, "01_load_the_data", "manifest.csv"))
    about = json.loads(runs.require(run_dir, "01_load_the_data", "dataset.json").read_text())
    if about["dataset"] != "public":
        raise runs.RunError(
            f"{folder} is a run on {about['dataset']}, not on the public data set. Make one with: maskdet pipeline "
            "--profile public"
        )
    config = read_config(folder)
    classifier = keras.saving.load_model(folder / "classifier.keras")
    manifest["file"] = about["folder"] + "/" + manifest["path"]
    sets = {name: photos.reset_index(drop=True) for name, photos in manifest.groupby("split")}

    temperature = calibrate(classifier, sets["validation"], config)
    views = some_views(sets["train"]["file"], config["input_size"])
    content = convert(classifier, "int8", views)
    write_file(RELEASED / CLASSIFIER, content)
    config = {**config, "unsure": UNSURE, "sha256": hashlib.sha256(content).hexdigest()}
    runs.write_text(RELEASED / LABELS, json.dumps(config, indent=2) + "\n")

    scores: dict = {"temperature": round(temperature, 3), "test": judge_part(sets["test"])}
    if wild:
        scores["wild"] = evaluate_folder(RELEASED, Path(wild), groups=Path(wild).parent / "crops.csv")
    for report in (scores["test"], scores.get("wild", {})):  # these name files and folders of this machine
        for name in ("model", "folder", "left_out", "notes", "seconds", "faces_per_second", "groups"):
            report.pop(name, None)
    runs.write_text(RELEASED / "figures.json", json.dumps(scores, indent=1) + "\n")
    card = resolve(CARD)
    text = card.read_text(encoding="utf-8")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    write_file(card, f"{before}{BEGIN}\n\n{as_table(scores)}\n{END}{after}".encode())
    return scores


def calibrate(classifier, photos, config: dict) -> float:
    """Divide the classifier's log-odds by the temperature that fits the validation set best, in its last layer.

    The method is temperature scaling (Guo et al., "On calibration of modern neural networks", 2017). The temperature is
    at least 1: the validation photos are easier than those the classifier will be used on, and a lower temperature
    would make it too sure of itself.

    Args:
        classifier: A Keras model. Its last weights are changed in place.
        photos: The validation set: `file` and `label`.
        config: `classes` and `input_size`.

    Returns:
        The temperature.
    """
    truth = np.array([config["classes"].index(label) for label in photos["label"]])
    probabilities = evaluation.classify_photos(classifier, photos["file"].tolist(), config["input_size"])
    temperature = max(1.0, fit_temperature(truth, probabilities))
    last = classifier.get_layer("head").layers[-1]
    last.set_weights([weight / temperature for weight in last.get_weights()])
    return float(temperature)


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
    """Evaluate the released classifier on photos (`file`, `label`, `group`). Returns what `evaluate_folder` does."""
    with tempfile.TemporaryDirectory() as folder:
        rows = ["path,group"]
        for number, photo in enumerate(photos.itertuples()):
            name = f"{photo.label}/{number:05d}{Path(photo.file).suffix}"
            (Path(folder) / photo.label).mkdir(exist_ok=True)
            (Path(folder) / name).symlink_to(photo.file)
            rows.append(f"{name},{photo.group}")
        (Path(folder) / "groups.csv").write_text("\n".join(rows) + "\n")
        return evaluate_folder(RELEASED, folder)


def as_table(figures: dict) -> str:
    """Format the scores from `release` as a Markdown table for the model card."""
    rows: list[tuple[str, ...]] = [("photos", "number", "accuracy", "balanced accuracy", "calibration error")]
    wild = figures.get("wild", {})
    for name, report in (
        ("public data set, clean test set", figures["test"]),
        ("street photos, faces at least 24 pixels wide", wild.get("by_size", {}).get("24")),
        ("street photos, faces at least 48 pixels wide", wild.get("by_size", {}).get("48")),
    ):
        if report:
            keys = ("accuracy", "balanced_accuracy", "expected_calibration_error")
            rows.append((name, _count(report), *(score_text(report[key]) for key in keys)))
    for measure, bins in wild.get("slices", {}).items():
        for subgroup in bins:
            if subgroup["balanced_accuracy"]:
                low, high = subgroup["from"], subgroup["to"]
                span = f"{low} to {high}" if low and high else f"below {high}" if high else f"at least {low}"
                balanced = score_text(subgroup["balanced_accuracy"])
                rows.append((f"{measure.replace('_', ' ')} {span}", _count(subgroup), "", balanced, ""))
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|---" * len(rows[0]) + "|")
    called = wild.get("worn_incorrectly_called_with_mask")
    if called:
        words = 'Fraction of the incorrectly worn masks in street photos that it calls "with mask"'
        lines += ["", f"{words}: {score_text(called)}."]
    return "\n".join(lines) + "\n"


def _count(report: dict) -> str:
    return str(sum(count for name, count in report["faces"].items() if name != WORN_WRONG))


def main(arguments: list[str] | None = None) -> int:
    """Release the classifier of a run and print its scores. Returns the exit code."""
    parser = argparse.ArgumentParser(description="Make the released classifier from a run on the public data set.")
    parser.add_argument("run", nargs="?", default="runs/public", help="the run folder (default: runs/public)")
    parser.add_argument("--wild", metavar="FOLDER", help="class folders of face crops from other photos to evaluate on")
    options = parser.parse_args(arguments)
    print(as_table(release(options.run, options.wild)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
