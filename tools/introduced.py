"""Say in the core's docstrings which notebook introduces a function or class: "Introduced in notebook 03."

python -m tools.introduced            # rewrites the lines from what the notebooks use
python -m tools.introduced --check    # changes nothing; fails if a line is missing or wrong
"""

import argparse
import ast
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from .house import PACKAGE, ROOT

NOT_CORE = {"__init__", "__main__", "cli", "pipeline"}
LINE = re.compile(r"\s*\n\s*Introduced in notebook \d\d\.\s*$")


def used(source: str) -> Iterator[tuple[str, str]]:
    """Each name of a module of the package that a notebook's code imports or uses, as (module, name)."""
    tree = ast.parse(source)
    aliases = {}  # what a module is called in this notebook
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == PACKAGE:
            aliases |= {alias.asname or alias.name: alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{PACKAGE}."):
            yield from ((node.module.removeprefix(f"{PACKAGE}."), alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            named = [alias for alias in node.names if alias.name.startswith(f"{PACKAGE}.")]
            aliases |= {alias.asname or alias.name: alias.name.removeprefix(f"{PACKAGE}.") for alias in named}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and (module := aliases.get(ast.unparse(node.value))):
            yield module, node.attr


def public(source: str) -> Iterator[ast.FunctionDef | ast.ClassDef]:
    """The public functions and classes of a module."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node


def core(root: Path) -> dict[str, Path]:
    """The modules of the core by name."""
    return {path.stem: path for path in sorted((root / PACKAGE).glob("*.py")) if path.stem not in NOT_CORE}


def first_uses(root: Path = ROOT) -> dict[tuple[str, str], str]:
    """The number of the first notebook that uses each (module, name) of the core, in the order of the notebooks."""
    known = {(name, node.name) for name, path in core(root).items() for node in public(path.read_text("utf-8"))}
    first: dict[tuple[str, str], str] = {}
    for path in sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb")):
        cells = json.loads(path.read_text("utf-8"))["cells"]
        source = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
        for name in sorted(known & set(used(source))):
            first.setdefault(name, path.name[:2])
    return first


def rewritten(source: str, module: str, first: dict[tuple[str, str], str]) -> str:
    """A module's source with the right line in each docstring, and without lines that are no longer true."""
    lines = source.split("\n")
    for node in reversed(list(public(source))):
        number = first.get((module, node.name))
        if ast.get_docstring(node) is None:
            if number:
                raise ValueError(f"{module}.{node.name} has no docstring, but notebook {number} uses it.")
            continue
        start, end = node.body[0].lineno - 1, node.body[0].end_lineno
        before = "\n".join(lines[start:end]).removesuffix('"""').rstrip()
        text = LINE.sub("", before)
        if number:
            text += f"\n\n    Introduced in notebook {number}."
        lines[start:end] = (text + ("\n    " if "\n" in text else "") + '"""').split("\n")
    return "\n".join(lines)


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Rewrite or check the docstrings; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.introduced", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing; fail if a line is missing or wrong")
    check_only = parser.parse_args(arguments).check
    first, wrong = first_uses(root), 0
    for name, path in core(root).items():
        source = path.read_text("utf-8")
        new = rewritten(source, name, first)
        if new != source and check_only:
            print(f"{path.relative_to(root).as_posix()}: run python -m tools.introduced")
            wrong = 1
        elif new != source:
            path.write_text(new, encoding="utf-8")
    return wrong


if __name__ == "__main__":
    sys.exit(main())
