"""What can go wrong, row by row: evaluate."""

import pytest
from rows import EVALUATE
from running import check


@pytest.mark.parametrize("row", EVALUATE, ids=lambda row: row.name)
def test_a_fault(row, tmp_path, monkeypatch, capfd):
    check(row, tmp_path, monkeypatch, capfd)
