"""The public data set: every way to get it, and every way to fail. Nothing but 127.0.0.1 is ever contacted.

The data set here is made up: six files that are not photos, and their manifest.
"""

import errno
import http.server
import io
import json
import multiprocessing
import os
import re
import shutil
import sys
import tempfile
import threading
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from conftest import PUBLIC_ZIP, ROOT

from maskdet_utils import assets, cli, datasets, pipeline, public, runs
from maskdet_utils.assets import AssetError

CONTENTS = {
    f"{label}/{name}": np.random.default_rng(number).bytes(40_000)
    for number, (label, name) in enumerate(
        (label, name) for label in ("with_mask", "without_mask") for name in ("0 copy.jpg", "≈˙◊¢ 1.png", "2.jpg")
    )
}
PATHS = list(CONTENTS)
OTHER_COMMIT = "0123456789abcdef0123456789abcdef01234567"


def packed(contents=CONTENTS, top=public.NAME, comment=public.COMMIT, **more) -> bytes:
    """Make an archive as GitHub does: a top folder with other files in it, and the commit as its comment."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{top}/README.md", "not wanted")
        archive.writestr(f"{top}/dataset/with_mask/not_listed.jpg", "not wanted")
        for name, content in {**{f"{top}/dataset/{path}": c for path, c in contents.items()}, **more}.items():
            archive.writestr(name, content)
        archive.comment = comment.encode()
    return file.getvalue()


def without(*paths):
    return {path: content for path, content in CONTENTS.items() if path not in paths}


@pytest.fixture(autouse=True)
def data_set(tmp_path, monkeypatch):
    """A manifest of the made-up files, a place for them, an empty cache, and no address that answers."""
    for name in [name for name in os.environ if name.startswith("MASKDET_") or "proxy" in name.lower()]:
        monkeypatch.delenv(name)
    rows = [
        {"path": path, "blob": public.blob_hash(content), "bytes": len(content), "label": path.split("/")[0]}
        for path, content in CONTENTS.items()
    ]
    table = pd.DataFrame(rows).assign(group=[f"g{n}" for n in range(6)], copy_of="", faces=1, remark="")
    table["split"] = ["train", "validation", "test"] * 2
    table["exclude"] = ["", "exact copy", "wrong label", "", "", "not looked at"]
    table.to_csv(tmp_path / "public.csv", index=False)
    monkeypatch.setattr(public, "TABLE", str(tmp_path / "public.csv"))
    monkeypatch.setattr(public, "FOLDER", str(tmp_path / "data" / "public"))
    monkeypatch.setattr(public, "URL", "http://127.0.0.1:9/archive.zip")
    monkeypatch.setenv("MASKDET_CACHE", str(tmp_path / "cache"))
    return tmp_path / "data" / "public"


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "downloads" / f"{public.NAME}.zip"
    path.parent.mkdir()
    path.write_bytes(packed())
    return path


@pytest.fixture
def server(monkeypatch):
    """A server with the archive. It may support ranges, stop after `cut` bytes, and send in chunks."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            server, wanted = self.server, re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            server.asked.append(wanted and int(wanted[1]))
            start = int(wanted[1]) if wanted and server.ranges else 0
            if start >= len(server.content):
                self.send_error(416)
                return
            body = server.content[start:]
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(server.content) - 1}/{len(server.content)}")
            if server.chunked:
                self.send_header("Transfer-Encoding", "chunked")
            else:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            sent = body if server.cut is None else body[: server.cut]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(sent), sent) if server.chunked else sent)
            if server.chunked and server.cut is None:
                self.wfile.write(b"0\r\n\r\n")
            self.close_connection = True

        def log_message(self, *arguments):
            pass

    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running.content, running.ranges, running.cut, running.chunked, running.asked = packed(), True, None, False, []
    threading.Thread(target=running.serve_forever, daemon=True).start()
    monkeypatch.setattr(public, "URL", f"http://127.0.0.1:{running.server_port}/archive.zip")
    yield running
    running.shutdown()
    running.server_close()


def files_in(folder):
    return {path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file()}


def is_whole(folder, contents=CONTENTS):
    return files_in(folder) == {*contents, public.ABOUT, "groups.csv"} and all(
        (folder / path).read_bytes() == content for path, content in contents.items()
    )


def refusal(source=None):
    with pytest.raises(AssetError) as error:
        public.fetch(source)
    return str(error.value)


# From the network


def test_it_is_downloaded_once_and_verified_without_other_files(server, data_set):
    assert public.fetch() == data_set and is_whole(data_set)
    assert public.fetch() == data_set
    assert server.asked == [None]
    assert set(os.listdir(data_set.parent)) == {"public", ".public.lock"} and os.listdir(assets.cache_folder()) == []


