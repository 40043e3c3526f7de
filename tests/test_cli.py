"""The command line: help that explains every option, reliable exit codes, and no traceback for foreseeable errors."""

import json
import os
import subprocess
import sys
import tomllib

import pytest
from conftest import ROOT

from maskdet_utils import __main__, __version__, cli

COMMANDS = ("fetch", "pipeline", "synthesize", "evaluate", "annotate")


@pytest.fixture
def fake_opencv(tmp_path):
    """A folder with a `cv2` that fails to import, as the real one does on a bare server."""
    library = "libGL.so.1: cannot open shared object file: No such file or directory"
    (tmp_path / "cv2.py").write_text(f"raise ImportError({library!r})")
    return str(tmp_path)


def test_help_names_every_command_and_every_option_is_explained(run_maskdet):
    done = run_maskdet("--help")
    assert done.returncode == 0
    assert all(command in done.stdout for command in COMMANDS)
    for command in COMMANDS:
        done = run_maskdet(command, "--help")
        assert done.returncode == 0
        description, _, options = done.stdout.partition("options:")
        assert len(description.splitlines()) > 3
        assert "MASKDET_CACHE" in done.stdout or command != "fetch"
        explained = [line for line in options.splitlines() if line.startswith("  -")]
        assert explained and all(len(line.split()) > 1 for line in explained)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["trian"],
        ["pipeline", "--profil"],
        ["pipeline", "-p", "seed"],
        ["synthesize", "photos"],
        ["fetch", "nonsense"],
        ["annotate", "video.mp4", "--detect-every", "0"],
        ["evaluate", "photos", "--detect", "--min-overlap", "0"],
    ],
)
def test_wrong_usage_exits_with_2(run_maskdet, arguments):
    done = run_maskdet(*arguments)
    assert done.returncode == 2
    assert done.stderr and "Traceback" not in done.stderr


def test_a_failed_command_prints_the_reason_and_exits_with_1(run_maskdet, tmp_path, class_folders):
    def error_of(*arguments):
        done = run_maskdet(*arguments)
        assert done.returncode == 1 and "Traceback" not in done.stderr
        return done.stderr

    assert "Choose from: default, full, public, quick" in error_of("pipeline", "--profile", "slow")
    assert "No notebook has the parameter image_sise" in error_of("pipeline", "-p", "image_sise", "96")
    assert "nowhere" in error_of("synthesize", tmp_path / "nowhere", tmp_path / "out")


def test_synthesize_copies_photos_with_masks_and_prints_json(run_maskdet, sample_folder, tmp_path):
    faces = tmp_path / "faces"
    faces.mkdir()
    for number in (1, 2):
        name = f"s01_{number:02d}.jpg"
        (faces / name).write_bytes((sample_folder / "without_mask" / name).read_bytes())
    (faces / "text.jpg").write_text("no photo")
    done = run_maskdet("synthesize", faces, tmp_path / "out", "--json")
    assert done.returncode == 1, "one photo is not readable"
    summary = json.loads(done.stdout)
    assert (summary["photos"], summary["faces"]) == (2, 2) and len(summary["unreadable"]) == 1
    assert len(list((tmp_path / "out").rglob("*.png"))) == 2


def test_synthesize_still_accepts_the_old_name_of_occluders():
    options = cli._parser().parse_args(["synthesize", "faces", "out", "--draw", "confusers"])
    assert options.draw == "occluders"


def test_a_missing_system_library_is_named_with_the_command_that_installs_it(run_maskdet, fake_opencv):
    done = run_maskdet("fetch", PYTHONPATH=os.pathsep.join([fake_opencv, str(ROOT)]))
    assert done.returncode == 1
    assert "libGL.so.1" in done.stderr and "sudo apt-get install libgl1 libglib2.0-0" in done.stderr
    assert "Traceback" not in done.stderr


def test_importing_the_package_imports_nothing_heavy():
    code = "import sys, maskdet_utils, maskdet_utils.cli; print([m for m in ('tensorflow', 'keras', 'cv2') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def test_the_installed_command_is_the_same_as_the_module():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["scripts"] == {"maskdet": "maskdet_utils.__main__:main"} and callable(__main__.main)
    assert project["version"] == __version__
