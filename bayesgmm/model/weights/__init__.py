"""Priors on the mixture weights."""

from .concentration import check_concentration, is_random
from .partitions import PartitionPrior, log_partition
from .priors import (
    Dirichlet,
    DirichletProcess,
    MixtureOfFiniteMixtures,
    SparseDirichlet,
    WeightPrior,
)
from .sticks import (
    coordinates_from_log_weights,
    draw_log_weights,
    log_beta,
    log_normalised,
    log_sticks_to_log_weights,
    log_weights_density,
    log_weights_from_coordinates,
    stick_log_density,
    stick_logit,
)

__all__ = [
    "Dirichlet",
    "DirichletProcess",
    "MixtureOfFiniteMixtures",
    "PartitionPrior",
    "SparseDirichlet",
    "WeightPrior",
    "check_concentration",
    "coordinates_from_log_weights",
    "draw_log_weights",
    "is_random",
    "log_beta",
    "log_normalised",
    "log_partition",
    "log_sticks_to_log_weights",
    "log_weights_density",
    "log_weights_from_coordinates",
    "stick_log_density",
    "stick_logit",
]
