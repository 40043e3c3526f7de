"""What can go wrong, row by row: streams."""

import numpy as np
import pytest
from rows import STREAMS
from running import check

from maskdet_utils import cli


@pytest.mark.parametrize("row", STREAMS, ids=lambda row: row.name)
def test_a_fault(row, tmp_path, monkeypatch, capfd):
    check(row, tmp_path, monkeypatch, capfd)


def test_the_trace_of_an_unforeseen_error_goes_to_a_file(tmp_path, monkeypatch, capfd):
    def fail(*_, **__):
        raise KeyError("nobody thought of this")

    monkeypatch.setattr("maskdet_utils.synthesis.folder.synthesize_folder", fail)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert cli.main(["synthesize", "photos", "out"]) == 1
    said = capfd.readouterr().err
    (trace,) = tmp_path.iterdir()
    assert "Something went wrong that should not have: KeyError" in said and "open an issue" in said
    assert str(trace) in said and "Traceback" not in said
    assert "nobody thought of this" in trace.read_text() and "Traceback" in trace.read_text()


def test_an_error_of_a_library_is_not_taken_for_one_of_ours(tmp_path, monkeypatch, capfd):
    made = {"np": np}  # as if this line were in our package
    exec(compile("def fail(*_):\n    np.zeros(2).reshape(3)", cli.__file__, "exec"), made)
    monkeypatch.setattr("maskdet_utils.synthesis.folder.synthesize_folder", made["fail"])
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert cli.main(["synthesize", "photos", "out"]) == 1
    said = capfd.readouterr().err
    assert "Something went wrong that should not have: ValueError" in said and "cannot reshape" not in said
