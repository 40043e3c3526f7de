"""Grade exercises that learners hand in: execute each notebook and list what its checks say.

    python -m tools.grade handed-in/ --csv grades.csv

Only the learner's answers count. Every other cell, above all the checks, is replaced by the one that the course hands
out, and cells that are missing are put back. The notebooks run on this computer: grade only people you trust.
"""

import argparse
import csv
import re
import sys
import tempfile
from pathlib import Path

import nbformat

from .exercises import MARKER, pairs
from .notebooks import KERNEL_ARGUMENTS, texts

CHANGE = "# Change this."
CHECK = re.compile(r"^check\.(\w+)\(", re.MULTILINE)
COLUMNS = ["file", "exercises", "check", "result", "said"]


def handed_in(path: Path) -> tuple[str, nbformat.NotebookNode]:
    """Read a learner's notebook and put their answers into the exercises that it was made from.

    Returns:
        The name of the exercises, and the notebook to execute.

    Raises:
        ValueError: The file is not a notebook, or shares no cells with any exercises.
    """
    try:
        answers = nbformat.read(path, as_version=4)
    except Exception as error:
        raise ValueError(f"is not a Jupyter notebook ({type(error).__name__})") from None
    cells = {cell.get("id"): cell for cell in answers.cells}
    exercises = [nbformat.read(made, as_version=4) for _, made in pairs()]
    shared = [sum(cell.id in cells for cell in notebook.cells) for notebook in exercises]
    best = shared.index(max(shared))
    if not shared[best]:
        raise ValueError("shares no cells with any exercises. Was it made from one of notebooks/exercises/?")
    notebook = exercises[best]
    for cell in notebook.cells:
        if cell.cell_type == "code" and (MARKER in cell.source or CHANGE in cell.source) and cell.id in cells:
            cell.source = cells[cell.id].source
    return pairs()[best][1].stem, notebook


def grade(path: Path, seconds: int) -> list[dict]:
    """Execute a learner's notebook and return one row per check, with the columns `COLUMNS`."""
    from nbclient import NotebookClient
    from nbclient.exceptions import DeadKernelError

    try:
        name, notebook = handed_in(path)
    except ValueError as problem:
        return [dict(zip(COLUMNS, (path.name, "", "", "UNREADABLE", str(problem)), strict=True))]
    options = {"timeout": seconds, "startup_timeout": 300, "interrupt_on_timeout": True, "allow_errors": True}
    with tempfile.TemporaryDirectory() as folder:  # what the answers write stays out of the course
        resources = {"metadata": {"path": folder}}
        client = NotebookClient(
            notebook, resources=resources, kernel_name="python3", extra_arguments=KERNEL_ARGUMENTS, **options
        )
        try:
            client.execute()
        except DeadKernelError:
            pass  # the checks that didn't run are listed as such
    rows = []
    for cell in notebook.cells:
        if cell.cell_type == "code" and (check := CHECK.search(cell.source)):
            said = "".join(texts(cell)).strip().splitlines() or ["the check didn't run to its end"]
            result = next((word for word in ("RIGHT", "NOT YET") if said[-1].startswith(f"{word}: ")), "STOPPED")
            row = (path.name, name, check[1], result, said[-1].removeprefix(f"{result}: "))
            rows.append(dict(zip(COLUMNS, row, strict=True)))
    return rows


def main(arguments: list[str] | None = None) -> int:
    """Grade notebooks and return the exit code: 0 if every notebook could be read."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.grade", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a notebook, or a folder of notebooks")
    parser.add_argument("--csv", type=Path, help="also write one row per check to this file")
    parser.add_argument("--seconds", type=int, default=120, help="how long one cell may take (default: 120)")
    options = parser.parse_args(arguments)
    files = [file for path in options.paths for file in (sorted(path.glob("**/*.ipynb")) if path.is_dir() else [path])]
    files = [file for file in files if ".ipynb_checkpoints" not in file.parts]
    if not files:
        parser.error("there are no notebooks there")
    rows = []
    for file in files:
        found = grade(file, options.seconds)
        rows += found
        right = sum(row["result"] == "RIGHT" for row in found)
        print(f"{file.name}: {right} of {len(found)} right ({found[0]['exercises'] or 'unreadable'})")
        for row in found:
            if row["result"] != "RIGHT":
                print(f"    {row['result']} {row['check']}: {row['said']}")
    if options.csv:
        with options.csv.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(rows)
    return int(any(row["result"] == "UNREADABLE" for row in rows))


if __name__ == "__main__":
    sys.exit(main())
