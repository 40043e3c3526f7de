"""The street collection: fetch its photos one by one from a copy on GitHub, verify each, and keep only the faces.

`data/street.csv` lists the faces and what the audit (`tools/audit_street.py`) found out about them, and
`data/street-files.csv` lists the photos. No photo is kept, only a crop of each face that training uses.
"""

import contextlib
import errno
import functools
import hashlib
import io
import json
import os
import shutil
import sys
import tempfile
import urllib.error
from pathlib import Path

import cv2
import pandas as pd

from .assets import AssetError
from .boxes import clip_box, crop_face
from .downloads import BadSource, bytes_of, check_disk, disk_full, download, keep_added_files, shorten
from .paths import cache_folder, new_folder, one_at_a_time, remove_leftovers, resolve, write_file
from .photos import read_ahead, read_photo

COMMIT = "c5d6b886a9409a93d3b52387d562fdb38546eecf"
NAME = f"mask-detection-dataset-{COMMIT}"  # GitHub's name for the folder
URL = f"https://raw.githubusercontent.com/iAmEthanMai/mask-detection-dataset/{COMMIT}/data/images/"
CREDIT = "853 street photos with 4,072 faces. Face Mask Detection (Larxel on Kaggle, 2020; CC0)"
FOLDER = "data/street"
TABLE, FILES = "data/street.csv", "data/street-files.csv"
FACES, ABOUT = "faces.csv", "about.json"  # in the folder
MARGIN = 1.0  # what a crop shows on each side of a face, in box sizes: enough to cut it out again, shifted and turned
# A face fills a third of its crop. With a quarter of its size on each side, as the classifier sees it, it still has
# 224 pixels, the largest input of the network that we use.
MAX_SIDE = 448
NEEDED = 60_000_000  # bytes of free disk


def read_table() -> pd.DataFrame:
    """Read the faces with everything that the audit found.

    Returns:
        One row per face, in the order of the annotations, with the columns:

        - `photo`: the photo's name without its ending.
        - `face`: the number of the face in the photo's annotations, from 0.
        - `x`, `y`, `width`, `height`: the box in pixels of the photo.
        - `published`: the label as published.
        - `label`: the label after the audit: "with_mask", "without_mask", or "worn_incorrectly".
        - `exclude`: why the face is not used, or "".
        - `remark`: what somebody saw, or "".
        - `group`: photos of the same scene, or of the same person, have the same group.
    """
    return pd.read_csv(resolve(TABLE), keep_default_na=False)


def read_files() -> pd.DataFrame:
    """Read the list of photos.

    Returns:
        One row per photo: `photo` (its name without its ending), `width` and `height` in pixels, `bytes` and `sha256` of
        the published PNG file, and `jpeg_sha256` of a JPEG copy that we used during development.
    """
    return pd.read_csv(resolve(FILES))


def fetch(source: str | Path | None = None, folder: str | Path | None = None) -> Path:
    """Fetch the photos whose faces are not on this machine yet, and return the folder of the street faces.

    Each photo is verified and cut up as soon as it arrives. So an interrupted call loses nothing, and the next one
    resumes. The folder is put in place in one step. If the source lacks some photos, a message on standard error says
    which.

    Args:
        source: A folder with the photos: the unpacked repository, or `data/images/` in it. A folder of JPEG copies is
            used, too, if they are exactly ours (`jpeg_sha256`). Without it, the function looks for the repository in
            `MASKDET_ASSET_DIR`, then downloads each photo from GitHub.
        folder: Where to put the faces. Without it, `data/street`.

    Returns:
        The folder, which contains `crops/` and `faces.csv`: `path`, `label`, `photo`, `group`, `remark`, and the box of
        the face in its crop (`x`, `y`, `width`, `height`, in pixels).

    Raises:
        AssetError: Some photos could not be fetched, or failed verification. The folder is left unchanged.
    """
    folder = resolve(folder or FOLDER)
    folder.parent.mkdir(parents=True, exist_ok=True)
    cut = cache_folder() / NAME  # crops and parts of photos of a download that is not complete yet
    with one_at_a_time(folder), one_at_a_time(cut):
        remove_leftovers(folder)
        try:
            about = _fetch(source, folder, cut)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise AssetError(disk_full(folder.parent, str(error))) from None
        _report(about)
        return folder


