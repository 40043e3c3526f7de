"""What do drawn and real faces teach about masks worn incorrectly? Heads on the frozen base, scored on street faces.

    python -m benchmarks.third_state FOLDER

FOLDER holds class folders with face crops, as for benchmarks/three_states.py, which scores them the same way. The
training photos are those of params/street.yaml; each variant leaves some of them out. The base stays frozen, so that a
variant takes one minute instead of twenty: compare the variants with each other, not with the released classifier.
Scores are means over two seeds of the head, and go to benchmarks/results/third_state.json.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.three_states import CLASSES, WRONG, cross_fit, predict, summary, truth_of
from maskdet_utils import augment, export, fine_tuning, model, street_views, training
from maskdet_utils.model import keras
from maskdet_utils.paths import resolve, write_file
from maskdet_utils.training_set import draw_pictures, pictures
from tools.release import training_photos

RESULTS = "benchmarks/results/third_state.json"
SIZE, SEEDS, EPOCHS, N_DRAWN = 160, (0, 1), 10, 2
# Which training pictures each variant uses. "… only" limits the masks worn incorrectly and keeps everything else. A
# picture is a "portrait" (public or sample), "drawn" (on such a portrait), or "street".
VARIANTS = {
    "all": lambda kind, wrong: np.ones(len(kind), bool),
    "no street faces": lambda kind, wrong: kind != "street",
    "drawn ones only": lambda kind, wrong: ~wrong | (kind == "drawn"),
    "real ones only": lambda kind, wrong: ~wrong | (kind != "drawn"),
    "real portraits only": lambda kind, wrong: ~wrong | (kind == "portrait"),
    "real street faces only": lambda kind, wrong: ~wrong | (kind == "street"),
}


def features_of_all(folder: str, base) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple]:
    """Return features, targets, and kinds of all training pictures, and features and targets of the validation set."""
    photos, sets = training_photos(0), {}
    for name in ("train", "validation"):
        chosen = photos[photos["split"] == name]
        drawn = draw_pictures(chosen, CLASSES, f"{folder}/{name}", N_DRAWN, 0, cut_faces=True)
        sets[name] = pictures(chosen, drawn, CLASSES, N_DRAWN)
    change, move = augment.degrade, augment.random_affine
    features, targets = training.features_of_views(base, *sets["train"], 1, 0, change=change, move=move)
    validation = training.features_of_views(base, *sets["validation"], 1, 1000, change=change)
    street = training.features_of_views(base, *street_views.draw(f"{folder}/street", 0), 0, 0)
    kinds = ["drawn" if str(file).startswith(folder) else "portrait" for file in sets["train"][0]]
    kinds = np.array(kinds + ["street"] * len(street[0]))
    return np.concatenate([features, street[0]]), np.concatenate([targets, street[1]]), kinds, validation


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    options = parser.parse_args()
    model.set_seed(0)
    base, results = model.build_base(SIZE), {}
    with tempfile.TemporaryDirectory() as folder:
        features, targets, kinds, validation = features_of_all(folder, base)
    lite = export.as_litert(base)
    config = {"classes": CLASSES, "input_size": SIZE, "crop_margin": street_views.MARGIN}
    faces, of_upright, of_turned = predict(
        lambda pixels: lite(pixels / 127.5 - 1).mean(axis=(1, 2)), config, options.folder
    )
    wrong = targets[:, WRONG] == 1
    for name, chooses in VARIANTS.items():
        chosen, answers = chooses(kinds, wrong), []
        for seed in SEEDS:
            keras.utils.set_random_seed(seed)
            head = model.build_head(3)
            training.train_head(head, (features[chosen], targets[chosen]), validation, EPOCHS)
            fine_tuning.correct_prior(head, targets[chosen])
            after_pooling = keras.Sequential(head.layers[1:])
            upright = after_pooling.predict(of_upright, verbose=0)
            turned = [after_pooling.predict(one, verbose=0) for one in of_turned]
            answers.append([cross_fit(*truth_of(faces), upright.astype(float), np.array(turned, float))])
        results[name] = {"worn incorrectly": int((chosen & wrong).sum()), **summary(faces, answers)}
        print(name, {key: round(one["value"], 3) for key, one in results[name]["scores"].items()}, flush=True)
        write_file(resolve(RESULTS), (json.dumps(results, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
