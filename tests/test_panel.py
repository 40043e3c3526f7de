"""The camera panel alone in Chromium, with a few lines as its kernel: keyboard, contrast, names, small screens."""

import shutil

import pytest
from conftest import PICTURES, ROOT, serious_findings

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>The panel</title>
<link rel="stylesheet" href="webcam.css">
<style>:root { color-scheme: light dark }</style>
</head>
<body><main><h1>The panel</h1><div id="panel"></div></main>
<script type="module">
import widget from "./webcam.js";
const traits = { source: "browser", face_detectors: ["auto", "yunet"], face_detector: "auto", threshold: 0.5,
  mirror: true, idle_seconds: 120, status: "stopped" };
const listeners = {};
const face = { box: [0.3, 0.2, 0.2, 0.4], words: "with mask", style: 0, probability: 0.98 };
const model = {
  get: (name) => traits[name],
  set(name, value) { traits[name] = value; (listeners[`change:${name}`] ?? []).forEach((callback) => callback()); },
  save_changes() {},
  on(name, callback) { (listeners[name] ??= []).push(callback); },
  off() {},
  send({ view, number, type }) {
    const answer = { view, number, faces: [face], milliseconds: { faces: 7, classifier: 3, whole: 10 } };
    if (type !== "stop") setTimeout(() => listeners["msg:custom"].forEach((callback) => callback(answer, [])), 30);
  },
};
widget.render({ model, el: document.getElementById("panel") });
</script>
</body>
</html>
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory, serve):
    folder = tmp_path_factory.mktemp("panel")
    (folder / "index.html").write_text(PAGE, encoding="utf-8")
    for name in ("webcam.js", "labels.js", "webcam.css"):
        shutil.copy(ROOT / "maskdet_utils" / "live" / name, folder)
    return serve(folder)


@pytest.fixture
def open_panel(chromium, address):
    """A function that opens the panel at a given width and color scheme, with Chromium's own two test cameras."""
    from playwright.sync_api import sync_playwright

    camera = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream=device-count=2"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--no-proxy-server", *camera]
        )

        def open_it(width=1280, scheme="light"):
            page = browser.new_page(viewport={"width": width, "height": 1000}, color_scheme=scheme)
            page.goto(address)
            page.get_by_role("button", name="Start").wait_for()
            return page

        yield open_it
        browser.close()


def wait_for_status(page, text):
    page.get_by_role("status").get_by_text(text).wait_for(timeout=10_000)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_panel_can_be_used_by_everybody(open_panel, width, scheme):
    page = open_panel(width, scheme)
    assert serious_findings(page) == []
    page.get_by_role("button", name="Start").click()
    page.get_by_text("1 face: with mask.").wait_for(timeout=10_000)
    page.get_by_role("button", name="Snapshot").click()
    assert serious_findings(page) == []
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(PICTURES / f"panel_{width}_{scheme}.png"), full_page=True)


def focused(page):
    return page.evaluate("""() => {
        const element = document.activeElement;
        const seen = element.matches("input[type=file]") ? element.parentElement : element;
        const style = getComputedStyle(seen);
        return [(element.labels?.[0] ?? element).innerText.trim(), style.outlineStyle, parseFloat(style.outlineWidth)];
    }""")


def test_everything_can_be_done_without_a_mouse(open_panel):
    page = open_panel()
    page.keyboard.press("Tab")
    assert focused(page) == ["Start", "solid", 3], "the first stop, with a visible focus"
    page.keyboard.press("Enter")
    wait_for_status(page, "Running")
    video = page.locator("video")
    video.evaluate("video => { window.track = video.srcObject.getTracks()[0] }")
    for name in ("Snapshot", "Open a photo", "Source", "Camera", "Face detector", "Mask threshold", "Mirror"):
        page.keyboard.press("Tab")
        assert focused(page) == [name, "solid", 3]
    page.keyboard.press("Space")  # the last one: Mirror
    assert page.locator(".stage").get_attribute("data-mirrored") == "false"
    for _ in range(7):
        page.keyboard.press("Shift+Tab")
    assert focused(page)[0] == "Stop", "the same button, which keeps the focus when its label changes"
    page.keyboard.press("Space")
    wait_for_status(page, "Stopped")
    assert page.evaluate("() => window.track.readyState") == "ended"
    assert focused(page)[0] == "Start"


def test_another_camera_can_be_chosen_by_name_from_the_keyboard(open_panel):
    page = open_panel()
    menu = page.get_by_label("Camera", exact=True)
    assert not menu.is_visible(), "the browser keeps the names to itself until it may use a camera"
    page.get_by_role("button", name="Start").click()
    menu.wait_for()
    first, second = menu.locator("option").all_inner_texts()
    assert first and second and first != second
    used = "() => document.querySelector('video').srcObject?.getVideoTracks()[0].label"
    assert page.evaluate(used) == first
    menu.focus()
    page.keyboard.press("ArrowDown")
    page.wait_for_function(f"label => ({used})() === label", arg=second)
    wait_for_status(page, "Running")
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("button", name="Start").click()
    page.wait_for_function(f"label => ({used})() === label", arg=second)
    page.get_by_label("Source", exact=True).select_option("sample")
    assert not menu.is_visible()
