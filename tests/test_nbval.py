"""The stored outputs are what the notebooks give today; and the comparison can fail."""

import nbformat
from conftest import ROOT, run_nbval


def test_every_cell_passes_and_what_must_not_change_has_not(nbval_run):
    done, _, _ = nbval_run
    print(done.stdout[-3000:])
    assert done.returncode == 0, "a failed line above names the notebook and the code cell, counted from 0"
    notebooks = [nbformat.read(path, as_version=4) for path in (ROOT / "notebooks").glob("*.ipynb")]
    code_cells = sum(cell.cell_type == "code" for notebook in notebooks for cell in notebook.cells)
    assert done.stdout.count(" PASSED") == code_cells > 100


def test_an_altered_output_is_noticed_and_its_cell_named(nbval_run):
    _, folder, _ = nbval_run
    notebook = nbformat.read(folder / "00_check_your_setup.ipynb", as_version=4)
    code_cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    number = next(n for n, cell in enumerate(code_cells) if "nbval-check-output" in cell.metadata.get("tags", []))
    code_cells[number].outputs[0].text = code_cells[number].outputs[0].text.replace("PASS", "FAIL")
    nbformat.write(notebook, folder / "altered.ipynb")
    done = run_nbval(folder, "altered.ipynb")
    assert done.returncode == 1
    assert f"FAILED altered.ipynb::Cell {number} " in done.stdout
    assert done.stdout.count(" PASSED") == number
