"""Concentrations: positive numbers, or NumPyro distributions over them."""

from typing import Any

import numpy as np


def gamma(shape: float, rate: float) -> Any:
    """Return NumPyro's Gamma(shape, rate)."""
    # Imported on use: maximum likelihood needs no NumPyro, whose import costs seconds.
    import numpyro.distributions as dist

    return dist.Gamma(shape, rate)


def is_random(concentration: Any) -> bool:
    """Say whether a concentration carries a hyperprior."""
    return hasattr(concentration, "log_prob")


def check_concentration(concentration: Any, owner: str) -> Any:
    """Return a checked concentration: a positive float or a distribution with positive support.

    Raises:
        ValueError: not positive.
    """
    if is_random(concentration):
        lower = getattr(concentration.support, "lower_bound", None)
        is_scalar = concentration.batch_shape == concentration.event_shape == ()
        is_positive = lower is not None and bool(np.all(np.asarray(lower) >= 0))
        if not (is_scalar and is_positive) or concentration.support.is_discrete:
            raise ValueError(
                f"Expected a hyperprior on one positive number for {owner}.concentration, got "
                f"{type(concentration).__name__} with shape "
                f"{concentration.batch_shape + concentration.event_shape}. "
                "Use for instance numpyro.distributions.Gamma(1, 20)."
            )
        return concentration
    value = np.asarray(concentration)
    if value.ndim or value.dtype.kind not in "iuf" or not (np.isfinite(value) and value > 0):
        raise ValueError(
            f"Expected {owner}.concentration to be a number > 0 or a NumPyro distribution, got "
            f"{concentration!r}. Give a positive number; below 1 favours empty components."
        )
    return float(value)
