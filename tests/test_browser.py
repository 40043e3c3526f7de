"""The camera panel as a learner sees it: JupyterLab, Chromium, and a clip of the sample in place of a camera."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from conftest import FAKE_CAMERA, NO_QUESTION, PICTURES, ROOT, camera_from, serious_findings

CELLS = ["from maskdet_utils.live.webcam import CameraPanel", "panel = CameraPanel({run!r})", "panel"]


@pytest.fixture(scope="module", autouse=True)
def _chromium_is_there(chromium):
    """Skip the whole file, before anything is started, if Chromium is missing."""


@pytest.fixture(scope="module")
def lab(tmp_path_factory, quick_run):
    """JupyterLab with one small notebook that shows the panel: its port and folder."""
    folder = tmp_path_factory.mktemp("lab")
    cells = [
        {
            "cell_type": "code",
            "id": f"c{number}",
            "metadata": {},
            "outputs": [],
            "execution_count": None,
            "source": text,
        }
        for number, text in enumerate(text.format(run=str(quick_run)) for text in CELLS)
    ]
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    notebook = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    (folder / "panel.ipynb").write_text(json.dumps(notebook))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--ServerApp.port={port}"]
    command += [
        "--IdentityProvider.token=",
        "--expose-app-in-browser",
        "--ServerApp.allow_remote_access=True",
        f"--ServerApp.root_dir={folder}",
    ]
    settings = tmp_path_factory.mktemp("settings")
    page_config = settings / "JUPYTER_CONFIG_DIR" / "labconfig" / "page_config.json"
    page_config.parent.mkdir(parents=True)
    page_config.write_text('{"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": true}}')
    saving = settings / "JUPYTERLAB_SETTINGS_DIR" / "@jupyter-widgets" / "jupyterlab-manager"
    saving.mkdir(parents=True)
    (saving / "plugin.jupyterlab-settings").write_text('{"saveState": true}')
    names = ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR")
    environment = {**os.environ, **{name: str(settings / name) for name in names}}
    with open(folder / "server.log", "w") as log:
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        wait_for(lambda: urllib.request.urlopen(f"http://127.0.0.1:{port}/api", timeout=1), 60, folder / "server.log")
        yield port, folder
    finally:
        server.terminate()
        server.wait(20)


def wait_for(ready, seconds, log):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            return ready()
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"JupyterLab did not start: {log.read_text()[-2000:]}")


@pytest.fixture
def open_panel(lab, chromium):
    """A function that opens the notebook in Chromium with these flags, runs it, and returns the page."""
    from playwright.sync_api import sync_playwright

    port, _ = lab
    with sync_playwright() as playwright:
        browsers = []

        def open_in(*flags, host="localhost", notebook="panel"):
            browser = playwright.chromium.launch(
                executable_path=chromium, args=["--no-sandbox", "--no-proxy-server", *flags]
            )
            browsers.append(browser)
            page = browser.new_page(viewport={"width": 1100, "height": 1150})
            page.problems = []
            page.on("pageerror", lambda error: page.problems.append(str(error)))
            page.goto(f"http://{host}:{port}/lab/tree/{notebook}.ipynb?reset")
            page.locator(".jp-Notebook .jp-CodeCell").first.wait_for(timeout=30_000)
            run_cells(page)
            return page

        yield open_in
        for number, browser in enumerate(browsers):  # rarely needed, but the only trace of a failure
            keep_picture(browser.contexts[0].pages[0], f"at_the_end_{number}")
            browser.close()


def run_cells(page):
    # Before a kernel runs, JupyterLab would ask which one to use.
    kernel = "jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel"
    page.wait_for_function(f"() => {kernel}?.status === 'idle'", timeout=30_000)
    page.evaluate("() => { jupyterapp.commands.execute('notebook:run-all-cells') }")
    panel_of(page).wait_for(timeout=120_000)


def panel_of(page):
    return page.get_by_role("group", name="Live mask detection")


def expect_text(page, selector, text, seconds=20):
    from playwright.sync_api import expect

    expect(panel_of(page).locator(selector)).to_contain_text(text, timeout=1000 * seconds)


def start(page):
    panel_of(page).get_by_role("button", name="Start").click()


def keep_picture(page, name):
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(PICTURES / f"{name}.png"))


def camera_is_off(page):
    """Whether no video plays, and the panel's status says so."""
    return panel_of(page).locator("video").evaluate("video => video.srcObject === null")


