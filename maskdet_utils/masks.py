"""Drawing a face mask onto a photo of a bare face.

    face mesh ─ mask_surface ─► surface ┐
    style ───── draw_texture ─► cloth ──┴ light ─► render ─► layer ─ blend ─► photo with a mask

Photos are RGB uint8 (height, width, 3). A mesh is MediaPipe's: (468, 3) points in photo pixels, see `faces.FaceMesh`.
"""

from __future__ import annotations

import json
import os
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np

from .faces import CenterFace, FaceMesh
from .photos import PhotoError, find_photos, read_photo

# Five points across the face (cheek edge, cheek, middle, cheek, cheek edge) in rows from the eyes down to the chin,
# by their number in the face mesh. The top edge of a mask lies between the first row and the second.
ANCHORS = np.array(
    [
        [116, 119, 6, 348, 345],  # just below the eyes, across the root of the nose
        [123, 101, 195, 330, 352],  # cheekbones, middle of the nose
        [147, 205, 4, 425, 376],  # tip of the nose
        [58, 216, 0, 436, 288],  # upper lip
        [172, 149, 152, 378, 397],  # jaw and chin
    ]
)
TEXTURE_SIZE = 256

# kind: base colours (RGB 0-255; None is any colour), patterns, how far the cloth stands off the face (in face widths),
# how wide it is (1 reaches the edge of the face)
STYLES = {
    "surgical": dict(
        colours=[(236, 238, 238), (150, 196, 224), (120, 180, 210), (140, 200, 180), (40, 40, 44), (232, 180, 196)],
        patterns=["pleats"],
        bulge=(0.03, 0.08),
        width=(0.84, 1.0),
    ),
    "ffp2": dict(
        colours=[(240, 240, 238), (240, 240, 238), (170, 172, 176), (44, 44, 48)],
        patterns=["fold"],
        bulge=(0.10, 0.20),
        width=(0.84, 0.98),
    ),
    "cloth": dict(
        colours=[None, None, None, (235, 232, 226), (30, 30, 34)],
        bulge=(0.03, 0.09),
        width=(0.84, 1.02),
        patterns=["plain", "plain", "seam", "stripes", "dots", "checks"],
    ),
    "gaiter": dict(
        colours=[None, None, (30, 32, 38), (90, 92, 98)],
        patterns=["plain", "plain", "stripes", "checks"],
        bulge=(0.02, 0.06),
        width=(1.02, 1.1),
    ),
}


@dataclass(frozen=True)
class Style:
    """What a mask looks like.

    kind: a key of STYLES. colour, second_colour: RGB, 0-255 (the second one is the pattern's). pattern: see
    draw_texture. height: 0 (top edge at the middle of the nose) to 1 (just below the eyes). width: 1 reaches the edge
    of the face. bulge: how far the cloth stands off the face, chin: how far it reaches below it, both in face widths.
    loops: whether ear loops are drawn.
    """

    kind: str
    colour: tuple
    second_colour: tuple
    pattern: str
    height: float = 0.6
    width: float = 0.95
    bulge: float = 0.06
    chin: float = 0.05
    loops: bool = True


def random_style(rng: np.random.Generator, kind: str | None = None) -> Style:
    """Pick a style at random, of one kind or (by default) of any. Raises KeyError for a kind not in STYLES."""
    kind = kind or str(rng.choice(list(STYLES), p=[0.4, 0.2, 0.3, 0.1]))
    choices = STYLES[kind]
    colour = choices["colours"][rng.integers(len(choices["colours"]))]
    if colour is None:
        colour = random_colour(rng)
    colour = np.clip(np.array(colour) + rng.normal(0, 6, 3), 8, 250)
    return Style(
        kind=kind,
        colour=tuple(colour.round().astype(int).tolist()),
        second_colour=random_colour(rng),
        pattern=str(rng.choice(choices["patterns"])),
        height=float(rng.uniform(0.1, 1)),
        width=float(rng.uniform(*choices["width"])),
        bulge=float(rng.uniform(*choices["bulge"])),
        chin=float(rng.uniform(0.35, 0.6) if kind == "gaiter" else rng.uniform(0.02, 0.1)),
        loops=bool(kind != "gaiter" and rng.random() < 0.7),
    )


