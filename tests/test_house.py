"""The package stays small and in order: what lessons reach, no import cycles, short functions, short signatures."""

import ast
import subprocess
import sys

import pytest
from conftest import ROOT

from tools import house

FOUND = house.measure(ROOT)
# What notebooks 00-06 may reach; a later capability raises this in a commit of its own.
MOST_LINES, MOST_MODULES = 2870, 26


def test_the_lessons_reach_a_small_core():
    lines, modules = FOUND["lessons"]
    assert lines <= MOST_LINES and modules <= MOST_MODULES


def test_the_lessons_reach_the_core_the_masks_and_the_panel_and_nothing_else():
    rooms = {name.split(".")[1] for name in FOUND["lesson_modules"] if name.count(".") == 2}
    assert rooms == {"synthesis", "live"}
    for name in ("evaluate", "synthesis.folder", "live.annotate", "live.output", "cli", "pipeline"):
        assert f"maskdet_utils.{name}" not in FOUND["lesson_modules"]


def test_the_package_is_small():
    assert FOUND["package"][0] <= 6560


def test_no_modules_import_one_another_in_a_circle():
    assert FOUND["cycles"] == []


def test_functions_are_short_and_take_few_arguments_by_position():
    assert FOUND["longest"][0] <= 60, FOUND["longest"]
    assert FOUND["positional"][0] <= 5, FOUND["positional"]


def test_every_room_says_who_uses_it():
    for folder in ("synthesis", "evaluate", "live", "web"):
        docstring = ast.get_docstring(ast.parse((ROOT / "maskdet_utils" / folder / "__init__.py").read_text("utf-8")))
        assert "Used by " in docstring.replace("\n", " ")


LIVE_USE = """
import sys

import numpy as np

import maskdet_utils.live.annotate
import maskdet_utils.live.webcam
from maskdet_utils.classifier import RELEASED
from maskdet_utils.drawing import draw

panel = maskdet_utils.live.webcam.CameraPanel(RELEASED)
jpeg = next(maskdet_utils.live.webcam.kernel_frames("sample"))
assert panel.handle_frame(jpeg)["faces"], "a face is found and classified"
frame = maskdet_utils.live.webcam.read_frame(jpeg)
draw(frame, panel.detector.track(frame), panel.detector.classes)
print([name for name in ("pandas", "tensorflow", "keras", "sklearn", "matplotlib") if name in sys.modules])
"""


def test_live_use_imports_neither_pandas_nor_tensorflow():
    done = subprocess.run([sys.executable, "-c", LIVE_USE], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


# The measuring itself


@pytest.fixture
def tiny(tmp_path):
    """A package with a cycle, a room, and a notebook that reaches part of it."""
    files = {
        "maskdet_utils/__init__.py": '"""A package."""\n',
        "maskdet_utils/one.py": '"""Doc\nstring."""\n# comment\n\nfrom . import two  # code\n\n\ndef f(a, b, *, c):\n    """Doc."""\n    return """text\nof two lines"""\n',
        "maskdet_utils/two.py": "def g():\n    from .one import f\n\n    return f\n",
        "maskdet_utils/room/__init__.py": "",
        "maskdet_utils/room/three.py": "from ..four import x\n\n\nclass C:\n    def __init__(self, a, b, c, d):\n        pass\n",
        "maskdet_utils/four.py": "x = 1\n",
        "notebooks/00_first.ipynb": '{"cells": [{"cell_type": "code", "source": ["from maskdet_utils.room.three import C"]}]}',
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return house.measure(tmp_path)


def test_lines_of_code_leave_out_docstrings_comments_and_blank_lines(tiny):
    assert tiny["lines"]["maskdet_utils"] == 0
    assert tiny["lines"]["maskdet_utils.one"] == 4, "the import, the def, and a text of two lines"
    assert tiny["package"] == (4 + 3 + 4 + 1, 4)


def test_the_reach_follows_imports_from_notebooks_through_rooms(tiny):
    reached = ["maskdet_utils", "maskdet_utils.four", "maskdet_utils.room", "maskdet_utils.room.three"]
    assert tiny["lesson_modules"] == reached and tiny["lessons"] == (5, 2)


def test_cycles_are_found_also_through_imports_inside_functions(tiny):
    assert tiny["cycles"] == [["maskdet_utils.one", "maskdet_utils.two"]]


def test_signatures_are_counted_without_self_and_keyword_only_parameters(tiny):
    assert tiny["positional"] == (4, "maskdet_utils.room.three.C.__init__")
