"""Execute the notebooks in place and store them in their normal form."""

import argparse
import copy
import re
import sys
import time
from pathlib import Path

import nbformat

from maskdet_utils.paths import repository_root
from maskdet_utils.pipeline import KERNEL_ARGUMENTS
from maskdet_utils.runs import write_text

METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
PROGRESS_BAR = "application/vnd.jupyter.widget-view+json"
# Tag of a cell that shows photos of people who have not agreed to be in a repository, or what only the learner's own
# classifier says.
NOT_STORED = "not-stored"
# A path that means something on only one machine.
ABSOLUTE_PATH = re.compile(r"(?<![\w.:/])/(?:home|root|tmp|work|usr|opt|var|mnt|Users)/\S+|\b[A-Z]:\\\w\S*")


class NotebookError(RuntimeError):
    """A notebook that failed or must not be stored as it is; the message says where and why."""


def execute_in_place(path: Path) -> None:
    """Run a notebook top to bottom in a fresh kernel, with its default parameters, and store it normalized.

    Raises `NotebookError` if a cell fails or shows an absolute path; the stored notebook is then left as it was.
    """
    notebook = nbformat.read(path, as_version=4)
    execute(notebook, path.parent)
    write_text(path, as_stored(notebook))


def execute(notebook, folder: Path) -> None:
    """Run a notebook top to bottom in a fresh kernel whose working directory is `folder`, and put the outputs into it.

    Raises `NotebookError` if a cell fails.
    """
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    # On a busy machine a kernel may need longer than the usual minute to start.
    options = {"timeout": None, "startup_timeout": 300, "kernel_name": "python3", "extra_arguments": KERNEL_ARGUMENTS}
    try:
        NotebookClient(notebook, resources={"metadata": {"path": str(folder)}}, **options).execute()
    except CellExecutionError as error:
        failed = next(c.id for c in notebook.cells for o in c.get("outputs", []) if o.output_type == "error")
        raise NotebookError(f"cell {failed} failed: {error.ename}: {error.evalue}") from None


def as_stored(notebook) -> str:
    """The text of a notebook without anything that differs from run to run or from machine to machine.

    Cells tagged `NOT_STORED` lose their outputs.
    Raises `NotebookError` if an output shows an absolute path.
    """
    notebook = copy.deepcopy(notebook)
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict({"tags": cell.metadata.tags} if cell.metadata.get("tags") else {})
    for count, cell in enumerate((cell for cell in notebook.cells if cell.cell_type == "code"), start=1):
        cell.execution_count = count
        cell.outputs = [] if NOT_STORED in cell.metadata.get("tags", []) else _without_noise(cell.outputs)
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = count
        path = ABSOLUTE_PATH.search("\n".join(texts(cell)))
        if path:
            raise NotebookError(f"cell {cell.id} shows an absolute path: {path[0]}")
    return nbformat.writes(notebook) + "\n"


def texts(cell) -> list[str]:
    """All the text in a code cell's outputs."""
    data = [item for output in cell.outputs for item in output.get("data", {}).items()]
    return [output.get("text", "") for output in cell.outputs] + [text for kind, text in data if "text/" in kind]


def _without_noise(found: list) -> list:
    """Outputs without stderr and progress bars, with text that was printed bit by bit joined into one piece."""
    kept: list = []
    for output in found:
        if output.get("name") == "stderr" or PROGRESS_BAR in output.get("data", {}):
            continue
        if kept and output.output_type == kept[-1].output_type == "stream":
            kept[-1].text += output.text
        else:
            kept.append(output)
    return kept


def check_stored_form(path: Path) -> None:
    """Raise `NotebookError` if a notebook is not in its stored form."""
    if as_stored(nbformat.read(path, as_version=4)) != path.read_text(encoding="utf-8"):
        raise NotebookError(f"not in its stored form. Run: make notebooks NB={path.name[:2]}")


def for_each_chosen(notebooks: list[Path], make, check, *, prog: str, about: str, arguments: list[str] | None) -> int:
    """The command line that both tools share: make the chosen notebooks, or only check them; returns the exit code.

    make, check: functions of a notebook's path; the first `NotebookError` of either ends the command.
    """
    parser = argparse.ArgumentParser(prog=prog, description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("numbers", nargs="*", metavar="NN", help="which notebooks, such as 03 (default: all)")
    parser.add_argument(
        "--check", action="store_true", help="execute nothing; fail if a notebook is not in its stored form"
    )
    options = parser.parse_args(arguments)
    chosen = [path for path in notebooks if path.name.startswith(tuple(options.numbers) or "")]
    if not chosen:
        parser.error(f"no notebook begins with {' or '.join(options.numbers)}")
    for path in chosen:
        start = time.perf_counter()
        try:
            (check if options.check else make)(path)
        except NotebookError as error:
            print(f"{path.relative_to(repository_root() / 'notebooks').as_posix()}: {error}", file=sys.stderr)
            return 1
        print(f"{path.stem:32s}{time.perf_counter() - start:6.0f} s", flush=True)
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Execute or check notebooks; returns the exit code."""
    lessons = sorted((repository_root() / "notebooks").glob("*.ipynb"))
    return for_each_chosen(
        lessons,
        execute_in_place,
        check_stored_form,
        prog="python -m tools.notebooks",
        about=__doc__,
        arguments=arguments,
    )


if __name__ == "__main__":
    sys.exit(main())
