"""A file is replaced completely or not at all."""

import os

import pytest

from maskdet_utils.paths import write_file


def test_a_file_is_replaced_completely_and_everybody_may_read_it(tmp_path):
    target = tmp_path / "new" / "folder" / "file.bin"
    for content in (b"first", b"second, longer"):
        write_file(target, content)
        assert target.read_bytes() == content
    assert os.listdir(target.parent) == ["file.bin"]
    assert os.name == "nt" or target.stat().st_mode & 0o777 == 0o644


def test_the_old_file_stays_when_writing_fails(tmp_path, monkeypatch):
    target = tmp_path / "file.bin"
    write_file(target, b"good")

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_file(target, b"bad")
    assert os.listdir(tmp_path) == ["file.bin"] and target.read_bytes() == b"good"
