"""The solutions are right, the exercises are not yet, one is made from the other, and every goal of a lesson is tested."""

import re
import shutil
import subprocess
import sys
import tomllib

import nbformat
import pytest
from conftest import ROOT

from maskdet_utils import pipeline, runs
from tools import exercises, notebooks
from tools.notebooks import NotebookError

PAIRS = exercises.pairs()
LESSONS = [pair for pair in PAIRS if (ROOT / "notebooks" / pair[0].name).is_file()]
CALL = re.compile(r"^check\.(\w+)\(", re.MULTILINE)
SECTION = re.compile(r"^## (\d+) · .+", re.MULTILINE)


def read(path):
    return nbformat.read(path, as_version=4)


def executed(path):
    notebook = read(path)
    notebooks.execute(notebook, path.parent)
    return nbformat.reads(notebooks.as_stored(notebook), as_version=4)


def verdicts(notebook):
    """What each check printed, by its name."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and CALL.search(cell.source)]
    return {CALL.search(cell.source)[1]: "".join(notebooks.texts(cell)).splitlines()[-1] for cell in cells}


def printed(notebook):
    return [notebooks.texts(cell) for cell in notebook.cells if cell.cell_type == "code"]


@pytest.fixture(params=PAIRS, ids=lambda pair: pair[0].stem)
def pair(request):
    return request.param


@pytest.fixture(params=LESSONS, ids=lambda pair: pair[0].stem)
def solutions(request):
    """The notebook of solutions of a lesson."""
    return read(request.param[0])


def test_every_lesson_has_exercises_and_there_is_a_closing_project():
    lessons = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
    assert [pair[0].stem for pair in PAIRS] == [*lessons, "10_your_own_two_classes"]


def test_the_solutions_are_right(pair, sample_folder):
    fresh = executed(pair[0])
    found = verdicts(fresh)
    assert len(found) >= (3 if pair in LESSONS else 2)
    for name, said in found.items():
        assert said.startswith("RIGHT: "), f"{name}: {said}"
    assert printed(fresh) == printed(read(pair[0])), f"run: make exercises NB={pair[0].name[:2]}"


def test_the_exercises_run_to_their_end_and_every_check_says_what_is_missing(pair, sample_folder):
    fresh = executed(pair[1])
    found = verdicts(fresh)
    assert found.keys() == verdicts(read(pair[0])).keys()
    for name, said in found.items():
        assert re.fullmatch(r"NOT YET: .{25,}", said), f"{name}: {said}"
    assert printed(fresh) == printed(read(pair[1])), f"run: make exercises NB={pair[0].name[:2]}"


def test_the_exercises_are_those_that_the_solutions_give(pair):
    assert exercises.difference(*pair) is None, f"run: make exercises NB={pair[0].name[:2]}"


def test_each_exercise_has_a_task_a_cell_to_change_and_a_check(solutions):
    sections = SECTION.split("\n".join(section_marks(cell) for cell in solutions.cells))
    numbers, marks = sections[1::2], sections[2::2]
    assert numbers == [str(number) for number in range(1, len(numbers) + 1)] and len(numbers) >= 3
    for number, found in zip(numbers, marks, strict=True):
        assert re.search(r"SOLUTION\s+CHECK", found), f"exercise {number}"


def section_marks(cell):
    if cell.cell_type == "markdown":
        return "\n".join(heading[0] for heading in SECTION.finditer(cell.source))
    if exercises.TAG in cell.metadata.get("tags", []):
        return "SOLUTION"
    return "CHECK" if CALL.search(cell.source) else ""


def test_exercises_go_from_a_small_change_to_a_function_of_ones_own(solutions):
    kinds = [cell.source for cell in solutions.cells if exercises.TAG in cell.metadata.get("tags", [])]
    kinds = [source for source in kinds if exercises.MARKER in source or "# exercise: " in source]
    assert "# exercise: " in kinds[0]
    assert sum(source.startswith("def ") for source in kinds) >= 2


def goals(lesson):
    listed = re.search(r"\*\*What you'll learn\*\*\n\n((?:- .+\n)+)", read(lesson).cells[0].source)[1]
    return [line[2:] for line in listed.splitlines()]


def test_every_goal_of_the_lesson_is_tested_by_an_exercise_or_a_question(solutions, request):
    name = request.node.callspec.params["solutions"][0].stem
    lesson = ROOT / "notebooks" / f"{name}.ipynb"
    rows = re.findall(r"^\| (.+) \| (.+) \|$", solutions.cells[0].source, re.MULTILINE)[1:]
    assert [goal for goal, _ in rows] == goals(lesson), "the table at the head of the solutions names other goals"
    numbers = {
        "exercise": {found[1] for cell in solutions.cells for found in SECTION.finditer(cell.source)},
        "question": set(re.findall(r"^(\d+)\. ", read(lesson).cells[-1].source, re.MULTILINE)),
    }
    for goal, where in rows:
        for kind, listed in re.findall(r"(exercise|question)s? ((?:\d+(?:, | and )?)+)", where):
            assert set(re.findall(r"\d+", listed)) <= numbers[kind], f"{goal}: {where}"
        assert re.match("exercise|question", where), goal


# Where the checks are


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A clone that the installed package knows nothing about, as on Colab: only the current folder leads to it."""
    folder = tmp_path_factory.mktemp("clone")
    shutil.copy(ROOT / "pyproject.toml", folder)
    shutil.copytree(ROOT / "notebooks" / "exercise_checks", folder / "notebooks" / "exercise_checks")
    for kind in ("exercises", "solutions"):
        (folder / "notebooks" / kind).mkdir()
    return folder


