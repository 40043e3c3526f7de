"""Draw a face mask, worn correctly, onto a photo of a bare face. For other ways to wear it, see `wearing`.

    mesh ──► mask_surface ──► surface_light ┐
    style ─► draw_texture ──────────────────┴─► render ──► blend ──► photo with a mask

Photos are RGB uint8 (height, width, 3). A mesh is MediaPipe's face mesh: (468, 3) points in photo pixels, see
`faces.FaceMesh`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np

from ..photos import blur_sigma, noise_sigma

# Indices into the face mesh. Each row has five points across the face: edge, cheek, middle, cheek, edge. The rows go
# from top to bottom. The top edge of a mask lies between the first row and the second.
ANCHORS = np.array(
    [
        [116, 119, 6, 348, 345],  # just below the eyes, across the root of the nose
        [123, 101, 195, 330, 352],  # cheekbones, middle of the nose
        [147, 205, 4, 425, 376],  # tip of the nose
        [58, 216, 0, 436, 288],  # upper lip
        [172, 149, 152, 378, 397],  # jaw and chin
    ]
)
TEXTURE_SIZE = 192  # pixels

# colors: RGB from 0 to 255; None stands for any color. bulge, width: smallest and largest value, see `Style`.
STYLES: dict[str, dict[str, Any]] = {
    "surgical": dict(
        colors=[(240, 242, 242), (150, 196, 224), (120, 180, 210), (140, 200, 180), (40, 40, 44), (232, 180, 196)],
        patterns=["pleats"],
        bulge=(0.03, 0.08),
        width=(0.84, 1.0),
    ),
    "ffp2": dict(
        colors=[(244, 244, 242), (244, 244, 242), (170, 172, 176), (44, 44, 48)],
        patterns=["fold"],
        bulge=(0.10, 0.20),
        width=(0.84, 0.98),
    ),
    "cloth": dict(
        colors=[None, None, None, (235, 232, 226), (30, 30, 34)],
        patterns=["plain", "plain", "seam", "stripes", "dots", "checks", "blotches"],
        bulge=(0.03, 0.09),
        width=(0.84, 1.02),
    ),
    "gaiter": dict(
        colors=[None, None, (30, 32, 38), (90, 92, 98)],
        patterns=["plain", "plain", "stripes", "checks"],
        bulge=(0.02, 0.06),
        width=(0.98, 1.06),
    ),
}


@dataclass(frozen=True)
class Style:
    """What a mask looks like.

    Attributes:
        kind: A key of `STYLES`.
        pattern: "pleats", "fold", "seam", "plain", "stripes", "dots", "checks", or "blotches".
        color: RGB, 0 to 255.
        second_color: The color of the pattern: RGB, 0 to 255.
        height: Where the top edge is, from 0 (as low as `wearing` allows) to 1 (as high as it allows). For a mask worn
            correctly, 0 is just above the tip of the nose, where real masks often end, and 1 is just below the eyes.
        width: How wide the mask is; 1 reaches the edge of the face.
        bulge: How far the cloth sticks out from the face, in face widths.
        chin: How far the cloth reaches below the chin, in face widths.
        loops: Whether ear loops are drawn.
        wearing: How the mask is worn: a key of `wearing.WEARING`.
    """

    kind: str
    pattern: str
    color: tuple = (240, 242, 242)
    second_color: tuple = (40, 60, 140)
    height: float = 0.6
    width: float = 0.95
    bulge: float = 0.06
    chin: float = 0.05
    loops: bool = True
    wearing: str = "right"


def random_color(rng: np.random.Generator) -> tuple:
    """Return a random RGB color (0 to 255), from pale to saturated and from dark to light."""
    pixel = np.uint8([[[rng.integers(180), rng.beta(1, 1.3) * 230, rng.uniform(25, 245)]]])
    return tuple(cv2.cvtColor(pixel, cv2.COLOR_HSV2RGB)[0, 0].tolist())


def random_style(rng: np.random.Generator, kind: str | None = None) -> Style:
    """Pick a random style of a mask worn correctly.

    Args:
        rng: Random generator.
        kind: A key of `STYLES`; by default any of them.

    Raises:
        KeyError: If `STYLES` has no such kind.
    """
    kind = kind or str(rng.choice(list(STYLES), p=[0.4, 0.2, 0.3, 0.1]))
    choices = STYLES[kind]
    color = choices["colors"][rng.integers(len(choices["colors"]))] or random_color(rng)
    color = np.clip(np.array(color) + rng.normal(0, 6, 3), 8, 250).astype(int)
    return Style(
        kind,
        str(rng.choice(choices["patterns"])),
        tuple(color.tolist()),
        random_color(rng),
        height=rng.uniform(0, 1),
        width=rng.uniform(*choices["width"]),
        bulge=rng.uniform(*choices["bulge"]),
        chin=rng.uniform(0.35, 0.6) if kind == "gaiter" else rng.uniform(0.02, 0.18),
        loops=kind != "gaiter" and rng.random() < 0.7,
    )


def face_axes(mesh: np.ndarray) -> tuple[np.ndarray, float]:
    """Measure which way a face points and how wide it is.

    Returns:
        The axes, (3, 3): one unit vector per row, pointing right, down, and forward as seen in the picture. Also the
        face's width in pixels, measured from ear to ear in 3D, so that it stays the same when the head turns.
    """
    across, down = mesh[454] - mesh[234], mesh[152] - mesh[10]
    width = float(np.linalg.norm(across))
    across = across / width
    down = down - across * (down @ across)
    down = down / np.linalg.norm(down)
    return np.stack([across, down, -np.cross(across, down)]), width  # depth grows away from the camera, hence the minus


def mask_surface(mesh: np.ndarray, style: Style, rng: np.random.Generator) -> np.ndarray:
    """Stretch a mask over the face.

    The surface passes smoothly through a few points of the mesh, moved off the skin. Cloth stretches from the nose to the
    chin and the cheeks instead of following every hollow.

    Returns:
        (32, 32, 3) float32 points in photo pixels, from top to bottom and from left to right.

    Raises:
        ValueError: The mask is not worn correctly, see `wearing.surface_of`.
    """
    if style.wearing != "right":
        raise ValueError(f"This mask is worn {style.wearing!r}. Use wearing.draw_mask to draw it.")
    rows = mesh[ANCHORS].astype(float)
    top = 1.6 * (1 - style.height)
    above = int(top)
    top_edge = rows[above] * (above + 1 - top) + rows[above + 1] * (top - above)
    return smooth_surface(stretched(np.concatenate([top_edge[None], rows[2:]]), mesh, style), mesh, rng)


def stretched(grid: np.ndarray, mesh: np.ndarray, style: Style) -> np.ndarray:
    """Make a grid of points on the skin (4, 5, 3) as wide as the mask, and move it off the skin.

    A gaiter gets a fifth row, on the neck. Other masks that are worn correctly reach below the chin.
    """
    (_, down, forward), width = face_axes(mesh)
    middle = grid[:, 2:3]
    grid = middle + (grid - middle) * np.array([style.width, 1, 1, 1, style.width])[:, None]
    stand_off = [[0.1, 0.1, 0.1, 0.1, 0.1], [0, 0.7, 1, 0.7, 0], [0, 1, 1.6, 1, 0], [0, 0.3, 0.6, 0.3, 0]]
    grid += np.array(stand_off)[..., None] * style.bulge * width * forward
    if style.kind == "gaiter":  # the neck is lower, farther back, narrower
        neck = middle[-1] + (grid[-1] - middle[-1]) * 0.9 + (style.chin * down - 0.1 * forward) * width
        return np.concatenate([grid, neck[None]])
    if style.wearing == "right":
        grid[-1] += np.array([0.3, 1, 1, 1, 0.3])[:, None] * style.chin * width * down
    return grid


def smooth_surface(grid: np.ndarray, mesh: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the surface (32, 32, 3) that passes smoothly through a grid of points, a bit crooked as real masks are."""
    from scipy.interpolate import RectBivariateSpline

    grid = grid + rng.normal(0, 0.01 * face_axes(mesh)[1], grid.shape) * [1, 1, 0]
    lengths = [np.linalg.norm(np.diff(grid, axis=i), axis=-1).mean(axis=1 - i) for i in (0, 1)]
    row, column = (np.concatenate([[0], np.cumsum(length)]) / length.sum() for length in lengths)
    fine = np.linspace(0, 1, 32)
    surface = [RectBivariateSpline(row, column, grid[..., k], kx=3, ky=3)(fine, fine) for k in range(3)]
    return np.stack(surface, axis=-1).astype(np.float32)


