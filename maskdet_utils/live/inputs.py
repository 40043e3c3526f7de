"""Find the photos and videos that people name on the command line, and choose a name for each marked copy."""

import glob
import os
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ..photos import SUFFIXES, is_clutter, sort_files
from .output import FILE_ENDINGS, shorten
from .video import STREAMS, Source

# Videos by their names or, failing that, by their first bytes: MP4 and MOV (but not music), Matroska, AVI, and MPEG-TS,
# whose packets begin with a G. (That is why ".ts" is not in the list: most of these files are TypeScript.)
VIDEO_SUFFIXES = set(
    ".mp4 .m4v .mov .avi .mkv .webm .mpg .mpeg .mts .m2ts .3gp .3g2 .wmv .flv .ogv .mjpeg .mjpg .vob .asf".split()
)
VIDEO_SIGNATURES = rb"(?s)....ftyp(?!M4[AB])|\x1aE\xdf\xa3|RIFF....AVI|G.{187}G|....G.{191}G"


@dataclass(frozen=True)
class Input:
    """A photo, video, camera, or stream.

    Attributes:
        name: What `video.open_source` takes.
        place: The path below `folder`, or else the file's own name.
        folder: The name of the folder that it was found in, if the user named that.
    """

    name: str
    place: str
    folder: str = ""


class LeftOut:
    """What isn't marked, and why.

    Attributes:
        files: `path` and `reason` of each. Those that should have been marked come first.
        failed: How many should have been marked. The others are neither photos nor videos.
    """

    def __init__(self):
        self.files = []
        self.failed = 0

    def add(self, path: str, reason: str, has_failed: bool = True) -> None:
        entry = {"path": path, "reason": reason.removeprefix(path).lstrip(": ").rstrip(".")}
        self.files.insert(self.failed if has_failed else len(self.files), entry)
        self.failed += has_failed

    def __str__(self) -> str:
        count = f"{len(self.files)} file{'s' * (len(self.files) > 1)}"
        lines = [f"Left out: {count}, {self.failed or 'none'} of them because of an error."]
        lines += [f"  {one['path']}: {one['reason']}" for one in self.files[:10]]
        return "\n".join(lines + (["  … The others are in the document that --json prints."] * (len(self.files) > 10)))


def find_inputs(names: list[str], output: str | None = None) -> tuple[list[Input], LeftOut]:
    """Find everything that can be marked: the files in folders, too, and in the folders that these link to.

    Args:
        names: Files, folders, patterns such as `photos/*.jpg`, numbers of cameras, and addresses. Only if there is no
            file of that name is a name taken for a pattern or number.
        output: The output. If it's a folder inside one of the inputs, what's in it is not marked again.

    Returns:
        The inputs in the order of the names, each once, and what is left out.
    """
    inputs, left_out = {}, LeftOut()
    for name in (match for given in names for match in _matches(given)):
        if not name:
            left_out.add(name, "an empty name is not a file")
        elif os.path.isdir(name):
            for one in _files_in(name, output, left_out):
                inputs.setdefault(os.path.abspath(one.name), one)
        elif glob.has_magic(name) and not (os.path.exists(name) or _is_address(name)):
            left_out.add(name, "there is no such file")
        else:
            inputs.setdefault(name if _is_address(name) else os.path.abspath(name), Input(name, _place(name)))
    return list(inputs.values()), left_out


def _is_address(name: str) -> bool:
    return name.lower().startswith(STREAMS)


def _matches(name: str) -> list[str]:
    if os.path.exists(name) or _is_address(name) or not glob.has_magic(name):
        return [name]
    found = sorted(glob.glob(name, recursive=True))
    return [match for match in found if not is_clutter(os.path.basename(match))] or [name]


def _place(name: str) -> str:
    if os.path.exists(name):
        return os.path.basename(name)
    if _is_address(name):
        is_web = name.lower().startswith("http")
        path = re.split(r"[?#]", name.split("//", 1)[1], maxsplit=1)[0].partition("/")[2]
        return (os.path.basename(path) or "address") if is_web else "stream"
    return f"camera{name}" if name.isdecimal() else os.path.basename(name)


def default_folder(name: str) -> str:
    """Return the folder for the marked copies of what is in a folder, for a user who gives none."""
    return f"{os.path.basename(os.path.abspath(name)) or 'folder'}-marked"


def _files_in(folder: str, output: str | None, left_out: LeftOut) -> list[Input]:
    photos, others = map(set, sort_files(folder))
    own = os.path.realpath(output or default_folder(folder))
    contains_output = own.startswith(os.path.join(os.path.realpath(folder), ""))
    found = []
    for path in sorted(photos | others):
        if contains_output and Path(os.path.realpath(path)).is_relative_to(own):
            left_out.add(str(path), "it is in the output folder", has_failed=False)
        elif path in others and not _is_video(path):
            left_out.add(str(path), *_why_not(path))
        else:
            place = path.relative_to(folder).as_posix()
            found.append(Input(str(path), place, default_folder(folder).removesuffix("-marked")))
    if not found:
        left_out.add(folder, "there are no photos or videos in this folder")
    return found


