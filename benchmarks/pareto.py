"""Compare file size, time, and accuracy on street photos for several input sizes and precisions. Writes JSON.

    python benchmarks/pareto.py --wild FOLDER [--groups CSV] [--public FOLDER] [--run runs/public]

Precision: the classifier of --run, with its weights stored in four ways. "int8" measures its ranges on photos from the
run's training set. Input size: four classifiers, trained on the public data set in the same way except for their input
size. They are trained without the drawn masks of the released one. Each is kept in runs/size-N and not trained again.
FOLDER holds class folders of face crops from other photos. All classifiers take turns in one process while they are
timed; only the ratios within one run count.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from maskdet_utils import datasets, export, public, runs, training_set
from maskdet_utils.classifier import CLASSIFIER, LABELS, load_classifier
from maskdet_utils.evaluate.folder import predict_crops
from maskdet_utils.evaluate.metrics import metrics_report
from maskdet_utils.paths import resolve, write_file
from tools import quantize, release

RESULTS = "benchmarks/results/pareto.json"
SIZES = (96, 128, 160, 224)
TRAINING = {"n_drawn": 0, "n_views": 2, "fine_tune_epochs": 3}  # without drawn masks, which is faster and fair to all
ROUNDS = 60


def keep(folder: Path, content: bytes, config: dict) -> Path:
    """Write a folder that `load_classifier` can read, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    write_file(folder / CLASSIFIER, content)
    config = {name: value for name, value in config.items() if name != "sha256"}
    write_file(folder / LABELS, json.dumps(config).encode())
    return folder


def in_all_precisions(run: Path, folder: Path) -> dict[str, Path]:
    """Write the classifier of a run in all precisions, and return their folders by precision."""
    from maskdet_utils.model import keras

    classifier = keras.saving.load_model(run / "classifier.keras")
    config = json.loads((run / LABELS).read_text())
    manifest = pd.read_csv(runs.require(run, "01_load_the_data", "manifest.csv"))
    about = json.loads(runs.require(run, "01_load_the_data", "dataset.json").read_text())
    files = about["folder"] + "/" + manifest.loc[manifest["split"] == "train", "path"]
    photos = release.some_views(files, config["input_size"])
    return {
        precision: keep(folder / precision, quantize.convert(classifier, precision, photos), config)
        for precision in quantize.PRECISIONS
    }


def train_size(size: int, public_folder: Path, run: Path) -> Path:
    """Train a classifier for this input size if it is not in its folder yet, and return the folder."""
    if (run / CLASSIFIER).is_file():
        return run
    from benchmarks import recipe

    photos, _ = public.read_manifest(public_folder)
    photos["file"] = [str(public_folder / path) for path in photos["path"]]
    with tempfile.TemporaryDirectory() as folder:
        classifier = recipe.train(
            training_set.with_sample(photos, 0), datasets.MASK_CLASSES, folder, image_size=size, **TRAINING
        )
    config = {"classes": datasets.MASK_CLASSES, "input_size": size, "threshold": 0.5, "crop_margin": 0.25}
    return keep(run, export.convert(classifier), config)


def milliseconds(folders: dict[str, Path]) -> dict[str, dict]:
    """Time each classifier with one face and with four at once, in turns, and return the medians in milliseconds."""
    medians: dict = {name: {} for name in folders}
    for count in (1, 4):
        calls = {}
        for name, folder in folders.items():
            classifier, config = load_classifier(folder)
            size = config["input_size"]
            calls[name] = (
                classifier,
                np.random.default_rng(0).uniform(0, 255, (count, size, size, 3)).astype(np.float32),
            )
        times: dict = {name: [] for name in calls}
        for number in range(2 * ROUNDS):
            for name, (classifier, pixels) in calls.items():
                start = time.perf_counter()
                classifier(pixels)
                if number >= ROUNDS:
                    times[name].append(1000 * (time.perf_counter() - start))
        for name, values in times.items():
            medians[name][str(count)] = round(float(np.median(values)), 2)
    return medians


def in_the_street(folder: Path, wild: Path, groups) -> dict:
    """Compute balanced accuracy with 95% intervals, for faces of at least 24 and at least 48 pixels."""
    classifier, config = load_classifier(folder)
    report = metrics_report(predict_crops(classifier, config, wild, groups=groups), config)
    return {size: report["by_size"][size]["balanced_accuracy"] for size in ("24", "48")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wild", type=Path, required=True, help="class folders of face crops")
    parser.add_argument("--groups", help="see maskdet evaluate --help")
    parser.add_argument("--public", type=Path, default=resolve(public.FOLDER), help="default: data/public")
    parser.add_argument("--run", type=Path, default=resolve("runs/public"), help="default: runs/public")
    parser.add_argument("--sizes", type=int, nargs="*", default=SIZES)
    parser.add_argument("--results", type=Path, default=resolve(RESULTS), help=f"default: {RESULTS}")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folders = in_all_precisions(options.run, Path(folder))
        for size in options.sizes:
            folders[str(size)] = train_size(size, options.public, resolve("runs") / f"size-{size}")
            print(f"size {size}: trained", flush=True)
        times = milliseconds(folders)
        rows = [
            {
                "kind": "precision" if name in quantize.PRECISIONS else "size",
                "name": name,
                "megabytes": round((path / CLASSIFIER).stat().st_size / 1e6, 2),
                "milliseconds": times[name],
                "street": in_the_street(path, options.wild, options.groups),
            }
            for name, path in folders.items()
        ]
    for row in rows:
        street = ", ".join(
            "{} px {value:.4f} ({low:.4f}–{high:.4f})".format(key, **v) for key, v in row["street"].items()
        )
        print(f"{row['name']:8s} {row['megabytes']:5.2f} MB  {row['milliseconds']} ms  {street}")
    write_file(options.results, (json.dumps({"cores": os.cpu_count(), "rows": rows}, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
