"""The runner of the table in `rows`: set up, break something, run a command, and look at what it said and changed."""

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from maskdet_utils import cli
from maskdet_utils.classifier import RELEASED

NEVER = ("Traceback", "Exception ignored", "[Errno", "Warning:", "object at 0x")  # not words for people


def nothing(*_) -> None:
    """No set-up, or no fault."""


class Row(NamedTuple):
    """A fault.

    Attributes:
        name: What goes wrong.
        command: What follows `maskdet`. `{released}` stands for the folder of the released classifier. If it contains
            `maskdet`, it is a line for the shell.
        words: What the command must say. Several pieces are separated by " … ".
        make: Puts files into a folder, which becomes the current one.
        fault: Gets pytest's `monkeypatch`, to break something.
        code: The exit code.
        new: The files that the command may add. All others must be as before.
    """

    name: str
    command: str
    words: str
    make: Callable[[Path], object] = nothing
    fault: Callable[[pytest.MonkeyPatch], object] = nothing
    code: int = 1
    new: tuple[str, ...] = ()


def contents(folder: Path) -> dict[str, bytes | str]:
    """What is in a folder: the content of each file, and what everything else is. Files for locking do not count."""
    found: dict[str, bytes | str] = {}
    for path in folder.rglob("*"):
        name = os.fsencode(path.relative_to(folder)).decode(errors="backslashreplace")
        if path.suffix != ".lock":
            found[name] = (
                os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else str(path.is_dir())
            )
    return found


def check(row: Row, folder: Path, monkeypatch, capfd) -> None:
    """Run a row in an empty folder."""
    row.make(folder)
    before = contents(folder)
    monkeypatch.chdir(folder)
    row.fault(monkeypatch)
    command = row.command.replace("{released}", shlex.quote(str(RELEASED)))
    if "maskdet" in shlex.split(command):
        line = command.replace("maskdet ", f"{shlex.quote(sys.executable)} -m maskdet_utils ")
        done = subprocess.run(["bash", "-c", line], capture_output=True)
        code, said = done.returncode, (done.stdout + done.stderr).decode(errors="replace")
    else:
        try:
            code = cli.main(shlex.split(command))
        except SystemExit as error:  # argparse, for wrong usage
            code = error.code
        said = "".join(capfd.readouterr())
    monkeypatch.undo()
    assert code == row.code, said
    flat = " ".join(said.split())
    for words in row.words.split(" … "):
        assert words in flat, said
    assert not any(words in said for words in NEVER), said
    after = contents(folder)
    assert {name: after.get(name) for name in before} == before, "what was there has changed"
    assert after.keys() - before.keys() == set(row.new), "files that nobody asked for, or missing ones"
