"""Things before or below a mouth that are no masks: a hand, a microphone, a beard, a scarf. Plain shapes will do.

A classifier that never saw them takes whatever hides a mouth for a mask. Photos and meshes are those of `masks`.
"""

from __future__ import annotations

import cv2
import numpy as np

from . import masks

# Points of the face mesh: the cheeks and the forehead, where skin is bare; the lower face from ear to ear; the lips.
SKIN = [50, 280, 151, 9, 205, 425]
BEARD = [361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150, 136, 172, 58, 132, 207, 205, 2, 425, 427]
LIPS = [61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185]
KINDS = ("hand", "microphone", "beard", "scarf")


def draw_occluder(photo: np.ndarray, mesh: np.ndarray, kind: str, rng: np.random.Generator) -> tuple[np.ndarray, dict]:
    """Draw something that is no mask onto the face with this mesh; the photo itself stays as it is.

    kind: one of KINDS. Returns the new photo and a description that JSON can hold: `kind` and `box` [x, y, width,
    height] in photo pixels, in which all that was drawn lies. Raises ValueError for another kind.
    """
    if kind not in KINDS:
        raise ValueError(f"No occluder is called {kind!r}. There are: {', '.join(KINDS)}.")
    if kind == "scarf":
        style = masks.random_style(rng, "gaiter", "neck")
        photo, description = masks.draw_mask(photo, mesh, style, rng)
        return photo, {"kind": kind, "box": description["box"]}
    axes, width = masks.face_axes(mesh)
    reach = mesh[[13, 13], :2] + np.array([[-1.0], [1.0]]) * width  # a face width around the mouth
    x, y, box_width, box_height = box = masks.surrounding_box(reach, photo.shape)
    result = photo.copy()
    if min(box_width, box_height) > 1:
        patch = result[y : y + box_height, x : x + box_width]
        paint = {"hand": _hand, "microphone": _microphone, "beard": _beard}[kind]
        zoom = min(4.0, 400 / max(box_width, box_height))  # drawn larger and averaged: smooth edges
        canvas = np.zeros((max(1, round(box_height * zoom)), max(1, round(box_width * zoom)), 4), np.float32)
        paint(canvas, (mesh - np.float32([x, y, 0])) * np.float32(zoom), patch, zoom, rng)
        shrinking = cv2.INTER_AREA if zoom > 1 else cv2.INTER_LINEAR
        layer = cv2.resize(canvas, (box_width, box_height), interpolation=shrinking)
        patch[:] = masks.blend(patch, layer, rng)
    return result, {"kind": kind, "box": box}


def random_occluder(photo: np.ndarray, mesh: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, dict]:
    """Draw one of KINDS, each as likely as the others; see `draw_occluder`."""
    return draw_occluder(photo, mesh, str(rng.choice(KINDS)), rng)


# Each of these paints on a canvas (height, width, 4) float32, RGB in 0 to 1 times opacity, then opacity; the mesh is
# in pixels of the canvas, `zoom` of which are one pixel of the patch of the photo.


def _hand(canvas, mesh, patch, zoom, rng) -> None:
    """Three or four fingers across the mouth, in the color of the cheeks, with a dark line between them."""
    (across, down, _), width = masks.face_axes(mesh)
    across, down = across[:2], down[:2]
    skin = _skin_color(mesh / zoom, patch) * rng.uniform(0.8, 1.1)
    angle = rng.choice([-1, 1]) * rng.uniform(0.2, 1.3)  # from upright to nearly level
    along = down * np.cos(angle) + across * np.sin(angle)
    beside = across * np.cos(angle) - down * np.sin(angle)
    count, thick = int(rng.integers(3, 5)), rng.uniform(0.12, 0.17) * width
    middle = mesh[13, :2] + rng.normal(0, 0.08 * width, 2)
    for number in range(count):
        place = middle + (number - (count - 1) / 2) * thick * 0.95 * beside
        tip = place - along * width * rng.uniform(0.15, 0.35)
        base = place + along * width * rng.uniform(1.0, 1.4)
        _line(canvas, [tip, base], skin * 0.62, thick * 1.08)
        _line(canvas, [tip, base], skin * rng.uniform(0.92, 1.05), thick * 0.92)


def _microphone(canvas, mesh, patch, zoom, rng) -> None:
    """A dark ball before the mouth or the chin, on a handle that comes from below."""
    (across, down, _), width = masks.face_axes(mesh)
    center = mesh[14, :2] + (rng.uniform(0, 0.15) * down + rng.normal(0, 0.08) * across)[:2] * width
    gray, radius = rng.uniform(0.05, 0.35), rng.uniform(0.13, 0.22) * width
    end = center + (down + rng.uniform(-0.7, 0.7) * across)[:2] * width * 1.5
    _line(canvas, [center, end], np.full(3, gray * 0.7), radius * 0.9)
    cv2.circle(canvas, _whole(center), max(1, round(radius)), (gray, gray, gray, 1), -1)
    light = min(1, gray * 1.6)
    cv2.circle(canvas, _whole(center - 0.3 * radius), max(1, round(0.4 * radius)), (light, light, light, 1), -1)


def _beard(canvas, mesh, patch, zoom, rng) -> None:
    """A shade on the lower face, the lips left free: stubble where it is thin, a beard where it is dense."""
    _, width = masks.face_axes(mesh)
    opacity = np.zeros(canvas.shape[:2], np.float32)
    cv2.fillPoly(opacity, [np.round(mesh[BEARD, :2]).astype(np.int32)], rng.uniform(0.35, 0.9))
    cv2.fillPoly(opacity, [np.round(mesh[LIPS, :2]).astype(np.int32)], 0)
    cells = [max(2, round(side / max(1, 0.02 * width))) for side in canvas.shape[1::-1]]
    tufts = cv2.resize(rng.uniform(0.6, 1, cells[::-1]).astype(np.float32), canvas.shape[1::-1])
    opacity = cv2.GaussianBlur(opacity, (0, 0), max(0.5, 0.03 * width)) * tufts
    hair = np.array([0.25, 0.18, 0.12]) * rng.uniform(0.3, 1.2)
    canvas[..., :3], canvas[..., 3] = hair * opacity[..., None], opacity


def _skin_color(mesh, patch) -> np.ndarray:
    """The median color, RGB in 0 to 1, of the patch at the points of the mesh that are skin."""
    column, row = np.round(mesh[SKIN, :2]).astype(int).T
    inside = (column >= 0) & (column < patch.shape[1]) & (row >= 0) & (row < patch.shape[0])
    seen = patch[row[inside], column[inside]] if inside.any() else patch.reshape(-1, 3)
    return np.median(seen, axis=0) / 255


def _line(canvas, points, color, thickness) -> None:
    first, last = (_whole(point) for point in points)
    cv2.line(canvas, first, last, (*np.clip(color, 0, 1).tolist(), 1.0), max(1, round(thickness)))


def _whole(point) -> tuple[int, int]:
    return int(round(float(point[0]))), int(round(float(point[1])))