def _fetch(source, folder: Path, cut: Path) -> dict:
    faces, (about, listed) = _faces(), _state(folder)
    known = {path for path, sha256 in listed.items() if _sha256(bytes_of(folder / path) or b"") == sha256}
    missing = faces[~faces["path"].isin(known)]
    if source is None and about and set(missing["photo"]) <= set(about["absent"]):
        _install(folder, cut, faces, known, about)  # the labels may have changed since
        return about
    check_disk(folder.parent, NEEDED)
    given = Path(source).expanduser() if source is not None else _in_asset_dir()
    if given and not given.is_dir():
        raise BadSource(f"{given} is not a folder. {_ADVICE}")
    # What comes from a folder never mixes with a download.
    with tempfile.TemporaryDirectory(dir=cut.parent) if given else contextlib.nullcontext(cut) as place:
        absent, copies = _cut_photos(missing, given, Path(place), takes_copies=source is not None)
        if absent and not known and len(absent) == missing["photo"].nunique():
            raise BadSource(f"{given or URL} contains no photo of the street collection. {_ADVICE}")
        copies += about.get("jpeg_copies", 0) if known else 0
        about = {"commit": COMMIT, "absent": absent, "jpeg_copies": copies}
        _install(folder, Path(place), faces, known, about)
    if not given:
        shutil.rmtree(cut)  # everything in it is in the folder now
    return about


def _faces() -> pd.DataFrame:
    """The faces that are used, as in `faces.csv`, and in the column `box` the box in the photo."""
    table = read_table()
    table = table[table["exclude"] == ""].merge(read_files(), on="photo", suffixes=("", "_of_photo"))
    rows = []
    for one in table.itertuples():
        box = one.x, one.y, one.width, one.height
        left, top, *size = clip_box(_widened(box), (one.height_of_photo, one.width_of_photo))
        scale = min(1, MAX_SIDE / max(size))
        inside = (round(scale * value, 1) for value in (one.x - left, one.y - top, one.width, one.height))
        rows.append([f"crops/{one.photo}_{one.face}.jpg", one.label, one.photo, one.group, one.remark, *inside, box])
    return pd.DataFrame(rows, columns=["path", "label", "photo", "group", "remark", "x", "y", "width", "height", "box"])


def _widened(box) -> tuple:
    x, y, width, height = box
    return x - MARGIN * width, y - MARGIN * height, (1 + 2 * MARGIN) * width, (1 + 2 * MARGIN) * height


def _state(folder: Path) -> tuple[dict, dict[str, str]]:
    """Where the folder's photos came from, and the SHA-256 of each crop. Both are empty if `fetch` did not make it."""
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        table = pd.read_csv(folder / FACES)
        if about["commit"] == COMMIT and {"absent", "jpeg_copies"} <= set(about):
            return about, dict(zip(table["path"], table["sha256"], strict=True))
    except (OSError, ValueError, LookupError, TypeError):
        pass
    return {}, {}


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _report(about: dict) -> None:
    if about["absent"]:
        names = shorten([f"{name}.png" for name in about["absent"]])
        print(f"Missing from the source, and so left out: {names}.", file=sys.stderr)
    if about["jpeg_copies"]:
        print(
            f"{about['jpeg_copies']:,} photos were JPEG copies, not the published files. To get those, remove the folder "
            "and run the command again without --from.",
            file=sys.stderr,
        )


# Where the photos come from


_ADVICE = (
    f"It should hold the photos maksssksksss0.png, maksssksksss1.png, … of commit {COMMIT} of "
    "github.com/iAmEthanMai/mask-detection-dataset (in data/images/)."
)


def _in_asset_dir() -> Path | None:
    folder = os.environ.get("MASKDET_ASSET_DIR")
    return Path(folder) / NAME if folder and (Path(folder) / NAME).is_dir() else None


def _from_folder(folder: Path, photo: str) -> bytes | None:
    places = (folder / "data" / "images" / f"{photo}.png", folder / f"{photo}.png", folder / f"{photo}.jpg")
    return next((content for content in map(bytes_of, places) if content is not None), None)


