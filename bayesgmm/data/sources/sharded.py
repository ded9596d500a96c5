"""Rows divided among devices: each adds up its own, and XLA adds up theirs."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from ...numerics.moments import quadratic_features
from ...numerics.precision import in_float64
from ...numerics.rows import Rows, chunk_length, chunk_rows, chunk_vector
from ..dataset import Dataset
from .base import Kernel, Source
from .summary import Summary, chosen_rows

AXIS = "rows"
# Room beside the features of a row for the components it is compared with.
COMPONENTS = 40


@dataclass(frozen=True)
class Sharded(Source):
    """A checked table of numbers on several devices.

    Attributes: beside those of ``Source``,
        mesh: the devices, one axis.
        parts: the rows in engine units; each device has chunks of its own.
    """

    mesh: Mesh
    parts: Rows
    kind: ClassVar[str] = "sharded"

    @property
    def layout(self) -> tuple[int, ...]:
        """The number of devices."""
        return (self.mesh.size,)

    def reduce(self, kernel: Kernel, parameters: Any, n_features: int) -> Any:
        """Add up a kernel on every device and over the devices, as ``Source`` says."""
        del n_features  # The rows were cut once, when they were put on their devices.
        return jax.block_until_ready(summed_over(self.mesh, kernel, parameters, self.parts))


@partial(jax.jit, static_argnums=(0, 1))
def summed_over(mesh: Mesh, kernel: Kernel, parameters: Any, parts: Rows) -> Any:
    """Add up a kernel of rows that are divided along their chunks."""

    def of_device(parameters: Any, rows: Rows) -> Any:
        return jax.lax.psum(kernel.function(*kernel.settings, parameters, rows), AXIS)

    # Scans begin with zeros that every device shares, which the check of varying values does not accept.
    return jax.shard_map(
        of_device,
        mesh=mesh,
        in_specs=(PartitionSpec(), PartitionSpec(AXIS)),
        out_specs=PartitionSpec(),
        check_vma=False,
    )(parameters, parts)


@in_float64
def shard(X: Any, devices: Sequence[jax.Device] | None = None, seed: int = 0) -> Sharded:
    """Divide rows among devices.

    Args:
        X: rows (N, D): whatever ``bg.Dataset.from_array`` takes, or a Dataset.
        devices: JAX devices; all by default.
        seed: of the sample of rows that starts are made of.

    Returns:
        The rows (N, D). Their memory is that of N D numbers of 8 bytes, divided among the devices.

    Raises:
        ValueError: no device; rows with missing cells, weights or known labels, or that cannot be used at all.
    """
    data = X if isinstance(X, Dataset) else Dataset.from_array(X)
    data.require_plain("A mesh of devices")
    chosen_devices = list(jax.devices() if devices is None else devices)
    if not chosen_devices:
        raise ValueError(
            "Expected devices to divide rows among, got none. Pass jax.devices(), or leave devices out."
        )
    mesh = Mesh(np.array(chosen_devices), (AXIS,))
    parts = jax.device_put(
        cut_evenly(data, len(chosen_devices)), NamedSharding(mesh, PartitionSpec(AXIS))
    )
    chosen = chosen_rows(data.n_rows, seed)
    found = Summary(data.n_rows, *data.ends(), data.affine, data.values[chosen], chosen)
    return Sharded(data.names, data.named, data.dtype, found, mesh, parts)


def cut_evenly(data: Dataset, n_parts: int) -> Rows:
    """Return the rows in chunks, as many for each part, the last ones padding."""
    width = jax.eval_shape(quadratic_features, data.values[:1].T).shape[0] + COMPONENTS
    length = chunk_length(-(-data.n_rows // n_parts), width)
    cut = chunk_rows(data.scaled(), length)
    position = chunk_vector(np.arange(data.n_rows), length)
    n_more = -len(position) % n_parts

    def padded(leaf: Any) -> Any:
        return np.pad(leaf, ((0, n_more), *[(0, 0)] * (np.ndim(leaf) - 1)))

    return Rows(padded(cut.values), padded(cut.weights), position=padded(position))
