"""Measure the package: lines of code, what the lessons reach, import cycles, long functions, and long signatures.

    python -m tools.house

Docstrings, comments, and blank lines do not count. Imports inside functions do, because a reader has to know about the
modules that a function imports.
"""

import ast
import io
import json
import sys
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "maskdet_utils"
Function = ast.FunctionDef | ast.AsyncFunctionDef
SILENT = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


def modules(root: Path = ROOT) -> dict[str, Path]:
    """Find the package's modules by dotted name. A package has the name of its folder."""
    paths = sorted((root / PACKAGE).rglob("*.py"))
    return {".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path for path in paths}


def code_lines(source: str) -> set[int]:
    """Return the numbers of the lines that hold code."""
    docstrings: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | Function) and ast.get_docstring(node, clean=False) is not None:
            docstrings |= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in SILENT:
            lines |= set(range(token.start[0], token.end[0] + 1))
    return lines - docstrings


def imported(tree: ast.AST, name: str, is_package: bool, known: Iterable[str]) -> set[str]:
    """Find the modules of the package that a piece of code imports, including imports inside functions.

    Args:
        tree: The parsed code.
        name: The dotted name of its module, to resolve relative imports. Code outside the package has an empty name.
        is_package: True for the code of an `__init__.py`.
        known: The dotted names of the package's modules.

    Returns:
        Their dotted names.
    """
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parts = name.split(".")
            if node.level:
                base = parts[: len(parts) - node.level + (1 if is_package else 0)]
                source = ".".join([*base, *([node.module] if node.module else [])])
            else:
                source = node.module
            members = {f"{source}.{alias.name}" for alias in node.names}
            # Importing a module from a package does not count as importing the package itself.
            found |= (members & set(known)) or {source}
    return found & set(known)


def graph(root: Path = ROOT) -> dict[str, set[str]]:
    """Find the modules that each module imports."""
    paths = modules(root)
    return {
        name: imported(ast.parse(path.read_text("utf-8")), name, path.name == "__init__.py", paths) - {name}
        for name, path in paths.items()
    }


def reach(starts: set[str], edges: dict[str, set[str]]) -> set[str]:
    """Find all modules that some modules import directly or indirectly.

    Args:
        starts: The modules to start from. They and the packages that hold them are included.
        edges: The modules that each module imports, see `graph`.

    Returns:
        Dotted names.
    """
    seen, waiting = set(), list(starts)
    while waiting:
        name = waiting.pop()
        if name in seen or name not in edges:
            continue
        seen.add(name)
        waiting += [*edges[name], *([name.rpartition(".")[0]] if "." in name else [])]
    return seen


def notebook_imports(path: Path, known: Iterable[str]) -> set[str]:
    """Find the modules of the package that a notebook's code cells import."""
    cells = json.loads(path.read_text("utf-8"))["cells"]
    source = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    return imported(ast.parse(source), "", False, known)


def cycles(edges: dict[str, set[str]]) -> list[list[str]]:
    """Find the sets of modules that import each other in a cycle. For `edges`, see `graph`."""
    reached = {name: set().union(*(reach_only(other, edges) for other in edges[name])) for name in edges}
    found = {
        frozenset({name, *(o for o in reached[name] if name in reached[o])}) for name in edges if name in reached[name]
    }
    return sorted(sorted(circle) for circle in found)


def reach_only(start: str, edges: dict[str, set[str]]) -> set[str]:
    """Like `reach` for a single module, but without the packages that hold the modules."""
    seen, waiting = set(), [start]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += edges[name]
    return seen


def functions(source: str) -> Iterator[tuple[str, Function, bool]]:
    """Find the functions of a module.

    Yields:
        Each function's dotted name, its syntax tree, and whether it is public. A function is public if neither its name
        nor that of a class around it has a leading underscore.
    """

    def walk(node, prefix, public):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, Function | ast.ClassDef):
                name = f"{prefix}{child.name}"
                shown = public and (not child.name.startswith("_") or child.name == "__init__")
                if isinstance(child, Function):
                    yield name, child, shown
                yield from walk(child, f"{name}.", shown and isinstance(child, ast.ClassDef))
            else:
                yield from walk(child, prefix, public)

    yield from walk(ast.parse(source), "", True)


def positional(function: Function) -> int:
    """Count the arguments that can be passed by position, without `self` and `cls`."""
    names = [argument.arg for argument in function.args.posonlyargs + function.args.args]
    return len(names) - (names[:1] in (["self"], ["cls"]))


def measure(root: Path = ROOT) -> dict:
    """Take all measurements.

    Returns:
        `lessons`, `all_notebooks`, and `package` (each a number of lines and a number of modules), `lesson_modules`,
        `cycles`, `longest` (the lines of the longest function, and its name), `positional` (the most positional
        parameters of a public function, and its name), and `lines` by module.
    """
    paths, edges = modules(root), graph(root)
    sources = {name: path.read_text("utf-8") for name, path in paths.items()}
    counts = {name: code_lines(source) for name, source in sources.items()}
    notebooks = sorted((root / "notebooks").glob("[0-9]*.ipynb"))
    starts = {path.name[:2]: notebook_imports(path, paths) for path in notebooks}
    every = [
        (name, full, function, public, len(counts[name] & set(range(function.lineno, function.end_lineno + 1))))
        for name, source in sources.items()
        for full, function, public in functions(source)
    ]

    def size(names):
        files = [name for name in names if paths[name].name != "__init__.py"]  # an `__init__.py` holds only a docstring
        return sum(len(counts[name]) for name in names), len(files)

    lessons = reach(set().union(*(found for number, found in starts.items() if number <= "06")), edges)
    longest = max(every, key=lambda one: one[4])
    widest = max((one for one in every if one[3]), key=lambda one: positional(one[2]))
    return {
        "lessons": size(lessons),
        "lesson_modules": sorted(lessons),
        "all_notebooks": size(reach(set().union(*starts.values()), edges)),
        "package": size(paths),
        "cycles": cycles(edges),
        "longest": (longest[4], f"{longest[0]}.{longest[1]}"),
        "positional": (positional(widest[2]), f"{widest[0]}.{widest[1]}"),
        "lines": {name: len(lines) for name, lines in counts.items()},
    }


def main() -> int:
    """Print the table. Returns the exit code."""
    found = measure()
    rows = {
        "code that notebooks 00-06 reach": "{} lines in {} modules".format(*found["lessons"]),
        "code that all notebooks reach": "{} lines in {} modules".format(*found["all_notebooks"]),
        "whole package": "{} lines in {} modules".format(*found["package"]),
        "import cycles": "; ".join(" - ".join(circle) for circle in found["cycles"]) or "none",
        "longest function": "{} lines: {}".format(*found["longest"]),
        "most positional parameters (public)": "{}: {}".format(*found["positional"]),
    }
    for name, value in rows.items():
        print(f"{name:38s}{value}")
    print()
    for name, lines in found["lines"].items():
        print(f"{lines:6d}  {name}{'' if name in found['lesson_modules'] else '    (not reached by 00-06)'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
