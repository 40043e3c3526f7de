"""Write a classifier as a web page: the work of `maskdet export-web`."""

import glob
import hashlib
import json
import os
import tarfile
from pathlib import Path

import numpy as np

from .. import __version__, assets
from ..classifier import CLASSIFIER, RELEASED, ClassifierError, LiteNetwork, at_threshold, load_classifier
from ..export import convert
from ..paths import new_folder, one_at_a_time, remove_leftovers, resolve
from ..photos import fit_to_input, read_photo

MARK = "maskdet-web.json"  # says which files in the folder are ours
MOST_DIFFERENCE = 0.05  # of a probability, between the exported file and the run's own
HERE = Path(__file__).parent
# File in the folder → asset and path in its archive. Browsers without relaxed SIMD (Safari) load the two "compat" files.
RUNTIME = {"runtime/litert.js": ("litert_js", "package/dist/index.js")} | {
    f"runtime/{name}": ("litert_js", f"package/wasm/{name}")
    for part in ("litert_wasm_internal", "litert_wasm_compat_internal")
    for name in (f"{part}.js", f"{part}.wasm")
}
RUNTIME["runtime/wasm-utils.js"] = "litert_js_utils", "package/dist/index.js"


def export_web(out: str | Path, model: str | Path | None = None) -> dict:
    """Write a folder of static files: a web page that finds faces and classifies them in the visitor's own browser.

    The folder replaces an earlier one that this function wrote. It is complete or not there at all.

    Args:
        out: The folder to write, absolute or relative to the current folder.
        model: A run folder or a classifier's file (see `load_classifier`), relative to the repository's root or
            absolute. By default, the released classifier.

    Returns:
        `bytes`, the size of the folder; `precision`, how the classifier's weights are stored: "float16" or "as in the
        run"; and `difference`, the largest difference between its probabilities and those of the run's own
        file, on pieces of the sample picture.

    Raises:
        ClassifierError: The classifier is missing or damaged.
        AssetError: The runtime or the face detector could not be fetched.
        ValueError: `out` holds something that this function did not write.

    Introduced in notebook 09.
    """
    out = Path(out).resolve()
    check_ours(out)
    _check_neighbors(out)
    files, summary = contents(RELEASED if model is None else resolve(model))
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    mark = json.dumps({"version": __version__, "files": hashes}, indent=1).encode()
    files = {MARK: mark, **files}  # the mark comes first, so that even half a folder says that it is ours
    out.parent.mkdir(parents=True, exist_ok=True)
    with one_at_a_time(out):
        remove_leftovers(out)
        check_ours(out)
        with new_folder(out) as staging:
            for name, content in files.items():
                path = staging / name
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(content)
            check_ours(staging)
    return {"bytes": sum(map(len, files.values())), **summary}


def check_ours(folder: Path) -> None:
    """Raise `ValueError` if a folder holds anything but what `export_web` wrote, or if a file has changed since."""
    refusal = f"{folder} holds %s, which maskdet export-web did not write. To protect it, choose another folder."
    if not os.path.lexists(folder):
        return
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder. Choose another name.")
    hashes: dict = {}
    for path in sorted(folder.rglob("*"), key=lambda path: (path != folder / MARK, path)):
        name = path.relative_to(folder).as_posix()
        if path.name in (".DS_Store", "Thumbs.db", "desktop.ini"):  # from looking at the folder
            continue
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise ValueError(refusal % name)
        if name == MARK:
            try:
                hashes = dict(json.loads(path.read_bytes())["files"])
                hashes["classifier.json"]  # or it is not our mark
            except (ValueError, LookupError, TypeError, RecursionError, OSError):
                raise ValueError(refusal % f"a {MARK}") from None
        elif path.is_file() and hashes.get(name) != assets.digest(path):
            raise ValueError(refusal % (f"a changed {name}" if name in hashes else name))


def _check_neighbors(out: Path) -> None:
    """Raise `ValueError` if a name that is needed beside the folder, for its lock and its old version, is taken."""
    for path in sorted(out.parent.glob(f".{glob.escape(out.name)}.*")):
        is_needed = "." not in path.name.removeprefix(f".{out.name}.")
        is_empty = not (any(path.iterdir()) if path.is_dir() else path.stat().st_size)
        if is_needed and not is_empty and not (path / MARK).is_file():
            raise ValueError(f"{path} is in the way. To protect it, choose another name for {out.name}.")


