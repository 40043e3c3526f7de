"""What the downloaded data sets have in common: resumable downloads, full disks, and files that users have added."""

import shutil
import urllib.error
import urllib.request
from pathlib import Path

from .assets import AssetError, receive

TIMEOUT = 30  # seconds: GitHub packs an archive only when it is asked for


class BadSource(AssetError):
    """An archive or a folder is not what it should be: truncated, from another commit, or with changed files."""


def download(url: str, target: Path, quiet: bool = False) -> None:
    """Download a file. What `target` already contains is kept, and only the rest is requested (HTTP Range, RFC 9110).

    A server that does not support this sends the whole file again.

    Args:
        url: Its address.
        target: Where to save it.
        quiet: Whether to hide the progress bar.

    Raises:
        OSError: The address cannot be reached, or the transfer ends before the announced length.
    """
    received = target.stat().st_size if target.is_file() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={received}-"} if received else {})
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        # 416 means that the file is no longer than what we have, so what we have is not its beginning.
        if error.code != 416 or not received:
            raise
        target.unlink()
        return download(url, target, quiet)
    with response:
        resumed = response.status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {received}-")
        receive(response, target, received if resumed else 0, quiet)


def bytes_of(path: Path) -> bytes | None:
    """The bytes of a file, or None if there is no such file."""
    return path.read_bytes() if path.is_file() else None


def shorten(names: list[str]) -> str:
    """Name the first three, and count the others."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3:,} more" if names[3:] else "")


def check_disk(folder: Path, needed: int) -> None:
    """Raise `AssetError` if the disk that holds the folder has fewer free bytes than needed."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise AssetError(disk_full(folder, f"{needed / 1e6:.0f} MB are needed, {free / 1e6:.0f} MB are free"))


def disk_full(folder: Path, detail: str) -> str:
    """What to say if the disk that holds the folder is full."""
    return (
        f"The disk that holds {folder} is full ({detail}). Free some space and run the command again. "
        "Nothing was changed."
    )


def keep_added_files(folder: Path, staging: Path, known: set[str]) -> None:
    """Copy the files that a user added to the folder, so that none of them is lost."""
    for path in folder.rglob("*") if folder.is_dir() else ():
        name = path.relative_to(folder)
        if (path.is_file() or path.is_symlink()) and name.as_posix() not in known:
            (staging / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, staging / name, follow_symlinks=False)