def random_colour(rng: np.random.Generator) -> tuple:
    """Return any RGB colour (0-255), from pale to saturated and from dark to light."""
    hue, saturation, value = rng.integers(180), rng.beta(1, 1.3) * 230, rng.uniform(25, 245)
    pixel = np.uint8([[[hue, saturation, value]]])
    return tuple(cv2.cvtColor(pixel, cv2.COLOR_HSV2RGB)[0, 0].tolist())


def face_axes(mesh: np.ndarray) -> tuple[np.ndarray, float]:
    """Return three unit vectors (rows: to the right, down, forward, as seen in the picture) and the face's width.

    The width is that of the mesh between the ears in space, in pixels: it stays the same when the head is turned.
    """
    across, down = mesh[454] - mesh[234], mesh[152] - mesh[10]
    width = float(np.linalg.norm(across))
    across = across / width
    down = down - across * (down @ across)
    down = down / np.linalg.norm(down)
    return np.stack([across, down, -np.cross(across, down)]), width  # depth grows away from the camera, hence the minus


def mask_surface(mesh: np.ndarray, style: Style, rng: np.random.Generator, rows: int = 32) -> np.ndarray:
    """Stretch a mask over the face: `rows` x `rows` points (rows, rows, 3) in photo pixels, top to bottom, left to right.

    A smooth surface through a few points of the mesh, moved off the skin: cloth spans from the nose to the chin and
    the cheeks instead of following every hollow.
    """
    from scipy.interpolate import RectBivariateSpline

    (across, down, forward), width = face_axes(mesh)
    points = mesh[ANCHORS].astype(float)
    top = points[1] + (points[0] - points[1]) * style.height
    grid = np.stack([top, *points[2:]])
    middle = grid[:, 2:3]
    grid = middle + (grid - middle) * np.array([style.width, 1, 1, 1, style.width])[:, None]
    stand_off = np.array([[0.1, 0.1, 0.1, 0.1, 0.1], [0, 0.7, 1, 0.7, 0], [0, 1, 1.6, 1, 0], [0, 0.3, 0.6, 0.3, 0]])
    grid += stand_off[..., None] * style.bulge * width * forward
    if style.kind == "gaiter":  # its last row hangs below the chin, narrower: the neck
        neck = middle[-1] + (grid[-1] - middle[-1]) * 0.9 + (style.chin * down - 0.1 * forward) * width
        grid = np.concatenate([grid, neck[None]])
    else:
        grid[-1] += np.array([0.3, 1, 1, 1, 0.3])[:, None] * style.chin * width * down
    grid += rng.normal(0, 0.01 * width, grid.shape) * [1, 1, 0]
    lines, columns = (np.linspace(0, 1, n) for n in grid.shape[:2])
    fine = np.linspace(0, 1, rows)
    return np.stack([RectBivariateSpline(lines, columns, grid[..., k], kx=3, ky=3)(fine, fine) for k in range(3)], -1)


def outline(surface: np.ndarray) -> np.ndarray:
    """Return the edge of a mask's surface as a polygon (n, 2) in photo pixels, clockwise from its top left corner."""
    edge = [surface[0], surface[1:, -1], surface[-1, -2::-1], surface[-2:0:-1, 0]]
    return np.concatenate(edge)[:, :2]