def contents(model: Path) -> tuple[dict[str, bytes], dict]:
    """Make everything that goes into the folder, except its mark.

    Returns:
        {path in the folder: content}, and what `export_web` reports about the classifier.
    """
    from ..plots import CREDIT

    classifier, config = load_classifier(model)
    network, summary = _network(model, classifier, config)
    about = {name: config.get(name) for name in ("input_size", "crop_margin", "threshold", "unsure")}
    about |= {
        "name": "released" if model == RELEASED else (model if model.is_dir() else model.parent).name,
        "classes": config["classes"],
        "mask_class": None if config["mask_class"] is None else 0,
        "outputs": classifier.order,  # of the network, one for each class
        "input_range": [0, 255],
        "sample_credit": CREDIT,
    }
    files = {path.name: path.read_bytes() for path in sorted((HERE / "page").iterdir())}
    files["labels.js"] = (HERE.parent / "live" / "labels.js").read_bytes()  # the camera panel draws with it, too
    files |= {f"licenses/{path.name}": path.read_bytes() for path in sorted((HERE / "licenses").iterdir())}
    files["classifier.json"] = (json.dumps(about, indent=2) + "\n").encode()
    files["models/classifier.tflite"] = network
    files["models/faces.tflite"] = assets.fetch("blazeface").read_bytes()
    for name, (asset, member) in RUNTIME.items():
        with tarfile.open(assets.fetch(asset)) as archive:
            files[name] = archive.extractfile(member).read()
    for name in ("runtime/litert.js", "runtime/wasm-utils.js"):
        # A browser does not know packages by name, and it would ask for the source map, which is not there.
        script = files[name].replace(b'"@litertjs/wasm-utils"', b'"./wasm-utils.js"')
        files[name] = script.split(b"//# sourceMappingURL")[0]
    return files, summary


def _network(model: Path, classifier, config: dict) -> tuple[bytes, dict]:
    """Return the classifier in a form that LiteRT.js runs, and what `export_web` reports about it.

    16-bit weights reach a phone in half the time. 8-bit weights would be faster still, but they changed the labels
    of 15 of 1,000 street faces; 16-bit weights changed none. (The released classifier has 8 bits, and its
    scores were measured with them.)
    """
    lite = model / CLASSIFIER if model.is_dir() else model
    whole = lite.with_suffix(".keras")
    crops = _crops(config["input_size"])
    expected = classifier(crops)
    makers = {}
    if whole.is_file() and model.suffix != ".tflite":
        makers["float16"] = lambda: convert(load_classifier(whole)[0].network, half=True)
    if lite.suffix == ".tflite":
        makers["as in the run"] = lite.read_bytes
    for precision, make in makers.items():
        content = fixed_batch(make())
        network = LiteNetwork(content)
        answers = np.concatenate([network(crop[np.newaxis]) for crop in crops])[:, classifier.order]
        difference = float(np.abs(answers - expected).max())
        labels = [at_threshold(each, config["threshold"]).argmax(axis=1) for each in (answers, expected)]
        if np.array_equal(*labels) and difference < MOST_DIFFERENCE:
            return content, {"precision": precision, "difference": difference}
    raise ClassifierError(f"{model} cannot be exported: for single pictures, the exported file answers differently.")


def _crops(size: int, count: int = 40) -> np.ndarray:
    """Cut pieces of all sizes out of the page's sample picture, float32 `(count, size, size, 3)`."""
    picture, rng = read_photo(HERE / "page" / "sample.jpg"), np.random.default_rng(0)
    crops = []
    for side in np.geomspace(32, min(picture.shape[:2]), count).astype(int):
        y, x = (rng.integers(0, most - side + 1) for most in picture.shape[:2])
        crops.append(fit_to_input(picture[y : y + side, x : x + side], size))
    return np.stack(crops).astype(np.float32)


def fixed_batch(content: bytes) -> bytes:
    """Make a LiteRT network take one picture at a time: LiteRT.js cannot run one that takes any number.

    In such a file, each tensor has a shape for one picture and, as its "signature", the same shape with -1 for the
    number of pictures. The signatures are overwritten with the shapes.
    """
    from ai_edge_litert import schema_py_generated as schema

    changed = bytearray(content)
    network = schema.Model.GetRootAs(changed)
    for graph in map(network.Subgraphs, range(network.SubgraphsLength())):
        for tensor in map(graph.Tensors, range(graph.TensorsLength())):
            if tensor.ShapeSignatureLength():
                tensor.ShapeSignatureAsNumpy()[:] = tensor.ShapeAsNumpy()
    return bytes(changed)
