"""Grading: the learner's answers count, and nothing else in the notebook does."""

import csv

import nbformat
import pytest
from conftest import ROOT

from tools import grade

EXERCISES = ROOT / "notebooks" / "exercises" / "01_load_the_data.ipynb"
SOLUTIONS = ROOT / "notebooks" / "solutions" / "01_load_the_data.ipynb"


def answered(change=lambda cells: cells):
    """The solutions of notebook 01 as a learner would hand them in, with some cells changed."""
    notebook = nbformat.read(SOLUTIONS, as_version=4)
    notebook.cells = change(notebook.cells)
    return notebook


def with_source(old, new):
    def change(cells):
        cell = next(cell for cell in cells if old in cell.source)
        cell.source = cell.source.replace(old, new)
        return cells

    return change


@pytest.fixture
def graded(tmp_path, capsys):
    """A function: name → notebook or text; returns the exit code, what was printed, and the rows of the CSV file."""

    def run(**handed_in):
        folder = tmp_path / "handed in"
        folder.mkdir()
        for name, notebook in handed_in.items():
            text = notebook if isinstance(notebook, str) else nbformat.writes(notebook)
            (folder / f"{name}.ipynb").write_text(text, encoding="utf-8")
        code = grade.main([str(folder), "--csv", str(tmp_path / "grades.csv"), "--seconds", "10"])
        with (tmp_path / "grades.csv").open(newline="", encoding="utf-8") as file:
            return code, capsys.readouterr().out, list(csv.DictReader(file))

    return run


def test_right_and_wrong_answers_get_their_rows(graded):
    code, said, rows = graded(anna=answered(), bob=nbformat.read(EXERCISES, as_version=4))
    assert code == 0
    checks = [row["check"] for row in rows if row["file"] == "anna.ipynb"]
    assert len(checks) == 5 and checks == [row["check"] for row in rows if row["file"] == "bob.ipynb"]
    assert {row["result"] for row in rows if row["file"] == "anna.ipynb"} == {"RIGHT"}
    assert {row["result"] for row in rows if row["file"] == "bob.ipynb"} == {"NOT YET"}
    assert "anna.ipynb: 5 of 5 right (01_load_the_data)" in said and "bob.ipynb: 0 of 5 right" in said


def test_a_forged_check_and_a_deleted_check_do_not_help(graded):
    def forge(cells):
        empty = {cell.id: cell.source for cell in nbformat.read(EXERCISES, as_version=4).cells}
        for cell in cells:
            cell.source = 'print("RIGHT: yes")' if cell.source.startswith("check.") else empty.get(cell.id, cell.source)
        return [cell for cell in cells if not cell.source.startswith("check.")][:-1]

    _, _, rows = graded(eve=answered(forge))
    assert len(rows) == 5 and {row["result"] for row in rows} == {"NOT YET"}


def test_an_answer_that_never_ends_stops_alone_and_a_file_that_is_no_notebook_is_named(graded):
    forever = with_source("# Write your code here.", "# Write your code here.\n    while True:\n        pass")
    code, said, rows = graded(zoe=answered(forever), notes="not a notebook", other=nbformat.v4.new_notebook())
    assert code == 1
    results = {row["check"]: row["result"] for row in rows if row["file"] == "zoe.ipynb"}
    assert "STOPPED" in results.values() and "RIGHT" in results.values()
    unreadable = {row["file"]: row["said"] for row in rows if row["result"] == "UNREADABLE"}
    assert set(unreadable) == {"notes.ipynb", "other.ipynb"} and "shares no cells" in unreadable["other.ipynb"]


def test_an_empty_folder_is_an_error(tmp_path, capsys):
    with pytest.raises(SystemExit):
        grade.main([str(tmp_path)])
    assert "no notebooks" in capsys.readouterr().err


def test_the_page_for_teachers_shows_the_command_and_its_output_as_they_are():
    page = (ROOT / "docs" / "teaching.md").read_text(encoding="utf-8")
    assert "python -m tools.grade handed-in/ --csv grades.csv" in page
    assert "anna.ipynb: 5 of 5 right (01_load_the_data)" in page
