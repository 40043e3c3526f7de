"""Marked faces in the four formats that people have, and the errors for files that are not as they should be."""

import json

import numpy as np
import pytest
from PIL import Image

from maskdet_utils.datasets import DataError
from maskdet_utils.evaluate.annotations import read_annotations

CLASSES = ["with_mask", "without_mask"]
# Photo → (label, box in pixels). All photos have 200 × 100 pixels.
FACES = {
    "a": [("with_mask", (10, 20, 40, 30)), ("without_mask", (100, 50, 20, 20))],
    "b": [("worn_incorrectly", (0, 0, 50, 50))],
    "c": [],
}


@pytest.fixture
def folder(tmp_path):
    """A folder with the photos `images/a.jpg`, `images/b.jpg`, and `images/c.jpg`."""
    for name in FACES:
        (tmp_path / "images").mkdir(exist_ok=True)
        Image.new("RGB", (200, 100)).save(tmp_path / "images" / f"{name}.jpg")
    return tmp_path


def voc(name, faces, corners=lambda x, y, width, height: (x, y, x + width, y + height)):
    def element(label, box):
        inner = "".join(
            f"<{tag}>{n}</{tag}>\n" for tag, n in zip(("xmin", "ymin", "xmax", "ymax"), corners(*box), strict=True)
        )
        return f"<object>\n<name>{label}</name>\n<bndbox>\n{inner}</bndbox>\n</object>\n"

    return f"<annotation>\n<filename>{name}</filename>\n{''.join(element(*face) for face in faces)}</annotation>\n"


def write_voc(folder):
    (folder / "annotations").mkdir()
    for name, faces in FACES.items():  # the extension is another one than the photo's, as in a well-known collection
        (folder / "annotations" / f"{name}.xml").write_text(voc(f"{name}.png", faces))
    return folder / "annotations"


def write_yolo(folder):
    (folder / "labels").mkdir()
    (folder / "labels" / "classes.txt").write_text("with_mask\nwithout_mask\nworn_incorrectly\n")
    for name, faces in FACES.items():
        lines = [
            f"{[*CLASSES, 'worn_incorrectly'].index(label)} {(x + w / 2) / 200} {(y + h / 2) / 100} {w / 200} {h / 100}"
            for label, (x, y, w, h) in faces
        ]
        (folder / "labels" / f"{name}.txt").write_text("\n".join(lines))
    return folder / "labels"


def coco():
    labels = [*CLASSES, "worn_incorrectly"]
    return {
        "images": [{"id": name, "file_name": f"some\\where/{name}.jpg"} for name in FACES],
        "categories": [{"id": number, "name": label} for number, label in enumerate(labels, 7)],
        "annotations": [
            {"image_id": name, "category_id": labels.index(label) + 7, "bbox": box}
            for name, faces in FACES.items()
            for label, box in faces
        ],
    }


def write_coco(folder, content=None):
    (folder / "marked.json").write_text(json.dumps(content or coco()))
    return folder / "marked.json"


HEAD = "path,label,x,y,width,height"


def write_csv(folder, text=None):
    rows = [f"images/{name}.jpg,{label},{','.join(map(str, box))}" for name in FACES for label, box in FACES[name]]
    (folder / "marked.csv").write_text(text or "\n".join([HEAD, *rows]))
    return folder / "marked.csv"


def pixels(marked):
    return {
        name: [(label, tuple(box)) for box, label in zip(*map(list, marked.of_photo(name, (100, 200, 3))), strict=True)]
        for name in marked.boxes
    }


def same(found, wanted):
    assert list(found) == list(wanted)
    for name in wanted:
        assert [label for label, _ in found[name]] == [label for label, _ in wanted[name]]
        assert np.allclose([box for _, box in found[name]], [box for _, box in wanted[name]])


def refusal(source, folder):
    with pytest.raises(DataError) as error:
        read_annotations(source, folder, CLASSES)
    return str(error.value)


@pytest.mark.parametrize("write", [write_voc, write_yolo, write_coco, write_csv])
def test_all_formats_say_the_same(folder, write):
    marked = read_annotations(write(folder), folder, CLASSES)
    wanted = {f"images/{name}.jpg": faces for name, faces in FACES.items() if faces or write is not write_csv}
    same(pixels(marked), wanted)
    assert marked.left_out == [] and marked.root == folder
    assert marked.notes == [
        "The classifier does not know these labels, so their boxes are ignored: worn_incorrectly (1)."
    ]