def ears_in_sight(mesh: np.ndarray) -> list[tuple[int, int]]:
    """Return the visible ears, one or two: (index in the mesh, -1 for the picture's left side or 1 for its right)."""
    (across, _, _), width = face_axes(mesh)
    sides = [(ear, sign, sign * (mesh[ear, :2] - mesh[1, :2]) @ across[:2]) for ear, sign in ((234, -1), (454, 1))]
    visible = [(ear, sign) for ear, sign, distance in sides if distance >= 0.3 * width]
    return visible or [max(sides, key=lambda side: side[2])[:2]]


def outline(surface: np.ndarray) -> np.ndarray:
    """Return the edge of a mask's surface: a polygon (n, 2) in photo pixels, clockwise from the top left corner."""
    return np.concatenate([surface[0], surface[1:, -1], surface[-1, -2::-1], surface[-2:0:-1, 0]])[:, :2]


def draw_texture(style: Style, rng: np.random.Generator) -> np.ndarray:
    """Draw the flat mask before any light falls on it: (192, 192, 3) float32, RGB from 0 to 1."""
    row, column = np.ogrid[0 : 1 : TEXTURE_SIZE * 1j, 0 : 1 : TEXTURE_SIZE * 1j]
    relief = np.ones((TEXTURE_SIZE, TEXTURE_SIZE))  # folds, seams, and hems, as brightness factors
    second = np.zeros(relief.shape, bool)  # where the second color is
    if style.pattern in ("stripes", "dots", "checks"):
        period, angle = rng.uniform(0.06, 0.2), rng.choice([0, np.pi / 2, rng.uniform(0, np.pi)])
        along = (column * np.cos(angle) + row * np.sin(angle)) / period % 1
        beside = (row * np.cos(angle) - column * np.sin(angle)) / period % 1
        second = {
            "stripes": along < 0.5,
            "checks": (along < 0.5) ^ (beside < 0.5),
            "dots": np.hypot(along - 0.5, beside - 0.5) < rng.uniform(0.2, 0.4),
        }[style.pattern]
    elif style.pattern == "blotches":  # stands for flowers, camouflage, and prints
        cells = rng.integers(4, 16)
        noise = cv2.resize(rng.random((cells, cells), np.float32), relief.shape, interpolation=cv2.INTER_CUBIC)
        second = noise > rng.uniform(0.4, 0.7)
    elif style.pattern == "pleats":
        for level in (np.arange(3) - 1) * rng.uniform(0.12, 0.18) + rng.uniform(0.45, 0.58):
            depth = (row - level) / 0.035
            relief += 0.10 * np.exp(-((depth + 0.7) ** 2)) - 0.22 * np.exp(-((depth - 0.7) ** 2))
    elif style.pattern in ("fold", "seam"):
        fold = (column - 0.5) / 0.02
        relief += 0.12 * np.exp(-((fold + 1) ** 2)) - 0.16 * np.exp(-((fold - 0.5) ** 2))
    if style.kind == "gaiter":  # loose folds below the chin
        wave = row * rng.uniform(5, 9) + 0.4 * np.sin(column * rng.uniform(3, 6) + rng.uniform(0, 6))
        relief += 0.12 * np.sin(wave * 2 * np.pi) * np.clip(row * 2 - 0.7, 0, 1)
    else:
        to_edge = np.minimum(np.minimum(row, 1 - row), np.minimum(column, 1 - column))
        relief -= 0.14 * (abs(to_edge - 0.035) < 0.008)  # the hem's seam
    if style.kind in ("surgical", "ffp2"):  # the wire over the nose
        relief += 0.06 * (abs(row - 0.07) < 0.02) * (abs(column - 0.5) < 0.2)
    uneven = rng.normal(0, 0.03, (9, 9))
    relief += cv2.resize(uneven, relief.shape, interpolation=cv2.INTER_CUBIC)
    cloth = np.where(second[..., None], style.second_color, style.color) / 255
    return (cloth * relief[..., None]).astype(np.float32)


