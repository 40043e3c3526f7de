"""Views of the street faces for training: each is cut out of a face's crop, slightly differently every time."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from . import augment, fine_tuning, street
from .datasets import MASK_CLASSES, WORN_WRONG
from .paths import resolve
from .photos import read_ahead, read_photo

CLASSES = [*MASK_CLASSES, WORN_WRONG]
# How many views of each face: there are few bare faces and few masks worn incorrectly, but many masks worn correctly.
VIEWS = {"with_mask": 3, "without_mask": 11, "worn_incorrectly": 16}
# Two men's selfies are half of all large bare faces. If they had as many views, the classifier would memorize them.
SELFIES = {"maksssksksss10": 1 / 5, "maksssksksss128": 1 / 5}
MARGIN = 0.25  # what the classifier sees around a face, as a fraction of its box
MAX_SIDE = 224  # pixels: the largest input of the network that we use
# The faults of `augment.STREET_FAULTS` that a street photo can still get.
FAULTS = {augment.color_cast: 0.15, augment.light: 0.3, augment.blur: 0.1, augment.noise: 0.2, augment.compress: 0.3}
# The targets of a face that is turned by 90° or more: neither "mask" nor "no mask", so the answer is "unsure".
UNDECIDED = (0.5, 0.25, 0.25)


def cut_view(crop: np.ndarray, box, rng: np.random.Generator, turned: int = 0) -> np.ndarray:
    """Cut a face out of its crop in a random frame: shifted, scaled, and turned a little, mirrored half of the time.

    Args:
        crop: RGB uint8 `(height, width, 3)`, with the surroundings of the face.
        box: the face, (x, y, width, height) in pixels of the crop.
        rng: makes the frame repeatable.
        turned: degrees by which the face is also turned: 0, 90, 180, or 270.

    Returns:
        RGB uint8 `(height, width, 3)`: the face and about a quarter of its size on each side, at most 224 pixels high
        and wide.
    """
    x, y, *size = box
    seen = size[::-1] if turned % 180 else size  # on its side, a tall face is wide
    frame = np.array(seen) * (1 + 2 * MARGIN) * np.exp(rng.uniform(-0.15, 0.15) + rng.uniform(-0.05, 0.05, size=2))
    center = np.array([x, y]) + np.array(size) * (0.5 + rng.uniform(-0.13, 0.13, size=2))
    pixels = np.maximum(8, np.rint(frame * min(1, MAX_SIDE / frame.max()))).astype(int)
    angle = np.radians(turned + rng.uniform(-18, 18))
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = rotation @ np.diag(frame / pixels * [rng.choice([-1, 1]), 1])
    offset = center - matrix @ ((pixels - 1) / 2)
    return cv2.warpAffine(
        crop,
        np.column_stack([matrix, offset]),
        tuple(pixels.tolist()),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )


def draw(folder: str | Path, seed: int, *, turned: int = 1) -> tuple[list[str], np.ndarray]:
    """Write views of all street faces, with the faults of street photos.

    Args:
        folder: where the views are written.
        seed: makes the views repeatable.
        turned: how many additional views of each face are on their side or upside down. Their target is `UNDECIDED`.

    Returns:
        The files, and their targets float32 `(n, 3)` in the order of `CLASSES`.

    Raises:
        AssetError: The street faces are not on this machine and cannot be fetched.
    """
    source, folder = street.fetch(), resolve(folder)
    folder.mkdir(parents=True, exist_ok=True)
    faces = pd.read_csv(source / street.FACES, keep_default_na=False)
    share = faces["group"].map(SELFIES).fillna(1)
    counts = np.maximum(1, np.rint(faces["label"].map(VIEWS) * share)).astype(int)
    jobs = [(face, number) for face, count in enumerate(counts) for number in range(count + turned)]
    rows = list(faces.itertuples())

    def write(job) -> str:
        row, rng = rows[job[0]], np.random.default_rng((seed, *job))
        angle = int(rng.choice([90, 180, 270])) if job[1] >= counts[job[0]] else 0
        view = cut_view(read_photo(source / row.path), (row.x, row.y, row.width, row.height), rng, angle)
        for fault, probability in FAULTS.items():
            if rng.random() < probability:
                view = fault(view, rng)
        file = folder / f"{Path(row.path).stem}_{job[1]}.png"
        cv2.imwrite(str(file), view[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])
        return str(file)

    files = [file for _, file in tqdm(read_ahead(write, jobs, 32), "street faces", len(jobs), leave=False)]
    targets = np.eye(3, dtype=np.float32)[[CLASSES.index(rows[face].label) for face, _ in jobs]]
    targets[[number >= counts[face] for face, number in jobs]] = UNDECIDED
    return files, targets


def add(lower, feature_maps, targets, classes, *, folder: str | Path, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Add the feature maps of street faces to those of a training set.

    Args:
        lower: the lower part of the base, see `fine_tuning.split_base`.
        feature_maps, targets: the training set, see `fine_tuning.feature_maps_of_views`.
        classes: `CLASSES`, or the first two of them; with two, a mask worn incorrectly counts as "without mask".
        folder, seed: as in `draw`.

    Returns:
        Feature maps and targets with the new rows at the end.

    Raises:
        ValueError: `classes` are not the ones above.
        AssetError: The street faces are not on this machine and cannot be fetched.

    Introduced in notebook 07.
    """
    if list(classes) != CLASSES[: len(classes)]:
        raise ValueError(f"Street faces have the classes {', '.join(CLASSES)}, not {', '.join(classes)}.")
    files, of_street = draw(folder, seed)
    if len(classes) == 2:
        of_street = np.stack([of_street[:, 0], 1 - of_street[:, 0]], axis=1)
    maps, of_street = fine_tuning.feature_maps_of_views(lower, files, of_street, 0, seed)
    return np.concatenate([feature_maps, maps]), np.concatenate([targets, of_street])
