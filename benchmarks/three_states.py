"""Score classifiers on street faces in three states: with mask, without mask, worn incorrectly.

    python benchmarks/three_states.py FOLDER NAME=FILE[,FILE…] [NAME=FILE…] [--groups CSV] [--as-they-are]

FOLDER holds class folders with face crops, as for `maskdet evaluate`. Several files with one name are the same
classifier, trained with different seeds: the scores are means over them. The temperature, the shift of each class, and
the "unsure" band are fitted on half of the photos and judged on the other half, and vice versa, for five random halves,
unless --as-they-are is given. All intervals are over photos. The scores go to benchmarks/results/three_states.json. Entries
with other names stay in the file.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from maskdet_utils.classifier import at_threshold, load_classifier
from maskdet_utils.evaluate.calibration import (
    expected_calibration_error,
    fit_shifts,
    fit_temperature,
    unsure_band,
    with_temperature,
)
from maskdet_utils.evaluate.folder import BATCH, predict_crops
from maskdet_utils.evaluate.metrics import SIZES, macro_f1
from maskdet_utils.evaluation import resamples, score_text
from maskdet_utils.paths import resolve, write_file
from maskdet_utils.photos import fit_to_input, read_photo

RESULTS = "benchmarks/results/three_states.json"
CLASSES = ["with_mask", "without_mask", "worn_incorrectly"]
MASK, BARE, WRONG = range(3)
# How much a face counts when the shifts are fitted. Here, one face in eight has a mask that is worn incorrectly. In the
# press photos of the street collection, it is one in 33, so such a face should count a quarter. We chose more, because
# such masks shouldn't pass, see docs/what-did-not-help.md.
WEIGHTS = (1, 1, 0.75)
WRONG_ANSWERS = 0.004  # the largest share of wrong answers outside the "unsure" band
SPLITS = 5  # One split alone moves the score of masks worn incorrectly by up to 0.02.


def predict(classifier, config: dict, folder: Path, groups=None) -> tuple:
    """Run a classifier on the crops, upright and turned by 90° to both sides.

    Returns:
        The table of the faces, and what the classifier returns for them: upright `(n, …)` and turned `(2, n, …)`.
    """
    found = predict_crops(classifier, config, folder, groups=groups)
    faces, size = found.faces, config["input_size"]
    turned = []
    for start in range(0, len(faces), BATCH):
        crops = [read_photo(folder / path, at_least=size) for path in faces["path"][start : start + BATCH]]
        pixels = np.stack([fit_to_input(crop, size) for crop in crops]).astype(np.float32)
        turned.append(np.stack([classifier(np.ascontiguousarray(np.rot90(pixels, way, (1, 2)))) for way in (1, 3)]))
    return faces, found.probabilities, np.concatenate(turned, axis=1)


def fit_correction(truth: np.ndarray, probabilities: np.ndarray) -> tuple[float, np.ndarray]:
    """Fit the correction for `with_temperature`: the shifts on all faces, then the temperature on masked and bare faces only.

    Whether a mask is worn incorrectly is often a matter of opinion. If such faces also set the temperature, the
    classifier would become underconfident about "mask or not?".

    Args:
        truth: The index of each face's true class, int `(n,)`.
        probabilities: `(n, 2)` or `(n, 3)`.

    Returns:
        The temperature, and the shifts `(classes,)`.
    """
    temperature, shifts = fit_shifts(truth, probabilities, WEIGHTS[: probabilities.shape[1]])
    two = truth != WRONG
    factor = fit_temperature(truth[two], with_temperature(probabilities[two], temperature, shifts))
    return temperature * factor, shifts / factor


def cross_fit(truth, groups, upright, turned, split: int = 0) -> tuple:
    """Correct the probabilities of each half of the photos as fitted on the other half. `split` chooses the halves.

    Returns:
        The corrected probabilities, upright and turned, and the ends of the "unsure" band for each face `(n, 2)`.
    """
    half = np.random.default_rng(split).permutation(groups.max() + 1)[groups] % 2
    known = truth < upright.shape[1]
    corrected, of_turned, bands = np.empty(upright.shape), np.empty(turned.shape), np.empty((len(truth), 2))
    for judged in (0, 1):
        here, fitted = half == judged, (half != judged) & known
        correction = fit_correction(truth[fitted], upright[fitted])
        corrected[here] = with_temperature(upright[here], *correction)
        of_turned[:, here] = [with_temperature(one[here], *correction) for one in turned]
        fitted &= truth != WRONG
        first = with_temperature(upright[fitted], *correction)[:, 0]
        bands[here] = unsure_band(truth[fitted] == MASK, first, WRONG_ANSWERS)
    return corrected, of_turned, bands


def balanced(truth, is_mask) -> float:
    """The mean of two recalls: masks called masks, and bare faces not called masks."""
    return (is_mask[truth == MASK].mean() + (~is_mask)[truth == BARE].mean()) / 2


def scores_of(truth, sizes, upright, turned, bands) -> dict:
    """All scores of one seed on some faces. The names are those in the JSON file."""
    scores = {}
    for size in SIZES:
        large = sizes >= size
        mask, bare = upright[large, 0], upright[large, 1]
        scores[f"mask or not, {size}"] = balanced(truth[large], mask >= 0.5)
        scores[f"mask or bare, {size}"] = balanced(truth[large], mask >= bare)
    labels = at_threshold(upright, 0.5).argmax(axis=1)
    scores["worn incorrectly, called mask"] = (labels[truth == WRONG] == MASK).mean()
    scores["bare, called bare"] = (labels[truth == BARE] == BARE).mean()
    if upright.shape[1] == 3:
        scores["macro F1"] = macro_f1(truth, at_threshold(upright, 0.5))
    two, first = truth != WRONG, upright[:, 0]
    sure = (first <= bands[:, 0]) | (first >= bands[:, 1])
    is_right = (first >= 0.5) == (truth == MASK)
    of_two = np.stack([first, 1 - first], axis=1)[two]
    scores["calibration error"] = expected_calibration_error((truth[two] != MASK).astype(int), of_two)
    scores["right if sure"] = is_right[two & sure].mean()
    scores["unsure"] = 1 - sure[two].mean()
    scores["unsure, worn incorrectly"] = 1 - sure[~two].mean()
    first = turned[..., 0]
    scores["turned, sure"] = ((first <= bands[:, 0]) | (first >= bands[:, 1])).mean()
    return {name: float(score) for name, score in scores.items()}


def score(files: list, folder: Path, groups=None, as_they_are: bool = False) -> dict:
    """Score one classifier: means over its files, with intervals over photos, and the scores of each file."""
    answers = []
    for file in files:
        classifier, config = load_classifier(Path(file).resolve())
        faces, upright, turned = predict(classifier, config, folder, groups)
        bands = np.tile(config.get("unsure", [0.5, 0.5]), (len(faces), 1))
        if as_they_are:
            answers.append([(upright, turned, bands)])
        else:
            answers.append([cross_fit(*truth_of(faces), upright, turned, split) for split in range(SPLITS)])
    return {"as_they_are": as_they_are, **summary(faces, answers)}


def truth_of(faces) -> tuple[np.ndarray, np.ndarray]:
    """The true class and the number of the group of each face, int `(n,)`."""
    return faces["label"].map(CLASSES.index).to_numpy(), np.unique(faces["group"], return_inverse=True)[1]


def summary(faces, answers: list) -> dict:
    """Score what `cross_fit` returned for each split of each seed: means, with intervals, and the scores of each seed."""
    truth, numbers = truth_of(faces)
    sizes = faces["face_size"].to_numpy(float)

    def mean(seeds, rows=slice(None)) -> dict:
        splits = [split for seed in seeds for split in seed]
        each = [scores_of(truth[rows], sizes[rows], up[rows], tu[:, rows], bands[rows]) for up, tu, bands in splits]
        return {name: float(np.mean([one[name] for one in each])) for name in each[0]}

    values, drawn = mean(answers), [mean(answers, rows) for rows in resamples(numbers, 1000)]
    ends = {name: np.percentile([one[name] for one in drawn], [2.5, 97.5]).tolist() for name in values}
    # Resampling makes the calibration error larger, so its interval is shifted as in `evaluation.with_intervals`.
    shift = values["calibration error"] - np.median([one["calibration error"] for one in drawn])
    ends["calibration error"] = [max(0.0, end + shift) for end in ends["calibration error"]]
    return {
        "files": len(answers),
        "faces": dict(zip(CLASSES, np.bincount(truth, minlength=3).tolist(), strict=True)),
        "photos": len(set(numbers.tolist())),
        "scores": {name: {"value": values[name], "low": ends[name][0], "high": ends[name][1]} for name in values},
        "each": [mean([seed]) for seed in answers],
    }


def keep(name: str, found: dict, file: Path | None = None) -> None:
    """Add what `score` returned to the JSON file, under a name."""
    file = file or resolve(RESULTS)
    results = json.loads(file.read_text()) if file.is_file() else {}
    write_file(file, (json.dumps({**results, name: found}, indent=1) + "\n").encode())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("models", nargs="+", metavar="NAME=FILE")
    parser.add_argument("--groups", help="see maskdet evaluate --help")
    parser.add_argument("--as-they-are", action="store_true", help="fit nothing; take the band from labels.json")
    parser.add_argument("--results", type=Path, default=resolve(RESULTS), help=f"default: {RESULTS}")
    options = parser.parse_args()
    for model in options.models:
        name, _, files = model.partition("=")
        found = score(files.split(","), options.folder, options.groups, options.as_they_are)
        print(name, *(f"  {key:32s}{score_text(value, 4)}" for key, value in found["scores"].items()), sep="\n")
        keep(name, found, options.results)


if __name__ == "__main__":
    main()