def _from_network(cut: Path, photo: str) -> bytes | None:
    partial = cut / f"{photo}.png.part"
    try:
        download(f"{URL}{photo}.png", partial, quiet=True)
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        raise
    content = partial.read_bytes()
    partial.unlink()
    return content


def _explain(problem: str, kept: int) -> str:
    folder = os.environ.get("MASKDET_ASSET_DIR")
    looked = f"{folder} (MASKDET_ASSET_DIR): contains no folder {NAME}" if folder else "MASKDET_ASSET_DIR: not set"
    return (
        f"The street collection ({CREDIT}) could not be fetched. Tried:\n  - {looked}\n  - {URL}: {problem}\n"
        f"{kept:,} photos are done and kept for the next attempt. To supply the collection yourself, download\n"
        f"https://github.com/iAmEthanMai/mask-detection-dataset/archive/{COMMIT}.zip\n"
        f"on a machine with network access, and unpack it. Put the folder {NAME} in the\n"
        "folder that MASKDET_ASSET_DIR names, or run: maskdet fetch street --from FOLDER"
    )


# From photos to crops


def _cut_photos(faces: pd.DataFrame, given: Path | None, cut: Path, takes_copies: bool) -> tuple[list[str], int]:
    """Verify each photo that is still needed, and save the crops of its faces in the folder `cut`.

    Returns:
        The photos that the source lacks, and how many photos were JPEG copies.
    """
    from tqdm.auto import tqdm

    files, absent, changed, copies = read_files().set_index("photo"), [], [], 0
    by_photo = dict(iter(faces.groupby("photo")))
    todo = [name for name, rows in by_photo.items() if not all((cut / path).is_file() for path in rows["path"])]
    if todo and not given and os.environ.get("MASKDET_OFFLINE") == "1":
        raise AssetError(_explain("skipped because MASKDET_OFFLINE=1", len(by_photo) - len(todo)))
    cut.mkdir(exist_ok=True)
    read = functools.partial(_from_folder, given) if given else functools.partial(_from_network, cut)
    done = len(by_photo) - len(todo)
    try:
        for photo, content in tqdm(read_ahead(read, todo, 4), "street photos", len(todo), leave=False, unit="photo"):
            done += 1
            if content is None:
                absent.append(photo)
                continue
            is_copy = takes_copies and _sha256(content) == files["jpeg_sha256"][photo]
            if not is_copy and _sha256(content) != files["sha256"][photo]:
                changed.append(f"{photo}.png")
                continue
            copies += is_copy
            pixels = read_photo(io.BytesIO(content))
            for one in by_photo[photo].itertuples():
                write_file(cut / one.path, _crop(pixels, one.box))
    except OSError as error:
        if given or error.errno == errno.ENOSPC:
            raise
        raise AssetError(_explain(str(error), done - len(absent) - len(changed))) from None
    if changed:
        raise BadSource(
            f"{given or URL}: refused {len(changed):,} of {len(by_photo):,} photos, because they are not those of commit "
            f"{COMMIT}: {shorten(changed)}. " + (_ADVICE if given else "Run the command again to download only these.")
        )
    return absent, copies


def _crop(photo, box) -> bytes:
    crop = crop_face(photo, box, MARGIN)
    scale = min(1, MAX_SIDE / max(crop.shape[:2]))
    if scale < 1:
        crop = cv2.resize(crop, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    options = [cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    return cv2.imencode(".jpg", crop[..., ::-1], options)[1].tobytes()


def _install(folder: Path, cut: Path, faces: pd.DataFrame, known: set[str], about: dict) -> None:
    """Put the crops and their table in place in one step, unless all is there already."""
    faces = faces[~faces["photo"].isin(about["absent"]) | faces["path"].isin(known)].drop(columns="box")
    contents = {path: ((folder if path in known else cut) / path).read_bytes() for path in faces["path"]}
    table = faces.assign(sha256=[_sha256(content) for content in contents.values()]).to_csv(index=False).encode()
    contents |= {FACES: table, ABOUT: json.dumps(about, indent=1).encode()}
    if all(path in known or bytes_of(folder / path) == content for path, content in contents.items()):
        return
    with new_folder(folder) as staging:
        (staging / "crops").mkdir()
        for path, content in contents.items():
            (staging / path).write_bytes(content)
        keep_added_files(folder, staging, {*contents, *_state(folder)[1]})