def _is_video(path: Path) -> bool:
    try:
        if not path.is_file():  # opening a named pipe would never end
            return False
        with open(path, "rb") as file:
            return path.suffix.lower() in VIDEO_SUFFIXES or re.match(VIDEO_SIGNATURES, file.read(200)) is not None
    except OSError:
        return path.suffix.lower() in VIDEO_SUFFIXES


def _why_not(path: Path) -> tuple[str, bool]:
    if path.is_dir():
        if os.path.islink(path) and os.access(path, os.R_OK | os.X_OK):
            return "this link leads to a folder that contains it, or that is already included", False
        return "this folder cannot be opened", True
    if not os.path.exists(path):
        return "this link leads nowhere", True
    if path.is_file() and not os.access(path, os.R_OK):
        return "this file cannot be opened", True
    return "neither a photo nor a video", False


class Copies:
    """Choose where the marked copy of each input goes.

    In a folder, a copy is called like its input, with "-marked" before its ending. If two inputs differ only in the
    ending, both keep it in the name of the copy. If that is not enough, a number does the rest. So no copy replaces an
    input or another input's copy.

    Args:
        output: A file for a single input, or a folder; None for the current folder.
        inputs: All inputs.
        is_one_folder: Whether the user named only one folder, so that the output folder needs no subfolder for it.

    Raises:
        ValueError: If the output is a file, but there is a folder to mark, or more than one input. Or it's empty.
    """

    def __init__(self, output: str | None, inputs: list[Input], is_one_folder: bool):
        self.output, self.is_one_folder = output, is_one_folder
        self.is_file = output is not None and not is_folder(output, len(inputs) == 1 and not inputs[0].folder)
        if output is not None and not output:
            raise ValueError("The output has an empty name. Use -o . for the current folder.")
        if self.is_file and (len(inputs) != 1 or inputs[0].folder):
            raise ValueError(f"{output} is one file, but the input is a folder or several files. Choose a folder.")
        if output and not self.is_file and os.path.exists(output) and not os.path.isdir(output):
            raise ValueError(f"{output} is there, and it is not a folder. Choose another name.")
        self._same = Counter(self._key(self._target(one, Path(one.place).stem)) for one in inputs)
        self._inputs = {_identity(one.name) for one in inputs} - {None}
        self._taken = set()

    def path_for(self, one: Input, source: Source) -> str:
        """Return the path of the copy.

        Raises:
            ValueError: If the user chose the input itself.
        """
        if self.is_file:
            if _identity(self.output) in self._inputs:
                raise ValueError(f"{self.output} is the input. To protect the originals, choose another place.")
            return self.output
        is_alone = self._same[self._key(self._target(one, Path(one.place).stem))] == 1
        base, number = Path(one.place).stem if is_alone else Path(one.place).name, 1
        while True:
            end = f"-marked{f'-{number}' if number > 1 else ''}{source.ending}"
            path = self._target(one, shorten(base, end) + end)
            if self._key(path) not in self._taken and _identity(path) not in self._inputs:
                self._taken.add(self._key(path))
                return str(path)
            number += 1

    def _target(self, one: Input, name: str) -> Path:
        if self.output is None:
            top = Path(f"{one.folder}-marked" if one.folder else ".")
        else:
            top = Path(self.output) if self.is_one_folder else Path(self.output, one.folder)
        return top / Path(one.place).parent / name

    @staticmethod
    def _key(path: Path) -> str:
        """Some file systems do not tell "É" from "é", or from an "e" and an accent."""
        return unicodedata.normalize("NFC", os.path.realpath(path)).casefold()


def is_folder(output: str, could_be_file: bool) -> bool:
    """Whether an output is a folder: it is one, ends in a slash, or has none of the endings that we can write.

    For one file with an ending that we cannot write, the answer is no, because .avi is more likely a wish for an AVI file.
    """
    ending = Path(output).suffix.lower()
    if output.endswith(("/", os.sep)) or os.path.isdir(output) or not ending:
        return True
    return not could_be_file and ending not in FILE_ENDINGS | SUFFIXES | VIDEO_SUFFIXES


def _identity(path: str | Path) -> tuple[int, int] | None:
    """What tells a file from all others, whatever its names; None if there is none."""
    try:
        found = os.stat(os.path.realpath(path))  # in "new/../a.jpg", the folder may not exist yet
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino
