"""Checks for the exercises of lesson 00: check your setup."""

import hashlib
import tempfile
from pathlib import Path

from .grading import NotYet, call, graded, reject, same


@graded
def notebook(answer):
    """The notebook that needs `anywidget`, as two digits."""
    from maskdet_utils.paths import repository_root

    lines = (repository_root() / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    reason = next(line for line in lines if line.strip().startswith('"anywidget')).partition("# ")[2]
    if f"{answer:0>2}" != reason[:2]:
        raise NotYet(
            f"notebook {answer} runs without it. Find anywidget in pyproject.toml: the reason is behind the #."
        )
    return f"it says there: {reason}."


DAMAGED = "The mask covers mouth and rose."
CHECKSUM = "7188e64b6d35796ae42a55be4f462cf27cf5d0f6a3e616bdf6f004f15fbabef9"


@graded
def sentence(answer):
    """The sentence as it was before a letter was damaged."""
    if len(answer) != len(DAMAGED):
        raise NotYet(f"it has {len(answer)} characters, but {len(DAMAGED)} arrived. None went missing.")
    changed = sum(letter != other for letter, other in zip(answer, DAMAGED, strict=True))
    if not changed:
        raise NotYet("this is what arrived, and its checksum does not fit. Which word makes no sense?")
    if changed > 1:
        raise NotYet(f"{changed} letters differ from what arrived, but only one was damaged.")
    found = hashlib.sha256(answer.encode()).hexdigest()
    if found != CHECKSUM:
        raise NotYet(f"its checksum begins with {found[:8]}, but should begin with {CHECKSUM[:8]}.")
    return f"all 64 letters and digits agree, from {found[:4]}… to …{found[-4:]}. Nobody gets there by luck."


@graded
def is_intact(function):
    """A function that compares SHA-256 checksums."""
    content = b"a face with a mask"
    right = hashlib.sha256(content).hexdigest()
    if not call(function, content, right):
        raise NotYet(
            "an undamaged file is called damaged. `hexdigest()` gives the 64 letters and digits; `digest()` gives bytes, "
            "which equal no text."
        )
    if call(function, b"a face with a task", right):
        raise NotYet("a file with another letter is called undamaged. Its size is the same; look at the content.")
    if call(function, content, right[:16] + 48 * "0"):
        raise NotYet("a checksum that agrees in its first 16 letters only is let through. Compare all 64.")
    return "a single letter is noticed, and so is a checksum that agrees in part."


@graded
def megabytes(function):
    """A function that measures a folder in millions of bytes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "photos" / "more").mkdir(parents=True)
        (folder / "weights.h5").write_bytes(bytes(1_500_000))
        (folder / "photos" / "more" / "face.jpg").write_bytes(bytes(500_000))
        found = float(call(function, folder))
    mistakes = {
        "files in folders within the folder are left out. `glob` looks at one level, `rglob` at all of them.": 1.5,
        "these are bytes. How many bytes are a megabyte?": 2_000_000,
        "you count 1,048,576 bytes to the megabyte (that is a mebibyte); this course counts 1,000,000.": 2e6 / 1024**2,
    }
    reject(found, mistakes)
    if 2 + 1e-6 < found < 2.1:
        raise NotYet("folders were counted as well. Ask each path whether it `is_file()`.")
    if not same(found, 2.0):
        raise NotYet(f"a file of 1.5 MB, and one of 0.5 MB two folders further down, should be 2 MB, not {found:g}.")
    return "files at every depth are counted, and nothing else."
