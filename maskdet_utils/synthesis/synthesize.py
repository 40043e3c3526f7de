"""Draw masks, worn correctly or incorrectly, or other things on every face of a photo, or on many photos in parallel.

photo ──► CenterFace ──► faces ──► FaceMesh ──► wearing.draw_mask or occluders.draw_occluder ──► photo
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import zlib
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from ..augment import soften
from ..boxes import clip_box
from ..faces import CenterFace, FaceMesh
from ..photos import read_photo
from . import occluders, wearing

DRAW = ("masks", "worn-wrong", "occluders")
FEW = 12  # photos; up to this many, starting a process on each core takes longer than the work
PICTURE_SIDE = 320  # pixels of a training picture: twice the network's input, so that augmentation can zoom in


def synthesize_photo(
    photo: np.ndarray, rng: np.random.Generator, detector=None, mesh=None, draw: str = "masks"
) -> tuple[np.ndarray, list]:
    """Draw on every face found in a photo.

    Args:
        photo: RGB uint8 (height, width, 3); it stays unchanged.
        rng: Random generator.
        detector: Any face detector of `faces`. Pass your own, so that it is not loaded again for each photo.
        mesh: A `faces.FaceMesh`. Pass your own for the same reason.
        draw: "masks", "worn-wrong" (masks worn incorrectly), or "occluders" (hands, microphones, beards, scarves).

    Returns:
        The new photo and a description of each thing drawn, see `wearing.draw_mask` and `occluders.draw_occluder`.

    Raises:
        ValueError: If `draw` is something else.
    """
    if draw not in DRAW:
        raise ValueError(f"Cannot draw {draw!r}. Choose one of: {', '.join(DRAW)}.")
    detector, mesh = detector or CenterFace(), mesh or FaceMesh()
    descriptions = []
    faces = sorted(detector.detect(photo), key=lambda face: face.box[2])  # nearer (larger) faces last, on top
    meshes = [points for face in faces if (points := mesh.find(photo, face)) is not None]
    for points in meshes:
        if draw == "occluders":
            photo, description = occluders.random_occluder(photo, points, rng)
        else:
            style = wearing.random_style(rng, wearing="right" if draw == "masks" else "wrong")
            photo, description = wearing.draw_mask(photo, points, style, rng)
        descriptions.append(description)
    return photo, descriptions


def draw_variants(paths, folder, plan: dict[str, int], seed: int = 0, processes: int | None = None):
    """Draw training pictures: several for each photo, on its nearest face.

    Each picture shows the face with half a face size around it, or the whole photo if the photo is not much larger.
    Its short side is at most `PICTURE_SIDE` pixels. Pictures are softened like those of the sample.

    Args:
        paths: Paths of photos.
        folder: The pictures are written here as JPEG.
        plan: How many pictures to draw for each photo, by what is drawn: a key of `wearing.WEARING`, "wrong" (any of
            `wearing.WRONG_WAYS`), "occluder", or "nothing" (the bare face cut out of a wide photo; no picture if the
            photo is not much larger than the face).
        seed: Seed of the random generator. What a photo gets depends only on the seed and its file name.
        processes: How many processes share the work, see `run_in_parallel`.

    Returns:
        A `pandas.DataFrame` with one row per picture, in the order of `paths`: `file` (the picture), `drawn_on` (the
        photo), and `drawn` (a key of `wearing.WEARING`, one of `occluders.KINDS`, or "nothing"). A photo without a face
        has no rows.
    """
    import pandas as pd

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [(str(path), str(folder / f"{number:05d}"), plan, seed) for number, path in enumerate(paths)]
    # The nearest face in a photo is large, so a small detector input finds it in half the time.
    tables = run_in_parallel(_draw_plan, jobs, processes, len(jobs), "drawing", side=256)
    rows = [row for table in tables for row in table]
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
    needs_mesh = any(count for kind, count in plan.items() if kind != "nothing")
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
    for kind in (kind for kind, count in plan.items() for _ in range(count)):
        if kind == "nothing":
            if not is_wide:
                continue
            picture, drawn = photo, kind
        elif kind == "occluder":
            picture, description = occluders.random_occluder(photo, points, rng)
            drawn = description["kind"]
        else:
            style = wearing.random_style(rng, wearing=kind)
            picture, drawn = wearing.draw_mask(photo, points, style, rng)[0], style.wearing
        name = f"{stem}_{len(rows)}_{drawn}.jpg"
        Path(name).write_bytes(cv2.imencode(".jpg", soften(picture, rng)[..., ::-1], quality)[1].tobytes())
        rows.append({"file": name, "drawn_on": path, "drawn": drawn})
    return rows


def run_in_parallel(work, jobs: list, processes: int | None, total: int, title: str, *, side: int = 416):
    """Run `work(job, models)` for each job, in several processes and with a progress bar.

    Args:
        work: A function of a job and of the models (`CenterFace`, `FaceMesh`). Each process loads the models once.
        jobs: One job per photo.
        processes: How many processes share the work; by default one per core, or only this one for few jobs.
        total: How many photos the progress bar counts, including those that an earlier run has finished.
        title: Title of the progress bar.
        side: Input size of the face detector, see `CenterFace`.

    Yields:
        The results, in the order of `jobs`.

    Raises:
        RuntimeError: If one of the processes died.
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
        # Spawned processes, because OpenCV's threads do not survive a fork.
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(min(processes, len(jobs)), context, _start_worker, (side,))
        try:
            for result in pool.map(partial(_in_worker, work), jobs):
                yield result
                bar.update()
        except BrokenProcessPool:
            message = f"One of {processes} processes died, most likely because memory ran out. Use fewer of them."
            raise RuntimeError(message) from None
        finally:
            pool.shutdown(cancel_futures=True)


_models: list = []  # in a worker process: loaded once, not for each photo


def _start_worker(side: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the main process, which stops the workers
    threading.Thread(target=_end_with_parent, daemon=True).start()
    cv2.setNumThreads(1)
    _models[:] = CenterFace(side), FaceMesh(num_threads=1)


def _end_with_parent() -> None:
    multiprocessing.parent_process().join()  # until it ends, even if it is killed
    os._exit(1)


def _in_worker(work, job):
    return work(job, _models)
