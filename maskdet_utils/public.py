"""The public data set: fetched from its official address, every file verified, with a split that is the same for all.

`data/public.csv` lists its files with what `audit.py` found out about them. Only files named there, with the content
named there, ever get into `data/public/`.
"""

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
import time
import zipfile
import zlib
from pathlib import Path

import pandas as pd

from .assets import AssetError, download
from .paths import cache_folder, one_at_a_time, remove_leftovers, resolve, swap_in

COMMIT = "7e500749401bad4bb338790fbdb89b58e41ef2d9"
NAME = f"Face-Mask-Detection-{COMMIT}"  # GitHub's name for the archive and for the folder in it
URL = f"https://github.com/chandrikadeb7/Face-Mask-Detection/archive/{COMMIT}.zip"
CREDIT = "4,095 photos with and without mask. Face-Mask-Detection (Chandrika Deb, 2020; MIT)"
FOLDER = "data/public"  # where a learner can look at it; git ignores it
TABLE = "data/public.csv"
ABOUT = "about.json"  # in the folder: which commit it is of, and what was not to be had
TIMEOUT = 30  # seconds: GitHub packs the archive only when it is asked for
REMARK_WORN_WRONG = "worn wrong"  # a remark on such a photo begins like this
ALWAYS_EXCLUDED = ("exact copy", "not looked at")  # even where nothing else is cleaned


class BadSource(AssetError):
    """An archive or a folder that is not what it should be: cut off, of another commit, with changed files."""


def read_table() -> pd.DataFrame:
    """The manifest with all that the audit found, one row a file, in the order of its paths.

    `path` (below `data/public/`), `blob` (git's SHA-1 of the content), `bytes`, `label`, `group` (photos that must
    stay on one side of a split), `split` ("train", "validation", "test"), `exclude` (why a photo is not used, or ""),
    `copy_of` (the path of the first photo that it is a copy of in a wide sense, or ""), `faces` (how many large faces
    were found; missing for a file that was not looked at), `remark` (what was seen, or "").
    """
    return pd.read_csv(resolve(TABLE), dtype={"faces": "Int64"}, keep_default_na=False, na_values={"faces": [""]})


def read_manifest(folder, cleaned: bool = True) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The public data set in the form that `datasets.read_class_folders` gives, with its fixed split.

    Returns the manifest (`path`, `label`, `group`, `split`) of the photos that are in `folder` and not excluded, and
    what was left out (`path`, `reason`). Without `cleaned`, exact copies and what nobody has looked at are left out,
    and nothing else.
    """
    table = read_table()
    reason = table["exclude"] if cleaned else table["exclude"].where(table["exclude"].isin(ALWAYS_EXCLUDED), "")
    here = pd.Series([(Path(folder) / path).is_file() for path in table["path"]], index=table.index)
    reason = reason.where(here, "absent")
    used = reason == ""
    left_out = table.assign(reason=reason).loc[~used, ["path", "reason"]]
    return table.loc[used, ["path", "label", "group", "split"]].reset_index(drop=True), left_out.reset_index(drop=True)


def fetch(source=None, folder=None) -> Path:
    """The folder of the public data set (`with_mask/`, `without_mask/`), fetched if it is not here yet.

    `source` is the archive or an unpacked folder; without it, `MASKDET_ASSET_DIR` is looked in, then GitHub is asked.
    What a broken-off download brought is kept, and the next call goes on from there. Everything is unpacked and
    verified aside, then moved into place in one step. Files that the source lacks are counted on standard error.
    Safe for several processes at once: one works, the others wait for it.

    Raises `AssetError` if it cannot be had, or if anything in the source is not as it should be; what was there
    before is then still there.
    """
    folder = resolve(folder or FOLDER)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with one_at_a_time(folder):  # a second process finds all of it here
        return _fetch(source, folder)


def _fetch(source, folder: Path) -> Path:
    remove_leftovers(folder)
    table = read_table()
    absent = _absent(folder, table)
    if source is None and absent is not None:
        _report(absent, len(table))
        return folder
    _check_disk(folder.parent, table["bytes"].sum())
    given = Path(source).expanduser() if source is not None else _in_asset_dir()
    archive = given or _downloaded(_cached())
    try:
        absent = _install(archive, folder, table)
    except BadSource as error:
        if given:
            raise
        archive.unlink(missing_ok=True)
        raise BadSource(f"{error}\nIt has been removed: run the command again to fetch it anew.") from None
    if not given:
        archive.unlink(missing_ok=True)  # all of it is in the folder now
    _report(absent, len(table))
    return folder


def blob_hash(content: bytes) -> str:
    """Git's name for a file's content: the SHA-1 of a short header and the content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _is_right(content: bytes | None, row) -> bool:
    return content is not None and len(content) == row.bytes and blob_hash(content) == row.blob


