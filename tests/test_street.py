"""The street collection: every way to get it, and every way to fail. Nothing but 127.0.0.1 is ever contacted.

The collection here is made up: six photos without people, and their tables.
"""

import errno
import hashlib
import http.server
import io
import json
import os
import shutil
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from maskdet_utils import assets, cli, photos, street
from maskdet_utils.assets import AssetError

SIZE = 300, 200  # of each photo, in pixels
BOXES = [(100, 80, 30, 40), (5, 150, 40, 30), (20, 20, 10, 12)]  # the last one is too small to be used


def encoded(number, kind):
    pixels = np.random.default_rng(number).integers(0, 256, (10, 15, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).resize(SIZE).save(file, kind)
    return file.getvalue()


NAMES = [f"maksssksksss{number}" for number in range(6)]
PNGS, COPIES = ({name: encoded(number, kind) for number, name in enumerate(NAMES)} for kind in ("png", "jpeg"))


@pytest.fixture(autouse=True)
def collection(tmp_path, monkeypatch):
    """The tables of the made-up collection, a place for its faces, an empty cache, and no address that answers."""
    for name in [name for name in os.environ if name.startswith("MASKDET_") or "proxy" in name.lower()]:
        monkeypatch.delenv(name)
    faces = [
        [name, number, *box, "with_mask", "with_mask", "too small" if number == 2 else "", "", NAMES[0]]
        for name in NAMES
        for number, box in enumerate(BOXES)
    ]
    columns = ["photo", "face", "x", "y", "width", "height", "published", "label", "exclude", "remark", "group"]
    pd.DataFrame(faces, columns=columns).to_csv(tmp_path / "street.csv", index=False)
    files = [
        [name, *SIZE, len(PNGS[name]), *(hashlib.sha256(of[name]).hexdigest() for of in (PNGS, COPIES))]
        for name in NAMES
    ]
    columns = ["photo", "width", "height", "bytes", "sha256", "jpeg_sha256"]
    pd.DataFrame(files, columns=columns).to_csv(tmp_path / "street-files.csv", index=False)
    monkeypatch.setattr(street, "TABLE", str(tmp_path / "street.csv"))
    monkeypatch.setattr(street, "FILES", str(tmp_path / "street-files.csv"))
    monkeypatch.setattr(street, "FOLDER", str(tmp_path / "data" / "street"))
    monkeypatch.setattr(street, "URL", "http://127.0.0.1:9/")
    monkeypatch.setenv("MASKDET_CACHE", str(tmp_path / "cache"))
    return tmp_path / "data" / "street"


@pytest.fixture
def server(monkeypatch):
    """A server with the photos. It may lack some, and stop after `left` bytes of all photos together."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            server, name = self.server, self.path.strip("/").removesuffix(".png")
            start = int(self.headers.get("Range", "bytes=0-")[6:-1])
            server.asked.append((name, start))
            if name not in server.photos:
                self.send_error(404)
                return
            body = server.photos[name][start:]
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{start + len(body) - 1}/{start + len(body)}")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with server.lock:
                body = body[: server.left]
                server.left -= len(body)
            self.wfile.write(body)
            self.close_connection = True

        def log_message(self, *arguments):
            pass

    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running.photos, running.left, running.asked, running.lock = dict(PNGS), 10**9, [], threading.Lock()
    threading.Thread(target=running.serve_forever, daemon=True).start()
    monkeypatch.setattr(street, "URL", f"http://127.0.0.1:{running.server_port}/")
    yield running
    running.shutdown()
    running.server_close()


def write_photos(folder, contents, suffix=".png"):
    folder.mkdir(parents=True)
    for name, content in contents.items():
        (folder / f"{name}{suffix}").write_bytes(content)
    return folder


def files_in(folder):
    return {path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file()}


def is_whole(folder, names=tuple(NAMES)):
    crops = {f"crops/{name}_{number}.jpg" for name in names for number in (0, 1)}
    return files_in(folder) == {street.FACES, street.ABOUT, *crops}


def refusal(source=None):
    with pytest.raises(AssetError) as error:
        street.fetch(source)
    return str(error.value)


# What is kept


def test_each_crop_shows_the_face_with_its_own_size_around_it_where_the_table_says(server, collection):
    assert street.fetch() == collection and is_whole(collection)
    table = pd.read_csv(collection / street.FACES, keep_default_na=False).set_index("path")
    assert set(table["group"]) == {NAMES[0]} and set(table["label"]) == {"with_mask"}
    photo = np.asarray(Image.open(io.BytesIO(PNGS[NAMES[3]])))
    for number, (x, y, width, height) in enumerate(BOXES[:2]):
        row = table.loc[f"crops/{NAMES[3]}_{number}.jpg"]
        crop = photos.read_photo(collection / f"crops/{NAMES[3]}_{number}.jpg")
        left, top = max(0, x - width), max(0, y - height)
        assert crop.shape[:2] == (min(200, y + 2 * height) - top, min(300, x + 2 * width) - left)
        assert [row["x"], row["y"], row["width"], row["height"]] == [x - left, y - top, width, height]
        shown = crop[y - top : y - top + height, x - left : x - left + width]
        assert np.abs(shown.astype(int) - photo[y : y + height, x : x + width]).mean() < 3
    with Image.open(collection / f"crops/{NAMES[3]}_0.jpg") as image:
        assert {component[1:3] for component in image.layer} == {(1, 1)}, "full resolution of colors"


def test_a_large_crop_is_shrunk_and_its_box_too(server, collection, monkeypatch):
    monkeypatch.setattr(street, "MAX_SIDE", 60)
    row = pd.read_csv(street.fetch() / street.FACES).iloc[0]
    assert photos.read_photo(collection / row["path"]).shape[:2] == (60, 45)
    assert [row["x"], row["y"], row["width"], row["height"]] == [15, 20, 15, 20]


# From the network


def test_each_photo_is_downloaded_once(server, collection):
    street.fetch()
    street.fetch()
    assert sorted(server.asked) == [(name, 0) for name in NAMES]
    assert set(os.listdir(collection.parent)) == {"street", ".street.lock"}
    assert os.listdir(assets.cache_folder()) == [f".{street.NAME}.lock"]


def test_an_interrupted_download_resumes_in_the_middle_of_a_photo(server, collection):
    server.left = len(PNGS[NAMES[0]]) + len(PNGS[NAMES[1]]) + 2000
    message = refusal()
    assert "cut off after" in message and "photos are done and kept for the next attempt" in message
    assert not collection.exists()
    before, server.left = len(server.asked), 10**9
    assert is_whole(street.fetch())
    again = server.asked[before:]
    assert any(start > 0 for _, start in again), "only the rest of the photo that was cut off"
    assert len(again) < len(NAMES), "what was complete is not fetched again"


def test_a_killed_download_resumes(server, collection, monkeypatch):
    def killed(photo, box):
        if len(server.asked) > 3:
            raise KeyboardInterrupt
        return crop(photo, box)

    crop = street._crop
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(street, "_crop", killed)
        street.fetch()
    assert is_whole(street.fetch())


def test_a_damaged_photo_is_named_and_only_that_one_is_fetched_again(server, collection):
    server.photos[NAMES[2]] = b"damaged" + PNGS[NAMES[2]][7:]
    message = refusal()
    assert f"refused 1 of 6 photos, because they are not those of commit {street.COMMIT}: {NAMES[2]}.png." in message
    assert "Run the command again to download only these" in message and not collection.exists()
    server.photos, server.asked[:] = PNGS, []
    assert is_whole(street.fetch()) and server.asked == [(NAMES[2], 0)]


def test_a_missing_photo_is_named_and_the_others_are_used(server, collection, capsys, tmp_path):
    server.photos.pop(NAMES[4])
    assert is_whole(street.fetch(), (*NAMES[:4], NAMES[5]))
    assert f"Missing from the source, and so left out: {NAMES[4]}.png." in capsys.readouterr().err
    asked = len(server.asked)
    street.fetch()
    assert "left out" in capsys.readouterr().err and len(server.asked) == asked, "reported again, not asked for again"
    assert is_whole(street.fetch(write_photos(tmp_path / "rest", {NAMES[4]: PNGS[NAMES[4]]})))
    assert "left out" not in capsys.readouterr().err


@pytest.mark.parametrize("offline", [False, True])
def test_without_network_the_error_says_how_to_supply_it(collection, monkeypatch, capsys, offline):
    if offline:
        monkeypatch.setenv("MASKDET_OFFLINE", "1")
    assert cli.main(["fetch", "street"]) == 1
    message = capsys.readouterr().err
    for words in (
        street.URL,
        street.NAME,
        "MASKDET_ASSET_DIR",
        "maskdet fetch street --from FOLDER",
        "0 photos are done",
    ):
        assert words in message
    assert ("MASKDET_OFFLINE=1" in message) == offline and not collection.exists()


# From files on this machine


@pytest.mark.parametrize("way", ["unpacked", "its folder of images"])
def test_it_comes_from_a_folder(server, tmp_path, capsys, way):
    images = write_photos(tmp_path / street.NAME / "data" / "images", PNGS)
    source = tmp_path / street.NAME if way == "unpacked" else images
    before = files_in(source)
    assert is_whole(street.fetch(source)) and server.asked == []
    assert files_in(source) == before and capsys.readouterr().err.count("JPEG") == 0


def test_the_users_folder_comes_first(server, tmp_path, monkeypatch):
    write_photos(tmp_path / "assets" / street.NAME / "data" / "images", PNGS)
    monkeypatch.setenv("MASKDET_ASSET_DIR", str(tmp_path / "assets"))
    monkeypatch.setenv("MASKDET_OFFLINE", "1")
    assert is_whole(street.fetch()) and server.asked == []
    assert os.listdir(assets.cache_folder()) == [f".{street.NAME}.lock"]


def test_jpeg_copies_are_taken_only_when_given_and_it_says_so_each_time(tmp_path, monkeypatch, capsys, collection):
    copies = write_photos(tmp_path / "copies", COPIES, ".jpg")
    assert is_whole(street.fetch(copies))
    words = "6 photos were JPEG copies, not the published files"
    assert words in capsys.readouterr().err
    assert json.loads((collection / street.ABOUT).read_text())["jpeg_copies"] == 6
    street.fetch()
    assert words in capsys.readouterr().err

    shutil.rmtree(collection)
    write_photos(tmp_path / "assets" / street.NAME, COPIES, ".jpg")
    monkeypatch.setenv("MASKDET_ASSET_DIR", str(tmp_path / "assets"))
    assert "refused 6 of 6 photos" in refusal()
    (copies / f"{NAMES[1]}.jpg").write_bytes(encoded(1, "jpeg") + b"saved again")
    assert f"refused 1 of 6 photos, because they are not those of commit {street.COMMIT}: {NAMES[1]}.png." in refusal(
        copies
    )


def test_a_folder_without_its_photos_and_a_file_are_refused(tmp_path, collection):
    assert "contains no photo of the street collection. It should hold" in refusal(write_photos(tmp_path / "empty", {}))
    (tmp_path / "photos.zip").write_bytes(b"")
    assert f"{tmp_path / 'photos.zip'} is not a folder" in refusal(tmp_path / "photos.zip")
    assert not collection.exists() and os.listdir(assets.cache_folder()) == [f".{street.NAME}.lock"]


# What is there already


def test_a_damaged_crop_is_restored_and_the_users_own_files_stay(server, collection):
    street.fetch()
    (collection / f"crops/{NAMES[1]}_0.jpg").write_bytes(b"damaged")
    (collection / f"crops/{NAMES[2]}_1.jpg").unlink()
    (collection / "mine.txt").write_text("my own")
    server.asked.clear()
    street.fetch()
    assert (collection / "mine.txt").read_text() == "my own"
    (collection / "mine.txt").unlink()
    assert is_whole(collection) and sorted(server.asked) == [(NAMES[1], 0), (NAMES[2], 0)]


def test_a_new_audit_changes_the_table_without_the_network(server, collection):
    street.fetch()
    server.asked.clear()
    table = pd.read_csv(street.TABLE, keep_default_na=False)
    table.loc[0, "label"], table.loc[1, "exclude"] = "without_mask", "no face"
    table.to_csv(street.TABLE, index=False)
    faces = pd.read_csv(street.fetch() / street.FACES).set_index("path")
    assert faces.loc[f"crops/{NAMES[0]}_0.jpg", "label"] == "without_mask" and server.asked == []
    assert f"crops/{NAMES[0]}_1.jpg" not in files_in(collection) | set(faces.index)


def test_a_full_disk_is_noticed_before_and_while_fetching(server, collection, monkeypatch):
    street.fetch()
    (collection / f"crops/{NAMES[1]}_0.jpg").unlink()
    before = files_in(collection)

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
        assert "is full" in refusal() and "0 MB are free" in refusal()
    for where, name in ((street, "write_file"), (street, "download"), (Path, "write_bytes")):
        with monkeypatch.context() as patched:
            patched.setattr(where, name, full)
            assert "Free some space and run the command again. Nothing was changed." in refusal()
        assert files_in(collection) == before
    assert is_whole(street.fetch())


def test_the_command_fetches_it_only_when_asked_by_name(tmp_path, capsys, monkeypatch, collection):
    monkeypatch.setattr(assets, "ASSETS", {})
    source = write_photos(tmp_path / "images", PNGS)
    assert cli.main(["fetch"]) == 0 and not collection.exists()
    assert cli.main(["fetch", "--list"]) == 0 and street.CREDIT in capsys.readouterr().out
    assert cli.main(["fetch", "street", "--from", str(source)]) == 0
    assert is_whole(collection) and str(collection) in capsys.readouterr().out
    for names in ([], ["public", "street"]):
        assert cli.main(["fetch", *names, "--from", str(source)]) == 2
        assert "maskdet fetch street --from FOLDER" in capsys.readouterr().err


@pytest.mark.parametrize("name", [street.FACES, street.ABOUT])
@pytest.mark.parametrize("content", ["", "damaged", '{"commit": 1}', "[]"])
def test_a_damaged_table_is_made_again(server, collection, name, content):
    street.fetch()
    (collection / name).write_text(content)
    assert is_whole(street.fetch())
    assert len(pd.read_csv(collection / street.FACES)) == 12
