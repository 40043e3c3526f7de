"""What can go wrong, row by row: annotate."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from random import Random

import pytest
from conftest import OneFace, heed_signals
from rows import all_of, face, text
from rows_annotate import ANNOTATE, clip
from running import NEVER, check, contents

from maskdet_utils import paths
from maskdet_utils.live.annotate import annotate
from maskdet_utils.live.video import open_source
from maskdet_utils.paths import open_output

DEAD, ALIVE = ".maskdet-0123456789abcdef.mp4", ".maskdet-fedcba9876543210.mp4"


@pytest.mark.parametrize("row", ANNOTATE, ids=lambda row: row.name)
def test_a_fault(row, tmp_path, monkeypatch, capfd):
    check(row, tmp_path, monkeypatch, capfd)


def test_a_transfer_that_breaks_is_partial(tmp_path, monkeypatch, capsys):
    clip("in.mp4")(tmp_path)
    content = (tmp_path / "in.mp4").read_bytes()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2])  # and then the connection ends

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.chdir(tmp_path)
    done = annotate(f"http://127.0.0.1:{server.server_port}/film.mp4", "out.mp4", OneFace())
    server.shutdown()
    server.server_close()
    (part,) = done["partial"]
    assert 0 < part["frames"] < part["of"] == 20 and part["output"] == "out.partial.mp4" and not done["outputs"]
    assert "of 20 frames. It is cut off or damaged. They are in out.partial.mp4." in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="Windows removes such files itself")
def test_what_a_dead_process_was_writing_goes_and_what_a_living_one_writes_stays(tmp_path):
    waiting = f"""
import fcntl
file = open({str(tmp_path / ALIVE)!r}, "xb")
fcntl.flock(file, fcntl.LOCK_EX)
print("locked", flush=True)
input()
"""
    (tmp_path / DEAD).write_bytes(b"half a video")
    (tmp_path / ".maskdet-notes.mp4").write_bytes(b"not ours")
    command = [sys.executable, "-c", waiting]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as living:
        assert living.stdout.readline() == "locked\n"
        with open_output(tmp_path / "a.mp4") as staging:
            staging.write_bytes(b"done")
        living.communicate("\n")
    assert sorted(os.listdir(tmp_path)) == [ALIVE, ".maskdet-notes.mp4", "a.mp4"]


SLOW = """
import sys, time
sys.path[:0] = {paths!r}
from rows_annotate import stand_in
from maskdet_utils import cli, detector

class Patch:
    setattr = staticmethod(lambda _, value: setattr(detector.MaskDetector, "load", value))

stand_in(lambda number: time.sleep(0.005))(Patch)
print("ready", flush=True)
sys.exit(cli.main(["annotate", "a.pgm", "in.mp4", "-o", "out"]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="sends signals")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_signals_at_random_moments(sent, tmp_path):
    """Whatever the moment: an output is the earlier one, bit for bit, or a whole new one, and nothing stays behind."""
    all_of(clip("in.mp4", frames=60), text("a.pgm", face()))(tmp_path)
    inputs, random = contents(tmp_path), Random(sent)
    code = SLOW.format(paths=[str(Path(__file__).parent), str(Path(__file__).parent.parent)])
    for _ in range(4):
        names = ("out/a-marked.jpg", "out/in-marked.mp4")
        all_of(*(text(name, "earlier") for name in names))(tmp_path)
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=heed_signals,
        )
        assert process.stdout.readline() == "ready\n"
        time.sleep(random.uniform(0, 1.2))
        process.send_signal(sent)
        _, said = process.communicate(timeout=120)
        assert not any(words in said for words in NEVER), said
        paths._remove_dead_files.cache_clear()  # as in a new process
        with open_output(tmp_path / "out" / "next.txt"):
            pass
        found = contents(tmp_path)
        assert {name: found.pop(name) for name in inputs} == inputs
        for name in names:
            if found.pop(name) != b"earlier":
                frames = len(list(open_source(str(tmp_path / name)).frames))
                assert frames == (60 if name.endswith(".mp4") else 1), said
        for name in {*found} - {"out"}:
            assert name.startswith("out/in-marked.partial") and name in said, found
            assert len(list(open_source(str(tmp_path / name)).frames)) > 0
        shutil.rmtree(tmp_path / "out")
