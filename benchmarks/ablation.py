"""How much does each ingredient contribute? Train on the built-in sample alone, test on real photos, and write JSON.

    python benchmarks/ablation.py --public FOLDER --wild FOLDER [--arms 1 2 3] [--seed 0] [--table]

Variant 1 is the simplest that could work: gray photos of 40 people, one blue mask on each, and a frozen base. Each
later variant adds one ingredient of `ARMS` to all those before it, so the order matters. All variants see the same
number of views of the same 400 photos and of their masked copies; only the ingredient differs. The base sees 128 × 128
pixels. The head trains for ten epochs, without early stopping. The results file and --arms call a variant an arm.

--public is the public data set (`maskdet fetch public` puts it into data/public). We test on all its cleaned photos,
because none of them is used for training. --wild is a folder of face crops with crops.csv: path, label, source_photo,
face_min_side_px. A variant that is already in the results with the same seed is not trained again, so that an
interrupted run resumes.
"""

import argparse
import json
import tempfile
import time
from contextlib import nullcontext
from functools import lru_cache, partial
from pathlib import Path
from unittest.mock import patch

import cv2
import numpy as np
import pandas as pd

from benchmarks.recipe import fine_tune
from maskdet_utils import augment, evaluation, fine_tuning, model, public, sample, training, training_set
from maskdet_utils.evaluate.metrics import recall
from maskdet_utils.faces import CenterFace, FaceMesh
from maskdet_utils.paths import resolve, write_file
from maskdet_utils.synthesis import masks, occluders, wearing

RESULTS = "benchmarks/results/ablation.json"
ARMS = (
    "one blue mask",
    "all styles and colors of masks",
    "light, blur and grain of the photo",
    "photos in color",
    "moved, turned and zoomed",
    "camera faults",
    "other frames, turned heads",
    "hands, beards, scarves",
    "masks worn wrong",
    "top of the base fine-tuned",
)
STYLES, LIGHT, COLOR, MOVED, FAULTS, FRAMES, OCCLUDERS, WRONG, TUNED = range(2, 11)  # the variant that adds each
FIGURES = {
    "public": "accuracy, public photos",
    "wild_24": "balanced accuracy, street, 24 px",
    "wild_48": "balanced accuracy, street, 48 px",
    "worn_wrong": "worn incorrectly, called with mask",
}
SIZE = 128
VIEWS = 2  # per picture; with two bare and two masked pictures of each of 400 photos, there are 3,200 views
HEAD_EPOCHS, TUNED_EPOCHS = 10, 4
BLUE = masks.Style("surgical", "pleats", color=(150, 196, 224))
# A mask in one flat color: no light falls on it, its edge is sharp, and it has no grain.
FLAT = {
    "surface_light": lambda photo, mesh, surface: (np.ones((32, 32), np.float32), 1.0),
    "blur_sigma": lambda gray: 0.1,
    "noise_sigma": lambda gray: 0.0,
}
# The street faults that the camera does not cause.
SCENES = (augment.turn, augment.in_front, augment.reframe)
CLASSES = ["with_mask", "without_mask"]


@lru_cache
def bare_faces() -> list:
    """Return the gray RGB photo and the mesh of each photo of the sample in which a face is found, in order."""
    detector, mesh = CenterFace(), FaceMesh()
    found = []
    for _, _, gray in sample.att_photos():
        faces = detector.detect(gray)
        points = mesh.find(gray, faces[0]) if faces else None
        if points is not None:
            found.append((gray, points))
    return found


