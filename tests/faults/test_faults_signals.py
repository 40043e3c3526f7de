"""Ctrl-C while modules load leaves no traceback, and children end with their parent, even if it is killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import heed_signals
from running import NEVER

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sends signals")
PLACES = ("argparse", "tempfile", "maskdet_utils.cli", "numpy", "cv2", "maskdet_utils.photos", "maskdet_utils.faces")


@pytest.mark.parametrize("module", PLACES)
def test_ctrl_c_while_the_modules_load(module, tmp_path):
    (tmp_path / "photos").mkdir()
    command = [sys.executable, "-X", "importtime", "-m", "maskdet_utils", "synthesize", "photos", "out"]
    process = subprocess.Popen(
        command, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=heed_signals
    )
    for line in process.stderr:  # one line for each module that has been imported
        if line.split("|")[-1].strip() == module:
            process.send_signal(signal.SIGINT)
            break
    said = "".join(line for line in process.stderr if not line.startswith("import time:")) + process.stdout.read()
    assert process.wait() in (-signal.SIGINT, 1), said
    assert not any(words in said for words in NEVER), said
    assert {path.name for path in tmp_path.iterdir()} <= {"photos", "out"}


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found]


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_for(condition) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, "waited for two minutes"
        time.sleep(0.05)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_workers_end_with_the_process_that_started_them(sent, tmp_path, pgm_files):
    from maskdet_utils.synthesis.folder import synthesize_folder

    (tmp_path / "in").mkdir()
    for number in range(200):
        (tmp_path / "in" / f"{number:03d}.pgm").write_bytes(pgm_files[number % 5])
    command = [sys.executable, "-m", "maskdet_utils", "synthesize", "in", "out", "--processes", "2"]
    process = subprocess.Popen(
        command, cwd=tmp_path, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, preexec_fn=heed_signals
    )
    wait_for(lambda: list(tmp_path.glob("out/*.png")) or process.poll() is not None)
    workers = children(process.pid)
    assert len(workers) >= 2
    os.kill(process.pid, sent)
    assert process.wait() == -sent
    wait_for(lambda: not any(map(is_running, workers)))
    for path in sorted((tmp_path / "in").iterdir())[5:]:
        path.unlink()
    assert synthesize_folder(tmp_path / "in", tmp_path / "out")["photos"] == 5, "the folder is still ours"
    assert not list(tmp_path.rglob(".maskdet-*"))
