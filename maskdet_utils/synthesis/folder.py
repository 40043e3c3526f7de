"""Draw masks on a whole folder of photos: the work of `maskdet synthesize`."""

import json
import zlib
from pathlib import Path

import cv2
import numpy as np

from ..paths import write_file
from ..photos import PhotoError, read_photo, sort_files
from .synthesize import DRAW, run_in_parallel, synthesize_photo

RECORDS = "masks.jsonl"


def synthesize_folder(in_dir, out_dir, seed: int = 0, draw: str = "masks", processes: int | None = None) -> dict:
    """Draw on all faces of all photos below a folder, and write the new photos to another folder.

    Originals are only read. `out_dir` gets PNG copies and `masks.jsonl`, which has one line per face: `photo` and
    `written` (paths relative to the two folders), `seed`, `draw`, and the description of what was drawn. An
    interrupted run resumes when you start it again.

    Args:
        in_dir: Folder of photos; its subfolders are searched, too.
        out_dir: Folder for the copies. It must not be `in_dir` or lie inside it.
        seed: Seed of the random generator. What a photo gets depends only on the seed and its relative path.
        draw: What to draw, see `synthesize_photo`.
        processes: How many processes share the work; by default one per core, if there is enough work.

    Returns:
        Counts of the `photos` and `faces` in `out_dir`, and lists of the photos `without_face` and `unreadable` and of the
        files that are `not_photos`.

    Raises:
        NotADirectoryError: If `in_dir` is not a folder.
        ValueError: If `draw` is unknown, `out_dir` lies inside `in_dir`, or `out_dir` holds pictures drawn with another
            seed or another `draw`.
    """
    in_dir, out_dir = Path(in_dir), Path(out_dir)
    if draw not in DRAW:
        raise ValueError(f"Cannot draw {draw!r}. Choose one of: {', '.join(DRAW)}.")
    if not in_dir.is_dir():
        raise NotADirectoryError(f"{in_dir} is not a folder. Give a folder of photos.")
    if out_dir.resolve().is_relative_to(in_dir.resolve()):
        raise ValueError(f"{out_dir} lies inside {in_dir}. To protect the originals, choose a folder outside it.")
    out_dir.mkdir(parents=True, exist_ok=True)
    records = read_records(out_dir, seed, draw)
    found, others = sort_files(in_dir)
    photos = {path.relative_to(in_dir).as_posix(): path for path in found}
    jobs = [(path, name, seed, draw) for name, path in photos.items() if name not in records]
    skipped: dict[str, list] = {"without_face": [], "unreadable": []}
    skipped["not_photos"] = [path.relative_to(in_dir).as_posix() for path in others]
    for name, reason, png, descriptions in run_in_parallel(_draw, jobs, processes, len(photos), "masks"):
        if reason:
            skipped[reason].append(name)
            continue
        entry = {"photo": name, "written": name + ".png", "seed": seed, "draw": draw}
        records[name] = [{**entry, **description} for description in descriptions]
        # Write the lines first: an interrupted run may leave lines without a photo, but no photo without its lines.
        with open(out_dir / RECORDS, "a", encoding="utf-8") as file:
            file.write(_lines(records[name]))
        write_file(out_dir / entry["written"], png)
    write_file(out_dir / RECORDS, "".join(_lines(records[name]) for name in sorted(records)).encode())
    return {"photos": len(records), "faces": sum(map(len, records.values())), **skipped}


def read_records(out_dir: Path, seed: int, draw: str) -> dict[str, list]:
    """Read the records of an earlier run, and drop those whose photo or line was not finished.

    Returns:
        {photo: its records}. `masks.jsonl` is rewritten without the dropped ones.

    Raises:
        ValueError: If the earlier run had another seed or drew something else.
    """
    path = out_dir / RECORDS
    records: dict[str, list] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            record = json.loads(line)
        except json.JSONDecodeError:  # the run was interrupted while it wrote this line
            continue
        if record.get("draw") == "confusers":  # the old name for occluders, in folders from earlier versions
            record["draw"] = "occluders"
        if (record.get("seed"), record.get("draw")) != (seed, draw):
            raise ValueError(
                f"{out_dir} holds {record.get('draw')} drawn with seed {record.get('seed')}. Draw these, or use "
                "another folder."
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
