"""The web site: built without a warning, no link that leads nowhere, nothing from another host, usable by everybody."""

import json
import re
import runpy
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from conftest import PICTURES, ROOT, serious_findings

from tools import house

SITE = ROOT / "build" / "site"
NOTEBOOKS = sorted((ROOT / "notebooks").rglob("*.ipynb"))
KINDS_OF_PAGES = {
    "landing": "docs/index.html",
    "notebook": "notebooks/02_augment_the_data.html",
    "exercises": "notebooks/exercises/02_augment_the_data.html",
    "tables": "notebooks/05_evaluate_the_classifier.html",
    "glossary": "docs/glossary.html",
    "api": "docs/api/maskdet_utils.faces.html",
}
WIDTHS = {"phone": 360, "desktop": 1280}
CLIPPED = """() => [...document.querySelectorAll("article *")].filter((one) => one.clientWidth > 1
    && one.scrollWidth > one.clientWidth + 1 && ["hidden", "clip"].includes(getComputedStyle(one).overflowX)
).map((one) => one.outerHTML.slice(0, 200))"""


class Page(HTMLParser):
    """The names that a page gives to places, the addresses it names, and its pictures."""

    def __init__(self, file):
        super().__init__()
        self.places, self.links, self.loaded, self.pictures = set(), [], [], []
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.places |= {attributes[name] for name in ("id", "name") if attributes.get(name)}
        if tag == "a" and "href" in attributes:
            self.links.append(attributes["href"])
        if tag == "img":
            self.pictures.append(attributes)
        if tag in ("img", "script", "source", "video", "iframe") and "src" in attributes:
            self.loaded.append(attributes["src"])
        if tag == "link" and "href" in attributes:
            self.loaded.append(attributes["href"])


@pytest.fixture(scope="session")
def site():
    """Run what `make site` runs; gives {address: Page}."""
    command = re.search(r"\$\(IN_VENV\) (-m sphinx .+)", (ROOT / "Makefile").read_text(encoding="utf-8"))[1]
    for folder in (SITE, ROOT / "docs" / "api"):
        shutil.rmtree(folder, ignore_errors=True)
    done = subprocess.run([sys.executable, *command.split()], cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    files = {file.relative_to(SITE).as_posix(): file for file in SITE.rglob("*.html")}
    return {
        name: Page(file) for name, file in files.items() if not name.startswith("_static/")
    }  # the theme's templates


@pytest.fixture(scope="module")
def address(site, serve):
    return serve(SITE)


@pytest.fixture(scope="module")
def browser(chromium):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--no-proxy-server"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser, address):
    """A function that opens a page in a window of its own.

    Gives the page, and a list of what goes wrong on it: errors of scripts, requests to other hosts.
    """
    contexts = []

    def open_it(name, width=1280, scheme="light"):
        context = browser.new_context(viewport={"width": width, "height": 850}, color_scheme=scheme)
        contexts.append(context)
        page, wrong = context.new_page(), []
        page.on("pageerror", lambda error: wrong.append(f"{page.url}: {error}"))
        page.on("request", lambda request: wrong.append(request.url) if not is_own(request.url) else None)
        page.goto(address + name, wait_until="load")
        page.locator("html[data-theme]").wait_for()
        return page, wrong

    def is_own(url):
        return url.startswith((address, "data:", "blob:"))

    yield open_it
    for context in contexts:
        context.close()


def test_every_internal_link_leads_somewhere(site):
    broken, checked = [], 0
    for name, page in site.items():
        for link in page.links + page.loaded:
            target = urlsplit(urljoin(f"http://site/{name}", link))
            if target.netloc != "site":
                continue
            checked += 1
            file, place = unquote(target.path[1:]), target.fragment
            if not (SITE / file).is_file():
                broken.append(f"{name}: {link}")
            elif place and file.endswith(".html") and unquote(place) not in site[file].places:
                broken.append(f"{name}: {link} (no such place on that page)")
    assert checked > 1000
    assert not broken, "\n".join(sorted(set(broken)))


def test_nothing_is_loaded_from_another_host(site):
    foreign = {url for page in site.values() for url in page.loaded if re.match(r"(https?:)?//", url)}
    assert not foreign


def test_the_page_to_try_is_linked_at_the_top_of_the_site_and_of_the_readme(site):
    published = runpy.run_path(str(ROOT / "docs" / "conf.py"))["TRY"]
    for name in ("docs/index.md", "README.md"):
        top = (ROOT / name).read_text(encoding="utf-8").split("## Start")[0]
        [address] = re.findall(r'<a href="([^"]+)">Try it now, in your browser</a>', top)
        assert address == (published if name == "README.md" else "../try/index.html")
    assert "../try/index.html" in site["docs/index.html"].links and "try/index.html" in site["README.html"].links


def test_the_page_to_try_knows_the_mask_in_its_sample_picture(site, browser, address):
    page, asked = browser.new_page(), []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address + "docs/index.html")
    page.get_by_role("link", name="Try it now").click()
    page.get_by_role("button", name="sample").click()
    page.locator("#faces", has_text="with mask").wait_for(timeout=60_000)
    assert page.locator("#faces", has_text="without mask").count() == 1
    assert all(url.startswith((address, "data:", "blob:")) for url in asked), asked
    page.close()


