"""The docstring of what lessons use says in which notebook it first appears, and that is true."""

import ast
import json
import re

import pytest
from conftest import ROOT

from tools import introduced

LINE = re.compile(r"\n\n *Introduced in notebook (\d\d)\.\s*$")


def code(path):
    """A notebook's code without its comments, and with each import on one line."""
    cells = json.loads(path.read_text("utf-8"))["cells"]
    return ast.unparse(ast.parse("\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")))


NOTEBOOKS = {path.name[:2]: code(path) for path in sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))}
MODULES = sorted(
    path
    for path in (ROOT / "maskdet_utils").glob("*.py")
    if path.stem not in ("__init__", "__main__", "cli", "pipeline")
)
NAMES = {
    f"{path.stem}.{node.name}": ast.get_docstring(node) or ""
    for path in MODULES
    for node in ast.parse(path.read_text("utf-8")).body
    if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
}


def uses(source, name):
    """Whether code has `module.name` or imports the name from its module. Looks at text only, unlike the tool."""
    module, short = name.split(".")
    imported = re.findall(r"\w+", " ".join(re.findall(rf"from maskdet_utils\.{module} import (.+)", source)))
    return bool(re.search(rf"(?<![\w.])(?:maskdet_utils\.)?{module}\.{short}\b", source)) or short in imported


@pytest.mark.parametrize("name", NAMES)
def test_a_docstring_names_the_first_notebook_that_uses_the_function(name):
    users = [number for number, source in NOTEBOOKS.items() if uses(source, name)]
    named = LINE.findall(NAMES[name])
    assert named == users[:1], "run: python -m tools.introduced"


def test_the_tool_agrees(capsys):
    assert introduced.main(["--check"]) == 0, capsys.readouterr().out
    assert len([name for name, text in NAMES.items() if LINE.search(text)]) > 40


# The tool itself

MODULE = '''"""A module. Introduced in notebook 09."""


def one(x):
    """Do one thing."""
    return _hidden(x)


class Two:
    """Hold two.

    Args:
        x: a number.

    Introduced in notebook 09.
    """

    @classmethod
    def load(cls):
        """Load it."""


def three():
    """Do three things.

    Introduced in notebook 01.
    """


def _hidden(x):
    """Nobody sees this."""
'''
EXPECTED = (
    MODULE.replace('"""Do one thing."""', '"""Do one thing.\n\n    Introduced in notebook 02.\n    """')
    .replace("    Introduced in notebook 09.\n", "    Introduced in notebook 01.\n")
    .replace('things.\n\n    Introduced in notebook 01.\n    """', 'things."""')
)


@pytest.fixture
def tiny(tmp_path):
    """A package and two notebooks, which use a function by its own name and a class through its module."""
    cells = {
        "01_first": ["from maskdet_utils import parts as p, cli", "x = p.Two.load()", "cli.main(); p._hidden(1)"],
        "02_second": ["from maskdet_utils.parts import (\n    one,\n    two,\n)", "from maskdet_utils import parts"],
        "03_third": ["import maskdet_utils.parts\n\nmaskdet_utils.parts.one(1)", "three = 3"],
    }
    for folder in ("maskdet_utils", "notebooks"):
        (tmp_path / folder).mkdir()
    for name in ("__init__", "parts", "cli"):
        (tmp_path / "maskdet_utils" / f"{name}.py").write_text(MODULE, encoding="utf-8")
    for name, sources in cells.items():
        found = [{"cell_type": "markdown", "source": ["parts.three()"]}]
        found += [{"cell_type": "code", "source": source.splitlines(keepends=True)} for source in sources]
        (tmp_path / "notebooks" / f"{name}.ipynb").write_text(json.dumps({"cells": found}), encoding="utf-8")
    return tmp_path


def test_the_first_use_is_found_however_a_name_is_imported(tiny):
    assert introduced.first_uses(tiny) == {("parts", "Two"): "01", ("parts", "one"): "02"}


def test_docstrings_get_the_line_keep_it_right_and_lose_it_when_nobody_uses_them(tiny, capsys):
    assert introduced.main(["--check"], tiny) == 1
    assert "maskdet_utils/parts.py: run python -m tools.introduced" in capsys.readouterr().out
    assert introduced.main([], tiny) == 0
    assert (tiny / "maskdet_utils" / "parts.py").read_text("utf-8") == EXPECTED
    assert (tiny / "maskdet_utils" / "cli.py").read_text("utf-8") == MODULE, "commands are no part of the core"
    assert introduced.main(["--check"], tiny) == 0
    assert introduced.main([], tiny) == 0
    assert (tiny / "maskdet_utils" / "parts.py").read_text("utf-8") == EXPECTED


def test_a_function_that_a_notebook_uses_needs_a_docstring():
    with pytest.raises(ValueError, match="parts.bare has no docstring"):
        introduced.rewritten("def bare():\n    return 1\n", "parts", {("parts", "bare"): "01"})