@pytest.mark.parametrize("chunked", [False, True])
def test_an_interrupted_download_resumes_where_it_stopped(server, data_set, chunked):
    server.cut, server.chunked = 100_000, chunked
    message = refusal()
    assert "cut off after 100000" in message and "are kept" in message
    assert not data_set.exists()
    assert "cut off after 200000" in refusal()
    server.cut = None
    assert is_whole(public.fetch())
    assert server.asked == [None, 100_000, 200_000]


def test_a_server_without_ranges_sends_everything_again(server):
    server.cut, server.ranges = 100_000, False
    refusal()
    server.cut = None
    assert is_whole(public.fetch())
    assert server.asked == [None, 100_000]


def test_a_partial_download_of_another_file_is_not_used(server, data_set):
    kept = assets.cache_folder() / f"{public.NAME}.zip.part"
    kept.write_bytes(b"x" * (len(server.content) + 1))  # longer than the archive: nothing can follow
    assert is_whole(public.fetch()) and server.asked == [len(server.content) + 1, None]

    shutil.rmtree(data_set)
    kept.write_bytes(b"x" * 50_000)
    message = refusal()
    assert (
        "truncated, damaged, or not a zip archive" in message and "has been removed. Run the command again" in message
    )
    assert is_whole(public.fetch())


def test_the_download_of_an_interrupted_or_killed_process_is_kept(server, monkeypatch):
    def interrupted(url, target, *_, **__):
        target.write_bytes(server.content[:70_000])
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(public, "download", interrupted)
        public.fetch()
    [kept] = assets.cache_folder().iterdir()
    killed = kept.with_name(f"{public.NAME}.zip.999999.part")
    kept.rename(killed)
    os.utime(killed, (0, 0))
    assert is_whole(public.fetch()) and server.asked == [70_000]


@pytest.mark.skipif(sys.platform == "win32", reason="starts processes that share this one's settings")
def test_two_processes_at_once(server, data_set):
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=public.fetch) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0] and is_whole(data_set)
    assert server.asked == [None]  # one fetched it, the others waited


@pytest.mark.parametrize("offline", [False, True])
def test_without_network_the_error_says_how_to_supply_it(data_set, monkeypatch, capsys, offline):
    if offline:
        monkeypatch.setenv("MASKDET_OFFLINE", "1")
    assert cli.main(["fetch", "public"]) == 1
    message = capsys.readouterr().err
    for words in (public.URL, f"{public.NAME}.zip", "MASKDET_ASSET_DIR", "maskdet fetch public --from"):
        assert words in message
    assert ("MASKDET_OFFLINE=1" in message) == offline
    assert not data_set.exists()


# From files on this machine


@pytest.mark.parametrize("way", ["archive", "unpacked", "its dataset folder"])
def test_it_comes_from_an_archive_or_a_folder(archive, data_set, tmp_path, way):
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(tmp_path / "unpacked")
    unpacked = tmp_path / "unpacked" / public.NAME
    source = {"archive": archive, "unpacked": unpacked, "its dataset folder": unpacked / "dataset"}[way]
    before = files_in(source) if source.is_dir() else source.read_bytes()
    assert public.fetch(source) == data_set and is_whole(data_set)
    assert before == (files_in(source) if source.is_dir() else source.read_bytes())
    assert os.name == "nt" or data_set.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("unpacked", [False, True])
def test_the_users_folder_comes_first(archive, server, monkeypatch, unpacked):
    monkeypatch.setenv("MASKDET_ASSET_DIR", str(archive.parent))
    if unpacked:
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(archive.parent)
        archive.unlink()
    assert is_whole(public.fetch()) and server.asked == []


def test_missing_files_are_counted_and_named_and_another_source_may_provide_them(archive, data_set, capsys):
    archive.write_bytes(packed(without(*PATHS[:5])))
    public.fetch(archive)
    assert is_whole(data_set, without(*PATHS[:5]))
    assert f"5 of 6 files are missing from the source: {', '.join(PATHS[:3])} and 2 more." in capsys.readouterr().err
    public.fetch()
    assert "5 of 6 files are missing" in capsys.readouterr().err, "reported again, but no reason to use the network"

    archive.write_bytes(packed(without(PATHS[0], PATHS[5])))
    public.fetch(archive)
    assert is_whole(data_set, without(PATHS[0])), "what the first archive brought is still there"
    assert f"1 of 6 files are missing from the source: {PATHS[0]}." in capsys.readouterr().err


def test_a_damaged_or_lost_file_is_restored_and_the_users_own_files_stay(archive, server, data_set):
    public.fetch(archive)
    (data_set / PATHS[1]).write_bytes(b"damaged")
    (data_set / PATHS[2]).unlink()
    (data_set / "notes").mkdir()
    (data_set / "notes" / "mine.txt").write_text("my own")
    public.fetch()
    assert (data_set / "notes" / "mine.txt").read_text() == "my own"
    shutil.rmtree(data_set / "notes")
    assert is_whole(data_set) and len(server.asked) == 1


