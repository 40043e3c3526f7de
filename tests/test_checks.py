"""The checks that notebooks show their readers."""

import numpy as np
import pandas as pd
import pytest

from maskdet_utils import checks, environment


def test_a_check_prints_pass_or_raises_with_a_hint(capsys):
    checks.check(1 + 1 == 2, "one and one are two")
    assert capsys.readouterr().out == "PASS one and one are two\n"
    with pytest.raises(checks.CheckFailed, match="^FAIL one and one are three. Count again.$"):
        checks.check(1 + 1 == 3, "one and one are three", "Count again.")


def test_same_arrays_means_bit_for_bit():
    arrays = [np.arange(3.0), np.ones((2, 2))]
    assert checks.same_arrays(arrays, [array.copy() for array in arrays])
    assert not checks.same_arrays(arrays, [arrays[0], arrays[1] + 1e-15 * 8])
    assert not checks.same_arrays(arrays, arrays[:1])


def test_a_group_on_two_sides_of_a_split_is_detected():
    split = pd.DataFrame({"group": ["a", "a", "b"], "split": ["train", "train", "test"]})
    assert checks.no_group_on_two_sides(split)
    split.loc[1, "split"] = "test"
    assert not checks.no_group_on_two_sides(split)


def test_versions_of_this_environment_fit():
    rows = environment.versions()
    assert {"python", "tensorflow", "opencv-python", "jupyterlab"} <= {name for name, *_ in rows}
    assert all(fits for *_, fits in rows)


def test_wrong_and_missing_versions_are_detected():
    rows = environment.versions(["numpy<1", "no-such-package>=1", "numpy>=2", 'numpy<1 ; python_version < "3"'])
    assert [(name, fits) for name, _, _, fits in rows[1:]] == [
        ("numpy", False),
        ("no-such-package", False),
        ("numpy", True),
    ]
    assert rows[2][2] == "missing"


def test_opencv_loads_here_and_the_disk_has_space(tmp_path):
    assert environment.system_libraries() is None
    assert 0 < environment.free_disk_gb(tmp_path) < 1e6
