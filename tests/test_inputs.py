"""What people name on the command line: files, folders, links, patterns; and what their marked copies are called."""

import io
import json
import os
import sys

import pytest
from conftest import OneFace, film, moving_square

from maskdet_utils import cli
from maskdet_utils.live import inputs, output
from maskdet_utils.live.annotate import annotate

needs_links = pytest.mark.skipif(os.name == "nt", reason="links need special rights on Windows")


@pytest.fixture
def here(tmp_path, monkeypatch, write_photo):
    """The current folder: two photos in `photos`, one of them in a subfolder, a video, and two files of other kinds."""
    write_photo(tmp_path / "photos" / "a.jpg")
    write_photo(tmp_path / "photos" / "deeper" / "b.png")
    film(tmp_path / "photos" / "clip.mkv", seconds=[0, 0.04, 0.08])
    (tmp_path / "photos" / "notes.txt").write_text("about the photos")
    (tmp_path / "photos" / ".DS_Store").write_text("of no interest")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(*given, **more):
    return [one.name for one in inputs.find_inputs(list(given), **more)[0]]


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def left_out(*given, **more):
    return [(one["path"], one["reason"]) for one in inputs.find_inputs(list(given), **more)[1].files]


def test_folders_are_searched_for_photos_and_videos(here):
    assert names("photos") == ["photos/a.jpg", "photos/clip.mkv", "photos/deeper/b.png"]
    assert left_out("photos") == [("photos/notes.txt", "neither a photo nor a video")]
    assert inputs.find_inputs(["photos"])[1].failed == 0, "a text is no error"


def test_a_video_is_known_by_its_content_too_and_other_files_are_not_videos(here):
    folder = here / "photos"
    content = (folder / "clip.mkv").read_bytes()
    for name in ("no ending", "wrong.txt"):
        (folder / name).write_bytes(content)
    film(folder / "really.ts", "mpeg2video")
    (folder / "script.ts").write_text("GETTING = 'x';\n" * 30)
    (folder / "song.m4a").write_bytes(b"\0\0\0\x1cftypM4A " + bytes(100))
    assert {"photos/no ending", "photos/wrong.txt", "photos/really.ts"} < set(names("photos"))
    assert [path for path, _ in left_out("photos")] == ["photos/notes.txt", "photos/script.ts", "photos/song.m4a"]


def test_patterns_are_expanded_where_the_shell_did_not(here, write_photo):
    write_photo(here / "photos" / "c.jpg")
    assert names("photos/*.jpg", "photos/*.mkv") == ["photos/a.jpg", "photos/c.jpg", "photos/clip.mkv"]
    assert names("**/*.png") == ["photos/deeper/b.png"]
    assert left_out("*.gif") == [("*.gif", "there is no such file")]
    write_photo(here / "a[1].jpg")
    assert names("a[1].jpg") == ["a[1].jpg"], "a file of that name is no pattern"
    assert names("http://localhost/a.php?id=[5]*") == ["http://localhost/a.php?id=[5]*"]


def test_what_is_named_twice_is_marked_once(here):
    assert names("photos/a.jpg", "photos/*.jpg", "./photos/a.jpg", "photos") == [
        "photos/a.jpg",
        "photos/clip.mkv",
        "photos/deeper/b.png",
    ]


@needs_links
def test_linked_folders_are_followed_once_and_loops_are_named(here, write_photo):
    write_photo(here / "elsewhere" / "x.png")
    (here / "photos" / "again").symlink_to(here / "photos" / "deeper")
    (here / "photos" / "loop").symlink_to(here)
    (here / "photos" / "more").symlink_to(here / "elsewhere")
    (here / "photos" / "gone.jpg").symlink_to(here / "nowhere.jpg")
    assert names("photos") == ["photos/a.jpg", "photos/clip.mkv", "photos/deeper/b.png", "photos/more/x.png"]
    already = "this link leads to a folder that contains it, or that is already included"
    assert left_out("photos") == [
        ("photos/gone.jpg", "this link leads nowhere"),
        ("photos/again", already),
        ("photos/loop", already),
        ("photos/notes.txt", "neither a photo nor a video"),
    ]


@needs_links
def test_a_named_pipe_is_not_opened(here):
    os.mkfifo(here / "photos" / "pipe.mp4")
    assert "photos/pipe.mp4" in dict(left_out("photos"))
    assert (
        "is not a file" in annotate(["photos/pipe.mp4", "photos/a.jpg"], None, OneFace())["left_out"].files[0]["reason"]
    )


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs a user for whom rights matter")
def test_what_must_not_be_opened_is_an_error(here):
    (here / "photos" / "deeper").chmod(0)
    assert ("photos/deeper", "this folder cannot be opened") in left_out("photos")
    (here / "photos" / "deeper").chmod(0o700)


