"""What can go wrong, row by row: pipeline."""

import pytest
from rows import PIPELINE
from running import check


@pytest.mark.parametrize("row", PIPELINE, ids=lambda row: row.name)
def test_a_fault(row, tmp_path, monkeypatch, capfd):
    check(row, tmp_path, monkeypatch, capfd)
