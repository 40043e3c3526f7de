"""The web site of the course: `make site` builds it into build/site, from the notebooks as they are committed.

The source folder is the repository's root, so that a link between two files works here as it does on disk.
"""

import json
import os
import re
import sys
from pathlib import Path

from docutils import nodes
from docutils.utils.math import latex2mathml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from maskdet_utils import __version__  # noqa: E402  found by the line above, also where it is not installed
from maskdet_utils.web.export import export_web  # noqa: E402

# The one place that knows where the course is published: the buttons for Binder and Colab lead there. On GitHub's
# machines the address is known; elsewhere set the variable. Colab opens nothing but what lies on github.com.
PLACEHOLDER = "https://github.com/your-account/face-mask-detector"
REPOSITORY = os.environ.get("MASKDET_REPOSITORY") or (
    "{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}".format_map(os.environ)
    if "GITHUB_REPOSITORY" in os.environ
    else PLACEHOLDER
)
BRANCH = "main"
# README says where the page to try is published; on the site itself, it is next door.
TRY = "https://your-account.github.io/face-mask-detector/try/"

project = "Face-mask detector, taught notebook by notebook"
author = "The face-mask detector course authors"
project_copyright = "the course authors, MIT license; photos: The Database of Faces, AT&T Laboratories Cambridge"
version = release = __version__
language = "en"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx.ext.githubpages",
]
root_doc = "docs/index"
include_patterns = ["docs/**.md", "docs/api/*.rst", "notebooks/**.ipynb", "*.md", "data/README.md"]
exclude_patterns = [
    ".*",
    "**/.*",
    "build",
    "runs",
    "tests",
    "benchmarks",
    "maskdet_utils",
    "tools",
    "params",
    "data/*/**",
]
templates_path = [str(ROOT / "docs" / "_templates")]

# Every name of ours that a docstring mentions must exist; those of other packages are not looked up: that needs a network.
nitpicky = True
suppress_warnings = ["ref.python"]  # "(width, height)" in a description: several classes have attributes of these names
nitpick_ignore_regex = [("py:.*", r"(?!maskdet_utils).*")]

nb_execution_mode = "off"
nb_ipywidgets_js = {}  # would come from a CDN; stored notebooks hold no widget
nb_merge_streams = True
myst_enable_extensions = ["attrs_inline", "dollarmath", "html_image"]
myst_heading_anchors = 4

autosummary_generate = True
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True}
add_module_names = False
autodoc_inherit_docstrings = False  # Keras' own docstrings are not ours to publish

html_theme = "sphinx_book_theme"
html_title = project
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = [("site.js", {"defer": "defer"})]
html_favicon = "_static/favicon.svg"
html_context = {"default_mode": "auto"}  # light or dark as the system is, until the reader chooses
html_additional_pages = {"index": "to_landing_page.html"}
html_math_renderer = "mathml"
html_use_index = html_domain_indices = False  # the search finds more, and fits on a phone
html_copy_source = True  # so that each notebook can be downloaded
html_show_sourcelink = False
html_theme_options = {
    "repository_url": REPOSITORY,
    "repository_branch": BRANCH,
    "path_to_docs": "",
    "use_repository_button": REPOSITORY != PLACEHOLDER,
    "launch_buttons": {
        "binderhub_url": "https://mybinder.org",
        "colab_url": "https://colab.research.google.com",
        "notebook_interface": "jupyterlab",
    },
    "show_toc_level": 2,
    "footer_content_items": "copyright.html",
}


def _prepare(app, docname, source):
    """Name the repository, and make each notebook's source what the site needs."""
    source[0] = source[0].replace("{{ repository }}", REPOSITORY).replace(TRY, "try/index.html")
    path = Path(app.env.doc2path(docname))
    if path.suffix != ".ipynb":
        return
    notebook = json.loads(source[0])
    _number(notebook, path)
    _lead_on(notebook, path)
    _describe_pictures(notebook)
    source[0] = json.dumps(notebook)


def _number(notebook, path):
    """Begin the title with the lesson's number, and let solutions say that they are solutions.

    The exercises are made from their solutions, so as files both have the same title and the same first lines.
    """
    first = notebook["cells"][0]
    text = re.sub("^# ", f"# {path.name[:2]} · ", "".join(first["source"]))
    if path.parent.name == "solutions":
        text = re.sub("^(# .+)Exercises: ", r"\1Solutions: ", text)
        text = re.sub(r"^(# .+project): .+", r"\1: an example", text)
        back = f"To try them yourself first, go to [the exercises](../exercises/{path.name})."
        text = re.sub(r"Stuck\? \[.+?\]\(.+?\)\.", back, text)
        text = re.sub(r"\[Here is an example\]\(.+?\)", "This is an example", text)
    first["source"] = text


def _lead_on(notebook, path):
    """Hang a lesson's exercises below the lesson, and their solutions below them, in the menu and in "next page"."""
    step = {"notebooks": "exercises", "exercises": "solutions"}.get(path.parent.name)
    if step and (ROOT / "notebooks" / step / path.name).is_file():
        label = "Example" if path.name.startswith("10") else step.capitalize()
        toctree = f"```{{toctree}}\n:hidden:\n\n{label} </notebooks/{step}/{path.stem}>\n```"
        notebook["cells"].append({"cell_type": "markdown", "id": "next", "metadata": {}, "source": toctree})


def _describe_pictures(notebook):
    """Put alt texts where MyST-NB looks for them, at the cell: notebooks keep them at the output."""
    for cell in notebook["cells"]:
        outputs = [output.get("metadata", {}) for output in cell.get("outputs", [])]
        words = " ".join(picture["alt"] for output in outputs for picture in output.values() if "alt" in picture)
        if words:
            cell["metadata"]["mystnb"] = {"image": {"alt": words}}


def _as_restructured_text(_app, _what, _name, _documented, _options, lines):
    """Docstrings write `code` as Markdown does, and draw diagrams with arrows; Napoleon does the rest."""
    result = []
    for block in "\n".join(lines).split("\n\n"):
        if "──" in block:
            result += ["::", "", *("    " + line for line in block.splitlines()), ""]
            continue
        result += [*re.sub(r"(?<!`)`([^`]+)`(?!`)", r"\\ ``\1``\\ ", block).splitlines(), ""]
    lines[:] = result


def _formula(translator, node, as_block):
    """MathML, which browsers show without any script; MathJax would come from a CDN."""
    translator.body.append(latex2mathml.tex2mathml(node.astext(), as_block=as_block))
    raise nodes.SkipNode


def _add_page_to_try(app, error):
    """Put the released classifier beside the pages, as a page that finds masks in the reader's own browser."""
    if error is None:
        export_web(Path(app.outdir) / "try")


def setup(app):
    app.connect("source-read", _prepare)
    app.connect("build-finished", _add_page_to_try)
    app.connect("autodoc-process-docstring", _as_restructured_text, priority=400)  # before Napoleon
    app.add_html_math_renderer(
        "mathml",
        (lambda translator, node: _formula(translator, node, False), None),
        (lambda translator, node: _formula(translator, node, True), None),
    )
    return {"parallel_read_safe": True}