# Names of the copies


@pytest.mark.parametrize(
    ["given", "target", "copies"],
    [
        (["photos"], None, ["photos-marked/a-marked.jpg", "photos-marked/clip-marked.mp4", "photos-marked/deeper/b-marked.jpg"]),
        (["photos"], "out", ["out/a-marked.jpg", "out/clip-marked.mp4", "out/deeper/b-marked.jpg"]),
        (["photos"], "results.v2", ["results.v2/a-marked.jpg", "results.v2/clip-marked.mp4", "results.v2/deeper/b-marked.jpg"]),
        (["photos/a.jpg"], "results.v2/", ["results.v2/a-marked.jpg"]),
        (["photos/a.jpg"], ".", ["a-marked.jpg"]),
        (["photos/clip.mkv"], ".", ["clip-marked.mp4"]),
        (["photos/*.*"], "out", ["out/a-marked.jpg", "out/clip-marked.mp4"]),
        (["photos/deeper", "photos/a.jpg"], "out", ["out/a-marked.jpg", "out/deeper/b-marked.jpg"]),
        (["photos/deeper", "photos/a.jpg"], None, ["a-marked.jpg", "deeper-marked/b-marked.jpg"]),
    ],
)  # fmt: skip
def test_where_the_copies_go(here, given, target, copies):
    before = files(here)
    done = annotate(given, target, OneFace())
    assert sorted(set(files(here)) - set(before)) == copies
    assert sorted(os.path.normpath(path) for path in done["outputs"]) == [os.path.normpath(path) for path in copies]


def test_inputs_with_the_same_stem_get_copies_of_their_own(here, write_photo):
    for name in ("party.jpg", "party.png", "x.webp", "x.webp.png", "one/party.bmp", "alone.png"):
        write_photo(here / name)
    given = ["party.jpg", "party.png", "x.webp", "x.webp.png", "one/party.bmp", "alone.png"]
    done = annotate(given, "out", OneFace())
    assert [os.path.basename(path) for path in done["outputs"]] == [
        "party.jpg-marked.jpg",
        "party.png-marked.jpg",
        "x-marked.jpg",
        "x.webp-marked.jpg",
        "party.bmp-marked.jpg",
        "alone-marked.jpg",
    ]
    assert len(files(here / "out")) == 6


def test_the_same_name_in_several_folders_gets_a_number(here, write_photo):
    given = [
        str(write_photo(here / folder / "PARTY.jpg" if folder == "c" else here / folder / "party.jpg"))
        for folder in "abc"
    ]
    annotate(given, "out", OneFace())
    assert files(here / "out") == ["PARTY.jpg-marked-3.jpg", "party.jpg-marked-2.jpg", "party.jpg-marked.jpg"]


def test_no_copy_replaces_an_input(here, write_photo):
    """Not even if an input is called like the copy of another one."""
    given = [str(write_photo(here / "in" / name)) for name in ("a.jpg", "a-marked.jpg")]
    before = [open(path, "rb").read() for path in given]
    annotate(["in"], "in", OneFace())
    assert [open(path, "rb").read() for path in given] == before
    assert files(here / "in") == ["a-marked-2.jpg", "a-marked-marked.jpg", "a-marked.jpg", "a.jpg"]


@needs_links
@pytest.mark.parametrize("link", [os.link, os.symlink])
def test_the_input_is_safe_behind_a_link(here, link):
    link(here / "photos" / "a.jpg", here / "other.jpg")
    before = (here / "photos" / "a.jpg").read_bytes()
    with pytest.raises(ValueError, match="To protect the originals"):
        annotate("photos/a.jpg", "other.jpg", OneFace())
    link(here / "photos" / "a.jpg", here / "a-marked.jpg")
    annotate("photos/a.jpg", None, OneFace())
    assert (here / "photos" / "a.jpg").read_bytes() == before == (here / "a-marked.jpg").read_bytes()
    assert (here / "a-marked-2.jpg").is_file()


def test_the_current_folder_is_marked_into_a_folder_inside_it_and_not_twice(here):
    for _ in range(2):
        done = annotate(".", None, OneFace())
        assert done["files"] == 3 and len(files(here / f"{here.name}-marked")) == 3
    assert len(done["left_out"].files) == 1 + 3 and done["left_out"].failed == 0


def test_names_as_long_as_possible(here, write_photo):
    for name in ("n" * 251 + ".jpg", "ä" * 124 + ".jpg", "n" * 250 + "m.jpg"):
        write_photo(here / "long" / name)
    done = annotate("long", "out", OneFace())
    assert done["files"] == 3 and done["left_out"].files == [] and len(files(here / "out")) == 3
    assert {path[-11:] for path in files(here / "out")} == {"-marked.jpg", "arked-2.jpg"}


