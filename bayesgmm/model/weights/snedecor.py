"""The F distribution, which NumPyro lacks: the usual hyperprior on a concentration."""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jax import Array
from jax.scipy.special import gammaln
from jax.typing import ArrayLike
from numpyro.distributions import constraints

from ...numerics.submodules import bind_submodules

bind_submodules("numpyro.distributions")


class FisherSnedecor(dist.Distribution):
    """F distribution with ``df1`` and ``df2`` degrees of freedom."""

    arg_constraints: ClassVar[dict[str, Any]] = {
        "df1": constraints.positive,
        "df2": constraints.positive,
    }
    support = constraints.positive
    reparametrized_params: ClassVar[list[str]] = ["df1", "df2"]

    def __init__(
        self, df1: ArrayLike, df2: ArrayLike, *, validate_args: bool | None = None
    ) -> None:
        """Take the degrees of freedom, (...) each."""
        self.df1, self.df2 = df1, df2
        shape = jnp.broadcast_shapes(jnp.shape(df1), jnp.shape(df2))
        super().__init__(batch_shape=shape, validate_args=validate_args)

    def log_prob(self, value: ArrayLike) -> Array:
        """Return the log density, (...)."""
        a, b = jnp.asarray(self.df1) / 2, jnp.asarray(self.df2) / 2
        ratio = a / b * value
        log_beta = gammaln(a) + gammaln(b) - gammaln(a + b)
        return a * jnp.log(a / b) + (a - 1) * jnp.log(value) - (a + b) * jnp.log1p(ratio) - log_beta

    def sample(self, key: Array, sample_shape: tuple[int, ...] = ()) -> Array:
        """Draw a ratio of two scaled chi-squares."""
        key_above, key_below = jax.random.split(key)
        shape = (*sample_shape, *self.batch_shape)
        above = jax.random.gamma(key_above, jnp.asarray(self.df1, float) / 2, shape) / self.df1
        below = jax.random.gamma(key_below, jnp.asarray(self.df2, float) / 2, shape) / self.df2
        return above / below

    @property
    def mean(self) -> Array:
        """df2 / (df2 - 2), infinite for df2 <= 2."""
        df2 = jnp.asarray(self.df2, float)
        mean = jnp.where(df2 > 2, df2 / (df2 - 2), jnp.inf)
        return jnp.broadcast_to(mean, self.batch_shape)
