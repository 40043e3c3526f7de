"""Read marked faces: our own CSV, Pascal VOC (XML), YOLO (text), and COCO (JSON). The content says which one it is."""

import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np
import pandas as pd

from ..datasets import WORN_WRONG, DataError, read_csv
from ..layouts import read_names
from ..photos import sort_files

COLUMNS = ["path", "label", "x", "y", "width", "height"]
CORNERS = ["xmin", "ymin", "xmax", "ymax"]
EXPECTED = (
    f"a CSV file with the columns {', '.join(COLUMNS)}, a COCO file (JSON), or a folder with Pascal VOC files (XML) or "
    "YOLO files (text) in it"
)
YOLO_LINE = r"\d+(\s+[-+.\deE]+){4,}\s*"


class _Box(NamedTuple):
    """A marked face: its class and its box in pixels, or, from a YOLO file, in fractions of the photo."""

    label: str
    x: float
    y: float
    width: float
    height: float


@dataclass
class Annotations:
    """Marked faces.

    Attributes:
        root: The folder that the photos' paths are relative to.
        boxes: The marked faces (`Box`) of each photo, by its path. A photo may have none.
        in_fractions: Whether the boxes are in fractions of the photo instead of pixels.
        left_out: `path` and `reason` of photos and files that cannot be used.
        notes: Sentences about how the labels were read.
    """

    root: Path
    boxes: dict[str, list]
    in_fractions: bool = False
    left_out: list[dict] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, name: str, boxes: list, photos: list[Path]) -> None:
        """Add the boxes of the photo that is called `name` in a file, if just one photo can be meant."""
        if len(photos) == 1:
            self.boxes.setdefault(Path(os.path.relpath(photos[0], self.root)).as_posix(), []).extend(boxes)
        else:
            reason = f"{len(photos)} photos may be meant" if photos else f"no such photo in {self.root}"
            self.left_out.append({"path": name, "reason": reason})

    def of_photo(self, name: str, shape) -> tuple[np.ndarray, list[str]]:
        """The boxes of a photo in pixels, `(n, 4)`, and their labels. For `shape`, see `numpy.ndarray.shape`."""
        boxes = np.array([box[1:] for box in self.boxes[name]], float).reshape(-1, 4)
        scale = (shape[1], shape[0], shape[1], shape[0]) if self.in_fractions else 1
        return boxes * scale, [box.label for box in self.boxes[name]]


def read_annotations(source: str | Path, folder: str | Path, classes) -> Annotations:
    """Read marked faces from a file or a folder of files.

    Args:
        source: One of the things in `EXPECTED`.
        folder: The folder of the photos. The paths in a CSV are relative to the CSV's folder instead. The other formats
            often name photos without their folders, or with another extension, so those photos are looked for by name.
        classes: The classifier's classes. Labels in other spellings are read as these where there is one way to do so.

    Returns:
        The boxes by photo, see `Annotations`.

    Raises:
        DataError: Something is not as expected. The message names the file and the line.
    """
    source, folder = Path(source), Path(folder)
    if not source.exists():
        raise DataError(f"{source} does not exist. Give {EXPECTED}.")
    # A named pipe would be waited for.
    files = [file for file in sort_files(source)[1] if file.is_file()] if source.is_dir() else [source]
    of_kind = {kind: [file for file in files if _kind(file) == kind] for kind in READERS}
    found = [kind for kind in READERS if of_kind[kind]]
    if not found and source.is_file():
        found, of_kind["csv"] = ["csv"], [source]  # its error says which columns are missing
    several = [file for kind in found for file in of_kind[kind][:2] if len(found) > 1 or kind in ("csv", "coco")]
    if not found or len(several) > 1:
        names = ", ".join(file.name for file in several) or "no annotations"
        raise DataError(f"{source} holds {names}. Give one of these: {EXPECTED}.")
    marked = READERS[found[0]](of_kind[found[0]], files, folder)
    _read_labels(source, marked, classes)
    return marked


def _kind(file: Path) -> str | None:
    """The format of a file by its content: a key of `READERS`, or None."""
    with file.open("rb") as opened:
        start = opened.read(1000).removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith((b"{", b"[")):
        return "coco"
    if start.startswith(b"<"):
        return "voc"
    if re.match(YOLO_LINE, start.partition(b"\n")[0].decode(errors="replace")):
        return "yolo"
    return "csv" if file.suffix.lower() == ".csv" else None


