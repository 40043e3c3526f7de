"""What can go wrong, row by row: disks that are full, or that nobody can write to."""

import pytest
from rows import DISKS
from running import check


@pytest.mark.parametrize("row", DISKS, ids=lambda row: row.name)
def test_a_fault(row, tmp_path, monkeypatch, capfd):
    check(row, tmp_path, monkeypatch, capfd)
