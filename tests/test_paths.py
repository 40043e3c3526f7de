"""A file is replaced completely or not at all."""

import os

import pytest

from maskdet_utils.paths import new_folder, one_at_a_time, write_file


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


def test_the_first_error_is_the_one_that_is_raised(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    monkeypatch.setattr(os, "unlink", lambda *_: (_ for _ in ()).throw(OSError("read-only")))
    with pytest.raises(OSError, match="disk full"):
        write_file(tmp_path / "file.bin", b"new")
    assert not (tmp_path / "file.bin").exists()


def noted(monkeypatch):
    """A list that gets the name of each call that makes a file last."""
    done = []
    for name in {"fsync", "replace", "sync"} & set(dir(os)):
        original = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *given, f=original, name=name: (done.append(name), f(*given)))
    return done


def test_a_file_is_on_the_disk_before_it_gets_its_name(tmp_path, monkeypatch):
    done = noted(monkeypatch)
    write_file(tmp_path / "file.bin", b"new")
    assert done == ["fsync", "replace", "fsync"], "the last one is for the folder"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such call")
def test_a_folder_is_on_the_disk_before_it_gets_its_name(tmp_path, monkeypatch):
    done = noted(monkeypatch)
    with new_folder(tmp_path / "new") as staging:
        (staging / "file").write_text("x")
    assert done == ["sync", "replace", "fsync"], "everything, the new name, and the folder that lists it"


def test_the_old_folder_comes_back_if_the_new_one_cannot_take_its_place(tmp_path, monkeypatch):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "file").write_text("good")

    def replace(source, target, original=os.replace):
        if target == tmp_path / "run" and not source.name.endswith("-old"):
            raise OSError("no")
        original(source, target)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(OSError, match="no"), new_folder(tmp_path / "run") as staging:
        (staging / "file").write_text("bad")
    assert os.listdir(tmp_path) == ["run"] and (tmp_path / "run" / "file").read_text() == "good"


def test_a_file_is_not_replaced_by_a_folder(tmp_path):
    (tmp_path / "run").write_text("good")
    with (
        pytest.raises(NotADirectoryError, match="run is a file, but a folder belongs there"),
        new_folder(tmp_path / "run"),
    ):
        pass
    assert (tmp_path / "run").read_text() == "good"


@pytest.mark.skipif(os.name == "nt", reason="Windows asks for rights to make a link")
def test_a_link_to_a_folder_stays_a_link(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "old.txt").write_text("old")
    (tmp_path / "run").symlink_to(tmp_path / "elsewhere")
    with one_at_a_time(tmp_path / "run"), new_folder(tmp_path / "run") as staging:
        (staging / "new.txt").write_text("new")
    assert (tmp_path / "run").is_symlink() and os.listdir(tmp_path / "elsewhere") == ["new.txt"]
