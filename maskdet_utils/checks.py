"""Checks that a notebook's reader can see: a PASS line, or an error that says what is wrong and what to try."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


class CheckFailed(AssertionError):
    """A check of the notebook did not hold; the message says what was expected."""


def check(passed: bool, claim: str, hint: str = "") -> None:
    """Print "PASS" and the claim, or raise `CheckFailed` with the claim and a hint."""
    if not passed:
        raise CheckFailed(f"FAIL {claim}. {hint}".strip())
    print(f"PASS {claim}")


def same_arrays(before: Sequence[np.ndarray], after: Sequence[np.ndarray]) -> bool:
    """Whether two lists of arrays agree bit for bit."""
    return len(before) == len(after) and all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def no_group_on_two_sides(manifest: "pd.DataFrame") -> bool:
    """Whether each group of a manifest with the columns `group` and `split` lies in one part of the split only."""
    return bool((manifest.groupby("group")["split"].nunique() == 1).all())
