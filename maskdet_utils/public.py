"""The public data set: fetch it from its official address, verify each file, and read it with its fixed split.

`data/public.csv` lists its files and what the audit (`tools/audit_public.py`) found out about them. Only files that are
listed there, with exactly the listed content, ever get into `data/public/`.
"""

import contextlib
import errno
import hashlib
import json
import os
import re
import sys
import time
import zipfile
import zlib
from pathlib import Path

import pandas as pd

from .assets import AssetError
from .datasets import GROUPS_FILE
from .downloads import TIMEOUT, BadSource, bytes_of, check_disk, disk_full, download, keep_added_files, shorten
from .paths import cache_folder, new_folder, one_at_a_time, remove_leftovers, resolve, write_file

COMMIT = "7e500749401bad4bb338790fbdb89b58e41ef2d9"
NAME = f"Face-Mask-Detection-{COMMIT}"  # GitHub's name for the archive and for the folder inside
URL = f"https://github.com/chandrikadeb7/Face-Mask-Detection/archive/{COMMIT}.zip"
CREDIT = "4,095 photos with and without masks. Face-Mask-Detection (Chandrika Deb, 2020; MIT)"
FOLDER = "data/public"  # where a learner can look at it (git ignores this folder)
TABLE = "data/public.csv"
ABOUT = "about.json"  # in the folder: the commit that it comes from, and which files were missing from the source
REMARK_WORN_WRONG = "worn wrong"  # the remark on a photo of an incorrectly worn mask starts with this
ALWAYS_EXCLUDED = ("exact copy", "not looked at")  # even if nothing else is cleaned


def read_table() -> pd.DataFrame:
    """Read the manifest with everything that the audit found.

    Returns:
        One row per file, sorted by path, with the columns:

        - `path`: relative to `data/public/`.
        - `blob`: git's SHA-1 of the content.
        - `bytes`: the file's size.
        - `label`: the class.
        - `group`: photos with the same group must stay on one side of a split.
        - `split`: "train", "validation", or "test".
        - `exclude`: why the photo is not used, or "".
        - `copy_of`: the path of the first photo of which this one is a copy or near copy, or "".
        - `faces`: how many large faces were found. It is missing for a file that nobody has looked at.
        - `remark`: what somebody saw in the photo, or "".

    Introduced in notebook 08.
    """
    return pd.read_csv(resolve(TABLE), dtype={"faces": "Int64"}, keep_default_na=False, na_values={"faces": [""]})


def read_manifest(folder: str | Path, cleaned: bool = True) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the public data set in the form of `datasets.read_class_folders`, with its fixed split.

    Args:
        folder: The folder of the public data set.
        cleaned: Whether to leave out all photos that the audit excludes. Otherwise, only exact copies and photos that
            nobody has looked at are left out.

    Returns:
        Two tables: the manifest (`path`, `label`, `group`, `split`) of the photos that are in `folder` and not
        excluded, and the photos left out (`path`, `reason`).
    """
    table = read_table()
    reason = table["exclude"] if cleaned else table["exclude"].where(table["exclude"].isin(ALWAYS_EXCLUDED), "")
    present = pd.Series([(Path(folder) / path).is_file() for path in table["path"]], index=table.index)
    reason = reason.where(present, "absent")
    used = reason == ""
    left_out = table.assign(reason=reason).loc[~used, ["path", "reason"]]
    return table.loc[used, ["path", "label", "group", "split"]].reset_index(drop=True), left_out.reset_index(drop=True)


def fetch(source: str | Path | None = None, folder: str | Path | None = None) -> Path:
    """Return the folder of the public data set, and fetch the data set first if it is not on this machine yet.

    Everything is unpacked and verified in a temporary folder, then moved into place in one step. An interrupted
    download is kept, and the next call resumes it. Several processes may call this function at once: one of them works
    while the others wait. If the source lacks some files, a message on standard error says how many.

    Args:
        source: The archive or an unpacked folder. Without it, the function looks in `MASKDET_ASSET_DIR`, then downloads
            the archive from GitHub.
        folder: Where to put the data set. Without it, `data/public`.

    Returns:
        The folder, which contains `with_mask/`, `without_mask/`, and a `groups.csv` with the groups, the fixed split, and
        the photos that the audit excludes (see `datasets.read_class_folders`).

    Raises:
        AssetError: The data set could not be fetched, or something in the source is not as it should be. The folder is
            then still as it was before.
    """
    folder = resolve(folder or FOLDER)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with one_at_a_time(folder):  # a second process then finds everything done
        _fetch(source, folder)
        choice = read_table()[["path", "group", "split", "exclude"]].to_csv(index=False).encode()
        if bytes_of(folder / GROUPS_FILE) != choice:  # a folder from an earlier version has none
            write_file(folder / GROUPS_FILE, choice)
        return folder


def _fetch(source, folder: Path) -> None:
    remove_leftovers(folder)
    table = read_table()
    absent = _absent(folder, table)
    if source is None and absent is not None:
        _report(absent, len(table))
        return
    check_disk(folder.parent, table["bytes"].sum())
    given = Path(os.path.expanduser(source)) if source is not None else _in_asset_dir()
    archive = given or _downloaded(_cached())
    try:
        absent = _install(archive, folder, table)
    except BadSource as error:
        if given:
            raise
        archive.unlink(missing_ok=True)
        raise BadSource(f"{error}\nIt has been removed. Run the command again to download a new one.") from None
    if not given:
        archive.unlink(missing_ok=True)  # everything in it is in the folder now
    _report(absent, len(table))


def blob_hash(content: bytes) -> str:
    """Git's hash of a file's content: the SHA-1 of a short header and the content, in hexadecimal."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _is_correct(content: bytes | None, row) -> bool:
    return content is not None and len(content) == row.bytes and blob_hash(content) == row.blob