def surface_light(photo: np.ndarray, mesh: np.ndarray, surface: np.ndarray) -> tuple[np.ndarray, float]:
    """Estimate the light on a mask from the light on the bare face.

    The estimate combines two things. The first is the soft light and shadow on the bare face. The second is the shape
    of the mask, lit from the face's brighter side by Lambert's law: brightness is proportional to the cosine of the
    angle between the surface's normal and the light.

    Args:
        photo: The photo of the bare face.
        mesh: Its face mesh.
        surface: The mask's points, see `mask_surface`.

    Returns:
        The brightness at each point of the surface, (32, 32) float32, and the brightness of white cloth, 0.4 to 1.
    """
    size = 64  # soft light needs no detail
    zoom = size / np.array(photo.shape[1::-1], np.float32)
    gray = cv2.resize(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), (size, size), interpolation=cv2.INTER_AREA)
    gray = gray.astype(np.float32)
    white = float(np.clip(np.percentile(gray, 98) / 205, 0.4, 1.0))
    skin = cv2.fillConvexPoly(np.zeros_like(gray), cv2.convexHull(np.int32(mesh[:, :2] * zoom)), 1)
    soft = (cv2.GaussianBlur(gray * skin, (0, 0), 6) + 1) / (cv2.GaussianBlur(skin, (0, 0), 6) + 0.01)

    def soft_at(points):
        x, y = np.moveaxis((points[..., :2] * zoom).astype(np.float32), -1, 0)
        return cv2.remap(soft, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)

    right, left = soft_at(mesh[[[50, 280]]])[0]  # the two cheeks
    direction = np.array([np.clip(4 * (left - right) / (left + right), -1, 1), -0.6, -1])
    normal = np.cross(np.gradient(surface, axis=0), np.gradient(surface, axis=1))
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True) + 1e-6
    shape = 0.5 + 0.5 * np.clip(normal @ direction, 0, None) / np.linalg.norm(direction)
    shadow = soft_at(surface) ** 0.7
    light = np.clip(shadow / np.median(shadow), 0.5, 1.25) * shape / np.percentile(shape, 90)
    return (light * white).astype(np.float32), white