def draw_texture(style: Style, rng: np.random.Generator) -> np.ndarray:
    """Draw the flat mask: (256, 256, 3) float32, RGB in 0 to 1, before any light falls on it."""
    size = TEXTURE_SIZE
    row, column = np.mgrid[0:size, 0:size] / size
    second = np.zeros((size, size), bool)
    if style.pattern in ("stripes", "dots", "checks"):
        period = rng.uniform(0.06, 0.2)
        angle = rng.choice([0, np.pi / 2, rng.uniform(0, np.pi)])
        along = (column * np.cos(angle) + row * np.sin(angle)) / period % 1
        beside = (row * np.cos(angle) - column * np.sin(angle)) / period % 1
        second = {
            "stripes": along < 0.5,
            "checks": (along < 0.5) ^ (beside < 0.5),
            "dots": np.hypot(along - 0.5, beside - 0.5) < rng.uniform(0.2, 0.4),
        }[style.pattern]
    cloth = np.where(second[..., None], style.second_colour, style.colour) / 255

    relief = np.ones((size, size))  # folds, seams and hems, as factors of brightness
    if style.pattern == "pleats":
        for level in (np.arange(3) - 1) * rng.uniform(0.12, 0.18) + rng.uniform(0.45, 0.58):
            depth = (row - level) / 0.035
            relief += 0.10 * np.exp(-((depth + 0.7) ** 2)) - 0.22 * np.exp(-((depth - 0.7) ** 2))
    if style.pattern in ("fold", "seam"):
        fold = (column - 0.5) / 0.02
        relief += 0.12 * np.exp(-((fold + 1) ** 2)) - 0.16 * np.exp(-((fold - 0.5) ** 2))
    if style.kind == "gaiter":  # it lies in loose folds below the chin
        wave = np.sin(
            (row * rng.uniform(5, 9) + 0.4 * np.sin(column * rng.uniform(3, 6) + rng.uniform(0, 6))) * 2 * np.pi
        )
        relief += 0.12 * wave * np.clip(row * 2 - 0.7, 0, 1)
    else:
        wire = np.exp(-(((row - 0.07) / 0.02) ** 2)) * (abs(column - 0.5) < 0.2)
        relief += 0.06 * wire * (style.kind != "cloth")
        border = np.minimum.reduce([row, 1 - row, column, 1 - column])
        relief -= 0.14 * np.exp(-(((border - 0.035) / 0.01) ** 2))  # the seam of the hem
    relief += cv2.GaussianBlur(rng.normal(0, 1, (size, size)), (0, 0), 12) * 0.8  # nothing hangs quite even
    return (cloth * relief[..., None]).astype(np.float32)


def surface_light(surface: np.ndarray, direction) -> np.ndarray:
    """Return how bright a surface (n, m, 3) is under a light from `direction` (3,): (n, m), 1 facing the light.

    Lambert's law (brightness goes with the cosine between surface normal and light) plus even light from all around.
    """
    normal = np.cross(np.gradient(surface, axis=0), np.gradient(surface, axis=1))
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True) + 1e-9
    direction = np.asarray(direction, float) / np.linalg.norm(direction)
    return 0.45 + 0.55 * np.clip(normal @ direction, 0, 1)


def face_light(photo: np.ndarray, mesh: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
    """Read the light off a bare face.

    Returns the soft light and shadow (height, width) on it as factors around 1; the brightness of white cloth there,
    0 to 1.1; and the direction (3,) that the light comes from: above, in front, and from the brighter cheek.
    """
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY).astype(np.float32)
    width = face_axes(mesh)[1]
    skin = np.zeros_like(grey)
    cv2.fillConvexPoly(skin, cv2.convexHull(mesh[:, :2].astype(np.float32)).astype(np.int32), 1)
    spread = (0, 0), max(1, 0.12 * width)
    soft = (cv2.GaussianBlur(grey * skin, *spread) + 1) / (cv2.GaussianBlur(skin, *spread) + 0.01)
    middle = np.median(soft[skin > 0]) if skin.any() else 128.0
    shadow = np.clip((soft / middle) ** 0.7, 0.5, 1.5)
    white = np.clip(np.percentile(grey, 97) / 235, 0.45, 1.1)
    height, breadth = grey.shape
    cheeks = [
        soft[min(max(int(mesh[i, 1]), 0), height - 1), min(max(int(mesh[i, 0]), 0), breadth - 1)] for i in (50, 280)
    ]
    side = np.clip((cheeks[1] - cheeks[0]) / (cheeks[0] + cheeks[1]) * 4, -1, 1)
    return shadow, float(white), np.array([side, -0.6, -1])