def test_links_from_a_notebook_to_a_source_file_become_downloads(site):
    """`../maskdet_utils/augment.py` means a file beside the notebook's folder, which is no page of the site."""
    links = [link for link in site["notebooks/02_augment_the_data.html"].links if link.endswith("/augment.py")]
    assert links and all("_downloads/" in link for link in links)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_notebook_has_its_page_its_pictures_in_words_and_its_buttons(site, notebook):
    name = notebook.relative_to(ROOT).with_suffix(".html").as_posix()
    assert name in site
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    kinds = ("image/png", "image/jpeg")
    stored = [
        output["metadata"][kind]["alt"] for output in outputs_of(cells) for kind in kinds if kind in output["data"]
    ]
    shown = [picture["alt"] for picture in site[name].pictures]
    assert set(stored) <= set(shown)
    path = name.removesuffix(".html") + ".ipynb"
    repository = runpy.run_path(str(ROOT / "docs" / "conf.py"))["REPOSITORY"]
    account_and_name = repository.removeprefix("https://github.com/")
    assert any(link.startswith("https://mybinder.org/") and link.endswith(path) for link in site[name].links)
    colab = f"https://colab.research.google.com/github/{account_and_name}/blob/main/{path}"
    assert colab in site[name].links


def test_in_the_menu_exercises_and_solutions_stand_below_their_lesson(site):
    text = (SITE / "docs" / "index.html").read_text(encoding="utf-8")
    menu = re.search(r"<nav[^>]*bd-links.*?</nav>", text, re.DOTALL)[0]
    entries = re.findall(r'<li class="toctree-l(\d)[^"]*"><a [^>]*href="\.\./notebooks/([^"]+)\.html">(.+?)</a>', menu)
    lessons = [path.stem for path in NOTEBOOKS if path.parent.name == "notebooks"]
    expected = [
        entry for name in lessons for entry in (("1", name), ("2", f"exercises/{name}"), ("3", f"solutions/{name}"))
    ]
    expected += [("1", "exercises/10_your_own_two_classes"), ("2", "solutions/10_your_own_two_classes")]
    assert [entry[:2] for entry in entries] == expected
    on_top = [label for level, _, label in entries if level == "1"]
    assert len(set(on_top)) == len(on_top)


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks" / "solutions").glob("*.ipynb")), ids=lambda path: path.stem)
def test_solutions_say_that_they_are_and_do_not_send_the_reader_to_themselves(site, path):
    text = (SITE / "notebooks" / "solutions" / path.name).with_suffix(".html").read_text(encoding="utf-8")
    article = re.search(r"<article.+?</article>", text, re.DOTALL)[0]
    assert re.search(r"<h1>\d\d · (Solutions: |The final project: an example)", article)
    assert "Stuck?" not in article and "Here is an example" not in article


def outputs_of(cells):
    return [output for cell in cells for output in cell.get("outputs", []) if "data" in output]


def test_every_picture_says_what_it_shows(site):
    silent = [(name, one) for name, page in site.items() for one in page.pictures if not one.get("alt", "").strip()]
    assert not silent


def test_every_module_is_in_the_reference(site):
    modules = {name for name, path in house.modules(ROOT).items() if not path.stem.startswith("__")}
    pages = {name for name in site if name.startswith("docs/api/")}
    assert {f"docs/api/{module}.html" for module in modules} == pages, "docs/api.md lists the modules"
    assert "maskdet_utils.faces.CenterFace.detect" in site["docs/api/maskdet_utils.faces.html"].places


GLOSSARY = dict(re.findall(r"^## (.+)\n\n((?:.+\n)+)", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE))


def test_the_glossary_is_in_order_and_short():
    assert len(GLOSSARY) > 60
    assert list(GLOSSARY) == sorted(GLOSSARY, key=str.lower)
    for term, text in GLOSSARY.items():
        words = re.sub(r"\]\([^)]*\)", "]", text).split()
        assert 8 <= len(words) <= 70, f"{term}: {len(words)} words"


