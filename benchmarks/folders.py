"""Time a folder of face crops from files to probabilities: the usual way and ours, taking turns. Writes JSON.

    python benchmarks/folders.py [FOLDER] [--rounds 3] [--results FILE]

The usual way comes from the recipe's training script: `load_img` at 224×224, all photos in one float32 array, and
`model.predict`. Ours is `maskdet evaluate`. FOLDER holds with_mask/ and without_mask/ (default: the built-in sample).
"""

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np

from maskdet_utils import sample
from maskdet_utils.classifier import RELEASED, load_classifier
from maskdet_utils.evaluate.folder import predict_crops
from maskdet_utils.paths import resolve, write_file

RESULTS = "benchmarks/results/folders.json"


def usual_way():
    """Return a function from files to probabilities that works as the recipe does, but untrained (it takes as long)."""
    from maskdet_utils.model import build_base, build_head, keras

    base = build_base(224)
    model = keras.Model(base.input, build_head()(base.output))
    prepare = keras.applications.mobilenet_v2.preprocess_input

    def classify(files):
        photos = [prepare(keras.utils.img_to_array(keras.utils.load_img(f, target_size=(224, 224)))) for f in files]
        return model.predict(np.array(photos, dtype="float32"), batch_size=32, verbose=0)

    return classify


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--results", type=Path, default=resolve(RESULTS), help=f"default: {RESULTS}")
    options = parser.parse_args()
    folder = options.folder or sample.build()
    files = sorted(path for name in ("with_mask", "without_mask") for path in (folder / name).iterdir())
    usual, (classifier, config) = usual_way(), load_classifier(RELEASED)
    ways = {
        "usual": lambda: usual(files),
        "ours": lambda: predict_crops(classifier, config, folder),
    }
    rates: dict = {name: [] for name in ways}
    for number in range(options.rounds + 1):  # the first round only warms up
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            if number:
                rates[name].append(len(files) / (time.perf_counter() - start))
    medians = {name: float(np.median(values)) for name, values in rates.items()}
    results = {
        "cores": os.cpu_count(),
        "photos": len(files),
        "photos_a_second": {
            name: {"median": round(medians[name]), "all": np.round(rates[name]).tolist()} for name in ways
        },
        "times_faster": round(medians["ours"] / medians["usual"], 2),
    }
    for name in ways:
        print(f"{name:6s} {medians[name]:6.0f} photos per second ({min(rates[name]):.0f} to {max(rates[name]):.0f})")
    print(f"ours is {results['times_faster']:.1f} times as fast")
    write_file(options.results, (json.dumps(results, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