def _absent(folder: Path, table: pd.DataFrame) -> list[str] | None:
    """The files that this folder lacks because its source lacked them, or None if it is not as `fetch` left it."""
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        commit, absent = about["commit"], about["absent"]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    here = (row for row in table.itertuples() if row.path not in set(absent))
    return absent if commit == COMMIT and all(_is_correct(bytes_of(folder / row.path), row) for row in here) else None


def _report(absent: list[str], total: int) -> None:
    if absent:
        print(f"{len(absent):,} of {total:,} files are missing from the source: {shorten(absent)}.", file=sys.stderr)


# Where the data set comes from


def _in_asset_dir() -> Path | None:
    folder = os.environ.get("MASKDET_ASSET_DIR")
    candidates = (Path(folder) / f"{NAME}.zip", Path(folder) / NAME) if folder else ()
    return next((path for path in candidates if path.exists()), None)


def _cached() -> Path:
    return cache_folder() / f"{NAME}.zip"


def _downloaded(target: Path) -> Path:
    """The archive in the cache, downloaded if it is not there. Raises `AssetError` if that fails."""
    if target.is_file():
        return target
    if os.environ.get("MASKDET_OFFLINE") == "1":
        raise AssetError(_explain("skipped because MASKDET_OFFLINE=1"))
    # Each process downloads to a file name of its own, so that two processes never write to the same file.
    partial, mine = (target.with_name(f"{target.name}.{suffix}") for suffix in ("part", f"{os.getpid()}.part"))
    for leftover in (partial, *target.parent.glob(f"{target.name}.*.part")):
        # A younger file may belong to a process that is still writing it.
        if leftover == partial or time.time() - leftover.stat().st_mtime > 2 * TIMEOUT:
            with contextlib.suppress(FileNotFoundError):
                os.replace(leftover, mine)
                break
    try:
        download(URL, mine)
        os.replace(mine, target)
    except OSError as error:
        kept = "" if not mine.is_file() else f"; {mine.stat().st_size / 1e6:.1f} MB are kept for the next attempt"
        if error.errno == errno.ENOSPC:
            raise AssetError(disk_full(target.parent, str(error) + kept)) from None
        raise AssetError(_explain(str(error) + kept)) from None
    finally:
        if mine.is_file():
            os.replace(mine, partial)
    return target


