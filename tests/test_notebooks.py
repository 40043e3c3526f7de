"""What every stored notebook must be: executed, readable by everybody, free of anything that only one machine knows."""

import ast
import base64
import os
import re

import nbformat
import papermill
import pytest
from conftest import ROOT

from maskdet_utils import pipeline
from tools import notebooks
from tools.notebooks import ABSOLUTE_PATH, NotebookError, as_stored

FILES = sorted((ROOT / "notebooks").glob("*.ipynb"))
EXERCISES = sorted((ROOT / "notebooks").glob("*/*.ipynb"))
IMAGE = re.compile(r"!\[(.*?)\]\(|<img\b(?![^>]*\balt=\"[^\"]+\")")
LINK = re.compile(r"\]\(([^)#\s]+)|(?:href|src)=[\"']([^\"'#]+)")


def short_name(path):
    """Such as "01_load_the_data" for a lesson, "solutions/01_load_the_data" for another notebook."""
    return path.relative_to(ROOT / "notebooks").with_suffix("").as_posix()


@pytest.fixture(params=FILES + EXERCISES, ids=short_name)
def path(request):
    return request.param


@pytest.fixture
def notebook(path):
    return nbformat.read(path, as_version=4)


@pytest.fixture(params=FILES, ids=short_name)
def lesson_path(request):
    return request.param


@pytest.fixture
def lesson(lesson_path):
    return nbformat.read(lesson_path, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def prose(notebook):
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def tagged(notebook, tag):
    return [cell for cell in notebook.cells if tag in cell.metadata.get("tags", [])]


def outputs(notebook):
    return [(cell.id, output) for cell in code_cells(notebook) for output in cell.outputs]


def test_the_pipelines_notebooks_are_all_here():
    assert [path.stem for path in FILES][: len(pipeline.PIPELINE)] == list(pipeline.PIPELINE)


def test_it_is_valid_and_was_executed_from_top_to_bottom(notebook):
    nbformat.validate(notebook)
    counts = [cell.execution_count for cell in code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1))


def test_it_is_in_its_stored_form(path, notebook):
    """No widget state, no traces of papermill, the canonical kernel: what `make notebooks` leaves."""
    assert as_stored(notebook) == path.read_text(encoding="utf-8"), (
        f"run: make {'notebooks' if path in FILES else 'exercises'} NB={path.name[:2]}"
    )
    assert notebook.metadata == notebooks.METADATA


def test_no_output_is_an_error_or_a_warning(notebook):
    for cell, output in outputs(notebook):
        assert output.output_type != "error", cell
        assert output.get("name") != "stderr", cell
        assert "WARNING" not in str(output.get("text", "")), cell


def test_parameters_are_typed_literals_with_a_comment_each(lesson):
    [cell] = tagged(lesson, "parameters")
    for line in cell.source.splitlines():
        assert re.fullmatch(r"[a-z_]+ = .+?  # .{10,}", line), line
    for statement in ast.parse(cell.source).body:
        assert isinstance(statement, ast.Assign) and len(statement.targets) == 1
        assert isinstance(ast.literal_eval(statement.value), str | int | float | bool)


def test_papermill_knows_the_same_parameters(lesson_path):
    assert set(papermill.inspect_notebook(lesson_path)) == set(pipeline.parameters_of(lesson_path))


def test_every_image_has_words_for_those_who_cannot_see_it(notebook):
    for cell, output in outputs(notebook):
        for kind in output.get("data", {}):
            if kind.startswith("image/"):
                assert len(output.metadata.get(kind, {}).get("alt", "")) > 15, cell
    for image in IMAGE.finditer(prose(notebook)):
        assert image[1] and len(image[1]) > 15, image[0]


def test_it_is_small(path, notebook):
    assert path.stat().st_size <= 1_500_000
    for cell, output in outputs(notebook):
        for kind, content in output.get("data", {}).items():
            if kind.startswith("image/"):
                assert len(base64.b64decode(content)) <= 250_000, cell


def test_no_path_of_one_machine_is_in_it(path):
    found = ABSOLUTE_PATH.search(path.read_text(encoding="utf-8").replace(r"\n", "\n"))
    assert not found, found


def test_links_lead_somewhere(path, notebook):
    for match in LINK.finditer(prose(notebook)):
        target = match[1] or match[2]
        if not re.match(r"[a-z]+:", target):
            assert (path.parent / target).exists(), target


def test_at_least_three_outputs_are_compared(lesson):
    compared = tagged(lesson, "nbval-check-output")
    assert len(compared) >= 3
    for cell in compared:
        assert any(text.strip() for text in notebooks.texts(cell)), f"{cell.id} has no output to compare"


