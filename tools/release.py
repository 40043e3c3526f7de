"""Make the classifier that comes with the package out of a run, and write its figures into its card.

make release-model    # runs the pipeline with params/public.yaml first
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
UNSURE = [0.25, 0.75]  # between these probabilities of "with mask" nothing should be claimed


def release(run_dir, wild=None) -> dict:
    """Put the classifier of a run on the public data set into the package, calibrated, in 8-bit integers.

    run_dir: with `classifier.keras`, `labels.json` and the manifest of notebook 01. wild: optionally a folder of class
    folders of face crops of other photos, with `crops.csv` beside it that says which belong together.

    Returns the figures, which also go into the card. Raises `RunError` if the run is not of the public data set.
    """
    import pandas as pd

    from maskdet_utils.model import keras

    folder = resolve(run_dir)
    manifest = pd.read_csv(runs.require(run_dir, "01_load_the_data", "manifest.csv"))
    about = json.loads(runs.require(run_dir, "01_load_the_data", "dataset.json").read_text())
    if about["dataset"] != "public":
        raise runs.RunError(
            f"{folder} is a run on {about['dataset']}: make one with maskdet pipeline --profile public."
        )
    config = read_config(folder)
    classifier = keras.saving.load_model(folder / "classifier.keras")
    manifest["file"] = about["folder"] + "/" + manifest["path"]
    parts = {part: table.reset_index(drop=True) for part, table in manifest.groupby("split")}

    temperature = calibrate(classifier, parts["validation"], config)
    some = some_views(parts["train"]["file"], config["input_size"])
    content = convert(classifier, "int8", some)
    write_file(RELEASED / CLASSIFIER, content)
    config = {**config, "unsure": UNSURE, "sha256": hashlib.sha256(content).hexdigest()}
    runs.write_text(RELEASED / LABELS, json.dumps(config, indent=2) + "\n")

    figures: dict = {"temperature": round(temperature, 3), "test": judge_part(parts["test"])}
    if wild:
        figures["wild"] = evaluate_folder(RELEASED, Path(wild), groups=Path(wild).parent / "crops.csv")
    for card in (figures["test"], figures.get("wild", {})):  # names of files and folders of one machine
        for name in ("model", "folder", "left_out", "notes", "seconds", "faces_per_second", "groups"):
            card.pop(name, None)
    runs.write_text(RELEASED / "figures.json", json.dumps(figures, indent=1) + "\n")
    card = resolve(CARD)
    text = card.read_text(encoding="utf-8")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    write_file(card, f"{before}{BEGIN}\n\n{as_table(figures)}\n{END}{after}".encode())
    return figures


def calibrate(classifier, photos, config: dict) -> float:
    """Divide the log-odds by the temperature that fits the validation photos best, in the last layer itself.

    Never by one below 1: photos easier than those to come would make the classifier surer than it should be.

    photos: with `file` and `label`. Returns the temperature (Guo and others, "On calibration of modern neural
    networks", 2017).
    """
    truth = np.array([config["classes"].index(label) for label in photos["label"]])
    probabilities = evaluation.classify_photos(classifier, photos["file"].tolist(), config["input_size"])
    temperature = max(1.0, fit_temperature(truth, probabilities))
    last = classifier.get_layer("head").layers[-1]
    last.set_weights([weight / temperature for weight in last.get_weights()])
    return float(temperature)


def some_views(files, size: int, count: int = 300, seed: int = 0) -> np.ndarray:
    """Some photos as training alters them, float32 `(count, size, size, 3)`: what 8-bit ranges are measured on."""
    rng = np.random.default_rng(seed)
    chosen = rng.choice(np.asarray(files), min(len(files), count), replace=False)
    views = [augment.degrade(read_photo(file, at_least=size), rng) for file in chosen]
    return np.stack([fit_to_input(view, size) for view in views]).astype(np.float32)


def judge_part(photos) -> dict:
    """Figures of the released classifier on photos (`file`, `label`, `group`), as `maskdet evaluate` gives them."""
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
    """The figures as a Markdown table for the card."""
    rows: list[tuple[str, ...]] = [("photos", "number", "accuracy", "balanced accuracy", "calibration error")]
    wild = figures.get("wild", {})
    for name, card in (
        ("public data set, clean test part", figures["test"]),
        ("street photos, faces of 24 pixels and more", wild.get("by_size", {}).get("24")),
        ("street photos, faces of 48 pixels and more", wild.get("by_size", {}).get("48")),
    ):
        if card:
            numbers = [score_text(card[key]) for key in ("accuracy", "balanced_accuracy", "expected_calibration_error")]
            rows.append((name, _count(card), *numbers))
    for kind, bands in wild.get("slices", {}).items():
        for band in bands:
            if band["balanced_accuracy"]:
                low, high = band["from"], band["to"]
                span = f"{low} to {high}" if low and high else f"up to {high}" if high else f"from {low}"
                rows.append(
                    (f"{kind.replace('_', ' ')} {span}", _count(band), "", score_text(band["balanced_accuracy"]), "")
                )
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|---" * len(rows[0]) + "|")
    wrong = wild.get("worn_incorrectly_called_with_mask")
    if wrong:
        lines += ["", f'Masks worn wrong in street photos that it calls "with mask": {score_text(wrong)}.']
    return "\n".join(lines) + "\n"


def _count(card: dict) -> str:
    return str(sum(count for name, count in card["faces"].items() if name != WORN_WRONG))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Make the released classifier out of a run on the public data set.")
    parser.add_argument("run", nargs="?", default="runs/public")
    parser.add_argument("--wild", metavar="FOLDER", help="class folders of face crops of other photos, to judge it by")
    options = parser.parse_args(arguments)
    print(as_table(release(options.run, options.wild)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
