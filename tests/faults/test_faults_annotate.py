"""What can go wrong, row by row: annotate."""

import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from conftest import OneFace
from rows_annotate import ANNOTATE, clip
from running import check

from maskdet_utils.live.annotate import annotate
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
