"""What can go wrong, row by row: models."""

import pytest
from rows import MODELS
from running import check


@pytest.mark.parametrize("row", MODELS, ids=lambda row: row.name)
def test_a_fault(row, tmp_path, monkeypatch, capfd):
    check(row, tmp_path, monkeypatch, capfd)
