"""Masks on a whole folder of photos: what `maskdet synthesize` does."""

import json
import zlib
from pathlib import Path

import cv2
import numpy as np

from ..paths import write_file
from ..photos import PhotoError, find_photos, read_photo
from .synthesize import DRAW, share_out, synthesize_photo

RECORDS = "masks.jsonl"


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
    for name, reason, png, descriptions in share_out(_draw, jobs, processes, len(photos), "masks"):
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


def _lines(records: list) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def _draw(job, models) -> tuple[str, str | None, bytes, list]:
    path, name, seed, draw = job
    try:
        photo = read_photo(path)
    except PhotoError:
        return name, "unreadable", b"", []
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    detector, mesh = models
    photo, descriptions = synthesize_photo(photo, rng, detector, mesh, draw)
    if not descriptions:
        return name, "without_face", b"", []
    return name, None, cv2.imencode(".png", photo[..., ::-1])[1].tobytes(), descriptions