def draw(what: str, gray, mesh, variant: int, rng) -> tuple[np.ndarray, float]:
    """Draw one training picture.

    Args:
        what: "right", "bare", "wrong", or "occluder".
        gray: A gray photo as RGB uint8.
        mesh: The mesh of its face, see `faces.FaceMesh`.
        variant: The number of the variant.
        rng: A random generator.

    Returns:
        The picture and its target, the probability of "with mask" that the classifier should give.
    """
    photo = gray
    if variant >= COLOR:
        photo = sample.color(gray, mesh, rng) if rng.random() < sample.COLORED else sample.tint(gray, rng)
    target = 0.0
    if what == "occluder":
        photo, _ = occluders.random_occluder(photo, mesh, rng)
    elif what in ("right", "wrong"):
        style = wearing.random_style(rng, wearing=what) if variant >= STYLES else BLUE
        photo, _ = wearing.draw_mask(photo, mesh, style, rng)
        target = {"right": 1.0, "under_nose": training_set.UNDER_NOSE}.get(style.wearing, 0.0)  # see notebook 07
    return augment.soften(photo, rng) if variant >= LIGHT else photo, target


def draw_all(variant: int, seed: int, folder: Path, n_photos: int) -> tuple[list, np.ndarray]:
    """Draw a variant's pictures: four per photo, about half of them with a correctly worn mask.

    Args:
        variant: The number of the variant.
        seed: Makes the pictures repeatable.
        folder: Where to write the pictures.
        n_photos: How many photos of the sample to draw on.

    Returns:
        The files, and their targets, float32 `(n, 2)`.
    """
    files, targets = [], []
    with patch.multiple(masks, **FLAT) if variant < LIGHT else nullcontext():
        for number, (gray, mesh) in enumerate(bare_faces()[:n_photos]):
            plan = ["right", "bare", "right", "bare"]
            if variant >= OCCLUDERS and number % 2:
                plan[3] = "occluder"
            if variant >= WRONG and number % 2:
                plan[2] = "wrong"
            for place, what in enumerate(plan):
                picture, target = draw(what, gray, mesh, variant, np.random.default_rng([seed, number, place]))
                files.append(str(folder / f"{number:03d}_{place}.jpg"))
                cv2.imwrite(files[-1], picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
                targets.append(target)
    return files, np.stack([targets, 1 - np.array(targets)], axis=1).astype(np.float32)


def views_of(lower, variant: int, seed: int, n_photos: int) -> tuple[np.ndarray, np.ndarray]:
    """Compute feature maps and targets of a variant's training views, see `fine_tuning.feature_maps_of_views`."""
    faults = {
        change: chance
        for change, chance in augment.STREET_FAULTS.items()
        if variant >= (FRAMES if change in SCENES else FAULTS)
    }
    move = augment.random_affine if variant >= MOVED else None
    with tempfile.TemporaryDirectory() as folder, patch.dict(augment.STREET_FAULTS, faults, clear=True):
        files, targets = draw_all(variant, seed, Path(folder), n_photos)
        return fine_tuning.feature_maps_of_views(lower, files, targets, VIEWS, seed, change=augment.degrade, move=move)


def real_photos(public_folder: Path, wild_folder: Path) -> pd.DataFrame:
    """Return the test photos: `file`, `label`, `group`, and the face's `side` in pixels (NaN for public photos)."""
    manifest, _ = public.read_manifest(public_folder)
    manifest["file"] = [str(public_folder / path) for path in manifest["path"]]
    crops = pd.read_csv(wild_folder / "crops.csv")
    crops["file"] = [str(wild_folder / path) for path in crops["path"]]
    crops = crops.rename(columns={"source_photo": "group", "face_min_side_px": "side"})
    return pd.concat([manifest, crops], ignore_index=True)[["file", "label", "group", "side"]]


def evaluate(real: pd.DataFrame, probabilities: np.ndarray) -> dict:
    """Compute the scores named in `FIGURES`, each with its 95% interval over groups."""
    truth = (real["label"] == CLASSES[1]).to_numpy().astype(int)
    known = real["label"].isin(CLASSES)
    subsets = {
        "public": (real["side"].isna(), evaluation.accuracy),
        "wild_24": (known & (real["side"] >= 24), evaluation.balanced_accuracy),
        "wild_48": (known & (real["side"] >= 48), evaluation.balanced_accuracy),
        "worn_wrong": (~known & (real["side"] >= 24), partial(recall, label=0)),
    }
    return {
        name: evaluation.with_interval(metric, truth[rows], probabilities[rows], real["group"][rows])
        for name, (rows, metric) in subsets.items()
    }


def train_and_evaluate(variant: int, seed: int, real: pd.DataFrame, real_maps: np.ndarray, n_photos: int) -> dict:
    """Train and evaluate a variant. Returns its row of the results."""
    start = time.perf_counter()
    model.set_seed(seed)
    lower, upper = fine_tuning.split_base(model.build_base(SIZE))
    head = model.build_head()
    head.build(upper.output_shape)
    maps, targets = views_of(lower, variant, seed, n_photos)
    features = fine_tuning.features_of_feature_maps(upper, maps)
    training.train_head(head, (features, targets), None, HEAD_EPOCHS, learning_rate=3e-4)
    if variant >= TUNED:
        fine_tune(upper, head, maps, targets, TUNED_EPOCHS)
    fine_tuning.correct_prior(head, targets)
    after_pooling = model.keras.Sequential(head.layers[1:])
    probabilities = after_pooling.predict(fine_tuning.features_of_feature_maps(upper, real_maps), verbose=0)
    return {
        "arm": variant,
        "adds": ARMS[variant - 1],
        "seed": seed,
        "views": len(maps),
        **evaluate(real, probabilities),
        "seconds": round(time.perf_counter() - start),
    }


def table(results: list[dict]) -> str:
    """Format the results as Markdown, one row per variant.

    The scores are means over the seeds. So are the ends of the 95% intervals, which are in parentheses.
    """
    lines = ["| adds | " + " | ".join(FIGURES.values()) + " |", "|" + "---|" * (1 + len(FIGURES))]
    for variant in sorted({row["arm"] for row in results}):
        rows = [row for row in results if row["arm"] == variant]
        cells = [f"{variant} {rows[0]['adds']}"]
        for name in FIGURES:
            value, low, high = (np.mean([row[name][key] for row in rows]) for key in ("value", "low", "high"))
            cells.append(f"{value:.3f} ({low:.3f}–{high:.3f})")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--public", type=Path, help="the unpacked public data set (default: data/public)")
    parser.add_argument("--wild", type=Path, help="folder with crops.csv")
    parser.add_argument("--arms", type=int, nargs="*", default=range(1, len(ARMS) + 1), help="default: all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--photos", type=int, default=400, help="number of sample photos to train on (default: 400)")
    parser.add_argument("--results", type=Path, default=resolve(RESULTS), help=f"default: {RESULTS}")
    parser.add_argument("--table", action="store_true", help="only print a table of the results so far")
    options = parser.parse_args()
    results = json.loads(options.results.read_text()) if options.results.is_file() else []
    done = {(row["arm"], row["seed"]) for row in results}
    variants = [variant for variant in options.arms if (variant, options.seed) not in done and not options.table]
    if variants:
        if options.wild is None:
            parser.error("--wild is required: the folder of face crops to test on")
        real = real_photos(options.public or resolve(public.FOLDER), options.wild)
        lower, _ = fine_tuning.split_base(model.build_base(SIZE))
        real_maps, _ = fine_tuning.feature_maps_of_views(lower, real["file"], np.zeros((len(real), 2)), 0, 0)
    for variant in variants:
        row = train_and_evaluate(variant, options.seed, real, real_maps, options.photos)
        results = sorted([*results, row], key=lambda row: (row["arm"], row["seed"]))
        write_file(options.results, (json.dumps(results, indent=1) + "\n").encode())
        shown = ", ".join(f"{name} {row[name]['value']:.3f}" for name in FIGURES)
        print(f"variant {variant} ({row['adds']}), seed {row['seed']}: {shown}; {row['seconds']} s", flush=True)
    print(table(results))


if __name__ == "__main__":
    main()
