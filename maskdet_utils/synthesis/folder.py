"""Draw masks on a whole folder of photos: the work of `maskdet synthesize`."""

import hashlib
import json
import os
import zlib
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
from filelock import FileLock, Timeout

from .. import __version__
from ..assets import digest
from ..paths import STAGING, write_file
from ..photos import PhotoError, is_clutter, read_photo, sort_files
from .synthesize import DRAW, run_in_parallel, synthesize_photo

RECORDS = "masks.jsonl"  # says which files in the folder are ours
LOCK = ".maskdet.lock"


def synthesize_folder(in_dir, out_dir, seed: int = 0, draw: str = "masks", processes: int | None = None) -> dict:
    """Draw on all faces of all photos below a folder, and write the new photos to another folder.

    Originals are only read. `out_dir` gets PNG copies and `masks.jsonl`, which has one line per face: `photo` and
    `written` (paths relative to the two folders), the SHA-256 of both files, `version`, `seed`, `draw`, and the
    description of what was drawn. An interrupted run resumes when you start it again. A picture is made again if its
    photo has changed since, or if another version of this package made it.

    Args:
        in_dir: Folder of photos; its subfolders are searched, too.
        out_dir: Folder for the copies. It must not be `in_dir` or lie inside it, and it must hold nothing else.
        seed: Seed of the random generator. What a photo gets depends only on the seed and its relative path.
        draw: What to draw, see `synthesize_photo`.
        processes: How many processes share the work; by default one per core, if there is enough work.

    Returns:
        Counts of the `photos` in `in_dir` with faces and of these `faces`, and lists of the photos `without_face` and
        `unreadable` and of the files that are `not_photos`.

    Raises:
        NotADirectoryError: If `in_dir` is not a folder.
        ValueError: If `draw` is unknown, `out_dir` lies inside `in_dir`, `out_dir` holds pictures drawn with another
            seed or another `draw` or anything that we did not write, or another process writes to it.
    """
    in_dir, out_dir = Path(in_dir), Path(out_dir)
    if draw not in DRAW:
        raise ValueError(f"Cannot draw {draw!r}. Choose one of: {', '.join(DRAW)}.")
    if not in_dir.is_dir():
        raise NotADirectoryError(f"{in_dir} is not a folder. Give a folder of photos.")
    if out_dir.resolve().is_relative_to(in_dir.resolve()):
        raise ValueError(f"{out_dir} lies inside {in_dir}. To protect the originals, choose a folder outside it.")
    if not (out_dir / LOCK).exists():
        read_records(out_dir, seed, draw)  # a folder with other things in it does not get a lock either
    out_dir.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(out_dir / LOCK, timeout=0):
            return _synthesize(in_dir, out_dir, seed, draw, processes)
    except Timeout:
        raise ValueError(f"Another process is writing to {out_dir}. Wait until it has finished.") from None


def _synthesize(in_dir: Path, out_dir: Path, seed: int, draw: str, processes: int | None) -> dict:
    for path in out_dir.rglob(".maskdet-*"):  # what a killed process was writing: nobody else has the lock
        if STAGING.fullmatch(path.name) and path.is_file():
            path.unlink()
    records = read_records(out_dir, seed, draw)
    # Without the lines of unfinished pictures, so that no face is listed twice.
    write_file(out_dir / RECORDS, "".join(map(_lines, records.values())).encode())
    found, others = sort_files(in_dir)
    photos = {path.relative_to(in_dir).as_posix(): path for path in found}
    done = {name for name, path in photos.items() if name in records and _is_current(records[name][0], path)}
    jobs = [(path, name, seed, draw) for name, path in photos.items() if name not in done]
    skipped: dict[str, list] = {"without_face": [], "unreadable": []}
    skipped["not_photos"] = [path.relative_to(in_dir).as_posix() for path in others]
    for name, reason, png, entries in run_in_parallel(_draw, jobs, processes, len(photos), "masks"):
        if reason:
            skipped[reason].append(name)
            if name in records and reason == "without_face":  # the picture of an earlier photo with this name
                (out_dir / records.pop(name)[0]["written"]).unlink()
            continue
        records[name] = entries
        done.add(name)
        # Write the lines first: an interrupted run may leave lines without a picture, but no picture without its lines.
        with open(out_dir / RECORDS, "a", encoding="utf-8") as file:
            file.write(_lines(entries))
            file.flush()
            os.fsync(file.fileno())
        write_file(out_dir / entries[0]["written"], png)
    write_file(out_dir / RECORDS, "".join(_lines(records[name]) for name in sorted(records)).encode())
    return {"photos": len(done), "faces": sum(len(records[name]) for name in done), **skipped}


