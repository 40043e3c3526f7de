"""What can go wrong, row by row: the camera panel. After each row, a good frame is answered as usual."""

import os

import pytest
from rows import face
from rows_panel import CALLS, FOREIGN, MESSAGES, SETTINGS
from running import NEVER

from maskdet_utils.classifier import RELEASED, ClassifierError
from maskdet_utils.detector import MaskDetector
from maskdet_utils.live.webcam import CameraPanel


@pytest.fixture(scope="module")
def detector():
    return MaskDetector.load(RELEASED, "centerface")


@pytest.fixture
def panel(detector):
    """A panel that keeps what it sends, with one view, "a", that has seen a frame."""
    panel = CameraPanel(detector=detector)
    panel.sent = []
    panel.send = lambda content, buffers=None: panel.sent.append(content)
    works(panel)
    yield panel
    panel.close()


def arrive(panel, buffers=(), **data):
    """Deliver a message as Jupyter does."""
    panel._handle_msg({"content": {"comm_id": panel.model_id, "data": data}, "buffers": buffers})


def works(panel):
    """Send a good frame, and check that the answer says where the face is."""
    message = {"view": "a", "number": 7, "type": "frame"}
    arrive(panel, [memoryview(face())], method="custom", content=message)
    answer = panel.sent.pop()
    assert (answer["view"], answer["number"]) == ("a", 7) and len(answer["faces"]) == 1, answer
    panel.sent.clear()


@pytest.mark.parametrize("row", CALLS, ids=lambda row: row.name)
def test_a_call(row, detector, tmp_path, monkeypatch, capfd):
    row.make(tmp_path)
    monkeypatch.chdir(tmp_path)
    arguments = {} if "run_dir" in row.arguments else {"detector": detector}
    for name, value in {**arguments, **row.arguments}.items():
        is_here = isinstance(value, str) and value.startswith("./")
        arguments[name] = os.path.join(tmp_path, value[2:]) if is_here else value
    with pytest.raises((ValueError, ClassifierError)) as raised:
        CameraPanel(**arguments)
    said = str(raised.value)
    assert row.words in said and len(said) < 800 and not any(words in said for words in NEVER), said
    assert type(raised.value) in (ValueError, ClassifierError)
    del raised
    assert "Exception ignored" not in capfd.readouterr().err


@pytest.mark.parametrize(("name", "value", "words"), SETTINGS, ids=lambda value: f"{value!r:.20}")
def test_a_setting(panel, name, value, words):
    before = getattr(panel, name)
    with pytest.raises(ValueError, match=f"^{name} must be ") as raised:
        setattr(panel, name, value)
    assert words in str(raised.value) and getattr(panel, name) == before
    arrive(panel, method="update", state={name: value, "mirror": value if name == "mirror" else False}, buffer_paths=[])
    assert getattr(panel, name) == before, "the browser cannot do it, either"
    assert words in panel.sent[-1]["error"]
    assert name == "mirror" or not panel.mirror, "the other setting is not lost"
    works(panel)


@pytest.mark.parametrize("state", FOREIGN, ids=lambda state: f"{state!r:.30}")
def test_what_the_browser_must_not_set(panel, state):
    before = panel.get_state() | {"camera": panel.camera}
    arrive(panel, method="update", state=state, buffer_paths=[])
    assert panel.get_state() | {"camera": panel.camera} == before
    works(panel)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"method": "dance"},
        {"method": ["update"]},
        {"method": "update"},
        {"method": "update", "state": [1]},
        {"method": "update", "state": {"mirror": 1}, "buffer_paths": [["mirror", "x"]]},
        {"method": "update", "state": {}, "buffer_paths": 5},
        {"method": "custom"},
    ],
    ids=str,
)
def test_what_is_no_message_of_a_widget(panel, data, caplog):
    arrive(panel, **data)
    assert "Traceback" not in caplog.text
    works(panel)


@pytest.mark.parametrize("row", MESSAGES, ids=lambda row: row.name)
def test_a_message(row, panel, capfd):
    good = {"view": "a", "number": 7, "type": "frame"}
    buffers = [memoryview(one) if isinstance(one, bytes) else one for one in row.buffers or ()]
    content = {**good, **row.content} if isinstance(row.content, dict) else row.content
    arrive(panel, None if row.buffers is None else buffers, method="custom", content=content)
    if not row.words:
        assert panel.sent == []
    else:
        (answer,) = panel.sent
        assert (answer["view"], answer["number"]) == ("a", 7)
        assert row.words in (answer if row.words == "faces" else answer["error"]), answer
        assert not any(words in str(answer) for words in NEVER)
    panel.sent.clear()
    works(panel)
    assert len(panel._views) == 1
    assert not any(words in capfd.readouterr().err for words in NEVER)
