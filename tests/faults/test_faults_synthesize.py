"""What can go wrong, row by row: synthesize."""

import pytest
from rows import SYNTHESIZE
from running import check


@pytest.mark.parametrize("row", SYNTHESIZE, ids=lambda row: row.name)
def test_a_fault(row, tmp_path, monkeypatch, capfd):
    check(row, tmp_path, monkeypatch, capfd)
