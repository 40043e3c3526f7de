"""The web page about a run, and its notebooks as web pages: what stands at the top, and that no network is needed."""

import json
import re
import shutil
from html.parser import HTMLParser

import nbformat
import pytest
from conftest import ROOT, loaded_from_elsewhere, serious_findings
from PIL import Image, PngImagePlugin

from maskdet_utils import run_page

SCORE = {"value": 0.9812, "low": 0.9531, "high": 1.0}
PERFECT = {"value": 1.0, "low": None, "high": None}
PEOPLE = {"value": 1.0, "low": 0.63, "high": 1.0, "count": 8, "of": 8}
NOTEBOOKS = ["04_train", "05_evaluate"]
METRICS = {
    "dataset": "sample",
    "seed": 0,
    "n_train": 500,
    "n_validation": 140,
    "n_test": 160,
    "left_out": {"count": 0},
    "versions": {"keras": "3.15.1"},
    "classes": ["with_mask", "without_mask"],
    "confusion": [[78, 2], [1, 79]],
    "seconds": dict.fromkeys(NOTEBOOKS, 3.0),
    **dict.fromkeys(("accuracy", "balanced_accuracy", "roc_auc"), SCORE),
    "groups_without_error": {**PEOPLE, "value": 0.75, "low": 0.34, "high": 0.97, "count": 6},
}
TEXT = """# A lesson

[The next](05_evaluate.ipynb), [exercises](exercises/04_train.ipynb), [a module](../maskdet_utils/runs.py), and
[a page](https://example.org/).

<img src="../docs/notebook_06.png" width="480" alt="The panel.">"""


@pytest.fixture
def make_run(tmp_path):
    """A function that makes a small run folder and its pages, with these entries of `metrics.json`."""

    def make(**entries):
        folder = tmp_path / "run"
        (folder / "figures").mkdir(parents=True)
        for name in ("04_training_curves", "05_worst", "05_roc_curve", "01_photos"):
            words = PngImagePlugin.PngInfo()
            words.add_text("Description", f"A figure named {name}.")
            Image.new("RGB", (900, 300), "white").save(folder / "figures" / f"{name}.png", pnginfo=words)
        for name in NOTEBOOKS:
            nbformat.write(notebook(), folder / f"{name}.ipynb")
        (folder / "metrics.json").write_text(json.dumps(METRICS | entries))
        run_page.write_page(folder)
        return folder

    return make


def notebook():
    """A notebook with all that could ask the network for something: a formula, a widget, and a script."""
    widget = {"application/vnd.jupyter.widget-view+json": {"model_id": "m", "version_major": 2, "version_minor": 0}}
    script = {"text/html": "<script src='https://example.org/x.js'></script><table><tr><td>cell</td></tr></table>"}
    outputs = [nbformat.v4.new_output("display_data", data) for data in (widget, script)]
    outputs.append(nbformat.v4.new_output("stream", text="w" * 150 + "\n"))
    code = nbformat.v4.new_code_cell("x = " + " + ".join(["1"] * 60), outputs=outputs, execution_count=1)
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(TEXT + "\n\n$a^2$"), code])
    state = {"m": {"model_name": "FloatProgressModel", "model_module": "x", "model_module_version": "2", "state": {}}}
    widgets = {"state": state, "version_major": 2, "version_minor": 0}
    made.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": widgets}
    return made


class Page(HTMLParser):
    """What a page refers to, in order."""

    def __init__(self, text):
        super().__init__()
        self.references = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.references += [value for name, value in attributes if name in ("href", "src")]


def test_at_the_top_stand_accuracy_confusion_and_two_figures(make_run):
    text = (make_run() / "index.html").read_text(encoding="utf-8")
    top, _, rest = text.partition("<h2>Scores</h2>")
    words = ["0.9812", "95% interval 0.9531 to 1.0000, over people", "Confusion matrix", "05_worst.png", "04_training"]
    places = [top.index(word) for word in words]
    assert places == sorted(places)
    assert re.findall(r"<td(?: class=right)?>(\d+)</td>", top) == ["78", "2", "1", "79"]
    assert top.count("<img") == 2
    assert "05_roc_curve.png" in rest and "01_photos.png" in rest and "05_worst.png" not in rest