def ear_loops(mesh: np.ndarray, surface: np.ndarray) -> list[np.ndarray]:
    """Return the ear loops as lines (n, 2) in photo pixels, from the mask's corners to the ears in sight."""
    (across, down, _), width = face_axes(mesh)
    lines = []
    for ear, column, outward in ((234, 0, -1), (454, -1, 1)):
        if outward * (mesh[ear, :2] - mesh[1, :2]) @ across[:2] < 0.3 * width:
            continue  # turned away: the head hides this ear
        for corner, level in ((surface[1, column], -0.10), (surface[-2, column], 0.14)):
            end = mesh[ear] + (outward * 0.05 * across + level * down) * width
            bend = (corner + end) / 2 + 0.02 * width * np.sign(level) * down
            t = np.linspace(0, 1, 12)[:, None]
            lines.append(((1 - t) ** 2 * corner + 2 * t * (1 - t) * bend + t**2 * end)[:, :2])
    return lines


def render(surface, cloth, loops, loop_colour, loop_width, box, scale) -> np.ndarray:
    """Lay the cloth (n, n, 3) over the surface and look at it from the front.

    Returns a layer (height, width, 4) float32 of `box` (x, y, width, height: whole photo pixels): RGB in 0 to 1 times
    opacity, then opacity. It is drawn `scale` times larger and averaged, which makes the edges smooth.
    """
    x, y, width, height = box
    shape = max(1, round(height * scale)), max(1, round(width * scale))
    zoom = np.array([shape[1] / width, shape[0] / height])
    layer = np.zeros((*shape, 4), np.float32)
    for line in loops:
        line = np.round((line + 0.5 - [x, y]) * zoom * 16).astype(np.int32)
        thickness = max(1, round(loop_width * scale))
        cv2.polylines(layer, [line], False, (*loop_colour, 1.0), thickness, cv2.LINE_AA, shift=4)

    # So many points that neighbours land on neighbouring pixels, wherever the cloth is stretched most.
    steps = [np.linalg.norm(np.diff(surface[..., :2], axis=axis), axis=-1).max() * zoom.max() for axis in (0, 1)]
    rows, columns = (int((len(surface) - 1) * max(step, 0.1) * 1.2) + 2 for step in steps)
    points = resize_grid(surface, rows, columns)
    colour = np.ones((rows, columns, 4), np.float32)
    colour[..., :3] = cv2.resize(cloth, (columns, rows), interpolation=cv2.INTER_LINEAR)
    # From far to near: of two points on the same pixel the later one stays.
    order = np.argsort(-points[..., 2].mean(axis=0))
    pixel = np.floor((points[:, order, :2] + 0.5 - [x, y]) * zoom).astype(int)
    inside = ((pixel >= 0) & (pixel < [shape[1], shape[0]])).all(axis=-1)
    layer[pixel[inside, 1], pixel[inside, 0]] = colour[:, order][inside]
    return cv2.resize(layer, (width, height), interpolation=cv2.INTER_AREA if scale > 1 else cv2.INTER_LINEAR)