def _explain(problem: str) -> str:
    folder = os.environ.get("MASKDET_ASSET_DIR")
    looked = f"{folder} (MASKDET_ASSET_DIR): contains no {NAME}.zip" if folder else "MASKDET_ASSET_DIR: not set"
    return (
        f"The public data set ({CREDIT}) could not be fetched. Tried:\n  - {looked}\n  - {URL}: {problem}\n"
        f"To supply it yourself, download it on a machine with network access as {NAME}.zip. Put it in the\n"
        "folder that MASKDET_ASSET_DIR names, or run: maskdet fetch public --from FILE (or --from the unpacked folder)"
    )


# From an archive or an unpacked folder to data/public


def _install(source: Path, folder: Path, table: pd.DataFrame) -> list[str]:
    """Verify all files in the source and move them into place in one step. Returns the paths of the missing files.

    A file that the source lacks is copied from the current folder if it is correct there.
    """
    from tqdm.auto import tqdm

    absent, changed, reused = [], [], 0
    try:
        with new_folder(folder) as staging, _open(source) as read:
            for row in tqdm(list(table.itertuples()), desc="public data set", unit="photo", leave=False):
                content = read(row.path, row.bytes)
                if content is not None and not _is_correct(content, row):
                    changed.append(row.path)
                    continue
                if content is None:
                    content = bytes_of(folder / row.path)
                    if not _is_correct(content, row):
                        absent.append(row.path)
                        continue
                    reused += 1
                target = staging / row.path
                target.parent.mkdir(exist_ok=True)
                target.write_bytes(content)
            if changed:
                raise BadSource(
                    f"{source}: refused because {len(changed):,} of {len(table):,} files are not those of commit {COMMIT}: "
                    f"{shorten(changed)}. Download the archive from {URL}"
                )
            if len(absent) + reused == len(table):
                raise BadSource(f"{source} contains no file from the public data set. Download the archive from {URL}")
            keep_added_files(folder, staging, set(table["path"]))
            (staging / ABOUT).write_text(json.dumps({"commit": COMMIT, "absent": absent}, indent=1), encoding="utf-8")
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise AssetError(disk_full(folder.parent, str(error))) from None
        if _absent(folder, table) is None:  # otherwise another process was faster, and its folder is the same
            raise
    return absent


@contextlib.contextmanager
def _open(source: Path):
    """Open a source. Yields a function from (path, size in bytes) to the content, or to None for a missing file."""
    if source.is_dir():
        roots = [source, source / "dataset", source / NAME / "dataset"]
        root = next(
            (path for path in roots if (path / "with_mask").is_dir() or (path / "without_mask").is_dir()), source
        )
        _check_commit(source, source.name)
        yield lambda path, _: bytes_of(root / path)
        return
    if not source.is_file():
        raise BadSource(f"{source} is neither an archive nor a folder. Give the path of {NAME}.zip or its folder.")
    try:
        with zipfile.ZipFile(source) as archive:
            _check_commit(source, archive.comment.decode(errors="replace"))
            members = {}
            for member in archive.infolist():
                if _points_outside(member.filename):
                    raise BadSource(
                        f"{source}: refused because it contains the path {member.filename!r}, which points outside the "
                        f"archive's own folder. GitHub's archive has no such path. Download the archive from {URL}"
                    )
                _check_commit(source, member.filename.split("/")[0])
                members[member.filename.rpartition("dataset/")[2]] = member

            def read(path: str, size: int) -> bytes | None:
                if path not in members:
                    return None
                with archive.open(members[path]) as file:
                    # One byte too many is enough to see a wrong size. A malicious archive must not fill the memory.
                    return file.read(size + 1)

            yield read
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise BadSource(
            f"{source} is truncated, damaged, or not a zip archive ({error}). Download the archive from {URL}"
        ) from None


def _check_commit(source: Path, hint: str) -> None:
    """Raise `BadSource` if a name or comment (GitHub writes the commit in both) names another commit."""
    found = re.search(r"(?:^|-)([0-9a-f]{40})$", hint)
    if found and found[1] != COMMIT:
        raise BadSource(
            f"{source} is from commit {found[1]}, not from commit {COMMIT}. Download the archive from {URL}"
        )


def _points_outside(name: str) -> bool:
    parts = re.split(r"[/\\]", name)
    return ".." in parts or parts[0] == "" or ":" in parts[0]
