"""Ctrl-C while modules load leaves no traceback, and children end with their parent, even if it is killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import heed_signals
from rows import face, public, text
from running import NEVER, contents

from maskdet_utils import paths

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


# At random moments, but the same ones in every run: seconds, and the signal. A quick machine may be done before.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL, signal.SIGINT, signal.SIGKILL)
MOMENTS = [*zip(np.random.default_rng(0).uniform(0.2, 2, 6).round(2).tolist(), SIGNALS, strict=True)]


def stop(folder, command, seconds, sent):
    """Start a command, stop it with a signal, and check what it says."""
    process = subprocess.Popen(
        [sys.executable, *command], cwd=folder, stderr=subprocess.PIPE, text=True, preexec_fn=heed_signals
    )
    time.sleep(seconds)
    process.send_signal(sent)
    said = process.communicate()[1]
    assert process.returncode in (-sent, 1, 0), said
    assert not any(words in said for words in NEVER), said


@pytest.mark.parametrize(("seconds", "sent"), MOMENTS)
def test_synthesize_at_any_moment(seconds, sent, tmp_path):
    from maskdet_utils.synthesis.folder import synthesize_folder

    for number in range(6):
        text(f"in/{number}.pgm", face())(tmp_path)
        if number == 0:
            synthesize_folder(tmp_path / "in", tmp_path / "out")
    before = contents(tmp_path)
    first = before.pop("out/masks.jsonl")
    stop(tmp_path, ["-m", "maskdet_utils", "synthesize", "in", "out"], seconds, sent)
    after = contents(tmp_path)
    assert {name: after[name] for name in before} == before and after["out/masks.jsonl"].startswith(first)
    assert synthesize_folder(tmp_path / "in", tmp_path / "out")["photos"] == 6
    pictures = {f"{number}.pgm.png" for number in range(6)}
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*pictures, "masks.jsonl", ".maskdet.lock"}


@pytest.mark.parametrize(("seconds", "sent"), MOMENTS)
def test_fetch_at_any_moment(seconds, sent, tmp_path):
    public(tmp_path, count=300)
    before = contents(tmp_path)
    stop(tmp_path, ["-m", "maskdet_utils", "fetch", "public", "--from", "source"], seconds / 2, sent)
    paths.remove_leftovers(tmp_path / "data/public")  # what every start does first
    after = contents(tmp_path)
    assert {name: after.get(name) for name in before} == before
    new = {name for name in after.keys() - before.keys() if name.endswith(".jpg")}
    assert len(new) in (0, 600), "all photos or none"
    assert {path.name for path in (tmp_path / "data").iterdir()} <= {"public", ".public.lock", "public.csv"}


def test_the_sample_at_any_moment(tmp_path):
    folder = tmp_path / "sample"
    text("sample/version.txt", "1 0")(tmp_path)
    text("sample/with_mask/old.jpg", face())(tmp_path)
    before = contents(folder)
    for seconds, sent in MOMENTS:
        line = f"from maskdet_utils import cli, sample; cli._pipeline = lambda _: sample.build({str(folder)!r})"
        stop(tmp_path, ["-c", f"{line}; cli.main(['pipeline'])"], seconds, sent)
        paths.remove_leftovers(folder)
        assert contents(folder) == before
    assert {path.name for path in tmp_path.iterdir()} <= {"sample", ".sample.lock"}
