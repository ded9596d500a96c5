"""One row of the table that ``diagnose`` returns, and the three ways a number can pass."""

from typing import NamedTuple


class Check(NamedTuple):
    """One check.

    Attributes:
        check: what was looked at.
        value: what was found.
        threshold: where it passes, in words and numbers.
        passed: whether it does.
        advice: what it means where it passes, what to do where it fails.
    """

    check: str
    value: float
    threshold: str
    passed: bool
    advice: str


def at_most(check: str, value: float, bound: float, fine: str, advice: str) -> Check:
    """Pass where value <= bound; NaN fails."""
    return judged(check, value, f"<= {bound:.4g}", value <= bound, fine, advice)


def at_least(check: str, value: float, bound: float, fine: str, advice: str) -> Check:
    """Pass where value >= bound; NaN fails."""
    return judged(check, value, f">= {bound:.4g}", value >= bound, fine, advice)


def below(check: str, value: float, bound: float, fine: str, advice: str) -> Check:
    """Pass where value < bound; NaN fails."""
    return judged(check, value, f"< {bound:.4g}", value < bound, fine, advice)


def noted(check: str, value: float, advice: str) -> Check:
    """Note what is worth knowing and neither right nor wrong."""
    return judged(check, value, "none", True, advice, advice)


def judged(check: str, value: float, threshold: str, passed: bool, fine: str, advice: str) -> Check:
    """Choose the sentence that goes with the outcome."""
    return Check(check, float(value), threshold, bool(passed), fine if passed else advice)
