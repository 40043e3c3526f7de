"""Paths of the repository, its folders, and the cache, and ways to write files and folders in one step."""

import contextlib
import functools
import glob
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

MARK = "maskdet-"  # in the names of the folders that `new_folder` makes, so that nobody else's is mistaken for one


def repository_root() -> Path:
    """Find the folder that holds `notebooks/` and `pyproject.toml`.

    The current folder and those above it come first, then the folder that holds this package.

    Raises:
        FileNotFoundError: The package was installed without the repository, and the current folder is not in it.
    """
    package_parent = Path(__file__).resolve().parent.parent
    for folder in (Path.cwd(), *Path.cwd().parents, package_parent):
        if (folder / "pyproject.toml").is_file() and (folder / "notebooks").is_dir():
            return folder
    raise FileNotFoundError(
        "The notebooks are not here. Change to the folder that you cloned (it contains notebooks/ and pyproject.toml)."
    )


def cache_folder() -> Path:
    """The folder for fetched files: `MASKDET_CACHE`, or else the system's cache folder. It is created if missing."""
    import platformdirs

    folder = Path(os.environ.get("MASKDET_CACHE") or platformdirs.user_cache_dir("maskdet", appauthor=False))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def resolve(path: str | Path) -> Path:
    """Make a path absolute. A relative path starts at the repository's root, not at the current folder.

    Introduced in notebook 01.
    """
    path = Path(os.path.expanduser(path))  # unlike Path.expanduser, it keeps the name of a user who doesn't exist
    return path if path.is_absolute() else repository_root() / path


STAGING = re.compile(r"\.maskdet-[0-9a-f]{16}(\.\w+)?")


@contextlib.contextmanager
def staging_file(folder: Path, suffix: str = "") -> Iterator[Path]:
    """Provide an empty file inside a `with` block, to write to. Without `swap_in`, it is removed at the end.

    Its name says nothing about the output, which may already have a name as long as the file system allows. The folder is
    created if missing, and what killed processes left in it is removed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _remove_dead_files(folder.resolve())
    path = folder / f".maskdet-{secrets.token_hex(8)}{suffix}"
    try:
        path.touch(exist_ok=False)
        with open(path, "rb") if fcntl else contextlib.nullcontext() as file:
            if fcntl:  # Windows protects an open file by itself
                with contextlib.suppress(OSError):  # some network drives have no locks
                    fcntl.flock(file, fcntl.LOCK_EX)
            yield path
    finally:
        with contextlib.suppress(OSError):  # the first error is the one to report
            path.unlink(missing_ok=True)


@functools.cache  # once in each folder is enough
def _remove_dead_files(folder: Path) -> None:
    for path in folder.iterdir():
        if STAGING.fullmatch(path.name) and path.is_file():  # opening a named pipe would never end
            with contextlib.suppress(OSError):  # a living process holds the lock, or has just finished
                with open(path, "rb") as file:
                    if fcntl:
                        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()


def swap_in(staging: Path, path: Path) -> None:
    """Put a finished staging file in the place of `path`.

    When this returns, the file is on the disk, as far as the disk tells the truth. If the power fails before that,
    either the old file or the new one is there.
    """
    with open(staging, "rb+") as file:
        os.fsync(file.fileno())
    os.replace(staging, path)
    _sync(path.parent)


@contextlib.contextmanager
def open_output(path: str | Path) -> Iterator[Path]:
    """Give the path of a new file beside the output, to write to. When the block ends, that file becomes the output.

    Nobody ever sees half an output: if the block raises an error, what was there before stays, and nothing is left
    behind. If the block writes nothing, there is no output.

    Raises:
        ValueError: If the output exists and is not a file, but a folder or device, for example.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} already exists, and it is not a file. Choose another name.")
    with staging_file(path.parent, path.suffix) as staging:
        yield staging
        if staging.stat().st_size:
            swap_in(staging, path)


def write_file(path: str | Path, content: bytes) -> None:
    """Write a file in one step, so that nobody ever reads half of it. Its folder is created if missing."""
    path = Path(path)
    try:
        with staging_file(path.parent) as staging:
            staging.write_bytes(content)
            swap_in(staging, path)
    except OSError as error:
        if error.errno:
            error.filename, error.filename2 = str(path), None  # nobody knows the temporary one
        raise


def _sync(path: Path) -> None:
    """Wait until a file, or the list of the files in a folder, is on the disk. Not every system can do that for a folder."""
    with contextlib.suppress(PermissionError if path.is_file() else OSError):
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))  # or opening a named pipe would wait
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def one_at_a_time(target: Path):
    """Lock a file or folder inside a `with` block. Other processes that ask for the same lock wait.

    It leaves the file `.<name of target>.lock` behind, next to the target.
    """
    from filelock import FileLock

    target = Path(os.path.realpath(target))
    return FileLock(target.with_name(f".{target.name}.lock"))


@contextlib.contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Provide a staging folder inside a `with` block, and put it in the place of `target` in two quick moves at the end.

    Before that, everything in it is written to the disk (except on Windows), so that a power failure leaves the old
    folder or the new one. If it comes between the two moves, the old one is `.<name>.maskdet-old`, see `remove_leftovers`.

    Args:
        target: The folder to make or to replace. It stays as it is until then, and if the block raises an error.
    """
    target = Path(os.path.realpath(target))  # a link stays
    if target.exists() and not target.is_dir():
        raise NotADirectoryError(f"{target} is a file, but a folder belongs there. Move it somewhere else.")
    if target.is_symlink():
        raise NotADirectoryError(f"{target} is a link that leads in a circle. Remove it, or choose another name.")
    staging = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.{MARK}"))
    staging.chmod(0o755)  # mkdtemp's 0700 would lock others out
    old = target.parent / f".{target.name}.{MARK}old"
    try:
        yield staging
        if hasattr(os, "sync"):  # one file after the other would take 10 ms each
            os.sync()
        shutil.rmtree(old, ignore_errors=True)
        try:
            if target.exists():
                os.replace(target, old)
            os.replace(staging, target)
        except BaseException:
            if old.exists() and not target.exists():
                os.replace(old, target)
            raise
        _sync(target.parent)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def remove_leftovers(target: Path) -> None:
    """Remove what killed processes left behind: staging folders `.<name of target>.maskdet-*`, and a half-finished swap.

    Call it only with the lock of `one_at_a_time`: then no process is writing to these folders anymore.

    Args:
        target: The folder that the processes wanted to make.
    """
    target = Path(os.path.realpath(target))
    old = target.parent / f".{target.name}.{MARK}old"
    if old.exists() and not target.exists():  # the process was killed between the two moves of `new_folder`
        os.replace(old, target)
    for folder in target.parent.glob(f".{glob.escape(target.name)}.{MARK}*"):
        shutil.rmtree(folder, ignore_errors=True)