def _absent(folder: Path, table: pd.DataFrame) -> list[str] | None:
    """What this folder lacks because its source lacked it; None if it is not as `fetch` left it."""
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        commit, absent = about["commit"], about["absent"]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    here = (row for row in table.itertuples() if row.path not in set(absent))
    return absent if commit == COMMIT and all(_is_right(_content(folder / row.path), row) for row in here) else None


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _report(absent: list[str], total: int) -> None:
    if absent:
        print(
            f"{len(absent):,} of {total:,} files were absent where this came from: {_short(absent)}.", file=sys.stderr
        )


def _short(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3:,} more" if names[3:] else "")


def _check_disk(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise AssetError(_disk_full(folder, f"{needed / 1e6:.0f} MB are needed, {free / 1e6:.0f} MB are free"))


def _disk_full(folder: Path, detail: str) -> str:
    return f"The disk of {folder} is full ({detail}). Make room, then run the command again. Nothing was changed."


# Where it comes from


def _in_asset_dir() -> Path | None:
    folder = os.environ.get("MASKDET_ASSET_DIR")
    candidates = (Path(folder) / f"{NAME}.zip", Path(folder) / NAME) if folder else ()
    return next((path for path in candidates if path.exists()), None)


def _cached() -> Path:
    return cache_folder() / f"{NAME}.zip"


def _downloaded(target: Path) -> Path:
    """The archive in the cache, downloaded if it is not there; raises `AssetError` if that fails."""
    if target.is_file():
        return target
    if os.environ.get("MASKDET_OFFLINE") == "1":
        raise AssetError(_explain("not tried, because MASKDET_OFFLINE=1"))
    # Under a name of its own while it is written, so that two processes do not write into one another's file.
    partial, mine = (target.with_name(f"{target.name}.{suffix}") for suffix in ("part", f"{os.getpid()}.part"))
    for left in (partial, *target.parent.glob(f"{target.name}.*.part")):
        if left == partial or time.time() - left.stat().st_mtime > 2 * TIMEOUT:  # else somebody is writing it
            with contextlib.suppress(FileNotFoundError):
                os.replace(left, mine)
                break
    try:
        download(URL, mine, TIMEOUT, resume=True)
        os.replace(mine, target)
    except OSError as error:
        kept = (
            f"; {mine.stat().st_size / 1e6:.1f} MB are kept, and the next try goes on from there"
            if mine.is_file()
            else ""
        )
        if error.errno == errno.ENOSPC:
            raise AssetError(_disk_full(target.parent, str(error) + kept)) from None
        raise AssetError(_explain(str(error) + kept)) from None
    finally:
        if mine.is_file():
            os.replace(mine, partial)
    return target


def _explain(problem: str) -> str:
    folder = os.environ.get("MASKDET_ASSET_DIR")
    looked = f"{folder} (MASKDET_ASSET_DIR): no {NAME}.zip is there" if folder else "MASKDET_ASSET_DIR: not set"
    return "\n".join(
        [
            f"The public data set ({CREDIT}) could not be had. Tried:",
            f"  - {looked}",
            f"  - {URL}: {problem}",
            f"To supply it by hand: save that address on a machine that has network as {NAME}.zip, then put it into the",
            "folder that MASKDET_ASSET_DIR names, or run: maskdet fetch public --from FILE (or --from the unpacked folder)",
        ]
    )


# From an archive or an unpacked folder to data/public


def _install(source: Path, folder: Path, table: pd.DataFrame) -> list[str]:
    """Verify everything that the source has, move it into place in one step; returns the paths that are absent.

    A file that the source lacks is taken over from the folder that is there already, if it is right.
    """
    from tqdm.auto import tqdm

    staging = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    absent, changed, taken_over = [], [], 0
    try:
        with _open(source) as read:
            for row in tqdm(list(table.itertuples()), desc="public data set", unit="photo", leave=False):
                content = read(row.path, row.bytes)
                if content is not None and not _is_right(content, row):
                    changed.append(row.path)
                    continue
                if content is None:
                    content = _content(folder / row.path)
                    if not _is_right(content, row):
                        absent.append(row.path)
                        continue
                    taken_over += 1
                target = staging / row.path
                target.parent.mkdir(exist_ok=True)
                target.write_bytes(content)
        if changed:
            raise BadSource(
                f"{source}: refused, {len(changed):,} of {len(table):,} files are not those of commit {COMMIT}: "
                f"{_short(changed)}. Take the archive from {URL}"
            )
        if len(absent) + taken_over == len(table):
            raise BadSource(f"{source} holds no file of the public data set. Take the archive from {URL}")
        _keep_strangers(folder, staging, set(table["path"]))
        (staging / ABOUT).write_text(json.dumps({"commit": COMMIT, "absent": absent}, indent=1), encoding="utf-8")
        staging.chmod(0o755)  # mkdtemp's 0700 would lock others out
        swap_in(staging, folder)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise AssetError(_disk_full(folder.parent, str(error))) from None
        if _absent(folder, table) is None:  # else another process was faster: its folder is the same
            raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return absent


def _keep_strangers(folder: Path, staging: Path, known: set[str]) -> None:
    """Take over what somebody put into the folder besides: nothing that was there may be lost."""
    for path in folder.rglob("*") if folder.is_dir() else ():
        name = path.relative_to(folder)
        if path.is_file() and name.as_posix() not in known:
            (staging / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, staging / name)


@contextlib.contextmanager
def _open(source: Path):
    """Give a function (path, bytes) → content, or None if the source has no such file."""
    if source.is_dir():
        roots = [source, source / "dataset", source / NAME / "dataset"]
        root = next(
            (path for path in roots if (path / "with_mask").is_dir() or (path / "without_mask").is_dir()), source
        )
        _check_commit(source, source.name)
        yield lambda path, _: _content(root / path)
        return
    if not source.is_file():
        raise BadSource(f"{source} is neither an archive nor a folder. Give the path of {NAME}.zip, or unpacked.")
    try:
        with zipfile.ZipFile(source) as archive:
            _check_commit(source, archive.comment.decode(errors="replace"))
            members = {}
            for member in archive.infolist():
                if _climbs_out(member.filename):
                    raise BadSource(
                        f"{source}: refused, it holds the path {member.filename!r}, which leads out of the folder that it "
                        f"is unpacked into. GitHub's archive holds none such: take it from {URL}"
                    )
                _check_commit(source, member.filename.split("/")[0])
                members[member.filename.rpartition("dataset/")[2]] = member

            def read(path: str, size: int) -> bytes | None:
                if path not in members:
                    return None
                with archive.open(members[path]) as file:
                    return file.read(size + 1)  # one more would be wrong already: a lying archive fills no memory

            yield read
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise BadSource(
            f"{source} is cut off or damaged, or no zip archive ({error}). Take the archive from {URL}"
        ) from None


def _check_commit(source: Path, hint: str) -> None:
    """Raise `BadSource` if a name or a comment says that this is another commit: GitHub writes it in both places."""
    found = re.search(r"(?:^|-)([0-9a-f]{40})$", hint)
    if found and found[1] != COMMIT:
        raise BadSource(f"{source} is of commit {found[1]}; commit {COMMIT} is needed. Take the archive from {URL}")


def _climbs_out(name: str) -> bool:
    parts = re.split(r"[/\\]", name)
    return ".." in parts or parts[0] == "" or ":" in parts[0]