@pytest.mark.parametrize("write", [write_voc, write_coco])
def test_the_content_says_which_format_it_is(folder, write):
    source = write(folder)
    for file in [*source.glob("*")] if source.is_dir() else [source]:
        file.rename(file.with_suffix(".data"))
    marked = read_annotations(source if source.is_dir() else source.with_suffix(".data"), folder, CLASSES)
    assert len(marked.boxes) == 3


def test_one_file_and_files_beside_the_photos(folder):
    (folder / "images" / "a.xml").write_text(voc("a.jpg", FACES["a"]))
    for source in (folder / "images" / "a.xml", folder / "images", folder):
        same(pixels(read_annotations(source, folder, CLASSES)), {"images/a.jpg": FACES["a"]})
    assert list(read_annotations(folder, folder / "images", CLASSES).boxes) == ["a.jpg"]


def test_labels_in_other_spellings_are_read_and_that_is_said(folder):
    faces = [
        ("Mask", (0, 0, 9, 9)),
        ("No-Mask", (20, 0, 9, 9)),
        ("mask_weared_incorrect", (40, 0, 9, 9)),
        ("cat", (60, 0, 9, 9)),
    ]
    (folder / "a.xml").write_text(voc("a.jpg", faces))
    marked = read_annotations(folder / "a.xml", folder, CLASSES)
    assert [box.label for box in marked.boxes["images/a.jpg"]] == [*CLASSES, "worn_incorrectly", "cat"]
    assert (
        marked.notes[0] == "Read Mask as with_mask, No-Mask as without_mask, mask_weared_incorrect as worn_incorrectly."
    )
    assert "cat (1)" in marked.notes[1]
    (folder / "a.xml").write_text(voc("a.jpg", [("0", (0, 0, 9, 9)), ("1", (20, 0, 9, 9))]))
    message = refusal(folder / "a.xml", folder)
    assert "marks no faces as with_mask or without_mask, only as 0, 1. Not clear who wears a mask in 0, 1." in message


def test_photos_are_found_by_the_end_of_their_path(folder):
    for place in ("train", "val"):
        (folder / place).mkdir()
        Image.new("RGB", (200, 100)).save(folder / place / "x.jpg")
    names = {r"C:\data\val\x.jpg": "val/x.jpg", "elsewhere/a.bmp": "images/a.jpg", "train/x.jpg": "train/x.jpg"}
    (folder / "xml").mkdir()
    for number, name in enumerate([*names, "x.jpg", "gone.jpg"]):
        (folder / "xml" / f"{number}.xml").write_text(voc(name, FACES["a"]))
    marked = read_annotations(folder / "xml", folder, CLASSES)
    assert list(marked.boxes) == list(names.values())
    assert marked.left_out == [
        {"path": "x.jpg", "reason": "2 photos may be meant"},
        {"path": "gone.jpg", "reason": f"no such photo in {folder}"},
    ]
    (folder / "only.xml").write_text(voc("gone.jpg", FACES["a"]))
    assert "names no photo that could be found. gone.jpg: no such photo" in refusal(folder / "only.xml", folder)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-8"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_csv_files_of_other_programs(folder, encoding, separator):
    lines = [
        " path , label,x ,y, width,height ",
        r"images\a.jpg, with_mask ,10,20,40,30",
        "",
        "./images/b.jpg,Bare,1,2,3,4",
    ]
    text = "\r\n".join(line.replace(",", separator) for line in lines)
    text = text.replace("10", "10,0") if separator == ";" else text
    (folder / "marked.csv").write_bytes(text.encode(encoding))
    marked = read_annotations(folder / "marked.csv", folder, CLASSES)
    wanted = {"images/a.jpg": [("with_mask", (10, 20, 40, 30))], "images/b.jpg": [("without_mask", (1, 2, 3, 4))]}
    same(pixels(marked), wanted)