def ear_loops(mesh: np.ndarray, surface: np.ndarray) -> list[np.ndarray]:
    """Return the ear loops as lines (n, 2) in photo pixels, from the mask's corners to the visible ears."""
    lines = []
    for ear, outward in ears_in_sight(mesh):
        column = 0 if outward < 0 else -1
        lines += [ear_loop(mesh, ear, outward, surface[row, column], level) for row, level in ((1, -0.10), (-2, 0.14))]
    return lines


def ear_loop(mesh: np.ndarray, ear: int, outward: int, corner: np.ndarray, level: float) -> np.ndarray:
    """Return half a loop, a line (12, 2), from a corner of the mask to an ear.

    Args:
        mesh: The face's mesh.
        ear: The ear's index in the mesh.
        outward: -1 for an ear on the picture's left side, or 1 for its right.
        corner: A point of the mask's surface.
        level: Where the line ends: how far below the ear's middle, in face widths.
    """
    (across, down, _), width = face_axes(mesh)
    end = mesh[ear] + (outward * 0.04 * across + level * down) * width
    t = np.linspace(0, 1, 12)[:, None]
    sag = 0.04 * width * np.sign(level) * t * (1 - t) * down
    return (corner + t * (end - corner) + sag)[:, :2]


def render(surface: np.ndarray, cloth: np.ndarray, loops: list, *, loop_color, loop_width, shape) -> np.ndarray:
    """Lay the cloth over the surface and look at it from the front.

    The layer is drawn up to four times larger and then averaged, which makes its edges smooth.

    Args:
        surface: The mask's points, see `mask_surface`.
        cloth: The lit texture, (n, n, 3) float32, RGB from 0 to 1.
        loops: The ear loops, see `ear_loops`.
        loop_color: RGB from 0 to 1.
        loop_width: In pixels.
        shape: (height, width) of the layer in pixels.

    Returns:
        A layer (height, width, 4) float32: RGB from 0 to 1 multiplied by opacity, then opacity.
    """
    height, width = shape
    scale = min(4.0, 400 / max(shape))
    large = round(width * scale), round(height * scale)
    zoom = np.array(large) / [width, height]
    layer = np.zeros((large[1], large[0], 4), np.float32)
    for line in loops:
        points = np.round((line + 0.5) * zoom * 16).astype(np.int32)  # shift=4 below: in sixteenths of a pixel
        cv2.polylines(layer, [points], False, (*loop_color, 1.0), max(1, round(loop_width * scale)), shift=4)

    # Enough points of cloth that neighbors land on neighboring pixels, even where the cloth is stretched most.
    steps = [np.linalg.norm(np.diff(surface[..., :2], axis=i), axis=-1).max() * zoom.max() for i in (0, 1)]
    rows, columns = (int(np.ceil(len(surface) * step * 1.05)) + 1 for step in steps)
    x, y, depth = cv2.split(cv2.resize(surface, (columns, rows)))
    x, y = (((axis + 0.5) * stretch).astype(np.int32) for axis, stretch in zip((x, y), zoom, strict=True))
    pixel, outside = y * large[0] + x, large[0] * large[1]  # one extra place collects what lies outside the picture
    pixel[(x < 0) | (x >= large[0]) | (y < 0) | (y >= large[1])] = outside
    index = np.arange(rows * columns, dtype=np.int32).reshape(rows, columns)
    # From far to near: if several points land on the same pixel, the last one stays.
    order = np.argsort(-depth[0] - depth[-1])
    visible = np.full(outside + 1, -1, np.int32)  # which point of the cloth each pixel shows
    visible[np.take(pixel, order, axis=1)] = np.take(index, order, axis=1)
    covered = np.flatnonzero(visible[:-1] >= 0)
    cloth = cv2.cvtColor(cv2.resize(cloth, (columns, rows)), cv2.COLOR_RGB2RGBA).reshape(-1, 4)
    layer.reshape(-1, 4)[covered] = cloth[visible[covered]]
    return cv2.resize(layer, (width, height), interpolation=cv2.INTER_AREA if scale > 1 else cv2.INTER_LINEAR)


