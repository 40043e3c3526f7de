"""`maskdet annotate` from end to end, with a real classifier and real face detectors."""

import json
import os
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
from conftest import heed_signals

from maskdet_utils.classifier import CLASSIFIER, LABELS, RELEASED, LiteClassifier
from maskdet_utils.cli import default_run
from maskdet_utils.detector import MaskDetector
from maskdet_utils.live import clips, output
from maskdet_utils.live.annotate import annotate
from maskdet_utils.live.video import open_source
from maskdet_utils.photos import find_photos, read_photo

CLASSES = ["with_mask", "without_mask"]
SWITCHES = [(20, 60), (40,), (10, 45, 80)]


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Three people of the sample, six switches."""
    frames = (frame for frame, _ in clips.play(clips.cast_actors([22, 35, 23], SWITCHES), 100, width=640, height=360))
    return output.write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", frames, rate=20)


@pytest.fixture(scope="module")
def detector(quick_run):
    return MaskDetector.load(quick_run)


def maskdet(*arguments, cwd, **more):
    command = [sys.executable, "-m", "maskdet_utils", "annotate", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, **more)


def switches_shown(document, low, high):
    """The frames at which the label of the face between x = `low` and `high` changes, with the labels."""
    shown = []
    for frame in document["frames"]:
        for face in frame["faces"]:
            x, _, width, _ = face["box"]
            if low <= x + width / 2 < high and (not shown or shown[-1][1] != face["label"]):
                shown.append((frame["frame"], face["label"]))
    return shown


def test_every_switch_of_a_clip_is_shown_once_and_soon(clip, quick_run, tmp_path):
    done = maskdet(clip, "--model", quick_run, "--json", "-o", tmp_path / "marked.mp4", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Full look at 1 of 10 frames: a small new face waits up to 0.5 s for its label." in done.stderr
    document = json.loads(done.stdout)
    assert document["frames_per_second"] == 20 and len(document["frames"]) == 100
    for place, switches in enumerate(SWITCHES):
        shown = switches_shown(document, 640 / 3 * place, 640 / 3 * (place + 1))
        changes = [frame for frame, label in shown if label != "unsure"][1:]
        assert len(changes) == len(switches), shown
        assert all(0 <= change - switch <= 10 for change, switch in zip(changes, switches, strict=True)), shown
    marked = open_source(str(tmp_path / "marked.mp4"))
    assert (marked.rate, marked.count, next(marked.frames)[1].shape) == (20, 100, (360, 640, 3))


def test_detection_in_every_third_frame_shows_the_same_switches(clip, quick_run, tmp_path):
    done = maskdet(clip, "--model", quick_run, "--json", "--detect-every", 3, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert all(len(frame["faces"]) == 3 for frame in document["frames"])
    for place, switches in enumerate(SWITCHES):
        shown = switches_shown(document, 640 / 3 * place, 640 / 3 * (place + 1))
        assert len([label for _, label in shown if label != "unsure"]) == 1 + len(switches), shown


def test_a_photo_by_default_goes_into_the_current_folder(tmp_path, quick_run, sample_folder):
    photo = find_photos(sample_folder / "with_mask")[0]
    done = maskdet(photo, "--model", quick_run, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    marked = read_photo(tmp_path / f"{photo.stem}-marked.jpg")
    assert marked.shape == read_photo(photo).shape and "1 frames with 1 faces" in done.stderr


def test_json_alone_writes_no_file(tmp_path, detector, sample_folder):
    import io

    text = io.StringIO()
    photo = find_photos(sample_folder / "without_mask")[0]
    annotate(str(photo), None, detector, text)
    (frame,) = json.loads(text.getvalue())["frames"]
    (face,) = frame["faces"]
    assert frame["photo"] == photo.name and face["label"] == "without_mask" and len(face["box"]) == 4
    assert 0.5 <= face["probability"] <= 1 and "track" not in face


def test_photos_and_a_video_at_once_load_the_classifier_once(tmp_path, clip, quick_run, sample_folder):
    (tmp_path / "in").mkdir()
    for path in (*find_photos(sample_folder / "with_mask")[:2], clip):
        (tmp_path / "in" / path.name).write_bytes(path.read_bytes())
    (tmp_path / "in" / "broken.jpg").write_bytes(b"")
    (tmp_path / "in" / "notes.txt").write_text("about the photos")
    done = maskdet("in", "nothing.jpg", "--model", quick_run, "--json", "-o", "out", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    document = json.loads(done.stdout)
    assert document["input"] == ["in", "nothing.jpg"] and document["frames_per_second"] is None
    videos = [frame["video"] for frame in document["frames"] if "video" in frame]
    assert videos == ["in/clip.mp4"] * 100 and len(document["frames"]) == 102
    assert [one["path"] for one in document["left_out"]] == ["in/broken.jpg", "nothing.jpg", "in/notes.txt"]
    assert "102 frames with 302 faces in 3 files in out/in" in done.stderr
    assert "Full look at 1 of 10 frames" in done.stderr, "a video after photos is searched as usual"
    assert "Left out: 3 files, 2 of them because of an error." in done.stderr and "broken.jpg: empty" in done.stderr


def test_a_gif_stays_a_gif(tmp_path, detector):
    frames = (frame for frame, _ in clips.play(clips.cast_actors([5], [()]), 5, width=160, height=120))
    path = output.write_clip(tmp_path / "in.gif", frames, rate=10)
    annotate(str(path), str(tmp_path / "out.gif"), detector)
    source = open_source(str(tmp_path / "out.gif"))
    assert source.count == 5 and source.rate == 10


def test_the_input_is_never_written_to(detector, clip):
    before = clip.read_bytes()
    with pytest.raises(ValueError, match="To protect the originals, choose another place"):
        annotate(str(clip), str(clip), detector)
    assert clip.read_bytes() == before


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends Ctrl-C another way")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_leaves_the_earlier_file_and_a_playable_part(tmp_path, quick_run, sent):
    frames = (frame for frame, _ in clips.play(clips.cast_actors([5], [()]), 20, width=640, height=480))
    once = list(frames)
    path = output.write_clip(tmp_path / "long.mp4", once * 50)
    command = [
        sys.executable,
        "-m",
        "maskdet_utils",
        "annotate",
        path,
        "--model",
        quick_run,
        "-o",
        "marked.mp4",
        "--json",
    ]
    (tmp_path / "marked.mp4").write_bytes(b"earlier")
    with open(tmp_path / "errors.txt", "w") as errors:
        process = subprocess.Popen(
            command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=errors, text=True, preexec_fn=heed_signals
        )
    lines = [process.stdout.readline() for _ in range(8)]
    assert '"faces"' in lines[-1]
    os.kill(process.pid, sent)
    document = json.loads("".join(lines) + process.stdout.read())
    process.stdout.close()
    said, written = (tmp_path / "errors.txt").read_text(), len(document["frames"])
    assert process.wait(60) == 1 and "Interrupted" in said
    assert (
        f"long.mp4: only {written} of 1000 frames. They are in marked.partial.mp4. The earlier marked.mp4 has not changed"
        in said
    )
    (part,) = document["partial"]
    assert [part["frames"], part["of"], part["output"]] == [written, 1000, "marked.partial.mp4"] and written < 1000
    assert len(list(open_source(str(tmp_path / "marked.partial.mp4")).frames)) == written
    assert (tmp_path / "marked.mp4").read_bytes() == b"earlier"
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["errors.txt", "long.mp4", "marked.mp4", "marked.partial.mp4"]


def test_a_video_cut_off_in_the_middle_keeps_what_could_be_read(tmp_path, detector, clip, capsys):
    capture = cv2.VideoWriter(str(tmp_path / "whole.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 20, (640, 360))
    for _, frame in open_source(str(clip)).frames:
        capture.write(frame)
    capture.release()
    content = (tmp_path / "whole.avi").read_bytes()
    (tmp_path / "cut.avi").write_bytes(content[: len(content) // 2])
    done = annotate(str(tmp_path / "cut.avi"), str(tmp_path / "out.mp4"), detector)
    assert 20 < done["frames"] < 80 and not done["outputs"] and not (tmp_path / "out.mp4").exists()
    assert len(list(open_source(str(tmp_path / "out.partial.mp4")).frames)) == done["frames"]
    assert f"only {done['frames']} of 100 frames. It is cut off or damaged. They are in" in capsys.readouterr().err


def test_wrong_usage_is_explained_in_a_sentence(tmp_path, clip, quick_run):
    for arguments, words in [
        (["nothing.mp4", "--model", quick_run], "There is no file"),
        ([clip, "--model", tmp_path], "labels.json is missing"),
        ([clip, "--model", quick_run, "--faces", "haar"], "No face detector is called 'haar'"),
    ]:
        done = maskdet(*arguments, cwd=tmp_path)
        assert done.returncode == 1 and words in done.stderr and "Traceback" not in done.stderr, done.stderr


def test_without_any_run_the_released_classifier_is_used(tmp_path, monkeypatch):
    monkeypatch.setattr("maskdet_utils.paths.resolve", lambda name: tmp_path / name)
    assert default_run() == RELEASED
    (tmp_path / "runs" / "lab").mkdir(parents=True)
    (tmp_path / "runs" / "lab" / CLASSIFIER).touch()
    assert default_run() == tmp_path / "runs" / "lab"


def test_lite_and_keras_classifier_agree_on_500_faces(quick_run, sample_folder):
    from maskdet_utils.model import keras
    from maskdet_utils.photos import fit_to_input

    lite = LiteClassifier(quick_run / CLASSIFIER)
    original = keras.models.load_model(quick_run / "classifier.keras", safe_mode=True)
    paths = [path for label in CLASSES for path in find_photos(sample_folder / label)[:250]]
    pixels = np.stack([fit_to_input(read_photo(path), lite.input_size) for path in paths]).astype(np.float32)
    ours = np.concatenate([lite(pixels[start : start + 50]) for start in range(0, 500, 50)])
    assert len(ours) == 500 and np.abs(ours - original.predict(pixels, verbose=0)).max() < 1e-3
    assert json.loads((quick_run / LABELS).read_text())["classes"] == CLASSES


def test_the_mask_that_goes_on_does_so_once(shared):
    """With the released classifier, even while hands touch the mask (frames 70 to 110) and single-frame labels flicker."""
    for name in ("auto", "centerface"):
        detector, shown = MaskDetector.load(RELEASED, name), []
        for number, (_, frame) in enumerate(open_source(str(shared / "video" / "mask-goes-on.mp4")).frames):
            (one,) = detector.track(frame)
            if not shown or shown[-1][1:] != (one.label, one.track):
                shown.append((number, one.label, one.track))
        assert [label for _, label, _ in shown] == ["without_mask", "with_mask"] and len({t for *_, t in shown}) == 1
        assert abs(shown[1][0] - 21) <= 5, shown


def test_first_frame_comes_soon(clip, quick_run, tmp_path):
    """No time limit here (the benchmark measures the time): only that nothing waits for the whole video."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "maskdet_utils", "annotate", clip, "--model", quick_run, "--json"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        process.stdout.readline()
        assert '"frame": 0' in process.stdout.readline()
        first = time.perf_counter() - start
        process.stdout.read()
    assert first < time.perf_counter() - start