@pytest.mark.parametrize(("label", "words"), [("without_mask", "without mask"), ("with_mask", "with mask")])
def test_the_label_on_screen_is_right(open_panel, clips, label, words):
    page = open_panel(*camera_from(clips[label]))
    page.evaluate(
        "theme => jupyterapp.commands.execute('apputils:change-theme', { theme })",
        "JupyterLab Dark" if label == "with_mask" else "JupyterLab Light",
    )
    begun = time.monotonic()
    start(page)
    expect_text(page, ".faces", f"1 face: {words}.")
    seconds = time.monotonic() - begun
    assert panel_of(page).locator("video").evaluate("video => video.videoWidth") == 640
    page.wait_for_timeout(3000)
    expect_text(page, ".faces", f"1 face: {words}.")
    assert serious_findings(page, ".maskdet") == [], "in JupyterLab's own colors; more in test_panel.py"
    expect_text(page, "[role=status]", "Running")
    expect_text(page, ".figures", "frames/s")
    panel_of(page).get_by_role("button", name="Snapshot").click()
    assert panel_of(page).get_by_role("img", name="Snapshot").is_visible()
    keep_picture(page, label)
    print(f"first label after {seconds:.1f} s; {panel_of(page).locator('.figures').inner_text()}")

    video = panel_of(page).locator("video")
    video.evaluate("video => { window.track = video.srcObject.getTracks()[0] }")
    panel_of(page).get_by_role("button", name="Stop").click()
    expect_text(page, "[role=status]", "Stopped")
    assert page.evaluate("() => window.track.readyState") == "ended"
    assert camera_is_off(page)
    assert page.problems == []


def test_no_picture_in_the_saved_notebook(open_panel, lab, clips):
    """Even if JupyterLab saves the state of widgets, as it does here."""
    page = open_panel(*camera_from(clips["with_mask"]))
    start(page)
    expect_text(page, ".faces", "1 face")
    page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_timeout(2000)
    text = (lab[1] / "panel.ipynb").read_text()
    states = json.loads(text)["metadata"]["widgets"]["application/vnd.jupyter.widget-state+json"]["state"]
    panels = [one["state"] for one in states.values() if one["model_name"] == "AnyModel"]
    assert panels and all(not one.get("buffers") for one in states.values())
    strings = {name: value for name, value in panels[0].items() if name not in ("_esm", "_css")}
    assert len(json.dumps(strings)) < 2000
    assert "image/" not in text.replace('accept: \\"image/*\\"', "").replace('\\"image/jpeg\\"', "")


@pytest.mark.parametrize(
    ("flags", "host", "sentence"),
    [
        ([FAKE_CAMERA, "--deny-permission-prompts"], "localhost", "The browser blocked the camera"),
        ([NO_QUESTION], "localhost", "No camera was found"),
        (
            [NO_QUESTION, FAKE_CAMERA, "--host-resolver-rules=MAP cam.test 127.0.0.1"],
            "cam.test",
            "Browsers allow the camera on secure pages only",
        ),
    ],
    ids=["refused", "absent", "insecure page"],
)
def test_without_a_camera_the_panel_says_why_and_plays_the_clip(open_panel, flags, host, sentence):
    page = open_panel(*flags, host=host)
    start(page)
    expect_text(page, "[role=status]", sentence)
    panel_of(page).get_by_label("Source", exact=True).select_option("sample")
    start(page)
    expect_text(page, ".faces", "2 faces")
    keep_picture(page, f"clip_{host}_{len(flags)}")


