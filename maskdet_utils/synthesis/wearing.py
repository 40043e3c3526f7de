"""How masks are worn: correctly, or in one of the ways in which people wear them wrong.

Photos, meshes, and styles are those of `masks`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from . import masks
from .masks import ANCHORS, Style, ears_in_sight, face_axes

FOREHEAD = np.array([[54, 104, 151, 333, 284], [127, 105, 9, 334, 356]])  # above the eyes: forehead, eyebrows
# (smallest, largest) row of ANCHORS for the top edge, then the same for the bottom edge. Row 4 is the chin, row 5 is on
# the neck, and rows -1 and -2 are those of FOREHEAD.
WEARING = {
    "right": ((0.0, 1.6), (4.0, 4.0)),  # see `masks.mask_surface`
    "under_nose": ((2.45, 2.7), (4.1, 4.3)),  # just below its tip
    "on_lip": ((2.8, 3.3), (4.1, 4.5)),  # the whole nose is visible
    "under_mouth": ((3.4, 3.6), (4.3, 4.7)),
    "chin": ((3.75, 4.0), (4.5, 5.0)),
    "neck": ((4.02, 4.3), (4.8, 5.2)),  # not a mask but a scarf, see `occluders`
    "over_eyes": ((-2.0, -1.2), (0.5, 1.4)),
    "one_ear": ((0, 0), (0, 0)),  # the mask hangs beside the face
}
# How likely each way is; the probabilities add up to 1.
WRONG_WAYS = {"under_nose": 0.25, "on_lip": 0.25, "under_mouth": 0.1, "chin": 0.2, "one_ear": 0.12, "over_eyes": 0.08}


def random_style(rng: np.random.Generator, kind: str | None = None, wearing: str = "right") -> Style:
    """Pick a random style, see `masks.random_style`.

    Args:
        rng: Random generator.
        kind: A key of `masks.STYLES`; by default any of them.
        wearing: A key of `WEARING`, or "wrong" for any key of `WRONG_WAYS`.

    Raises:
        KeyError: If `masks.STYLES` has no such kind.
    """
    if wearing == "wrong":
        wearing = str(rng.choice(list(WRONG_WAYS), p=list(WRONG_WAYS.values())))
    if wearing in ("one_ear", "over_eyes"):  # a gaiter has no ear loop to hang from
        kind = kind or str(rng.choice(list(masks.STYLES), p=[0.5, 0.2, 0.3, 0.0]))
    return replace(masks.random_style(rng, kind), wearing=wearing)


def draw_mask(photo: np.ndarray, mesh: np.ndarray, style: Style, rng: np.random.Generator) -> tuple[np.ndarray, dict]:
    """Draw a mask onto one face of a photo in the way it is worn; see `masks.draw_mask`."""
    surface, loops = surface_of(mesh, style, rng), None
    if style.wearing == "one_ear":
        nearest = min(ears_in_sight(mesh), key=lambda ear: np.linalg.norm(mesh[ear[0]] - surface[:, 0].mean(axis=0)))
        loops = [masks.ear_loop(mesh, *nearest, surface[row, 0], level) for row, level in ((1, 0.02), (-2, 0.04))]
    return masks.draw_mask(photo, mesh, style, rng, surface=surface, loops=loops)


def surface_of(mesh: np.ndarray, style: Style, rng: np.random.Generator) -> np.ndarray:
    """Return the points of a mask in the way it is worn; see `masks.mask_surface`."""
    if style.wearing == "right":
        return masks.mask_surface(mesh, style, rng)
    if style.wearing == "one_ear":
        grid = hanging_grid(mesh, rng)
    else:
        (highest, lowest), bottom = WEARING[style.wearing]
        top = lowest - (lowest - highest) * style.height
        grid = masks.stretched(face_rows(mesh, np.linspace(top, rng.uniform(*bottom), 4)), mesh, style)
    return masks.smooth_surface(grid, mesh, rng)


def face_rows(mesh: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Interpolate points of the face between the rows of `ANCHORS`.

    Args:
        mesh: The face mesh.
        rows: Row numbers. Rows above 4 are on the neck; -1 is the eyebrows, -2 the forehead.

    Returns:
        The points, (len(rows), 5, 3).
    """
    (_, down, forward), width = face_axes(mesh)
    points = mesh[np.concatenate([FOREHEAD, ANCHORS])].astype(float)
    middle = points[-1, 2]  # the neck is lower, farther back, narrower
    neck = middle + (points[-1] - middle) * 0.9 + (0.5 * down - 0.1 * forward) * width
    points = np.concatenate([points, neck[None]])
    rows = rows + len(FOREHEAD)
    above = np.clip(rows.astype(int), 0, len(points) - 2)
    fraction = (rows - above)[:, None, None]
    return points[above] * (1 - fraction) + points[above + 1] * fraction


def hanging_grid(mesh: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the grid (4, 5, 3) of a mask that hangs from one visible ear, with its long side vertical."""
    (across, down, forward), width = face_axes(mesh)
    ear, outward = ears_in_sight(mesh)[0 if rng.random() < 0.5 else -1]
    turn = rng.uniform(-0.3, 0.3)
    along, beside = down * np.cos(turn) + across * np.sin(turn), across * np.cos(turn) - down * np.sin(turn)
    top_corner = mesh[ear] + (rng.uniform(0.1, 0.2) * down + 0.1 * forward) * width
    length, breadth = np.linspace(0, rng.uniform(0.5, 0.65), 5), np.linspace(-0.12, rng.uniform(0.1, 0.25), 4)
    bend = 0.06 * np.sin(np.linspace(0, np.pi, 4))[:, None, None] * forward  # cloth is never quite flat
    return top_corner + width * (breadth[:, None, None] * -outward * beside + length[None, :, None] * along + bend)