def _read_labels(source: Path, marked: Annotations, classes) -> None:
    """Give all boxes the classifier's names for their classes."""
    expected = list(dict.fromkeys([*classes, WORN_WRONG]))
    names = sorted({box.label for boxes in marked.boxes.values() for box in boxes})
    labels, marked.notes = read_names(names, expected, end="")
    meaning = dict(zip(names, labels, strict=True))
    for name, boxes in marked.boxes.items():
        marked.boxes[name] = [box._replace(label=meaning[box.label]) for box in boxes]
    counts = pd.Series([box.label for boxes in marked.boxes.values() for box in boxes], dtype=object).value_counts()
    if not marked.boxes:
        said = [f" {missing['path']}: {missing['reason']}." for missing in marked.left_out[:1]]
        raise DataError(f"{source} names no photo that could be found.{''.join(said)}")
    if not any(label in counts for label in classes):
        only = ", ".join(counts.index) or "nothing"
        raise DataError(
            " ".join([f"{source} marks no faces as {' or '.join(classes)}, only as {only}.", *marked.notes])
        )
    neutral = [f"{label} ({count})" for label, count in counts.items() if label not in classes]
    if neutral:
        marked.notes.append(
            f"The classifier does not know these labels, so their boxes are ignored: {', '.join(neutral)}."
        )


def _numbers(texts) -> list[float]:
    """The numbers in texts, with a comma or a point before the decimals. All of them are -1 if one is no pixel's."""
    try:
        numbers = [float(str(text).replace(",", ".")) for text in texts]
    except ValueError:
        numbers = [float("nan")]
    return numbers if all(abs(number) < 1e6 for number in numbers) else [-1.0] * len(texts)  # inf and NaN are not


def _wrong(file: Path, line: int, expected: str, found) -> DataError:
    return DataError(f"{file}, line {line}: expected {expected}, but found {str(found).strip()[:80]!r}.")


def _read_csv(files: list[Path], _, folder: Path) -> Annotations:
    file = files[0]
    table = read_csv(file, skip_blank_lines=False, dtype=str)
    missing = [name for name in COLUMNS if name not in table]
    if missing:
        raise DataError(f"{file} lacks the columns {', '.join(missing)}. It has {', '.join(map(str, table.columns))}.")
    boxes: dict[str, list[_Box]] = {}
    for line, row in enumerate(table[COLUMNS].to_numpy(), start=2):
        if pd.isna(row).all():
            continue
        numbers = _numbers(row[2:])
        if pd.isna(row[0]) or min(numbers[2:]) <= 0:
            shown = ", ".join("" if pd.isna(cell) else str(cell) for cell in row)
            raise _wrong(file, line, "a path, a label, x, y, and a width and height above 0", shown)
        name = Path(os.path.normpath(row[0])).as_posix()
        boxes.setdefault(name, []).append(_Box(str(row[1]).strip(), *numbers))
    return Annotations(file.parent, boxes)


def _read_voc(files: list[Path], everything: list[Path], folder: Path) -> Annotations:
    marked, photos_of = Annotations(folder, {}), _finder(folder)
    others = (file for file in everything if file.suffix.lower() == ".xml" and file not in files)
    marked.left_out += [{"path": file.name, "reason": "not XML"} for file in others]
    for file in files:
        text = file.read_bytes()
        try:
            root = ElementTree.fromstring(text)
        except ElementTree.ParseError as error:
            raise DataError(f"{file}, line {error.position[0]}: this is not valid XML ({error}).") from None
        except (ValueError, LookupError) as error:  # an unknown encoding
            raise DataError(f"{file} is not valid XML ({error}).") from None
        if root.tag != "annotation":
            raise _wrong(file, 1, "<annotation>, as in Pascal VOC", f"<{root.tag}>")
        lines = [number for number, line in enumerate(text.splitlines(), 1) for _ in range(line.count(b"<object>"))]
        boxes = []
        for number, element in enumerate(root.findall("object")):
            label, *corners = (element.findtext(tag) for tag in ("name", *(f"bndbox/{name}" for name in CORNERS)))
            left, top, right, bottom = _numbers(corners)
            if not label or not (left < right and top < bottom):
                found = ", ".join(
                    f"{name} {value}" for name, value in zip(["name", *CORNERS], [label, *corners], strict=True)
                )
                line = lines[number] if number < len(lines) else 1
                raise _wrong(file, line, "an object with a name and a bndbox with xmin < xmax and ymin < ymax", found)
            boxes.append(_Box(label.strip(), left, top, right - left, bottom - top))
        name = root.findtext("filename") or file.stem
        marked.add(name, boxes, photos_of(name) or photos_of(file.name))
    return marked