def read_records(out_dir: Path, seed: int, draw: str) -> dict[str, list]:
    """Read the records of an earlier run, and check that it wrote everything that is in the folder.

    Returns:
        {photo: its records}, without those whose picture was not finished.

    Raises:
        ValueError: If the folder holds anything that is not recorded, a picture that has changed since, or pictures
            with another seed or of something else.
    """
    path = out_dir / RECORDS
    refusal = f"{out_dir} holds %s, which maskdet synthesize did not write. To protect it, choose another folder."
    if path.exists() and not path.is_file():
        raise ValueError(refusal % RECORDS)
    written: dict[tuple, list] = {}
    lines = path.read_bytes().split(b"\n") if path.exists() else [b""]
    if lines == [lines[-1]] != [b""] and not (out_dir / LOCK).exists():  # or the disk was full at our first line
        raise ValueError(refusal % f"a {RECORDS}")
    for number, line in enumerate(lines[:-1], start=1):  # after the last line break, nothing is finished
        try:
            record = json.loads(line)
            key = tuple(record[name] for name in ("written", "picture_sha256", "photo_sha256", "version"))
            if not all(isinstance(part, str) for part in key) or record["written"] != record["photo"] + ".png":
                raise ValueError
        except (ValueError, LookupError, TypeError, RecursionError):
            raise ValueError(refusal % f"a {RECORDS} (see its line {number})") from None
        if (record.get("seed"), record.get("draw")) != (seed, draw):
            raise ValueError(
                f"{out_dir} holds {record.get('draw')} drawn with seed {record.get('seed')}. Draw these, or use "
                "another folder."
            )
        faces = written.setdefault(key, [])
        if record not in faces:  # a run that was killed may have been about to repeat the line
            faces.append(record)
    kept: dict[str, list] = {}
    hashes = {found: digest(out_dir / found) for found in _files(out_dir, refusal)}
    for (name, sha256, *_), faces in written.items():
        if hashes.get(name) == sha256:
            kept[faces[0]["photo"]] = faces
    unknown = hashes.keys() - {faces[0]["written"] for faces in kept.values()}
    if unknown:
        raise ValueError(refusal % min(unknown))
    return kept


def _files(out_dir: Path, refusal: str) -> list[str]:
    """The paths of the pictures in the output folder, without what the computer put there. A link is not ours."""
    found = []
    for where, folders, files in os.walk(out_dir):
        folders[:] = [name for name in folders if not is_clutter(name)]
        for name in files + [folder for folder in folders if Path(where, folder).is_symlink()]:
            path = Path(where, name)
            shown = path.relative_to(out_dir).as_posix()
            if is_clutter(name) or shown == RECORDS and not path.is_symlink():
                continue
            if path.is_symlink() or not path.is_file():
                raise ValueError(refusal % shown)
            found.append(shown)
    return found


def _is_current(record: dict, photo: Path) -> bool:
    with suppress(OSError):
        return record["version"] == __version__ and record["photo_sha256"] == digest(photo)
    return False


def _lines(records: list) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def _draw(job, models) -> tuple[str, str | None, bytes, list]:
    path, name, seed, draw = job
    try:
        photo_sha256 = digest(path)
        photo = read_photo(path)
    except (PhotoError, OSError):
        return name, "unreadable", b"", []
    rng = np.random.default_rng([seed, zlib.crc32(os.fsencode(name))])
    detector, mesh = models
    photo, descriptions = synthesize_photo(photo, rng, detector, mesh, draw)
    if not descriptions:
        return name, "without_face", b"", []
    png = cv2.imencode(".png", photo[..., ::-1])[1].tobytes()
    entry = {"photo": name, "photo_sha256": photo_sha256, "written": name + ".png"}
    entry |= {"picture_sha256": hashlib.sha256(png).hexdigest(), "version": __version__, "seed": seed, "draw": draw}
    return name, None, png, [{**entry, **description} for description in descriptions]
