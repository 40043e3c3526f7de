"""What can go wrong, row by row: pipeline."""

import shutil

import pytest
from rows import PIPELINE, folders, link, pipe, text
from running import check

from maskdet_utils import pipeline


@pytest.mark.parametrize("row", PIPELINE, ids=lambda row: row.name)
def test_a_fault(row, tmp_path, monkeypatch, capfd):
    check(row, tmp_path, monkeypatch, capfd)


@pytest.mark.parametrize(
    "change", [text("00.ipynb", "edited"), text("notes.txt", "mine"), text("a/b"), link("l", "."), pipe("p")]
)
def test_a_failed_run_replaces_nothing_but_a_failed_run(tmp_path, change):
    text("new/00.ipynb", "first")(tmp_path)
    for content in ("second", "third"):
        kept = pipeline._keep_failed(tmp_path / "new", tmp_path / "p")
        assert kept == tmp_path / "p-failed"
        text("new/00.ipynb", content)(tmp_path)
    assert (kept / "00.ipynb").read_text() == "second"
    change(kept)
    before = sorted(kept.rglob("*"))
    assert pipeline._keep_failed(tmp_path / "new", tmp_path / "p") == tmp_path / "p-failed-2"
    assert sorted(kept.rglob("*")) == before
    shutil.rmtree(kept)
    folders("p-failed")(tmp_path)
    assert pipeline._keep_failed(tmp_path / "new", tmp_path / "p") == tmp_path / "p-failed-2", "not the empty folder"
