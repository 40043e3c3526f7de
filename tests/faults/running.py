"""The runner of the table in `rows`: set up, break something, run a command, and look at what it said and changed."""

import functools
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


@functools.cache
def own_mounts() -> str:
    """The command that runs another one with mounts of its own, which end with it; "" where that is not allowed."""
    for command in ("unshare -m", "unshare -rm"):  # the second needs no rights, but some systems forbid it
        line = f"{command} mount -t tmpfs none /mnt"
        if subprocess.run(["bash", "-c", line], capture_output=True).returncode == 0:
            return command
    return ""


def full(folder: str, kilobytes: int = 1500):
    """A disk: `folder` is on one of this size, together with what is in it already."""
    return lambda line: _on_a_disk(line, folder, f"-o size={kilobytes}k")


def read_only(folder: str):
    """A disk: nobody can write to `folder`, not even root."""
    return lambda line: _on_a_disk(line, folder, "", "mount -o remount,ro /mnt")


def _on_a_disk(line: str, folder: str, options: str, then: str = "true") -> str:
    """Run a line while `folder` is on a disk in memory. What it left there is in the folder afterward."""
    if not own_mounts():
        pytest.skip("needs the right to mount a disk (run it as root, or allow user namespaces)")
    # 99: what is in the folder does not fit on the disk.
    inside = f"""set -e
        where=$(realpath {shlex.quote(folder)})
        mount -t tmpfs {options} none /mnt; cp -a "$where/." /mnt || exit 99; {then}; mount --bind /mnt "$where"; cd "$PWD"
        code=0; ({line}) || code=$?
        cd /; umount "$where"; find "$where" -mindepth 1 -delete; cp -a /mnt/. "$where"; exit $code"""
    return f"{own_mounts()} bash -c {shlex.quote(inside)}"


def limited(kilobytes: int):
    """A disk: no file can be larger than this. It works everywhere, and what writes gets an error as on a full disk."""
    return lambda line: f"(ulimit -f {kilobytes}; trap '' XFSZ; {line})"


def forbidden(folder: str):
    """A disk: a folder that only others may write to."""

    def line_for(line: str) -> str:
        if os.geteuid() == 0:
            pytest.skip("root may write everywhere; the rows with `read_only` do the same with a disk")
        where = shlex.quote(folder)
        return f"chmod a-w {where}; ({line}); code=$?; chmod u+w {where}; exit $code"

    return line_for


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
        new: The files that the command adds, or may change. All others must be as before.
        disk: Where the command runs: `full("out")`, `read_only("out")`, `limited(kilobytes)`, or `forbidden("out")`. The
            folder must exist; "." is the current one.
    """

    name: str
    command: str
    words: str
    make: Callable[[Path], object] = nothing
    fault: Callable[[pytest.MonkeyPatch], object] = nothing
    code: int = 1
    new: tuple[str, ...] = ()
    disk: Callable[[str], str] | None = None


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
    if row.disk and "maskdet " not in command:
        command = "maskdet " + command
    if "maskdet" in shlex.split(command):
        line = command.replace("maskdet ", f"{shlex.quote(sys.executable)} -m maskdet_utils ")
        done = subprocess.run(["bash", "-c", row.disk(line) if row.disk else line], capture_output=True)
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
    kept = before.keys() - set(row.new)
    assert {name: after.get(name) for name in kept} == {name: before[name] for name in kept}, (
        "what was there has changed"
    )
    assert after.keys() - kept == set(row.new), "files that nobody asked for, or missing ones"
