"""Score several classifiers on the same face crops, for notebook 08. Writes JSON and a table of probabilities.

    python benchmarks/wild.py FOLDER ours=RUN recipe=RUN [--groups CSV] [--turn]

FOLDER holds the class folders with_mask/, without_mask/, and worn_incorrectly/ with face crops. Each classifier is a
run folder or a file, as in `maskdet evaluate --model`. With three classes, the scores are for "mask or not?". Its
report, as in `maskdet evaluate --json` but without file names, is stored under its name in
benchmarks/results/wild.json. Classifiers with other names stay in the file. The probabilities of the classifier named
"ours" go to benchmarks/results/probabilities.csv: `truth` (a label), `group`, `probability` (of with_mask), and
`face_size` (pixels).
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from maskdet_utils.classifier import load_classifier
from maskdet_utils.evaluate.folder import predict_crops
from maskdet_utils.evaluate.metrics import first_or_not, metrics_report
from maskdet_utils.evaluate.text import as_text
from maskdet_utils.paths import resolve, write_file

RESULTS = "benchmarks/results/wild.json"
ANSWERS = "benchmarks/results/probabilities.csv"


def without_names(report: dict) -> dict:
    """Remove the names of photos from a report, so that it can be published."""
    return {**report, "left_out": {"count": report["left_out"]["count"]}}


def answers(predictions) -> pd.DataFrame:
    """Return one row per face, see above. Groups are numbered, so that no photo is named."""
    return pd.DataFrame(
        {
            "truth": predictions.faces["label"],
            "group": pd.factorize(predictions.faces["group"])[0],
            "probability": np.round(predictions.probabilities[:, 0].astype(float), 9),
            "face_size": predictions.faces["face_size"].round().astype(int),
        }
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("models", nargs="+", metavar="NAME=RUN_OR_FILE")
    parser.add_argument("--groups", help="see maskdet evaluate --help")
    parser.add_argument(
        "--turn",
        action="store_true",
        help="also give scores by how far the head is turned (takes several times as long)",
    )
    parser.add_argument("--results", type=Path, default=resolve(RESULTS), help=f"default: {RESULTS}")
    parser.add_argument("--answers", type=Path, default=resolve(ANSWERS), help=f"default: {ANSWERS}")
    options = parser.parse_args()
    reports = json.loads(options.results.read_text()) if options.results.is_file() else {}
    for model in options.models:
        name, _, run = model.partition("=")
        classifier, config = load_classifier(Path(run).resolve())
        predictions = predict_crops(classifier, config, options.folder, groups=options.groups, turn=options.turn)
        if len(config["classes"]) == 3:
            config = {**config, "classes": config["classes"][:2]}
            predictions = replace(predictions, probabilities=first_or_not(predictions.probabilities))
        reports[name] = without_names(metrics_report(predictions, config))
        print(f"{name}\n{as_text(reports[name] | {'left_out': {'count': 0, 'photos': []}})}\n")
        write_file(options.results, (json.dumps(reports, indent=1) + "\n").encode())
        if name == "ours":
            write_file(options.answers, answers(predictions).to_csv(index=False, lineterminator="\n").encode())


if __name__ == "__main__":
    main()
