"""Draw masks, worn right or wrong, or other things on every face of a photo, or of a whole folder of photos.

photo ──► CenterFace ──► faces ──► FaceMesh ──► masks.draw_mask or confusers.draw_confuser ──► photo
"""

from __future__ import annotations

import json
import os
import signal
import zlib
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np

from . import confusers, masks
from .faces import CenterFace, FaceMesh, box_in_frame
from .paths import write_file
from .photos import PhotoError, find_photos, read_photo
from .sample import soften

DRAW = ("masks", "worn-wrong", "confusers")
RECORDS = "masks.jsonl"
FEW = 12  # photos; for fewer, starting a process on each core takes longer than the work
PICTURE_SIDE = 320  # pixels of a picture to train with: twice what the network sees, for views that come closer


def synthesize_photo(
    photo: np.ndarray, rng: np.random.Generator, detector=None, mesh=None, draw: str = "masks"
) -> tuple[np.ndarray, list]:
    """Draw on every face found in a photo; return the new photo and a description of each thing drawn.

    photo: RGB uint8 (height, width, 3), stays as it is. detector: anything with the `detect` of `faces`; mesh: a
    `faces.FaceMesh`. Hand over your own to save loading them anew for each photo. draw: "masks", "worn-wrong" (masks,
    but any way except right) or "confusers" (hands, microphones, beards, scarves). Raises ValueError for another one.
    """
    if draw not in DRAW:
        raise ValueError(f"Nothing is called {draw!r}. What can be drawn: {', '.join(DRAW)}.")
    detector, mesh = detector or CenterFace(), mesh or FaceMesh()
    descriptions = []
    faces = sorted(detector.detect(photo), key=lambda face: face.box[2])  # what is nearer (larger) is drawn later
    meshes = [points for face in faces if (points := mesh.find(photo, face)) is not None]
    for points in meshes:
        if draw == "confusers":
            photo, description = confusers.random_confuser(photo, points, rng)
        else:
            style = masks.random_style(rng, wearing="right" if draw == "masks" else "wrong")
            photo, description = masks.draw_mask(photo, points, style, rng)
        descriptions.append(description)
    return photo, descriptions


def synthesize_folder(in_dir, out_dir, seed: int = 0, draw: str = "masks", processes: int | None = None) -> dict:
    """Draw on all faces of all photos below `in_dir`; write PNG copies and `masks.jsonl` to `out_dir`.

    `masks.jsonl` holds a line per face: `photo`, `written` (paths relative to the two folders), `seed`, `draw` and the
    description of what was drawn. What a photo gets depends on the seed and its relative path alone. Started again
    after a break, it goes on where it was. Originals are only read. draw: see `synthesize_photo`. processes: that
    share the work (default: one for each core, if there is work enough).

    Returns counts of `photos` and `faces` in `out_dir`, and lists of the photos `without_face` and `unreadable`. Raises
    NotADirectoryError without an `in_dir`; ValueError if `out_dir` is or lies in `in_dir`, or holds something else.
    """
    in_dir, out_dir = Path(in_dir), Path(out_dir)
    if draw not in DRAW:
        raise ValueError(f"Nothing is called {draw!r}. What can be drawn: {', '.join(DRAW)}.")
    if not in_dir.is_dir():
        raise NotADirectoryError(f"{in_dir} is not a folder")
    if out_dir.resolve().is_relative_to(in_dir.resolve()):
        raise ValueError(f"{out_dir} lies in {in_dir}: the originals stay untouched, choose a folder outside")
    out_dir.mkdir(parents=True, exist_ok=True)
    records = read_records(out_dir, seed, draw)
    photos = {path.relative_to(in_dir).as_posix(): path for path in find_photos(in_dir)}
    jobs = [(path, name, seed, draw) for name, path in photos.items() if name not in records]
    reasons: dict[str, list] = {"without_face": [], "unreadable": []}
    for name, reason, png, descriptions in _share_out(_draw, jobs, processes, len(photos), "masks"):
        if reason:
            reasons[reason].append(name)
            continue
        about = {"photo": name, "written": name + ".png", "seed": seed, "draw": draw}
        records[name] = [{**about, **description} for description in descriptions]
        # The lines first: after a break there may be lines without their photo, never a photo without its lines.
        with open(out_dir / RECORDS, "a", encoding="utf-8") as file:
            file.write(_lines(records[name]))
        write_file(out_dir / about["written"], png)
    write_file(out_dir / RECORDS, "".join(_lines(records[name]) for name in sorted(records)).encode())
    return {"photos": len(records), "faces": sum(map(len, records.values())), **reasons}


