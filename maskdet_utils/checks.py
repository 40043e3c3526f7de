"""Checks that a notebook shows its reader: a PASS line, or an error that says what is wrong and what to try."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


class CheckFailed(AssertionError):
    """A check in a notebook failed. The message says what was expected."""


def check(passed: bool, claim: str, hint: str = "") -> None:
    """Print "PASS" and the claim, or raise an error with the claim and a hint.

    Args:
        passed: Whether the claim is true.
        claim: What should be true, without a period at the end.
        hint: What to try if it is not true.

    Raises:
        CheckFailed: The claim is not true.

    Introduced in notebook 00.
    """
    if not passed:
        raise CheckFailed(f"FAIL {claim}. {hint}".strip())
    print(f"PASS {claim}")


def same_arrays(before: Sequence[np.ndarray], after: Sequence[np.ndarray]) -> bool:
    """Whether two lists of arrays are equal, bit for bit.

    Introduced in notebook 03.
    """
    return len(before) == len(after) and all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def no_group_on_two_sides(manifest: "pd.DataFrame") -> bool:
    """Whether no group is in two sets of a split. The manifest has the columns `group` and `split`.

    Introduced in notebook 01.
    """
    return bool((manifest.groupby("group")["split"].nunique() == 1).all())