def test_a_photo(open_panel, sample_folder):
    page = open_panel()
    for label in ("with_mask", "without_mask"):
        panel_of(page).locator("input[type=file]").set_input_files(sample_folder / label / "s23_01.jpg")
        expect_text(page, ".faces", f"1 face: {label.replace('_', ' ')}.")
    panel_of(page).locator("input[type=file]").set_input_files(__file__)
    expect_text(page, "[role=status]", "cannot read test_browser.py")


def test_everything_works_from_the_keyboard(open_panel, clips):
    page = open_panel(*camera_from(clips["with_mask"]))
    panel_of(page).get_by_role("button", name="Start").focus()
    page.keyboard.press("Enter")
    expect_text(page, ".faces", "1 face")
    reached = []
    for _ in range(6):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("() => (document.activeElement.labels?.[0] ?? document.activeElement).innerText"))
    names = ["Snapshot", "Open a photo", "Source", "Face detector", "Mask threshold", "Mirror"]
    assert [text.strip() for text in reached] == names
    page.keyboard.press("Space")  # the last one: Mirror
    assert panel_of(page).locator(".stage").get_attribute("data-mirrored") == "false"
    panel_of(page).get_by_role("button", name="Stop").focus()
    page.keyboard.press("Enter")
    expect_text(page, "[role=status]", "Stopped")


def test_a_restarted_kernel(open_panel, clips):
    page = open_panel(*camera_from(clips["with_mask"]))
    start(page)
    expect_text(page, ".faces", "1 face")
    panel_of(page).locator("video").evaluate("video => { window.track = video.srcObject.getTracks()[0] }")
    page.evaluate("() => jupyterapp.shell.currentWidget.sessionContext.restartKernel()")
    page.wait_for_function("() => window.track.readyState === 'ended'", timeout=20_000)
    run_cells(page)
    start(page)
    expect_text(page, ".faces", "1 face")


def test_notebook_06(open_panel, lab, clips, quick_run):
    """The lesson itself: Run All, Start, and a right label."""
    name = "06_live_webcam_demo"
    text = (ROOT / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8")
    (lab[1] / f"{name}.ipynb").write_text(text.replace("runs/lab", str(quick_run)), encoding="utf-8")
    page = open_panel(*camera_from(clips["with_mask"]), notebook=name)
    panel_of(page).scroll_into_view_if_needed()
    start(page)
    expect_text(page, ".faces", "1 face: with mask.")
    panel_of(page).locator(".row").last.scroll_into_view_if_needed()
    keep_picture(page, "notebook_06")
    page.wait_for_function(
        "() => jupyterapp.shell.currentWidget.content.model.cells.get("
        "jupyterapp.shell.currentWidget.content.model.cells.length - 2).executionCount",
        timeout=120_000,
    )
    assert "with mask" in panel_of(page).locator(".faces").inner_text()


def test_the_panel_in_firefox(lab, in_firefox):
    """With Firefox's own test camera, which shows no face, and with the sample clip."""
    kernel = "jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status"
    idle = (
        f"new Promise((done) => {{ const ask = () => ({kernel} === 'idle' ? done(1) : setTimeout(ask, 300)); ask(); }})"
    )
    choose = """(() => { const menu = document.querySelector(".maskdet select");
        menu.value = "sample"; menu.dispatchEvent(new Event("input")); })()"""
    steps = [
        ["see", ".jp-Notebook .jp-CodeCell", "CameraPanel"],
        ["run", idle],
        ["run", "void jupyterapp.commands.execute('notebook:run-all-cells')"],
        ["see", ".maskdet button", "Start"],
        ["click", ".maskdet button"],
        ["see", ".maskdet [role=status]", "Running"],
        ["see", ".maskdet .faces", "No face found."],
        ["see", ".maskdet .figures", "frames/s"],
        ["wait", 3000],
        ["see", ".maskdet .figures", "frames/s"],
        ["click", ".maskdet button"],
        ["see", ".maskdet [role=status]", "Stopped."],
        ["run", choose],
        ["click", ".maskdet button"],
        ["see", ".maskdet .faces", "2 faces"],
    ]
    results = in_firefox(f"http://localhost:{lab[0]}/lab/tree/panel.ipynb?reset", "panel_firefox", steps)
    print(f"\nFirefox: {results[9]}")