def read_records(out_dir: Path, seed: int, draw: str) -> dict[str, list]:
    """Return the records of an earlier run by photo, those aside whose photo (or last line) was not finished."""
    path = out_dir / RECORDS
    records: dict[str, list] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            record = json.loads(line)
        except json.JSONDecodeError:  # the run broke off within this line
            continue
        if (record.get("seed"), record.get("draw")) != (seed, draw):
            raise ValueError(
                f"{out_dir} holds {record.get('draw')} of seed {record.get('seed')}: choose the same or another folder"
            )
        if (out_dir / record["written"]).exists():
            records.setdefault(record["photo"], []).append(record)
    write_file(path, "".join(map(_lines, records.values())).encode())
    return records


def draw_variants(paths, folder, plan: dict[str, int], seed: int = 0, processes: int | None = None):
    """Draw on the nearest face of each photo, several times over, to train with; gives a table of what was drawn.

    paths: of photos. plan: how many pictures of each to draw, by what is drawn: a key of `masks.WEARING`, "wrong" (any
    of `masks.WRONG_WAYS`), "confuser", or "nothing" (the face cut out of a wide photo, as it is; no picture if the
    photo is hardly wider than the face). Each shows the face with half a face around it, or all of the photo if that is
    little more, `PICTURE_SIDE` pixels on its short side at most. Pictures are softened like the sample's and written to
    `folder` as JPEG.

    Returns a `pandas.DataFrame` with `file` (the picture), `drawn_on` (the photo) and `drawn` (a key of
    `masks.WEARING` or of `confusers.KINDS`, or "nothing"), in the order of `paths`; no face, no rows.
    """
    import pandas as pd

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [(str(path), str(folder / f"{number:05d}"), plan, seed) for number, path in enumerate(paths)]
    # The nearest face of a photo is large: a small detector finds it in half the time.
    found = _share_out(_draw_plan, jobs, processes, len(jobs), "drawing", side=256)
    rows = [row for rows in found for row in rows]
    return pd.DataFrame(rows, columns=["file", "drawn_on", "drawn"])


def _draw_plan(job, models=None) -> list[dict]:
    path, stem, plan, seed = job
    detector, mesh = models or _models
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
    left, top, width, height = box_in_frame((x - width / 2, y - height / 2, 2 * width, 2 * height), photo.shape)
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
        elif what == "confuser":
            picture, description = confusers.random_confuser(photo, points, rng)
            drawn = description["kind"]
        else:
            style = masks.random_style(rng, wearing=what)
            picture, drawn = masks.draw_mask(photo, points, style, rng)[0], style.wearing
        name = f"{stem}_{len(rows)}_{drawn}.jpg"
        write_file(name, cv2.imencode(".jpg", soften(picture, rng)[..., ::-1], quality)[1].tobytes())
        rows.append({"file": name, "drawn_on": path, "drawn": drawn})
    return rows


def _lines(records: list) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def _share_out(work, jobs: list, processes: int | None, total: int, title: str, side: int = 416):
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
            for answer in pool.map(work, jobs):
                yield answer
                bar.update()
        finally:
            pool.shutdown(cancel_futures=True)


_models: list = []  # of a worker: loaded once, not for each photo


def _start_worker(side: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that shares out the work
    cv2.setNumThreads(1)
    _models[:] = CenterFace(side), FaceMesh(num_threads=1)


def _draw(job, models=None) -> tuple[str, str | None, bytes, list]:
    path, name, seed, draw = job
    try:
        photo = read_photo(path)
    except PhotoError:
        return name, "unreadable", b"", []
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    detector, mesh = models or _models
    photo, descriptions = synthesize_photo(photo, rng, detector, mesh, draw)
    if not descriptions:
        return name, "without_face", b"", []
    return name, None, cv2.imencode(".png", photo[..., ::-1])[1].tobytes(), descriptions