# What may be wrong with the source


ABSOLUTE = f"{tempfile.gettempdir()}/maskdet-evil"
BAD = {
    "cut off": (packed()[:-5000], "truncated, damaged, or not a zip archive"),
    "not an archive": (b"<html>Not found</html>", "truncated, damaged, or not a zip archive"),
    "damaged inside": (
        packed()[:100_000] + b"damaged" + packed()[100_007:],
        "truncated, damaged, or not a zip archive",
    ),
    "other commit, says its comment": (packed(comment=OTHER_COMMIT), f"from commit {OTHER_COMMIT}, not from commit"),
    "other commit, says its folder": (
        packed(top=f"Face-Mask-Detection-{OTHER_COMMIT}", comment=""),
        f"from commit {OTHER_COMMIT}, not from commit {public.COMMIT}",
    ),
    "changed file": (packed({**CONTENTS, PATHS[4]: b"changed"}), f"refused because 1 of 6 .*: {PATHS[4]}"),
    "larger than it should be": (
        packed({**CONTENTS, PATHS[4]: CONTENTS[PATHS[4]] + b"x" * 10**6}),
        "refused because 1 of 6",
    ),
    "climbs out": (
        packed(**{f"{public.NAME}/dataset/../../../evil": b"x"}),
        r"refused because it contains the path .*\.\./evil",
    ),
    "climbs out, Windows": (packed(**{"..\\..\\evil": b"x"}), "refused because it contains the path"),
    "absolute": (packed(**{ABSOLUTE: b"x"}), f"refused because it contains the path '{re.escape(ABSOLUTE)}'"),
    "absolute, Windows": (packed(**{"C:/evil": b"x"}), "refused because it contains the path 'C:/evil'"),
    "something else": (packed({}, top="another"), "contains no file from the public data set"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_archive_is_refused_with_advice_and_nothing_is_lost(archive, data_set, tmp_path, kind):
    public.fetch(archive)
    content, words = BAD[kind]
    bad = tmp_path / "bad.zip"
    bad.write_bytes(content)
    before = files_in(tmp_path)
    message = refusal(bad)
    assert re.search(words, message) and str(bad) in message
    assert f"Download the archive from {public.URL}" in message
    assert is_whole(data_set) and files_in(tmp_path) == before and bad.read_bytes() == content
    assert not Path(ABSOLUTE).exists()


def test_a_folder_with_a_changed_file_or_from_another_commit_is_refused(tmp_path, data_set):
    source = tmp_path / f"Face-Mask-Detection-{OTHER_COMMIT}"
    for path, content in CONTENTS.items():
        (source / "dataset" / path).parent.mkdir(parents=True, exist_ok=True)
        (source / "dataset" / path).write_bytes(content)
    assert f"is from commit {OTHER_COMMIT}" in refusal(source)
    source = source.rename(tmp_path / "checkout")
    (source / "dataset" / PATHS[3]).write_bytes(b"changed")
    assert f"refused because 1 of 6 files are not those of commit {public.COMMIT}: {PATHS[3]}." in refusal(source)
    assert not data_set.exists() and os.listdir(data_set.parent) == [".public.lock"]


def test_a_path_that_does_not_exist_is_named(tmp_path):
    assert f"{tmp_path / 'nowhere.zip'} is neither an archive nor a folder" in refusal(tmp_path / "nowhere.zip")


def test_a_full_disk_is_noticed_before_fetching(archive, data_set, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    message = refusal(archive)
    assert (
        "is full" in message and "0 MB are free" in message and "Free some space and run the command again" in message
    )
    assert not data_set.exists()


@pytest.mark.parametrize("while_downloading", [False, True])
def test_nothing_is_lost_when_the_disk_fills_up(archive, server, data_set, monkeypatch, while_downloading):
    archive.write_bytes(packed(without(PATHS[5])))
    public.fetch(archive)
    (data_set / PATHS[0]).unlink()  # so that there is something to fetch
    before = files_in(data_set)

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(public, "download", full) if while_downloading else patched.setattr(Path, "write_bytes", full)
        message = refusal()
    assert "is full (" in message and "Free some space and run the command again. Nothing was changed." in message
    assert files_in(data_set) == before and set(os.listdir(data_set.parent)) == {"public", ".public.lock"}
    assert is_whole(public.fetch()) and len(server.asked) == 1, "the archive that had come is not fetched twice"


def test_a_folder_that_a_killed_process_half_replaced_is_restored(archive, data_set, server):
    public.fetch(archive)
    data_set.rename(data_set.with_name(".public.maskdet-old"))
    assert is_whole(public.fetch()) and server.asked == []


# The manifest


def test_the_manifest_has_the_fixed_split_without_missing_and_excluded_files(archive, data_set):
    archive.write_bytes(packed(without(PATHS[4])))
    manifest, left_out = public.read_manifest(public.fetch(archive))
    assert list(manifest.columns) == ["path", "label", "group", "split"]
    assert manifest.to_dict("list") == {
        "path": [PATHS[0], PATHS[3]],
        "label": ["with_mask", "without_mask"],
        "group": ["g0", "g3"],
        "split": ["train", "train"],
    }
    assert left_out.set_index("path")["reason"].to_dict() == {
        PATHS[1]: "exact copy",
        PATHS[2]: "wrong label",
        PATHS[4]: "absent",
        PATHS[5]: "not looked at",
    }
    rougher, left_out = public.read_manifest(data_set, cleaned=False)
    assert list(rougher["path"]) == [PATHS[0], PATHS[2], PATHS[3]]
    assert list(left_out["reason"]) == ["exact copy", "absent", "not looked at"]


def test_the_folder_says_its_own_groups_split_and_exclusions(archive, data_set):
    archive.write_bytes(packed(without(PATHS[4])))
    rows, left_out, _ = datasets.list_photos(public.fetch(archive))
    assert rows == [{"path": path, "label": path.split("/")[0], "split": "train"} for path in (PATHS[0], PATHS[3])]
    assert {one["path"]: one["reason"] for one in left_out} == {
        PATHS[1]: "exact copy",
        PATHS[2]: "wrong label",
        PATHS[4]: "absent",
        PATHS[5]: "not looked at",
    }
    written = (data_set / "groups.csv").read_bytes()
    (data_set / "groups.csv").unlink()  # as after a download by an earlier version
    public.fetch()
    assert (data_set / "groups.csv").read_bytes() == written


# The command line


def test_the_command_fetches_it_only_when_asked_by_name(archive, data_set, capsys, monkeypatch):
    monkeypatch.setattr(assets, "ASSETS", {})
    assert cli.main(["fetch"]) == 0 and not data_set.exists()
    assert cli.main(["fetch", "--list"]) == 0 and public.CREDIT in capsys.readouterr().out
    assert cli.main(["fetch", "public", "--from", str(archive)]) == 0
    assert is_whole(data_set) and str(data_set) in capsys.readouterr().out
    assert cli.main(["fetch", "--from", str(archive)]) == 2
    assert "maskdet fetch public --from PATH" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--dataset", "public"], ["-p", "dataset", "public"], ["--profile", "public"]])
def test_the_pipeline_fetches_it_first_and_passes_its_name_on(monkeypatch, arguments):
    done = []

    def run(profile, overrides):
        done.append({**pipeline.read_profile(profile), **overrides}["dataset"])
        return Path("a run")

    monkeypatch.setattr(assets, "ASSETS", {})
    monkeypatch.setattr(public, "fetch", lambda: done.append("fetched"))
    monkeypatch.setattr(pipeline, "run_pipeline", run)
    people = {"value": 1, "low": 0.6, "high": 1, "count": 8, "of": 8}
    scores = {"accuracy": {"value": 1, "low": None, "high": None}, "groups_without_error": people}
    monkeypatch.setattr(runs, "read_metrics", lambda _: scores | {"degraded": scores})
    assert cli.main(["pipeline", *arguments]) == 0
    assert done == ["fetched", "public"]


def test_notebook_01_uses_the_real_data_set_with_its_fixed_split(shared, checkout, tmp_path, run_maskdet):
    import papermill

    done = run_maskdet("fetch", "public", cwd=checkout, MASKDET_ASSET_DIR=str((shared / PUBLIC_ZIP).parent))
    assert done.returncode == 0, done.stderr
    papermill.execute_notebook(
        checkout / "notebooks" / "01_load_the_data.ipynb",
        tmp_path / "out.ipynb",
        {"run_dir": str(tmp_path / "run"), "dataset": "public"},
        kernel_name="python3",
        cwd=checkout / "notebooks",
        progress_bar=False,
    )
    table = pd.read_csv(ROOT / "data" / "public.csv", keep_default_na=False)
    used = table[table["exclude"] == ""]
    manifest = pd.read_csv(tmp_path / "run" / "01_load_the_data" / "manifest.csv")
    assert manifest.equals(used[["path", "label", "group", "split"]].reset_index(drop=True))
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["dataset"] == "public" and metrics["left_out"]["count"] == len(table) - len(used)
    assert metrics["notes"] == []
    about = json.loads((checkout / "data" / "public" / public.ABOUT).read_text(encoding="utf-8"))
    assert about["commit"] == public.COMMIT and len(about["absent"]) == 106