@pytest.mark.parametrize("folder", ["notebooks/exercises", "notebooks/solutions", "notebooks", "."])
def test_a_notebook_finds_its_checks_wherever_it_runs(pair, folder, clone):
    """Jupyter runs a notebook in its own folder, Colab in notebooks/, other programs in the repository's root."""
    cells = read(pair[1]).cells
    [imports] = [cell.source for cell in cells if "exercise_checks" in cell.source]
    names = sorted({name for cell in cells for name in CALL.findall(cell.source)})
    code = f"{imports}\nprint(check.__file__, all(hasattr(check, name) for name in {names}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=clone / folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lesson = clone / "notebooks" / "exercise_checks" / f"lesson_{pair[0].name[:2]}.py"
    assert done.stdout.strip() == f"{lesson} True"


def test_the_wheel_has_every_room_of_the_package_and_neither_the_checks_nor_the_tools():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    rooms = sorted(path.parent.relative_to(ROOT) for path in (ROOT / "maskdet_utils").rglob("__init__.py"))
    assert project["tool"]["setuptools"]["packages"] == [".".join(room.parts) for room in rooms]
    modules = {path.name for path in (ROOT / "maskdet_utils").rglob("*.py")}
    assert not modules & {"exercise_checks.py", "grading.py", "exercises.py", "notebooks.py"}


# The final project


def test_two_classes_of_ones_own_go_through_the_whole_course(checkout, run_maskdet):
    """The folder that the example draws, with nothing changed but `dataset`."""
    notebook = checkout / "notebooks" / "solutions" / "10_your_own_two_classes.ipynb"
    notebooks.execute(read(notebook), notebook.parent)
    folder = checkout / "runs" / "lab" / "10_your_own_two_classes" / "shapes"
    assert [len(list((folder / name).glob("*.png"))) for name in ("circle", "square")] == [40, 40]

    # A profile of another name, so that the run of the sample stays where other tests look for it.
    shutil.copy(checkout / "params" / "quick.yaml", checkout / "params" / "shapes.yaml")
    done = run_maskdet("pipeline", "--profile", "shapes", "--dataset", folder, cwd=checkout)
    assert done.returncode == 0, done.stderr
    run = checkout / "runs" / "shapes"
    metrics = runs.read_metrics(run)
    assert metrics["classes"] == ["circle", "square"]
    assert metrics["n_train"] + metrics["n_validation"] + metrics["n_test"] == 80
    page = (run / "index.html").read_text(encoding="utf-8")
    assert all(f"{name}.ipynb" in page for name in pipeline.PIPELINE)


# The tool that makes the exercises


def a_notebook(*cells):
    """A notebook of (kind, source, tags …)."""
    new = {"code": nbformat.v4.new_code_cell, "md": nbformat.v4.new_markdown_cell}
    made = [new[kind](source, metadata={"tags": tags} if tags else {}) for kind, source, *tags in cells]
    return nbformat.v4.new_notebook(cells=made, metadata=notebooks.METADATA)


SOLVED = a_notebook(
    ("md", "## 1 · Half"),
    ("code", 'def half(x):\n    """Give half of `x`."""\n    # Write your code here.\n    return x / 2', "solution"),
    ("code", 'print("RIGHT" if half(4) == 2 else "NOT YET")'),
    ("md", "There are other ways.", "solution"),
    ("code", "size = 2 * 8  # exercise: 8\nside = 3", "solution"),
)


def test_what_makes_a_solution_is_left_out_and_nothing_else():
    made = exercises.exercises_from(SOLVED)
    assert [cell.source for cell in made.cells] == [
        "## 1 · Half",
        'def half(x):\n    """Give half of `x`."""\n    # Write your code here.',
        SOLVED.cells[2].source,
        "size = 8  # Change this.\nside = 3",
    ]
    assert [cell.metadata for cell in made.cells] == [{}] * 4
    assert [cell.id for cell in made.cells] == [SOLVED.cells[number].id for number in (0, 1, 2, 4)]
    assert "return x / 2" in SOLVED.cells[1].source, "the solutions themselves stay as they are"


def test_a_solution_that_leaves_nothing_to_do_is_an_error():
    with pytest.raises(NotebookError, match="leaves nothing to do"):
        exercises.exercises_from(a_notebook(("code", "size = 112", "solution")))


def test_the_tool_makes_exercises_and_notices_when_they_are_old(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "notebooks" / "solutions"
    folder.mkdir(parents=True)
    (tmp_path / "pyproject.toml").touch()
    nbformat.write(SOLVED, folder / "07_half.ipynb")
    monkeypatch.chdir(tmp_path)

    assert exercises.main(["--check"]) == 1
    assert "has no exercises yet. Run: make exercises NB=07" in capsys.readouterr().err
    assert exercises.main(["07"]) == 0
    solved, made = (read(tmp_path / "notebooks" / name / "07_half.ipynb") for name in ("solutions", "exercises"))
    assert printed(solved)[1] == ["RIGHT\n"]
    assert exercises.main(["--check"]) == 0

    made.cells[2].source = "print('NOT YET')"
    nbformat.write(made, tmp_path / "notebooks" / "exercises" / "07_half.ipynb")
    capsys.readouterr()
    assert exercises.main(["--check"]) == 1
    assert f"a cell {made.cells[2].id} that differs" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        exercises.main(["99"])