def test_prose_comes_between_short_pieces_of_code(notebook):
    kinds = "".join("c" if cell.cell_type == "code" else "m" for cell in notebook.cells)
    assert "cccc" not in kinds, "four code cells in a row"
    for cell in code_cells(notebook):
        assert len(cell.source.splitlines()) <= 25, cell.id


def test_it_begins_with_what_to_expect(lesson):
    first = lesson.cells[0].source
    assert re.match(r"# \S", first)
    for heading in ("What you'll do", "What you'll learn", "What you'll need"):
        assert heading in first
    assert re.search(r"Time:?\*\*.*\bminutes?\b", first)


def test_it_ends_with_a_recap_and_questions_with_folded_answers(lesson):
    last = "\n".join(cell.source for cell in lesson.cells[-4:] if cell.cell_type == "markdown")
    assert re.search(r"^#+ .*What you learned", last, re.MULTILINE)
    assert re.search(r"^#+ .*Check yourself", last, re.MULTILINE)
    assert last.count("<details>") == last.count("</details>") >= 3
    assert last.count("<summary>") == last.count("</summary>") == last.count("<details>")


def test_it_says_what_one_should_see_and_checks_it(lesson):
    assert prose(lesson).lower().count("you should see") >= 1
    assert any("checks.check(" in cell.source for cell in code_cells(lesson))


def test_nothing_is_installed_or_downloaded_by_hand(notebook):
    for cell in code_cells(notebook):
        assert not re.search(r"^\s*[!%]", cell.source, re.MULTILINE), cell.id
        assert not re.search(r"\burllib|\brequests\b|\binput\(", cell.source), cell.id


# How long the lessons are

# From the lessons that people finish: see CONTRIBUTING.md. Each band is (smallest, largest).
BANDS = {
    "cells": (30, 46),
    "words": (900, 1300),
    "longest code cell": (1, 18),  # lines
    "code cells in a row": (1, 3),
}
# What is outside its band and has yet to be revised, with its value today: it must not move further away.
EXCEPTIONS: dict = {}


def measures(notebook):
    """The values that have a band; words are those of the Markdown cells, their markup included."""
    kinds = "".join("c" if cell.cell_type == "code" else "m" for cell in notebook.cells)
    return {
        "cells": len(notebook.cells),
        "words": len(prose(notebook).split()),
        "longest code cell": max(len(cell.source.splitlines()) for cell in code_cells(notebook)),
        "code cells in a row": max(map(len, re.findall("c+", kinds))),
    }


def test_every_lesson_is_as_long_as_people_like_it(capsys):
    table = {short_name(path): measures(nbformat.read(path, as_version=4)) for path in FILES + EXERCISES}
    with capsys.disabled():
        print("\n" + " " * 38 + "  ".join(BANDS))
        for name, row in table.items():
            print(f"{name:38s}" + "  ".join(f"{value:{len(what)}d}" for what, value in row.items()))
    problems = []
    for name in map(short_name, FILES):
        for what, value in table[name].items():
            low, high = BANDS[what]
            known = EXCEPTIONS.get((name, what))
            if low <= value <= high:
                if known is not None:
                    problems.append(f"{name}: {what} is {value}, within {low} to {high}; take it out of EXCEPTIONS")
            elif known is None or not min(low, known) <= value <= max(high, known):
                problems.append(f"{name}: {what} is {value}, not within {low} to {high}")
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("path", FILES + EXERCISES, ids=short_name)
def test_no_page_cuts_its_code_off(path):
    """The site, GitHub, and JupyterLab with its side bar open show 88 columns."""
    lines = [line for cell in code_cells(nbformat.read(path, as_version=4)) for line in cell.source.splitlines()]
    assert not [line for line in lines if len(line) > 88]


def reading_minutes(notebook) -> int:
    """200 words a minute, and three seconds for a line of code, to the nearest five minutes."""
    lines = [line for cell in code_cells(notebook) for line in cell.source.splitlines() if line.strip()]
    return 5 * round((len(prose(notebook).split()) / 200 + len(lines) / 20) / 5)


@pytest.mark.parametrize("path", FILES, ids=short_name)
def test_the_readme_and_the_notebook_give_the_same_minutes(path):
    notebook = nbformat.read(path, as_version=4)
    reading, computer = re.search(
        r"\*\*Time:\*\* about (\d+) minutes of reading; (.*?) for the computer", notebook.cells[0].source
    ).groups()
    row = re.search(
        rf"\({re.escape(path.relative_to(ROOT).as_posix())}\) \|.*", (ROOT / "README.md").read_text("utf-8")
    )
    cells = [cell.strip() for cell in row[0].split("|")]
    assert [f"{reading_minutes(notebook)}", computer] == [reading, cells[3]] and cells[2] == reading


