"""From scikit-learn's ``random_state`` to a seed."""

from numbers import Integral
from typing import Any

from sklearn.utils import check_random_state


def seed_of(random_state: Any) -> int:
    """Return a seed: an integer as it is, anything else drawn from."""
    if isinstance(random_state, Integral):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31))
