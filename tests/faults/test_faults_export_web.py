"""What can go wrong, row by row: export-web."""

import pytest
from rows import EXPORT_WEB
from running import check


@pytest.mark.parametrize("row", EXPORT_WEB, ids=lambda row: row.name)
def test_a_fault(row, tmp_path, monkeypatch, capfd):
    check(row, tmp_path, monkeypatch, capfd)
