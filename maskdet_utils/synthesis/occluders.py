"""Things in front of or below a mouth that are not masks: a hand, a microphone, a beard, a scarf.

A classifier that never saw them in training mistakes anything that hides a mouth for a mask. Simple shapes are enough
to teach it. Photos and meshes are those of `masks`.
"""

from __future__ import annotations

import cv2
import numpy as np

from . import masks, wearing

# Indices into the face mesh. SKIN: cheeks and forehead, where the skin is bare. BEARD: the lower face from ear to ear.
SKIN = [50, 280, 151, 9, 205, 425]
BEARD = [361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150, 136, 172, 58, 132, 207, 205, 2, 425, 427]
LIPS = [61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185]
KINDS = ("hand", "microphone", "beard", "scarf")


def draw_occluder(photo: np.ndarray, mesh: np.ndarray, kind: str, rng: np.random.Generator) -> tuple[np.ndarray, dict]:
    """Draw something that is not a mask onto one face of a photo; the photo itself stays unchanged.

    Args:
        photo: RGB uint8 (height, width, 3).
        mesh: The face's mesh.
        kind: One of `KINDS`.
        rng: Random generator.

    Returns:
        The new photo and a description that JSON can store: `kind` and `box` [x, y, width, height] in photo pixels.
        Everything that was drawn lies in the box.

    Raises:
        ValueError: If `KINDS` has no such kind.
    """
    if kind not in KINDS:
        raise ValueError(f"Unknown occluder {kind!r}. Choose one of: {', '.join(KINDS)}.")
    if kind == "scarf":
        style = wearing.random_style(rng, "gaiter", "neck")
        photo, description = wearing.draw_mask(photo, mesh, style, rng)
        return photo, {"kind": kind, "box": description["box"]}
    axes, width = masks.face_axes(mesh)
    reach = mesh[[13, 13], :2] + np.array([[-1.0], [1.0]]) * width  # one face width to each side of the mouth
    x, y, box_width, box_height = box = masks.surrounding_box(reach, photo.shape)
    result = photo.copy()
    if min(box_width, box_height) > 1:
        patch = result[y : y + box_height, x : x + box_width]
        paint = {"hand": _hand, "microphone": _microphone, "beard": _beard}[kind]
        zoom = min(4.0, 400 / max(box_width, box_height))  # drawn larger and then averaged, for smooth edges
        canvas = np.zeros((max(1, round(box_height * zoom)), max(1, round(box_width * zoom)), 4), np.float32)
        paint(canvas, (mesh - np.float32([x, y, 0])) * np.float32(zoom), patch, zoom, rng)
        interpolation = cv2.INTER_AREA if zoom > 1 else cv2.INTER_LINEAR
        layer = cv2.resize(canvas, (box_width, box_height), interpolation=interpolation)
        patch[:] = masks.blend(patch, layer, rng)
    return result, {"kind": kind, "box": box}


def random_occluder(photo: np.ndarray, mesh: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, dict]:
    """Draw one of `KINDS`, all equally likely; see `draw_occluder`."""
    return draw_occluder(photo, mesh, str(rng.choice(KINDS)), rng)


# Each of these functions paints on a canvas (height, width, 4) float32: RGB from 0 to 1 multiplied by opacity, then
# opacity. The mesh is in canvas pixels; `zoom` canvas pixels are one pixel of the patch, which is part of the photo.


def _hand(canvas, mesh, patch, zoom, rng) -> None:
    """Paint three or four fingers across the mouth, in the color of the cheeks, with dark lines between them."""
    (across, down, _), width = masks.face_axes(mesh)
    across, down = across[:2], down[:2]
    skin = _skin_color(mesh / zoom, patch) * rng.uniform(0.8, 1.1)
    angle = rng.choice([-1, 1]) * rng.uniform(0.2, 1.3)  # from nearly vertical to nearly horizontal
    along = down * np.cos(angle) + across * np.sin(angle)
    beside = across * np.cos(angle) - down * np.sin(angle)
    count, thickness = int(rng.integers(3, 5)), rng.uniform(0.12, 0.17) * width
    center = mesh[13, :2] + rng.normal(0, 0.08 * width, 2)
    for number in range(count):
        on_finger = center + (number - (count - 1) / 2) * thickness * 0.95 * beside
        tip = on_finger - along * width * rng.uniform(0.15, 0.35)
        base = on_finger + along * width * rng.uniform(1.0, 1.4)
        _line(canvas, [tip, base], skin * 0.62, thickness * 1.08)
        _line(canvas, [tip, base], skin * rng.uniform(0.92, 1.05), thickness * 0.92)


def _microphone(canvas, mesh, patch, zoom, rng) -> None:
    """Paint a dark ball in front of the mouth or the chin, on a handle that comes from below."""
    (across, down, _), width = masks.face_axes(mesh)
    center = mesh[14, :2] + (rng.uniform(0, 0.15) * down + rng.normal(0, 0.08) * across)[:2] * width
    gray, radius = rng.uniform(0.05, 0.35), rng.uniform(0.13, 0.22) * width
    handle_end = center + (down + rng.uniform(-0.7, 0.7) * across)[:2] * width * 1.5
    _line(canvas, [center, handle_end], np.full(3, gray * 0.7), radius * 0.9)
    cv2.circle(canvas, _to_pixel(center), max(1, round(radius)), (gray, gray, gray, 1), -1)
    shine = min(1, gray * 1.6)
    cv2.circle(canvas, _to_pixel(center - 0.3 * radius), max(1, round(0.4 * radius)), (shine, shine, shine, 1), -1)


def _beard(canvas, mesh, patch, zoom, rng) -> None:
    """Darken the lower face but not the lips: thin color looks like stubble, dense color like a beard."""
    _, width = masks.face_axes(mesh)
    opacity = np.zeros(canvas.shape[:2], np.float32)
    cv2.fillPoly(opacity, [np.round(mesh[BEARD, :2]).astype(np.int32)], rng.uniform(0.35, 0.9))
    cv2.fillPoly(opacity, [np.round(mesh[LIPS, :2]).astype(np.int32)], 0)
    grid_size = [max(2, round(side / max(1, 0.02 * width))) for side in canvas.shape[1::-1]]
    tufts = cv2.resize(rng.uniform(0.6, 1, grid_size[::-1]).astype(np.float32), canvas.shape[1::-1])
    opacity = cv2.GaussianBlur(opacity, (0, 0), max(0.5, 0.03 * width)) * tufts
    hair = np.array([0.25, 0.18, 0.12]) * rng.uniform(0.3, 1.2)
    canvas[..., :3], canvas[..., 3] = hair * opacity[..., None], opacity


def _skin_color(mesh, patch) -> np.ndarray:
    """Return the patch's median color, RGB from 0 to 1, at the points of the mesh that are skin."""
    column, row = np.round(mesh[SKIN, :2]).astype(int).T
    inside = (column >= 0) & (column < patch.shape[1]) & (row >= 0) & (row < patch.shape[0])
    pixels = patch[row[inside], column[inside]] if inside.any() else patch.reshape(-1, 3)
    return np.median(pixels, axis=0) / 255


def _line(canvas, points, color, thickness) -> None:
    first, last = (_to_pixel(point) for point in points)
    cv2.line(canvas, first, last, (*np.clip(color, 0, 1).tolist(), 1.0), max(1, round(thickness)))


def _to_pixel(point) -> tuple[int, int]:
    return int(round(float(point[0]))), int(round(float(point[1])))
