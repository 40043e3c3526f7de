"""Draw masks, worn right or wrong, or other things on every face of a photo, or of a whole folder of photos.

photo ──► CenterFace ──► faces ──► FaceMesh ──► masks.draw_mask or occluders.draw_occluder ──► photo
"""

from __future__ import annotations

import os
import signal
import zlib
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np

from ..augment import soften
from ..boxes import clip_box
from ..faces import CenterFace, FaceMesh
from ..paths import write_file
from ..photos import read_photo
from . import masks, occluders

DRAW = ("masks", "worn-wrong", "occluders")
FEW = 12  # photos; for fewer, starting a process on each core takes longer than the work
PICTURE_SIDE = 320  # pixels of a picture to train with: twice what the network sees, for views that come closer


def synthesize_photo(
    photo: np.ndarray, rng: np.random.Generator, detector=None, mesh=None, draw: str = "masks"
) -> tuple[np.ndarray, list]:
    """Draw on every face found in a photo; return the new photo and a description of each thing drawn.

    photo: RGB uint8 (height, width, 3), stays as it is. detector: anything with the `detect` of `faces`; mesh: a
    `faces.FaceMesh`. Hand over your own to save loading them anew for each photo. draw: "masks", "worn-wrong" (masks,
    but any way except right) or "occluders" (hands, microphones, beards, scarves). Raises ValueError for another one.
    """
    if draw not in DRAW:
        raise ValueError(f"Nothing is called {draw!r}. What can be drawn: {', '.join(DRAW)}.")
    detector, mesh = detector or CenterFace(), mesh or FaceMesh()
    descriptions = []
    faces = sorted(detector.detect(photo), key=lambda face: face.box[2])  # what is nearer (larger) is drawn later
    meshes = [points for face in faces if (points := mesh.find(photo, face)) is not None]
    for points in meshes:
        if draw == "occluders":
            photo, description = occluders.random_occluder(photo, points, rng)
        else:
            style = masks.random_style(rng, wearing="right" if draw == "masks" else "wrong")
            photo, description = masks.draw_mask(photo, points, style, rng)
        descriptions.append(description)
    return photo, descriptions


def draw_variants(paths, folder, plan: dict[str, int], seed: int = 0, processes: int | None = None):
    """Draw on the nearest face of each photo, several times over, to train with; gives a table of what was drawn.

    paths: of photos. plan: how many pictures of each to draw, by what is drawn: a key of `masks.WEARING`, "wrong" (any
    of `masks.WRONG_WAYS`), "occluder", or "nothing" (the face cut out of a wide photo, as it is; no picture if the
    photo is hardly wider than the face). Each shows the face with half a face around it, or all of the photo if that is
    little more, `PICTURE_SIDE` pixels on its short side at most. Pictures are softened like the sample's and written to
    `folder` as JPEG.

    Returns a `pandas.DataFrame` with `file` (the picture), `drawn_on` (the photo) and `drawn` (a key of
    `masks.WEARING` or of `occluders.KINDS`, or "nothing"), in the order of `paths`; no face, no rows.
    """
    import pandas as pd

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [(str(path), str(folder / f"{number:05d}"), plan, seed) for number, path in enumerate(paths)]
    # The nearest face of a photo is large: a small detector finds it in half the time.
    found = share_out(_draw_plan, jobs, processes, len(jobs), "drawing", side=256)
    rows = [row for rows in found for row in rows]
    return pd.DataFrame(rows, columns=["file", "drawn_on", "drawn"])


def _draw_plan(job, models) -> list[dict]:
    path, stem, plan, seed = job
    detector, mesh = models
    rng = np.random.default_rng([seed, zlib.crc32(Path(path).name.encode())])
    photo = read_photo(path, at_least=640)
    faces = detector.detect(photo)
    if not faces:
        return []
    face = max(faces, key=lambda face: face.box[2])
    needs_mesh = any(count for what, count in plan.items() if what != "nothing")
    points = mesh.find(photo, face) if needs_mesh else None
    if needs_mesh and points is None:
        return []
    x, y, width, height = face.box
    left, top, width, height = clip_box((x - width / 2, y - height / 2, 2 * width, 2 * height), photo.shape)
    is_wide = width * height < 0.6 * photo.shape[0] * photo.shape[1]
    if is_wide:
        photo = photo[top : top + height, left : left + width]
        points = points - np.float32([left, top, 0]) if needs_mesh else None
    scale = PICTURE_SIDE / min(photo.shape[:2])
    if scale < 1:
        photo = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        points = np.float32(points * scale) if needs_mesh else None
    rows, quality = [], [cv2.IMWRITE_JPEG_QUALITY, 95]
    for what in (what for what, count in plan.items() for _ in range(count)):
        if what == "nothing":
            if not is_wide:
                continue
            picture, drawn = photo, what
        elif what == "occluder":
            picture, description = occluders.random_occluder(photo, points, rng)
            drawn = description["kind"]
        else:
            style = masks.random_style(rng, wearing=what)
            picture, drawn = masks.draw_mask(photo, points, style, rng)[0], style.wearing
        name = f"{stem}_{len(rows)}_{drawn}.jpg"
        write_file(name, cv2.imencode(".jpg", soften(picture, rng)[..., ::-1], quality)[1].tobytes())
        rows.append({"file": name, "drawn_on": path, "drawn": drawn})
    return rows


def share_out(work, jobs: list, processes: int | None, total: int, title: str, *, side: int = 416):
    """Give the answer of `work(job)` for each job in order, with a progress bar; the work is shared out.

    side: of the face detector, see `CenterFace`.
    """
    from tqdm.auto import tqdm

    if not jobs:
        return
    processes = processes or (os.cpu_count() or 1 if len(jobs) > FEW else 1)
    with tqdm(total=total, initial=total - len(jobs), desc=title, unit="photo", leave=False) as bar:
        if processes == 1:
            models = CenterFace(side), FaceMesh()
            for job in jobs:
                yield work(job, models)
                bar.update()
            return
        # New processes, not forks: OpenCV's threads do not survive a fork.
        pool = ProcessPoolExecutor(processes, get_context("spawn"), _start_worker, (side,))
        try:
            for answer in pool.map(partial(_in_worker, work), jobs):
                yield answer
                bar.update()
        finally:
            pool.shutdown(cancel_futures=True)


_models: list = []  # of a worker: loaded once, not for each photo


def _start_worker(side: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that shares out the work
    cv2.setNumThreads(1)
    _models[:] = CenterFace(side), FaceMesh(num_threads=1)


def _in_worker(work, job):
    return work(job, _models)
