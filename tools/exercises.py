"""Make the exercises from their solutions, so that the two cannot drift apart.

A notebook in notebooks/solutions/ is the source; the one of the same name in notebooks/exercises/ is made from it:

- Markdown cells tagged `solution` are left out.
- In code cells tagged `solution`, what follows "# Write your code here." is left out; a marked line is changed.

`size = 112  # exercise: 224` is such a line: it becomes `size = 224  # Change this.`

Everything else, especially the checks, is the same in both. Both run from top to bottom: a check prints what is missing.
"""

import copy
import re
import sys
from pathlib import Path

import nbformat

from maskdet_utils.paths import repository_root
from maskdet_utils.runs import write_text

from .notebooks import NotebookError, as_stored, execute, execute_in_place, for_each_chosen

MARKER = "# Write your code here."
REPLACED = re.compile(r"^(\w+ = ).+  # exercise: (.+)$")
TAG = "solution"


def exercises_from(solutions):
    """The exercises for a notebook of solutions, as a notebook without outputs.

    Raises `NotebookError` if a code cell tagged `solution` does not say what to leave out.
    """
    exercises = copy.deepcopy(solutions)
    cells = [cell for cell in exercises.cells if cell.cell_type == "code" or TAG not in cell.metadata.get("tags", [])]
    exercises.cells = cells
    for cell in cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        if TAG in cell.metadata.get("tags", []):
            solved, cell.source = cell.source, without_solution(cell.source)
            cell.metadata = nbformat.from_dict({})
            if cell.source == solved:
                raise NotebookError(f'cell {cell.id} leaves nothing to do: it needs "{MARKER}" or "# exercise: …"')
    return exercises


def without_solution(source: str) -> str:
    """The source of a solution's cell without what the learner has to write."""
    before, marker, _ = source.partition(MARKER)
    return "\n".join(REPLACED.sub(r"\1\2  # Change this.", line) for line in (before + marker).splitlines())


def pairs() -> list[tuple[Path, Path]]:
    """The path of each notebook of solutions and of the exercises made from it."""
    folder = repository_root() / "notebooks"
    return [(path, folder / "exercises" / path.name) for path in sorted((folder / "solutions").glob("*.ipynb"))]


def make(solutions: Path, exercises: Path) -> None:
    """Execute and store a notebook of solutions, then the exercises made from it.

    Raises `NotebookError` if a cell of either fails; that notebook is then left as it was.
    """
    execute_in_place(solutions)
    made = exercises_from(nbformat.read(solutions, as_version=4))
    exercises.parent.mkdir(exist_ok=True)
    execute(made, exercises.parent)
    write_text(exercises, as_stored(made))


def difference(solutions: Path, exercises: Path) -> str | None:
    """How the stored exercises differ from those that their solutions give, ignoring outputs; None if they do not."""
    if not exercises.is_file():
        return "has no exercises yet"
    expected = exercises_from(nbformat.read(solutions, as_version=4)).cells
    found = nbformat.read(exercises, as_version=4).cells
    if [cell.id for cell in expected] != [cell.id for cell in found]:
        return "has different cells than its exercises"
    for cell, other in zip(expected, found, strict=True):
        if (cell.cell_type, cell.source, cell.metadata) != (other.cell_type, other.source, other.metadata):
            return f"gives a cell {cell.id} that differs from the one in its exercises"
    return None


def main(arguments: list[str] | None = None) -> int:
    """Make or check exercises; returns the exit code."""
    exercises_of = dict(pairs())

    def check(solutions: Path) -> None:
        if problem := difference(solutions, exercises_of[solutions]):
            raise NotebookError(f"{problem}. Run: make exercises NB={solutions.name[:2]}")

    return for_each_chosen(
        list(exercises_of),
        lambda solutions: make(solutions, exercises_of[solutions]),
        check,
        prog="python -m tools.exercises",
        about=__doc__,
        arguments=arguments,
    )


if __name__ == "__main__":
    sys.exit(main())
