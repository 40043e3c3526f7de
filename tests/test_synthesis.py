"""Whole photos and folders: every face is drawn on, nothing is lost, an interrupted run resumes."""

import hashlib
import io
import json
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
from filelock import FileLock

from maskdet_utils.photos import read_photo
from maskdet_utils.synthesis import masks, synthesize
from maskdet_utils.synthesis.folder import LOCK, RECORDS, synthesize_folder
from maskdet_utils.synthesis.masks import STYLES
from maskdet_utils.synthesis.occluders import KINDS
from maskdet_utils.synthesis.synthesize import synthesize_photo
from maskdet_utils.synthesis.wearing import WRONG_WAYS


def rng(seed=0):
    return np.random.default_rng(seed)


def test_same_seed_same_picture_other_seed_other_picture(photo, detector, mesh):
    first, again, other = (synthesize_photo(photo, rng(seed), detector, mesh)[0] for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).mean() > 0.05


def test_every_face_in_a_photo_gets_a_mask(pgm_files, detector, mesh):
    wide = np.hstack([read_photo(io.BytesIO(content)) for content in pgm_files[:3]])
    _, descriptions = synthesize_photo(wide, rng(), detector, mesh)
    middles = sorted(d["box"][0] + d["box"][2] / 2 for d in descriptions)
    assert [int(middle // 92) for middle in middles] == [0, 1, 2]


@pytest.fixture
def folder(tmp_path, pgm_files):
    """Three photos of faces in two folders, one photo without a face, and one file that is not a photo."""
    source = tmp_path / "in"
    (source / "deep").mkdir(parents=True)
    for number, content in enumerate(pgm_files[:3]):
        (source / ("deep" if number == 2 else "") / f"{number}.pgm").write_bytes(content)
    cv2.imwrite(str(source / "wall.png"), np.full((80, 80, 3), 120, np.uint8))
    (source / "broken.jpg").write_bytes(b"not a photo")
    return source


def digests(folder):
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != LOCK)
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_folder(folder, tmp_path):
    (folder / "notes.txt").write_text("not a photo")
    before = digests(folder)
    summary = synthesize_folder(folder, tmp_path / "out", seed=3)
    left_out = {"without_face": ["wall.png"], "unreadable": ["broken.jpg"], "not_photos": ["notes.txt"]}
    assert summary == {"photos": 3, "faces": 3, **left_out}
    assert digests(folder) == before
    made = digests(tmp_path / "out")
    assert set(made) == {"0.pgm.png", "1.pgm.png", "deep/2.pgm.png", "masks.jsonl"}
    photo, picture = (digests(tmp_path)[name] for name in ("in/0.pgm", "out/0.pgm.png"))
    records = [json.loads(line) for line in (tmp_path / "out" / "masks.jsonl").read_text().splitlines()]
    assert [record["photo"] for record in records] == ["0.pgm", "1.pgm", "deep/2.pgm"]
    assert records[0]["kind"] in STYLES and (records[0]["seed"], records[0]["draw"]) == (3, "masks")
    assert (records[0]["photo_sha256"], records[0]["picture_sha256"]) == (photo, picture)

    # What an interrupted run leaves behind: a photo that was not written, with its line written or half written.
    (tmp_path / "out" / "1.pgm.png").unlink()
    with open(tmp_path / "out" / "masks.jsonl", "a") as file:
        file.write('{"photo": "half')
    assert synthesize_folder(folder, tmp_path / "out", seed=3) == summary
    assert digests(tmp_path / "out") == made


def test_folder_does_not_depend_on_the_other_photos(folder, tmp_path):
    synthesize_folder(folder, tmp_path / "all")
    (folder / "0.pgm").unlink()
    synthesize_folder(folder, tmp_path / "fewer")
    assert digests(tmp_path / "all")["1.pgm.png"] == digests(tmp_path / "fewer")["1.pgm.png"]


def test_finished_photos_are_not_drawn_again(folder, tmp_path, monkeypatch):
    synthesize_folder(folder, tmp_path / "out")
    monkeypatch.setattr(masks, "draw_mask", lambda *_, **__: pytest.fail("drawn twice"))
    assert synthesize_folder(folder, tmp_path / "out")["faces"] == 3


def test_a_picture_is_made_again_if_its_photo_or_the_version_has_changed(folder, tmp_path, pgm_files, monkeypatch):
    out = tmp_path / "out"
    synthesize_folder(folder, out)
    before = digests(out)
    (folder / "0.pgm").write_bytes(pgm_files[3])
    (folder / "1.pgm").write_bytes((folder / "wall.png").read_bytes())  # a photo without a face
    (folder / "deep" / "2.pgm").unlink()
    assert synthesize_folder(folder, out)["photos"] == 1
    after = digests(out)
    assert after["0.pgm.png"] != before["0.pgm.png"] and after["deep/2.pgm.png"] == before["deep/2.pgm.png"]
    assert "1.pgm.png" not in after
    fresh = tmp_path / "fresh"
    synthesize_folder(folder, fresh)
    assert digests(fresh)["0.pgm.png"] == after["0.pgm.png"]
    monkeypatch.setattr(masks, "draw_mask", lambda *_, **__: pytest.fail("drawn again"))
    synthesize_folder(folder, out)
    monkeypatch.setattr("maskdet_utils.synthesis.folder.__version__", "another")
    with pytest.raises(pytest.fail.Exception, match="drawn again"):
        synthesize_folder(folder, out)


def test_after_a_kill_between_the_lines_and_the_picture_the_old_picture_does_not_count_as_new(
    folder, tmp_path, pgm_files
):
    out = tmp_path / "out"
    synthesize_folder(folder, out)
    (folder / "0.pgm").write_bytes(pgm_files[3])
    fresh = tmp_path / "fresh"
    synthesize_folder(folder, fresh)
    new = next(line for line in (fresh / RECORDS).read_text().splitlines(True) if '"0.pgm"' in line)
    with open(out / RECORDS, "a") as file:
        file.write(new)
    (out / ".maskdet-file-_killed_").write_bytes(b"half a picture")
    assert synthesize_folder(folder, out) == synthesize_folder(folder, fresh)
    assert digests(out) == digests(fresh)


def test_a_folder_whose_first_line_was_cut_off_by_a_full_disk_is_still_ours(folder, tmp_path, monkeypatch):
    with monkeypatch.context() as patched, pytest.raises(OSError, match="disk full"):
        patched.setattr("maskdet_utils.synthesis.folder.write_file", full_disk)
        synthesize_folder(folder, tmp_path / "out")
    (tmp_path / "out" / RECORDS).write_text('{"photo": "0.p')
    assert synthesize_folder(folder, tmp_path / "out")["photos"] == 3


def full_disk(*_):
    raise OSError("disk full")


def test_only_one_process_writes_to_a_folder(folder, tmp_path):
    (tmp_path / "out").mkdir()
    with FileLock(tmp_path / "out" / LOCK), pytest.raises(ValueError, match="Another process is writing"):
        synthesize_folder(folder, tmp_path / "out")


def test_folder_refuses_what_would_do_harm(folder, tmp_path):
    for target in (folder, folder / "deep" / "out", folder / ".." / "in"):
        with pytest.raises(ValueError, match="originals"):
            synthesize_folder(folder, target)
    with pytest.raises(NotADirectoryError):
        synthesize_folder(tmp_path / "nowhere", tmp_path / "out")
    synthesize_folder(folder, tmp_path / "out", seed=1)
    with pytest.raises(ValueError, match="holds masks drawn with seed 1"):
        synthesize_folder(folder, tmp_path / "out", seed=2)
    with pytest.raises(ValueError, match="holds masks drawn with seed 1"):
        synthesize_folder(folder, tmp_path / "out", seed=1, draw="occluders")
    with pytest.raises(ValueError, match="Cannot draw 'hats'. Choose one of: masks, worn-wrong, occluders"):
        synthesize_folder(folder, tmp_path / "out", draw="hats")
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        synthesize_folder(folder, tmp_path / "file")


@pytest.mark.parametrize(("draw", "kinds"), [("worn-wrong", WRONG_WAYS), ("occluders", KINDS)])
def test_other_things_can_be_drawn(photo, detector, mesh, draw, kinds):
    seen = set()
    for seed in range(40):
        changed, [description] = synthesize_photo(photo, rng(seed), detector, mesh, draw)
        seen.add(description["wearing" if draw == "worn-wrong" else "kind"])
        assert (changed != photo).any() or description["kind"] == "scarf"
        json.dumps(description)
    assert seen == set(kinds)
    with pytest.raises(ValueError, match="hats"):
        synthesize_photo(photo, rng(), detector, mesh, "hats")


def test_several_processes_give_the_same_result_as_one(folder, tmp_path):
    one = synthesize_folder(folder, tmp_path / "one", processes=1)
    assert synthesize_folder(folder, tmp_path / "two", processes=2) == one
    assert digests(tmp_path / "one") == digests(tmp_path / "two")


def test_overlapping_faces_an_already_masked_face_and_a_drawing(photo, detector, mesh):
    pair = np.full((160, 200, 3), 128, np.uint8)
    pair[20:132, 10:102] = photo
    pair[40:152, 75:167] = photo  # overlaps the first photo
    changed, descriptions = synthesize_photo(pair, rng(), detector, mesh)
    assert len(descriptions) >= 1 and changed.shape == pair.shape
    twice, [_] = synthesize_photo(synthesize_photo(photo, rng(1), detector, mesh)[0], rng(2), detector, mesh)
    assert (twice != photo).any()
    drawing = np.full((200, 200, 3), 255, np.uint8)
    cv2.circle(drawing, (100, 100), 80, (0, 0, 0), 2)
    for x in (70, 130):
        cv2.circle(drawing, (x, 80), 8, (0, 0, 0), -1)
    cv2.ellipse(drawing, (100, 130), (35, 18), 0, 0, 180, (0, 0, 0), 2)
    assert synthesize_photo(drawing, rng(), detector, mesh)[0].shape == drawing.shape  # a mask is optional


@pytest.mark.parametrize("draw", synthesize.DRAW)
def test_small_and_huge_faces_and_those_at_the_border(photo, detector, mesh, draw):
    huge = np.full((5000, 10000, 3), 150, np.uint8)  # 50 megapixels
    huge[500:4500, 100:3386] = cv2.resize(photo, (3286, 4000), interpolation=cv2.INTER_CUBIC)
    changed, descriptions = synthesize_photo(huge, rng(), detector, mesh, draw)
    assert len(descriptions) == 1 and (changed[:, 6000:] == huge[:, 6000:]).all()
    small = np.full((200, 300, 3), 150, np.uint8)
    small[60:120, 100:149] = cv2.resize(photo, (49, 60), interpolation=cv2.INTER_AREA)
    assert len(synthesize_photo(small, rng(), detector, mesh, draw)[1]) == 1
    for cut in (photo[:, 20:], photo[:, :-20], photo[20:], photo[:-20]):
        cut = np.ascontiguousarray(cut)
        assert synthesize_photo(cut, rng(), detector, mesh, draw)[0].shape == cut.shape


def test_a_tilted_head_is_found_and_its_mask_tilts_with_it(photo, detector, mesh):
    large = cv2.copyMakeBorder(cv2.resize(photo, (184, 224)), 60, 60, 80, 80, cv2.BORDER_REPLICATE)
    middle = large.shape[1] / 2, large.shape[0] / 2
    for degrees in (-45, -20, 20, 45):
        turn = cv2.getRotationMatrix2D(middle, degrees, 1)
        tilted = cv2.warpAffine(large, turn, large.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)
        _, [description] = synthesize_photo(tilted, rng(), detector, mesh)
        x, y = np.array(description["outline"][31]) - description["outline"][0]
        assert np.degrees(np.arctan2(-y, x)) == pytest.approx(degrees, abs=12)


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal")
def test_an_interrupted_run_stops_soon_and_resumes_later(folder, photo, tmp_path):
    for number in range(60):
        cv2.imwrite(str(folder / f"more{number:02d}.png"), np.roll(photo, number, axis=2))
    command = [sys.executable, "-m", "maskdet_utils", "synthesize", str(folder), str(tmp_path / "out")]
    process = subprocess.Popen([*command, "--processes", "2"], stderr=subprocess.PIPE, text=True)
    while process.poll() is None and len(list(tmp_path.glob("out/*.png"))) < 5:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1 and "Interrupted" in errors and "Traceback" not in errors
    written = len(list((tmp_path / "out").rglob("*.png")))
    assert 5 <= written < 63
    summary = synthesize_folder(folder, tmp_path / "out")
    assert summary["photos"] == 63
    lines = [json.loads(line)["photo"] for line in (tmp_path / "out" / RECORDS).read_text().splitlines()]
    assert len(lines) == len(set(lines)) == 63 and not list((tmp_path / "out").rglob(".maskdet-file-*"))


def test_variants_name_what_was_drawn_and_repeat_with_their_seed(tmp_path, photo, write_photo):
    face, wall = write_photo(tmp_path / "in" / "face.png", photo), write_photo(tmp_path / "in" / "wall.png")
    plan = {"right": 2, "wrong": 3, "occluder": 1}
    table = synthesize.draw_variants([wall, face], tmp_path / "out", plan, seed=4)
    assert list(table.columns) == ["file", "drawn_on", "drawn"]
    assert (table["drawn_on"] == str(face)).all(), "nothing is drawn where there is no face"
    drawn = table["drawn"].tolist()
    assert drawn[:2] == ["right"] * 2 and set(drawn[2:5]) <= set(WRONG_WAYS) and drawn[5] in KINDS
    pictures = [read_photo(path) for path in table["file"]]
    assert all(picture.shape == photo.shape for picture in pictures)
    assert len({picture.tobytes() for picture in pictures}) == 6
    again = synthesize.draw_variants([wall, face], tmp_path / "again", plan, seed=4)
    assert again["drawn"].tolist() == drawn
    assert all(np.array_equal(read_photo(path), picture) for path, picture in zip(again["file"], pictures, strict=True))
    assert synthesize.draw_variants([], tmp_path / "none", plan).empty