def resize_grid(grid: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Interpolate a grid (n, m, k) linearly to (rows, columns, k), float32; its corners stay in place."""
    row, column = np.linspace(0, grid.shape[0] - 1, rows), np.linspace(0, grid.shape[1] - 1, columns)
    maps = np.meshgrid(column.astype(np.float32), row.astype(np.float32))
    return cv2.remap(grid.astype(np.float32), *maps, cv2.INTER_LINEAR)


def photo_blur(grey: np.ndarray) -> float:
    """Estimate how blurred a grey photo is: the standard deviation, in pixels, of the blur at its sharpest edges.

    Blurring an edge once more, by 1 pixel, lowers its slope by a ratio that tells the blur it had before (Zhuo and Sim,
    "Defocus map estimation from a single image", 2011).
    """

    def slope(image):
        return np.hypot(cv2.Sobel(image, cv2.CV_32F, 1, 0), cv2.Sobel(image, cv2.CV_32F, 0, 1))

    before, after = slope(grey), slope(cv2.GaussianBlur(grey, (0, 0), 1))
    strong = before >= np.percentile(before, 95)
    ratio = np.median(before[strong] / (after[strong] + 1e-6))
    return float(np.clip(1 / np.sqrt(max(ratio**2 - 1, 1e-3)), 0.3, 5))


def photo_grain(grey: np.ndarray) -> float:
    """Estimate the standard deviation of a grey photo's noise, in grey levels (after Immerkaer, 1996).

    The filter gives nothing on flat parts and straight edges, and the median passes over what other detail there is.
    """
    response = cv2.filter2D(grey, cv2.CV_32F, np.float32([[1, -2, 1], [-2, 4, -2], [1, -2, 1]]))
    return float(np.median(np.abs(response)) / (0.6745 * 6))


def blend(photo: np.ndarray, layer: np.ndarray, box, rng: np.random.Generator) -> np.ndarray:
    """Put a layer (see render) onto a copy of the photo, as blurred and as grainy as the photo is there.

    Pixels that the layer does not cover stay exactly as they are.
    """
    x, y, width, height = box
    patch = photo[y : y + height, x : x + width]
    grey = cv2.cvtColor(patch, cv2.COLOR_RGB2GRAY).astype(np.float32)
    layer = cv2.GaussianBlur(layer, (0, 0), photo_blur(grey))
    opacity = layer[..., 3:]
    grain = rng.normal(0, photo_grain(grey), grey.shape)[..., None]
    mixed = patch * (1 - opacity) + layer[..., :3] * 255 + grain * opacity
    result = photo.copy()
    result[y : y + height, x : x + width] = np.where(opacity > 1 / 255, np.clip(mixed, 0, 255).round(), patch)
    return result


def draw_mask(photo: np.ndarray, mesh: np.ndarray, style: Style, rng: np.random.Generator) -> tuple[np.ndarray, dict]:
    """Draw a mask of a style onto the face with this mesh.

    Returns the new photo and a description that JSON can hold: the style's fields, `box` (x, y, width, height) and
    `outline`, a list of (x, y), in photo pixels.
    """
    width = face_axes(mesh)[1]
    surface = mask_surface(mesh, style, rng)
    loops = ear_loops(mesh, surface) if style.loops else []
    edge = outline(surface)
    box = surrounding_box(np.concatenate([edge, *loops, mesh[:, :2]]), photo.shape, margin=4 + 0.05 * width)
    description = {**asdict(style), "box": surrounding_box(edge, photo.shape), "outline": edge.round(1).tolist()}
    if box[2] < 2 or box[3] < 2:
        return photo.copy(), description

    x, y, w, h = box
    shadow, white, direction = face_light(photo[y : y + h, x : x + w], mesh - [x, y, 0])
    light = surface_light(surface, direction)
    at = (surface[..., :2] - [x, y]).astype(np.float32)
    light = light * white * cv2.remap(shadow, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    size = (TEXTURE_SIZE, TEXTURE_SIZE)
    cloth = np.clip(draw_texture(style, rng) * cv2.resize(light.astype(np.float32), size)[..., None], 0, 1)
    scale = min(4.0, 480 / max(w, h))
    loop_colour = (np.array(style.colour if rng.random() < 0.5 else (235, 235, 235)) / 255 * white * 0.85).tolist()
    layer = render(surface, cloth, loops, loop_colour, rng.uniform(0.012, 0.028) * width, box, scale)
    return blend(photo, layer, box, rng), description


def surrounding_box(points: np.ndarray, shape, margin: float = 0) -> list[int]:
    """Return the smallest box [x, y, width, height] of whole pixels around points (n, 2), cut off at the photo's edge."""
    low = np.clip(np.floor(points.min(axis=0) - margin), 0, [shape[1], shape[0]]).astype(int)
    high = np.clip(np.ceil(points.max(axis=0) + margin) + 1, 0, [shape[1], shape[0]]).astype(int)
    return [*low.tolist(), *(high - low).tolist()]


def synthesize_photo(photo: np.ndarray, rng: np.random.Generator, detector=None, mesh=None) -> tuple[np.ndarray, list]:
    """Put a random mask on every face found in a photo; return the new photo and a description of each mask.

    detector: anything with the `detect` of `faces`; mesh: a `faces.FaceMesh`. Hand over your own to save loading them
    anew for each photo.
    """
    detector, mesh = detector or CenterFace(), mesh or FaceMesh()
    descriptions = []
    faces = sorted(detector.detect(photo), key=lambda face: face.box[2])  # what is nearer (larger) is drawn later
    meshes = [points for face in faces if (points := mesh.find(photo, face)) is not None]
    for points in meshes:
        photo, description = draw_mask(photo, points, random_style(rng), rng)
        descriptions.append(description)
    return photo, descriptions


def synthesize_folder(in_dir, out_dir, seed: int = 0) -> dict:
    """Put masks on all faces of all photos below `in_dir`; write PNG copies and `masks.jsonl` to `out_dir`.

    `masks.jsonl` holds a line per photo: `photo`, `written` (paths relative to the two folders), `seed` and `faces`,
    a description per mask. What a photo gets depends on the seed and its relative path alone. Started again after a
    break, it goes on where it was. Originals are only read.

    Returns counts of `photos` and `faces` in `out_dir` and the relative paths of photos `without_face` and `unreadable`.
    Raises NotADirectoryError if there is no `in_dir`, ValueError if `out_dir` is `in_dir` or inside it, or holds what
    another seed made.
    """
    from tqdm.auto import tqdm

    in_dir, out_dir = Path(in_dir), Path(out_dir)
    if not in_dir.is_dir():
        raise NotADirectoryError(f"{in_dir} is not a folder")
    if out_dir.resolve().is_relative_to(in_dir.resolve()):
        raise ValueError(f"{out_dir} lies in {in_dir}: the originals stay untouched, choose a folder outside")
    out_dir.mkdir(parents=True, exist_ok=True)
    records = read_records(out_dir, seed)
    detector, mesh = CenterFace(), FaceMesh()
    without_face, unreadable = [], []
    for path in tqdm(find_photos(in_dir), desc="masks", unit="photo"):
        name = path.relative_to(in_dir).as_posix()
        if name in records:
            continue
        try:
            photo = read_photo(path)
        except PhotoError:
            unreadable.append(name)
            continue
        rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
        photo, descriptions = synthesize_photo(photo, rng, detector, mesh)
        if not descriptions:
            without_face.append(name)
            continue
        record = {"photo": name, "written": name + ".png", "seed": seed, "faces": descriptions}
        # The line first: after a break there may be a line without its photo, never a photo without its line.
        with open(out_dir / "masks.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        write_atomically(out_dir / record["written"], cv2.imencode(".png", photo[..., ::-1])[1].tobytes())
        records[name] = record
    lines = [json.dumps(records[name]) + "\n" for name in sorted(records)]
    write_atomically(out_dir / "masks.jsonl", "".join(lines).encode())
    faces = sum(len(record["faces"]) for record in records.values())
    return {"photos": len(records), "faces": faces, "without_face": without_face, "unreadable": unreadable}


def read_records(out_dir: Path, seed: int) -> dict:
    """Return the records of an earlier run by photo name, those aside whose photo (or line) was not finished."""
    path = out_dir / "masks.jsonl"
    records = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            record = json.loads(line)
        except json.JSONDecodeError:  # the run broke off within this line
            continue
        if record["seed"] != seed:
            raise ValueError(f"{out_dir} holds masks of seed {record['seed']}: choose that seed or another folder")
        if (out_dir / record["written"]).exists():
            records[record["photo"]] = record
    write_atomically(path, "".join(json.dumps(record) + "\n" for record in records.values()).encode())
    return records


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file under a temporary name, then rename it: nobody ever sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".part")
    temporary.write_bytes(content)
    os.replace(temporary, path)
