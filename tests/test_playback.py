"""A marked video in a real browser: it plays, and it can be heard."""

import subprocess
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from conftest import copy, film

# Many machines for tests have no loudspeaker, so the page also decodes the sound and measures how loud it is.
PAGE = """<!doctype html><meta charset="utf-8"><video id="video" src="/marked.mp4" autoplay></video><script>
const events = []
for (const name of ["canplay", "playing", "ended", "error"]) video.addEventListener(name, () => events.push(name))
const over = new Promise(done => ["ended", "error"].forEach(name => video.addEventListener(name, done)))
const sound = fetch("/marked.mp4").then(answer => answer.arrayBuffer())
  .then(content => new OfflineAudioContext(1, 48000, 48000).decodeAudioData(content))
  .then(decoded => Math.max(...decoded.getChannelData(0).slice(24000, 72000)), problem => "none: " + problem)
Promise.all([sound, over]).then(([loudest]) => fetch("/found?" + new URLSearchParams({
  events, loudest, seconds: video.currentTime, width: video.videoWidth, height: video.videoHeight,
  hasSound: (video.webkitAudioDecodedByteCount > 0) || video.mozHasAudio,
  problem: video.error?.message ?? "", frames: video.getVideoPlaybackQuality().totalVideoFrames,
})))
</script>"""


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """A function that lets a browser play a marked video, and returns what the page found.

    The page plays it by itself and then reports to the server, so any browser will do.
    """
    folder = tmp_path_factory.mktemp("video")
    marked = copy(
        film(folder / "in.mkv", "ffv1", "yuv444p", "flac", size=(161, 121)), folder / "marked.mp4"
    ).read_bytes()
    found, is_there = {}, threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            address = urllib.parse.urlsplit(self.path)
            if address.path == "/found":
                found.update(urllib.parse.parse_qsl(address.query, keep_blank_values=True))
                is_there.set()
            body = marked if address.path == "/marked.mp4" else PAGE.encode()
            self.send_response(200)
            self.send_header("Content-Type", "video/mp4" if body is marked else "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            try:
                self.wfile.write(body)
            except OSError:
                pass  # the browser was closed

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def play(command):
        found.clear()
        is_there.clear()
        browser = subprocess.Popen(
            [*command, f"http://127.0.0.1:{server.server_port}/"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            assert is_there.wait(60), "the page never reported"
        finally:
            browser.kill()
            browser.wait(20)
        return dict(found)

    yield play
    server.shutdown()
    server.server_close()


def assert_seen_and_heard(found):
    assert found["problem"] == "" and found["events"].split(",")[-1] == "ended", found
    assert {"canplay", "playing"} <= set(found["events"].split(",")), found
    assert (int(found["width"]), int(found["height"])) == (162, 122), found  # each odd side has one more
    assert float(found["seconds"]) == pytest.approx(2, abs=0.1) and int(found["frames"]) > 10, found
    tone = 8000 / 32768  # of `film`
    assert found["hasSound"] == "true" and float(found["loudest"]) == pytest.approx(tone, abs=0.05), found


def test_chromium_plays_a_marked_video_with_its_sound(played, chromium, tmp_path):
    flags = ["--headless=new", "--no-sandbox", "--no-proxy-server", "--autoplay-policy=no-user-gesture-required"]
    assert_seen_and_heard(played([chromium, *flags, f"--user-data-dir={tmp_path}"]))


def test_firefox_plays_a_marked_video_with_its_sound(played, firefox, tmp_path):
    settings = {
        "media.autoplay.default": 0,
        "media.autoplay.blocking_policy": 0,
        "browser.shell.checkDefaultBrowser": "false",
    }
    lines = (f'user_pref("{name}", {value});\n' for name, value in settings.items())
    (tmp_path / "user.js").write_text("".join(lines))
    assert_seen_and_heard(played([firefox, "--headless", "--no-remote", "--profile", str(tmp_path)]))