@pytest.mark.parametrize("term", GLOSSARY)
def test_the_notebook_that_the_glossary_names_speaks_of_the_term(term):
    for name in re.findall(r"See \[[^]]*\]\(\.\./notebooks/([^)]+)\)", GLOSSARY[term]):
        cells = json.loads((ROOT / "notebooks" / name).read_text(encoding="utf-8"))["cells"]
        text = " ".join("".join(cell["source"]) for cell in cells)
        assert re.search(re.sub("[ -]", "[ _-]", re.escape(term).replace("\\", "")), text, re.IGNORECASE), name


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("kind", KINDS_OF_PAGES)
def test_a_page_can_be_used_by_everybody(open_page, kind, width, scheme):
    page, wrong = open_page(KINDS_OF_PAGES[kind], WIDTHS[width], scheme)
    assert page.locator("html").get_attribute("data-theme") == scheme
    assert page.evaluate("() => document.documentElement.scrollWidth") <= WIDTHS[width], (
        "the page is wider than the screen"
    )
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(PICTURES / f"site_{kind}_{width}_{scheme}.png"))
    found = serious_findings(page)
    assert not found, "\n".join(found)
    assert not wrong


def test_no_page_is_wider_than_a_phone_cuts_something_off_or_goes_wrong(open_page, address, site):
    page, wrong = open_page("docs/index.html", WIDTHS["phone"])
    wide, clipped = [], {}
    for name in site.keys() - {"index.html"}:  # which leads on to the landing page
        page.goto(address + name, wait_until="load")
        if page.evaluate("() => document.documentElement.scrollWidth") > WIDTHS["phone"]:
            wide.append(name)
        clipped |= {name: found} if (found := page.evaluate(CLIPPED)) else {}
    assert not wide
    assert not clipped
    assert not wrong


def test_code_of_88_letters_a_line_needs_no_scroll_bar_on_a_laptop(open_page):
    page, _ = open_page(KINDS_OF_PAGES["notebook"], WIDTHS["desktop"] - 15)  # less the window's own scroll bar
    code = page.locator(".cell_input pre").first
    fits = "(code, length) => { code.textContent = 'x'.repeat(length); return code.scrollWidth <= code.clientWidth }"
    assert code.evaluate(fits, 88)
    assert not code.evaluate(fits, 120), "this check can fail"


def test_printed_sentences_wrap_and_tables_scroll(open_page):
    page, _ = open_page(KINDS_OF_PAGES["exercises"], WIDTHS["phone"])
    said = page.locator(".cell_output pre", has_text="NOT YET").first
    assert said.evaluate("(said) => said.scrollWidth <= said.clientWidth")
    page, _ = open_page("notebooks/03_mobilenetv2_head_surgery.html", WIDTHS["phone"])
    table = page.locator(".cell_output pre", has_text="dropout: ").first
    assert table.evaluate("(table) => table.scrollWidth > table.clientWidth")
    assert table.evaluate("(table) => getComputedStyle(table).overflowX") in ("auto", "scroll")


def test_the_menu_can_be_used_on_a_phone(open_page):
    page, wrong = open_page("docs/index.html", WIDTHS["phone"])
    page.locator("button.primary-toggle:visible").first.click()
    lesson = page.locator("nav.bd-links:visible li.toctree-l1", has_text="02 · Augment the data")
    lesson.locator("summary .toctree-toggle").first.click()
    exercises = lesson.get_by_role("link", name="Exercises")
    box = exercises.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= WIDTHS["phone"]
    exercises.click()
    page.wait_for_url("**/" + KINDS_OF_PAGES["exercises"])
    assert not wrong


@pytest.mark.parametrize(
    ("word", "where"), [("overfitting", "docs/glossary"), ("degrade", "docs/api/maskdet_utils.augment")]
)
def test_the_search_finds_a_term(open_page, word, where):
    page, wrong = open_page("docs/index.html")
    page.locator("button.search-button-field:visible, .search-button__button:visible").first.click()
    page.locator("#pst-search-dialog input[type=search]").fill(word)
    page.keyboard.press("Enter")
    results = page.locator("#search-results li a")
    results.first.wait_for(timeout=10_000)
    assert any(where in link.get_attribute("href") for link in results.all())
    assert not wrong


def test_axe_would_tell(browser):
    """The check above can fail."""
    page = browser.new_page()
    page.set_content("<html lang=en><title>t</title><main><h1>h</h1><img src=x><p style='color: #ccc'>pale</p></main>")
    assert {one.split(":")[0] for one in serious_findings(page)} == {"image-alt", "color-contrast"}
    page.close()