def test_without_an_error_the_exact_interval_over_people_takes_the_place_of_the_other(make_run):
    text = (make_run(accuracy=PERFECT, groups_without_error=PEOPLE) / "index.html").read_text(encoding="utf-8")
    top = text.partition("<table")[0]
    assert "1.0000" in top and "95% interval" not in top and "None" not in text
    assert "No error in the photos of 8 of 8 people; with 95% confidence at least 63% of people like these." in top


def test_three_classes_have_nine_cells(make_run):
    confusion = [[5, 0, 1], [0, 7, 0], [2, 0, 9]]
    folder = make_run(classes=["with_mask", "worn_wrong", "without_mask"], confusion=confusion)
    top = (folder / "index.html").read_text(encoding="utf-8").partition("<h2>Scores</h2>")[0]
    assert re.findall(r"<td( class=right)?>(\d+)</td>", top) == [
        (" class=right" if row == column else "", str(count))
        for row, counts in enumerate(confusion)
        for column, count in enumerate(counts)
    ]


def test_every_notebook_has_a_page_beside_it_to_which_the_index_leads(make_run):
    folder = make_run()
    references = Page((folder / "index.html").read_text(encoding="utf-8")).references
    for name in NOTEBOOKS:
        assert {f"{name}.html", f"{name}.ipynb"} <= set(references)
        page = (folder / f"{name}.html").read_text(encoding="utf-8")
        assert "A lesson" in page and "cell" in page


def test_no_reference_leads_out_of_the_folder_but_to_the_web(make_run):
    folder = make_run()
    for page in folder.glob("*.html"):
        for reference in Page(page.read_text(encoding="utf-8")).references:
            if not reference.startswith(("#", "data:", "https://example.org/")):
                assert (folder / reference).is_file(), f"{page.name}: {reference}"
    text = (folder / "04_train.html").read_text(encoding="utf-8")
    assert '<a href="05_evaluate.html">The next</a>, exercises, a module' in text
    assert text.count('src="data:image/png;base64,') == 1, "the picture in the text"


def test_nothing_is_loaded_from_the_network(make_run):
    for page in make_run().glob("*.html"):
        assert not loaded_from_elsewhere(page.read_text(encoding="utf-8")), page.name


def test_the_check_for_the_network_can_fail():
    from nbconvert import HTMLExporter

    plain, _ = HTMLExporter(template_name="lab").from_notebook_node(notebook())
    assert any("cdnjs" in one for one in loaded_from_elsewhere(plain))
    assert loaded_from_elsewhere("<link rel=stylesheet href='//example.org/x.css'>")
    assert loaded_from_elsewhere("<style>p { background: url(https://example.org/x.png) }</style>")


@pytest.fixture
def browser(chromium):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.mark.parametrize("width", [360, 1280])
def test_a_copy_of_the_folder_opens_from_disk_without_a_network(make_run, browser, tmp_path, width):
    folder = shutil.move(make_run(), tmp_path / "a copy elsewhere")
    context = browser.new_context(viewport={"width": width, "height": 800}, offline=True)
    page, wrong, own = context.new_page(), [], folder.as_uri()
    page.on("request", lambda request: None if request.url.startswith((own, "data:")) else wrong.append(request.url))
    page.on("requestfailed", lambda request: wrong.append(request.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    for name in ("index", *NOTEBOOKS):
        page.goto(f"{own}/{name}.html", wait_until="load")
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width, name
        assert page.evaluate("() => [...document.images].every((image) => image.naturalWidth)"), name
        cut = page.locator(".jp-InputArea-editor, .jp-OutputArea-output").evaluate_all(
            "(all) => all.filter((one) => one.scrollWidth > one.clientWidth + 1"
            " && (getComputedStyle(one).overflowX !== 'auto' || getComputedStyle(one).display === 'table-row')).length"
        )
        assert cut == 0, "too wide, and without a scroll bar"
    page.goto(f"{own}/index.html")
    assert not serious_findings(page)
    page.get_by_role("link", name="04_train", exact=True).last.click()
    page.get_by_role("link", name="All results of this run").click()
    assert page.url.endswith("/index.html") and not wrong
    context.close()


def test_the_lessons_do_not_reach_the_page():
    from tools import house

    assert "maskdet_utils.run_page" not in house.measure(ROOT)["lesson_modules"]
