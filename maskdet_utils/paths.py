"""Where things are: the repository, its folders, the cache of fetched files; and how a file gets there whole."""

import os
import shutil
import tempfile
import time
from pathlib import Path


def repository_root() -> Path:
    """The folder that holds `notebooks/` and `pyproject.toml`: above the current folder, else above this package.

    Raises `FileNotFoundError` when the package was installed without the repository and none is around.
    """
    package_parent = Path(__file__).resolve().parent.parent
    for folder in (Path.cwd(), *Path.cwd().parents, package_parent):
        if (folder / "pyproject.toml").is_file() and (folder / "notebooks").is_dir():
            return folder
    raise FileNotFoundError(
        "The notebooks are not here. Change into the folder that you cloned (it holds notebooks/ and pyproject.toml)."
    )


def cache_folder() -> Path:
    """Where fetched files are kept: `MASKDET_CACHE` if set, else this system's cache folder. Created if absent."""
    import platformdirs

    folder = Path(os.environ.get("MASKDET_CACHE") or platformdirs.user_cache_dir("maskdet", appauthor=False))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def resolve(path: str | Path) -> Path:
    """An absolute path as it is; a relative one counted from the repository's root, not from the current folder."""
    path = Path(path).expanduser()
    return path if path.is_absolute() else repository_root() / path


def write_file(path: str | Path, content: bytes) -> None:
    """Write a file in one step: a reader sees the old one or the new one, never half of it. Makes its folder."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(temporary, 0o644)  # mkstemp's 0600 would lock others out
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def one_at_a_time(target: Path):
    """A context in which no other process that asks for the same is: it waits. Leaves `.<target's name>.lock` behind."""
    from filelock import FileLock

    return FileLock(target.with_name(f".{target.name}.lock"))


def swap_in(staging: Path, target: Path) -> None:
    """Let a finished folder take the place of `target`, which until then stays as it is; both on the same disk."""
    old = target.parent / f".{target.name}.old"
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        os.replace(target, old)
    os.replace(staging, target)
    shutil.rmtree(old, ignore_errors=True)


def remove_leftovers(target: Path, older_than: float = 24 * 3600) -> None:
    """Remove the staging folders `.<target's name>.*` that killed processes left behind, and mend a broken swap.

    A folder younger than `older_than` seconds may belong to a process that is still at work, and stays.
    """
    old = target.parent / f".{target.name}.old"
    if old.exists() and not target.exists():  # killed between the two moves of the swap
        os.replace(old, target)
    for folder in target.parent.glob(f".{target.name}.*"):
        if time.time() - folder.stat().st_mtime > older_than:
            shutil.rmtree(folder, ignore_errors=True)