def _read_yolo(files: list[Path], texts: list[Path], folder: Path) -> Annotations:
    marked, photos_of = Annotations(folder, {}, in_fractions=True), _finder(folder)
    names = _yolo_names(files[0], folder)
    wanted = "a class number and x_center, y_center, width, height as fractions of the photo"
    # An empty file belongs to a photo without faces. One whose first line is wrong has to be named, too.
    for file in sorted({*files, *(text for text in texts if text.suffix == ".txt" and photos_of(str(text)))}):
        boxes = []
        for number, line in enumerate(file.read_text(encoding="utf-8-sig", errors="replace").splitlines(), 1):
            if not line.strip():
                continue
            cells = _numbers(line.split())
            if len(cells) not in (5, 6) or max(cells[1:5]) > 1 or min(cells[1:5]) < 0 or min(cells[3:5]) == 0:
                raise _wrong(file, number, wanted, line)
            if cells[0] not in range(len(names)):
                raise _wrong(file, number, f"a class number from 0 to {len(names) - 1} ({', '.join(names)})", line)
            x, y, width, height = cells[1:5]
            boxes.append(_Box(names[int(cells[0])], x - width / 2, y - height / 2, width, height))
        marked.add(file.name, boxes, photos_of(str(file)))
    return marked


def _yolo_names(file: Path, folder: Path) -> list[str]:
    """The names of the classes, from a `classes.txt`, a `.names` file, or a YAML file above the annotations or photos."""
    import yaml

    for place in dict.fromkeys([*list(file.absolute().parents)[:3], folder.absolute(), folder.absolute().parent]):
        for found in (*place.glob("classes.txt"), *place.glob("*.names")):
            text = found.read_text(encoding="utf-8-sig", errors="replace")
            return [line.strip() for line in text.splitlines() if line.strip()]
        for found in sorted((*place.glob("*.yaml"), *place.glob("*.yml"))):
            try:
                content = yaml.safe_load(found.read_text(encoding="utf-8-sig"))
                names = content.get("names") if isinstance(content, dict) else None
                if isinstance(names, dict):  # from numbers to names
                    names = [names[number] for number in sorted(names, key=int)]
            except (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
                raise DataError(f"{found} should name the classes, but it is not valid YAML.") from None
            if names and isinstance(names, list):
                return list(map(str, names))
    raise DataError(
        f"{file.parent} holds YOLO files with class numbers, but nothing says what the numbers mean. Put a classes.txt "
        "with one class per line next to them."
    )


def _read_coco(files: list[Path], _, folder: Path) -> Annotations:
    file = files[0]
    marked, photos_of = Annotations(folder, {}), _finder(folder)
    try:
        content = json.loads(file.read_text(encoding="utf-8-sig"))
        names = {one["id"]: str(one["name"]) for one in content["categories"]}
        boxes: dict = {one["id"]: [] for one in content["images"]}
        file_names = {one["id"]: str(one["file_name"]) for one in content["images"]}
        faces = list(content["annotations"])
    except json.JSONDecodeError as error:
        raise DataError(f"{file}, line {error.lineno}: this is not valid JSON ({error.msg}).") from None
    except (ValueError, RecursionError):
        raise DataError(f"{file} is not valid JSON in UTF-8.") from None
    except (LookupError, TypeError):
        raise DataError(f"{file} needs the lists images, annotations, and categories of a COCO file.") from None
    for number, face in enumerate(faces):
        try:
            x, y, width, height = _numbers(face["bbox"])
            boxes[face["image_id"]].append(_Box(names[face["category_id"]], x, y, width, height))
        except (KeyError, TypeError, ValueError):
            width = height = 0
        if min(width, height) <= 0:
            raise DataError(
                f"{file}, annotations[{number}]: expected a bbox of x, y, width, and height, and the ids of an image and "
                f"a category in this file, but found {json.dumps(face)[:120]}."
            )
    for number, name in file_names.items():
        marked.add(name, boxes[number], photos_of(name))
    return marked


READERS = {"voc": _read_voc, "coco": _read_coco, "yolo": _read_yolo, "csv": _read_csv}


def _finder(folder: Path):
    """Return a function that finds the photos that a name in a file may mean.

    The folders in the name may be missing or different here, and so may its extension. If several photos have the name,
    the ones whose folders agree best count. If the name leaves no doubt, this is one photo.
    """
    by_stem: dict[str, list[Path]] = {}
    for path in sort_files(folder)[0]:
        by_stem.setdefault(path.stem, []).append(path)

    def photos_of(name: str) -> list[Path]:
        wanted = PurePosixPath(name.replace("\\", "/"))
        same = by_stem.get(wanted.stem, [])
        same = [path for path in same if path.name == wanted.name] or same
        common = [len(os.path.commonprefix([path.parent.parts[::-1], wanted.parent.parts[::-1]])) for path in same]
        return [path for path, count in zip(same, common, strict=True) if count == max(common)]

    return photos_of