def test_yolo_names_from_other_files_and_files_without_a_photo(folder):
    source = write_yolo(folder)
    (source / "classes.txt").unlink()
    assert "nothing says what the numbers mean. Put a classes.txt" in refusal(source, folder)
    for names in (
        "[with_mask, without_mask, worn_incorrectly]",
        "{1: without_mask, 0: with_mask, 2: worn_incorrectly}",
    ):
        (folder / "data.yaml").write_text(f"train: images\nnames: {names}\n")
        same(pixels(read_annotations(source, folder, CLASSES)), {f"images/{name}.jpg": FACES[name] for name in FACES})
    (source / "gone.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    (source / "README.md").write_text("exported")
    marked = read_annotations(source, folder, CLASSES)
    assert marked.left_out == [{"path": "gone.txt", "reason": f"no such photo in {folder}"}]


def test_errors_name_the_file_the_line_and_what_was_expected(folder):
    def csv(*lines):
        return refusal(write_csv(folder, "\n".join(lines)), folder)

    found = "expected a path, a label, x, y, and a width and height above 0, but found"
    assert f"marked.csv, line 4: {found} 'a.jpg, with_mask, 1, 2, 0, 4'" in csv(
        HEAD, "a.jpg,with_mask,1,2,3,4", "", "a.jpg,with_mask,1,2,0,4"
    )
    assert "line 2" in csv(HEAD, ",with_mask,1,2,3,4") and "line 2" in csv(HEAD, "a.jpg,with_mask,1,two,3,4")
    assert "lacks the columns width, height. It has path, label, x, y" in csv("path,label,x,y", "a.jpg,with_mask,1,2")

    (folder / "a.xml").write_text(
        voc("a.jpg", FACES["a"], lambda x, y, width, height: (x, y, x + (x < 50) * width, y + 1))
    )
    found = "a.xml, line 12: expected an object with a name and a bndbox with xmin < xmax and ymin < ymax, but found"
    assert f"{found} 'name without_mask, xmin 100, ymin 50, xmax 100, ymax 51'" in refusal(folder / "a.xml", folder)
    (folder / "a.xml").write_text("<annotation>\n<object>\n</annotation>")
    assert "a.xml, line 3: this is not valid XML" in refusal(folder / "a.xml", folder)
    (folder / "a.xml").write_text("<html></html>")
    assert "a.xml, line 1: expected <annotation>, as in Pascal VOC, but found '<html>'" in refusal(
        folder / "a.xml", folder
    )

    source = write_yolo(folder)
    wanted = "expected a class number and x_center, y_center, width, height as fractions of the photo, but found"
    for line in ("1 100 50 20 20", "1 0.5 0.5 0.1", "1 0.1 0.1 0.2 0.1 0.2 0.2 0.1", "one 0.5 0.5 0.1 0.1"):
        (source / "b.txt").write_text(f"0 0.5 0.5 0.1 0.1\n{line}\n")
        assert f"b.txt, line 2: {wanted} {line!r}" in refusal(source, folder)
    (source / "b.txt").write_text("3 0.5 0.5 0.1 0.1\n")
    assert "b.txt, line 1: expected a class number from 0 to 2 (with_mask, without_mask" in refusal(source, folder)

    content = coco()
    content["annotations"][1]["category_id"] = 99
    assert "marked.json, annotations[1]: expected a bbox" in refusal(write_coco(folder, content), folder)
    content["annotations"][1] = {"image_id": "a", "category_id": 7, "bbox": [1, 2, 0, 4]}
    assert "annotations[1]" in refusal(write_coco(folder, content), folder)
    assert "needs the lists images, annotations, and categories" in refusal(write_coco(folder, {"shapes": []}), folder)
    (folder / "marked.json").write_text('{\n"images": [,]}')
    assert "marked.json, line 2: this is not valid JSON" in refusal(folder / "marked.json", folder)


def test_what_is_not_clear_or_not_there(folder):
    assert "does not exist. Give a CSV file with the columns path, label" in refusal(folder / "nowhere", folder)
    assert "holds no annotations. Give one of these: a CSV file" in refusal(folder / "images", folder)
    write_coco(folder), write_voc(folder)
    assert "holds a.xml, b.xml, marked.json. Give one of these" in refusal(folder, folder)