def blend(patch: np.ndarray, layer: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Put a layer over a patch of a photo, with the same blur and noise as the patch.

    Args:
        patch: Part of a photo, RGB uint8 (height, width, 3).
        layer: Of the same height and width, see `render`.
        rng: Random generator for the noise.

    Returns:
        A new patch. Pixels that the layer does not cover stay exactly as they are.
    """
    gray = cv2.cvtColor(patch, cv2.COLOR_RGB2GRAY).astype(np.float32)
    layer = cv2.GaussianBlur(layer, (0, 0), blur_sigma(gray))
    opacity = layer[..., 3:]
    noise = rng.standard_normal(gray.shape, np.float32)[..., None] * np.float32(noise_sigma(gray))
    mixed = patch * (1 - opacity) + layer[..., :3] * 255 + noise * opacity
    return np.where(opacity > 1 / 255, np.clip(mixed, 0, 255).round(), patch).astype(np.uint8)


def draw_mask(
    photo: np.ndarray, mesh: np.ndarray, style: Style, rng: np.random.Generator, *, surface=None, loops=None
) -> tuple[np.ndarray, dict]:
    """Draw a mask onto one face of a photo; the photo itself stays unchanged.

    Args:
        photo: RGB uint8 (height, width, 3).
        mesh: The face's mesh.
        style: What the mask looks like.
        rng: Random generator.
        surface: Where the mask is. By default, it is worn correctly, see `mask_surface`.
        loops: Its ear loops. By default, they follow from the style, see `ear_loops`.

    Returns:
        The new photo and a description that JSON can store: the style's fields, `box` [x, y, width, height], and
        `outline`, a list of [x, y]. Both are in photo pixels.
    """
    surface = mask_surface(mesh, style, rng) if surface is None else surface
    if loops is None:
        loops = ear_loops(mesh, surface) if style.loops else []
    face_width = face_axes(mesh)[1]
    edge = outline(surface)
    description = {**asdict(style), "box": surrounding_box(edge, photo.shape), "outline": edge.round(1).tolist()}
    # We work only on the region around the face, so a large photo costs no more than a small one.
    around = np.concatenate([edge, *loops, mesh[:, :2]])
    x, y, width, height = surrounding_box(around, photo.shape, margin=4 + 0.05 * face_width)
    result = photo.copy()
    if min(width, height) > 1:
        patch = result[y : y + height, x : x + width]
        mesh, surface = mesh - np.float32([x, y, 0]), surface - np.float32([x, y, 0])
        light, white = surface_light(patch, mesh, surface)
        cloth = draw_texture(style, rng) * cv2.resize(light, (TEXTURE_SIZE, TEXTURE_SIZE))[..., None]
        loop_color = np.array(style.color if rng.random() < 0.5 else (235, 235, 235)) / 255 * white * 0.85
        layer = render(
            surface,
            np.clip(cloth, 0, 1),
            [line - [x, y] for line in loops],
            loop_color=loop_color.tolist(),
            loop_width=rng.uniform(0.01, 0.022) * face_width,
            shape=(height, width),
        )
        patch[:] = blend(patch, layer, rng)
    return result, description


def surrounding_box(points: np.ndarray, shape, margin: float = 0) -> list[int]:
    """Return the smallest box [x, y, width, height] (whole pixels) around points (n, 2), clipped to the photo."""
    low = np.clip(np.floor(points.min(axis=0) - margin), 0, shape[1::-1]).astype(int)
    high = np.clip(np.ceil(points.max(axis=0) + margin) + 1, 0, shape[1::-1]).astype(int)
    return [*low.tolist(), *(high - low).tolist()]
