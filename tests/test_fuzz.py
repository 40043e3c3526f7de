"""A few random inputs for each reader, and those that found a fault once. `make fuzz` tries many."""

import fuzz
import pytest


@pytest.mark.parametrize("name", fuzz.TARGETS)
def test_random_input_gives_a_value_or_a_sentence(name):
    fuzz.run(name, 20)
    assert fuzz.COUNTS[name, "accepted"] + fuzz.COUNTS[name, "refused"] >= 20


def test_a_fault_is_found(monkeypatch):
    monkeypatch.setattr("maskdet_utils.photos._to_rgb", lambda image: 1 / 0)
    monkeypatch.setattr("maskdet_utils.photos._reason", lambda path, error: "line\nbreak")
    monkeypatch.setattr("maskdet_utils.photos.PhotoError.__str__", lambda error: error.args[0])
    with pytest.raises(AssertionError, match="line\nbreak"):
        fuzz.run("photo", 20)