# The tool that makes the stored form


def a_notebook(*sources):
    cells = [
        nbformat.v4.new_code_cell(source, metadata={"tags": ["kept"], "papermill": {"x": 1}}) for source in sources
    ]
    metadata = {
        "kernelspec": {"name": "python3", "display_name": "mine", "language": "python"},
        "widgets": {"state": 1},
    }
    return nbformat.v4.new_notebook(cells=cells, metadata=metadata)


def test_the_stored_form_has_no_noise():
    noisy = a_notebook("first", "second")
    new_output = nbformat.v4.new_output
    noisy.cells[1].outputs = [
        new_output("stream", name="stdout", text="one "),
        new_output("stream", name="stderr", text="a warning"),
        new_output("display_data", {notebooks.PROGRESS_BAR: {}, "text/plain": "50 %"}),
        new_output("stream", name="stdout", text="two"),
        new_output("execute_result", {"text/plain": "3"}, execution_count=17),
    ]
    clean = nbformat.reads(as_stored(noisy), as_version=4)
    assert clean.metadata == notebooks.METADATA
    assert [cell.execution_count for cell in clean.cells] == [1, 2]
    assert [cell.metadata for cell in clean.cells] == [{"tags": ["kept"]}] * 2
    assert [cell.id for cell in clean.cells] == [cell.id for cell in noisy.cells]
    text, result = clean.cells[1].outputs
    assert text.text == "one two" and (result.data, result.execution_count) == ({"text/plain": "3"}, 2)
    assert as_stored(clean) == as_stored(noisy)


def test_photos_of_others_are_not_stored():
    shown = a_notebook("show()", "print(1)")
    shown.cells[0].metadata["tags"] = [notebooks.NOT_STORED]
    for cell in shown.cells:
        cell.outputs = [nbformat.v4.new_output("display_data", {"image/png": "aaaa"})]
    first, second = nbformat.reads(as_stored(shown), as_version=4).cells
    assert (first.outputs, len(second.outputs)) == ([], 1)
    assert first.metadata["tags"] == [notebooks.NOT_STORED], "else the next run would store them"


@pytest.mark.parametrize("text", ["/home/ada/photos", "in /opt/x.", "('/var/a.csv')", "C:\\Users\\ada", "/Users/ada"])
def test_an_absolute_path_is_refused_with_the_cells_id(text):
    leaky = a_notebook("print(path)")
    leaky.cells[0].outputs = [nbformat.v4.new_output("stream", text=text)]
    with pytest.raises(NotebookError, match=f"cell {leaky.cells[0].id} shows an absolute path"):
        as_stored(leaky)


@pytest.mark.parametrize("text", ["runs/lab/metrics.json", "https://a.org/home/x", "1/home/2", "and/or", "x / 127.5"])
def test_other_slashes_are_no_absolute_paths(text):
    assert not ABSOLUTE_PATH.search(text)


def test_notebooks_are_executed_in_place_and_a_failing_one_is_left_as_it_was(tmp_path, monkeypatch, capsys):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "pyproject.toml").touch()
    good, bad = (tmp_path / "notebooks" / name for name in ("00_good.ipynb", "01_bad.ipynb"))
    nbformat.write(a_notebook("import os", "print(os.path.basename(os.getcwd()))"), good)
    nbformat.write(a_notebook("1 / 0"), bad)
    before = bad.read_text()
    monkeypatch.chdir(tmp_path)

    assert notebooks.main(["--check", "00"]) == 1
    assert "make notebooks NB=00" in capsys.readouterr().err
    assert notebooks.main([]) == 1
    said = capsys.readouterr()
    assert re.search(r"00_good +\d+ s", said.out)
    assert f"01_bad.ipynb: cell {nbformat.read(bad, 4).cells[0].id} failed: ZeroDivisionError" in said.err
    assert bad.read_text() == before
    assert nbformat.read(good, 4).cells[1].outputs[0].text == "notebooks\n", "run from the notebook's own folder"
    assert notebooks.main(["--check", "00"]) == 0
    assert sorted(os.listdir(tmp_path / "notebooks")) == [good.name, bad.name]


def test_an_unknown_number_is_wrong_usage():
    with pytest.raises(SystemExit) as stopped:
        notebooks.main(["99"])
    assert stopped.value.code == 2