@pytest.mark.parametrize(
    ["given", "target", "words"],
    [
        (["photos"], "out.mp4", "out.mp4 is one file, but the input is a folder"),
        (["photos/a.jpg", "photos/clip.mkv"], "out.avi", "out.avi is one file"),
        (["photos/a.jpg"], "", "empty name"),
        (["photos/a.jpg"], "results.v2", "or a folder (its name may end in /)"),
        (["photos"], "photos/notes.txt", "is there, and it is not a folder"),
        ([""], None, "an empty name is not a file"),
        (["*.gif"], None, "there is no such file"),
        (["empty"], None, "there are no photos or videos in this folder"),
    ],
)
def test_one_sentence_says_what_does_not_fit(here, given, target, words):
    (here / "empty").mkdir()
    before = files(here)
    with pytest.raises((ValueError, RuntimeError)) as error:
        annotate(given, target, OneFace())
    assert words in str(error.value) and files(here) == before


# What is left out


def test_nothing_is_skipped_silently_and_nothing_ends_the_rest(here, monkeypatch, capsys):
    (here / "photos" / "0.jpg").write_bytes(b"")
    (here / "photos" / "1.mp4").write_text("no video")
    (here / "photos" / "2.png").mkdir()  # an ending does not make a photo
    text = io.StringIO()
    given = ["nothing.jpg", "", "*.gif", "x" * 300 + ".jpg", "photos"]
    done = annotate(given, None, OneFace(), text)
    document = json.loads(text.getvalue())
    assert document["left_out"] == done["left_out"].files
    assert [one["path"][:12] for one in document["left_out"]] == [
        "", "*.gif", "nothing.jpg", "x" * 12, "photos/0.jpg", "photos/1.mp4", "photos/notes",
    ]  # fmt: skip
    assert done["left_out"].failed == 6 and done["files"] == 3
    assert [one.get("photo", one.get("video")) for one in document["frames"]] == [
        "photos/a.jpg", *["photos/clip.mkv"] * 3, "photos/deeper/b.png",
    ]  # fmt: skip


def test_ten_are_named_and_the_others_are_counted():
    left = inputs.LeftOut()
    for number in range(30):
        left.add(f"{number}.txt", "neither a photo nor a video", has_failed=False)
    left.add("a.mp4", "a.mp4 is empty. Copy or record it again.")
    lines = str(left).splitlines()
    assert lines[0] == "Left out: 31 files, 1 of them because of an error."
    assert lines[1] == "  a.mp4: is empty. Copy or record it again" and len(lines) == 12


def test_a_copy_that_cannot_be_written_is_left_out(here):
    (here / "out").mkdir()
    (here / "out" / "a-marked.jpg").mkdir()
    done = annotate("photos", "out", OneFace())
    assert files(here / "out") == ["clip-marked.mp4", "deeper/b-marked.jpg"]
    assert [one["path"] for one in done["left_out"].files] == ["photos/a.jpg", "photos/notes.txt"]


def test_an_error_nobody_thought_of_ends_one_video_only(here):
    class Failing(OneFace):
        def track(self, frame, tracker):
            raise ZeroDivisionError("in a frame")

    done = annotate("photos", "out", Failing())
    assert files(here / "out") == ["a-marked.jpg", "deeper/b-marked.jpg"]
    assert done["left_out"].files[0] == {"path": "photos/clip.mkv", "reason": "in a frame"}


@pytest.mark.parametrize(["extra", "code"], [([], 0), (["nothing.jpg"], 1)])
def test_the_exit_code(here, monkeypatch, extra, code):
    loads = []

    def load(run, name, mask_class):
        loads.append(name)
        detector = OneFace()
        detector.choose_faces, detector.detect_every = loads.append, 1
        return detector

    monkeypatch.setattr("maskdet_utils.detector.MaskDetector.load", load)
    assert cli.main(["annotate", "photos", *extra]) == code
    assert loads == ["careful", "auto"], "one classifier; the video gets the quick detector"


def test_ctrl_c_says_what_it_kept_from_its_turn(here):
    class Interrupting(OneFace):
        def detect(self, frame):
            os.kill(os.getpid(), 2)
            return super().detect(frame)

    if sys.platform == "win32":
        pytest.skip("Windows sends Ctrl-C another way")
    done = annotate("photos", "out", Interrupting())
    assert done["interrupted"] and files(here / "out") == ["a-marked.jpg"]
    assert [one["reason"] for one in done["left_out"].files[:2]] == ["interrupted before its turn"] * 2


def test_a_clip_for_a_folder_stays_a_clip(here):
    output.write_clip(here / "a.gif", moving_square(3))
    assert annotate("a.gif", "out/", OneFace())["outputs"] == [os.path.join("out", "a-marked.gif")]
