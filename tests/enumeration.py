"""The posterior over partitions by enumeration, in NumPy and SciPy: all partitions of a few rows.

Independent of the package. ``posterior`` sums over every partition, every number of components and
a grid of concentrations; the sampler is compared with what it returns.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy import stats
from scipy.special import gammaln, logsumexp, multigammaln

# log alpha, wide enough for every hyperprior in the tests, with the trapezoidal rule on top.
GRID = np.linspace(-30, 25, 2201)


# Partitions --------------------------------------------------------------------------------------


def partitions(n_rows: int) -> np.ndarray:
    """All partitions as restricted growth strings, (Bell(N), N)."""
    strings = [(0,)]
    for _ in range(n_rows - 1):
        strings = [(*one, k) for one in strings for k in range(max(one) + 2)]
    return np.array(strings)


def codes(labels: np.ndarray) -> np.ndarray:
    """A number for the partition behind labels (..., N): which pairs of rows are together."""
    first, second = np.triu_indices(labels.shape[-1], 1)
    together = labels[..., first] == labels[..., second]
    return together @ (1 << np.arange(len(first)))


def partition_index(labels: np.ndarray) -> np.ndarray:
    """Position of labels (..., N) in ``partitions``."""
    known = codes(partitions(labels.shape[-1]))
    order = known.argsort()
    return order[np.searchsorted(known[order], codes(labels))]


def sizes_of(strings: np.ndarray) -> np.ndarray:
    """Sizes of the clusters, zeros at the end, (P, N)."""
    return (strings[:, :, None] == np.arange(strings.shape[1])).sum(1)


# Rows given a partition --------------------------------------------------------------------------


class NormalWishart(NamedTuple):
    """Sigma ~ IW(nu, scale), mu | Sigma ~ N(mean, Sigma / kappa).

    Diagonal: scale (D,), spherical: scale (); one inverse-gamma(nu / 2, scale / 2) per number.
    """

    mean: np.ndarray
    kappa: float
    nu: float
    scale: np.ndarray


def gain(x: np.ndarray, prior: NormalWishart) -> np.ndarray:
    """What rows of one cluster add to the scale: scatter and shrinkage, (D, D)."""
    if len(x) == 0:
        return np.zeros((x.shape[1], x.shape[1]))
    centre = x.mean(0)
    shrinkage = prior.kappa * len(x) / (prior.kappa + len(x))
    offset = centre - prior.mean
    return (x - centre).T @ (x - centre) + shrinkage * np.outer(offset, offset)


def log_means(n_rows: int, n_columns: int, kappa: float) -> float:
    return n_columns / 2 * np.log(kappa / (kappa + n_rows))


def log_ratio(n_rows: int, nu: float, scale: np.ndarray, more: np.ndarray) -> float:
    """Inverse-Wishart normalisers of nu + n, scale + more over nu, scale, with pi^(-n D / 2)."""
    size = len(scale)
    after = nu + n_rows
    return (
        multigammaln(after / 2, size)
        - multigammaln(nu / 2, size)
        + nu / 2 * np.linalg.slogdet(scale)[1]
        - after / 2 * np.linalg.slogdet(scale + more)[1]
        - n_rows * size / 2 * np.log(np.pi)
    )


def log_full(x: np.ndarray, prior: NormalWishart) -> float:
    """log p(rows of one cluster): Murphy (2007), equation 266."""
    of_means = log_means(*x.shape, prior.kappa)
    return of_means + log_ratio(len(x), prior.nu, prior.scale, gain(x, prior))


def log_diagonal(x: np.ndarray, prior: NormalWishart) -> float:
    """One column after the other, each with the rows that have it."""
    columns = [
        NormalWishart(prior.mean[[j]], prior.kappa, prior.nu, prior.scale[j] * np.eye(1))
        for j in range(x.shape[1])
    ]
    return sum(log_full(x[~np.isnan(x[:, j])][:, [j]], column) for j, column in enumerate(columns))


def log_spherical(x: np.ndarray, prior: NormalWishart) -> float:
    """One variance for n D numbers."""
    more = np.trace(gain(x, prior)) * np.eye(1)
    of_means = log_means(*x.shape, prior.kappa)
    return of_means + log_ratio(x.size, prior.nu, prior.scale * np.eye(1), more)


def log_tied(parts: list[np.ndarray], prior: NormalWishart) -> float:
    """log p(all rows | partition) with one covariance: the pooled gain of all clusters."""
    n_columns = parts[0].shape[1]
    of_means = sum(log_means(len(part), n_columns, prior.kappa) for part in parts)
    pooled = sum(gain(part, prior) for part in parts)
    return of_means + log_ratio(sum(map(len, parts)), prior.nu, prior.scale, pooled)


OF_CLUSTER = {"full": log_full, "diag": log_diagonal, "spherical": log_spherical}


def log_rows(family: str, x: np.ndarray, prior: Any) -> np.ndarray:
    """log p(rows | partition) for all partitions, (P,)."""
    if isinstance(prior, IndependentNormal):
        return log_rows_independent(family, x, prior)
    strings = partitions(len(x))
    if family == "tied":
        return np.array([log_tied(parts_of(x, one), prior) for one in strings])
    bits = 1 << np.arange(len(x))
    subsets = np.arange(1 << len(x))[:, None] & bits > 0
    table = np.array([OF_CLUSTER[family](x[inside], prior) for inside in subsets])
    masks = (strings[:, :, None] == np.arange(len(x))).transpose(0, 2, 1) @ bits
    return table[masks].sum(1)


def parts_of(x: np.ndarray, labels: np.ndarray) -> list[np.ndarray]:
    return [x[labels == k] for k in range(labels.max() + 1)]


# Partitions before any rows ----------------------------------------------------------------------


def log_dirichlet_multinomial(sizes, n_components, alpha):
    """log p(C | K, alpha): so many ways to name the clusters, each a Dirichlet-multinomial.

    sizes (P, N); n_components and alpha broadcast against (P,).
    """
    filled = (sizes > 0).sum(-1)
    missing = np.where(n_components >= filled, n_components - filled, 0)
    ways = gammaln(n_components + 1) - gammaln(missing + 1)
    each = gammaln(np.expand_dims(alpha, -1) + sizes) - gammaln(np.expand_dims(alpha, -1))
    whole = gammaln(n_components * alpha + sizes.sum(-1)) - gammaln(n_components * alpha)
    return np.where(n_components >= filled, ways + each.sum(-1) - whole, -np.inf)


def log_ewens(sizes, alpha):
    """log p(C | alpha) of the Chinese restaurant, one customer after the other.

    Of t tables with n_j customers each: alpha^t prod (n_j - 1)! / (alpha (alpha + 1) ...).
    """
    n_rows = int(sizes[0].sum())
    filled = sizes > 0
    seated = np.where(filled, gammaln(np.where(filled, sizes, 1)), 0).sum(-1)
    arrivals = np.log(np.expand_dims(alpha, -1) + np.arange(n_rows)).sum(-1)
    return filled.sum(-1) * np.log(alpha) + seated - arrivals


@dataclass(frozen=True)
class PartitionLaw:
    """A prior over partitions.

    Attributes:
        log_joint: sizes (P, N), alpha () -> log p(C, K | alpha) for K = 1, ..., n_values, (P, n_values);
            K without a prior: one value.
        concentration: a number, or a SciPy distribution.
    """

    log_joint: Callable[[np.ndarray, Any], np.ndarray]
    concentration: Any


def finite(n_components: int, concentration: Any) -> PartitionLaw:
    """K components, w ~ Dirichlet(alpha, ..., alpha)."""

    def log_joint(sizes, alpha):
        return log_dirichlet_multinomial(sizes, n_components, alpha)[:, None]

    return PartitionLaw(log_joint, concentration)


def process(max_components: int, concentration: Any) -> PartitionLaw:
    """Dirichlet process, at most so many clusters."""

    def log_joint(sizes, alpha):
        possible = (sizes > 0).sum(-1) <= max_components
        return np.where(possible, log_ewens(sizes, alpha), -np.inf)[:, None]

    return PartitionLaw(log_joint, concentration)


def mixed(log_prior: np.ndarray, concentration: Any, is_dynamic: bool) -> PartitionLaw:
    """K random with log p(K) for K = 1, 2, ...; w | K ~ Dirichlet(alpha) or Dirichlet(alpha / K)."""
    values = np.arange(1, len(log_prior) + 1)

    def log_joint(sizes, alpha):
        columns = [
            log_p + log_dirichlet_multinomial(sizes, K, alpha / K if is_dynamic else alpha)
            for K, log_p in zip(values, log_prior, strict=True)
        ]
        return np.stack(columns, -1)

    return PartitionLaw(log_joint, concentration)


def cut_off(law: Any, max_components: int) -> np.ndarray:
    """log p(K) for K = 1, ..., max_components from a SciPy distribution of K - 1."""
    log_mass = law.logpmf(np.arange(max_components))
    return log_mass - logsumexp(log_mass)


def default_n_components(max_components: int) -> np.ndarray:
    """K - 1 ~ beta-negative-binomial(1, 4, 3) (Frühwirth-Schnatter et al. 2021, section 4)."""
    return cut_off(stats.betanbinom(1, 4, 3), max_components)


def concentrations(law: PartitionLaw) -> tuple[np.ndarray, np.ndarray]:
    """Values of alpha and their log masses: one, or a grid."""
    if not hasattr(law.concentration, "logpdf"):
        return np.array([float(law.concentration)]), np.zeros(1)
    alpha = np.exp(GRID)
    log_mass = law.concentration.logpdf(alpha) + GRID + np.log(GRID[1] - GRID[0])
    return alpha, log_mass


# Posterior ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Posterior:
    """Everything about N rows.

    Attributes:
        of_partition: p(C | x), in the order of ``partitions``, (P,).
        of_n_clusters: p(K+ = 0, 1, ..., N | x), (N + 1,).
        of_n_components: p(K = 0, 1, ..., max_components | x); None where K is known.
        log_concentration: mean of log alpha.
        log_evidence: log p(x).
        total_prior: sum of the prior over all partitions: one, unless the bound cuts some off.
    """

    of_partition: np.ndarray
    of_n_clusters: np.ndarray
    of_n_components: np.ndarray | None
    log_concentration: float
    log_evidence: float
    total_prior: float


def log_prior_table(law: PartitionLaw, strings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """log p(C, K, alpha) for each kind of sizes, (A, P, n_values), and alpha (A,)."""
    sizes = sizes_of(strings)
    kinds, inverse = np.unique(np.sort(sizes, -1), axis=0, return_inverse=True)
    alpha, log_mass = concentrations(law)
    table = np.stack([law.log_joint(kinds, one) for one in alpha])
    return alpha, (log_mass[:, None, None] + table)[:, inverse.ravel()]


def agreeing(strings: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Whether rows are together where they share a known label, apart where theirs differ, (P,)."""
    known = labels >= 0
    named = strings[:, known]
    together = named[:, :, None] == named[:, None, :]
    return (together == (labels[known][:, None] == labels[known])).all((1, 2))


def posterior(
    family: str, x: np.ndarray, prior: Any, law: PartitionLaw, labels: np.ndarray | None = None
) -> Posterior:
    """Sum over all partitions of the rows x (N, D) that agree with known labels (N,), -1 for none."""
    strings = partitions(len(x))
    alpha, log_prior = log_prior_table(law, strings)
    log_joint = log_prior + log_rows(family, x, prior)[None, :, None]
    if labels is not None:
        log_joint = np.where(agreeing(strings, labels)[None, :, None], log_joint, -np.inf)
    joint = np.exp(log_joint - logsumexp(log_joint))
    of_partition = joint.sum((0, 2))
    n_clusters = strings.max(1) + 1
    of_n_components = np.append(0.0, joint.sum((0, 1))) if joint.shape[2] > 1 else None
    return Posterior(
        of_partition,
        np.bincount(n_clusters, of_partition, len(x) + 1),
        of_n_components,
        float(joint.sum((1, 2)) @ np.log(alpha)),
        float(logsumexp(log_joint)),
        float(np.exp(logsumexp(log_prior))),
    )


# Rows under means and variances that are independent a priori --------------------------------------


class IndependentNormal(NamedTuple):
    """mu_j ~ N(mean_j, spread_j), variances ~ inverse-gamma(nu / 2, scale / 2).

    Diagonal: scale (D,), a variance per cluster and column; spherical: scale (), one per cluster;
    tied, in one column: scale (), one for all clusters.
    """

    mean: np.ndarray
    spread: np.ndarray
    nu: float
    scale: np.ndarray


# log variance, by the trapezoidal rule.
LOG_VARIANCE = np.linspace(-12, 12, 3001)


def log_column(x: np.ndarray, mean: float, spread: float) -> np.ndarray:
    """log p(rows of one cluster in one column | variance), the mean integrated out, over the grid."""
    variance = np.exp(LOG_VARIANCE)
    n = len(x)
    about = ((x - x.mean()) ** 2).sum()
    within = -(n - 1) / 2 * np.log(2 * np.pi * variance) - np.log(n) / 2 - about / (2 * variance)
    return within + stats.norm(mean, np.sqrt(spread + variance / n)).logpdf(x.mean())


def log_integral(log_values: np.ndarray, nu: float, scale: float) -> float:
    """log of the integral over the variance."""
    variance = np.exp(LOG_VARIANCE)
    law = stats.invgamma(nu / 2, scale=scale / 2).logpdf(variance) + LOG_VARIANCE
    return float(logsumexp(log_values + law) + np.log(LOG_VARIANCE[1] - LOG_VARIANCE[0]))


def log_cluster_independent(family: str, x: np.ndarray, prior: IndependentNormal) -> float:
    columns = [log_column(x[:, j], prior.mean[j], prior.spread[j]) for j in range(x.shape[1])]
    if family == "spherical":
        return log_integral(np.sum(columns, 0), prior.nu, float(prior.scale))
    scales = np.broadcast_to(prior.scale, (x.shape[1],))
    return sum(
        log_integral(one, prior.nu, scale) for one, scale in zip(columns, scales, strict=True)
    )


def log_rows_independent(family: str, x: np.ndarray, prior: IndependentNormal) -> np.ndarray:
    """log p(rows | partition) for all partitions, (P,); one column makes full and diagonal the same."""
    subsets = {one.tobytes(): None for one in masks_of(len(x))}
    for one in masks_of(len(x)):
        if family == "tied":
            subsets[one.tobytes()] = log_column(x[one, 0], prior.mean[0], prior.spread[0])
        else:
            subsets[one.tobytes()] = log_cluster_independent(family, x[one], prior)
    totals = []
    for labels in partitions(len(x)):
        total = sum(subsets[(labels == k).tobytes()] for k in range(labels.max() + 1))
        is_tied = family == "tied"
        totals.append(log_integral(total, prior.nu, float(prior.scale)) if is_tied else total)
    return np.array(totals)


def masks_of(n_rows: int) -> np.ndarray:
    """All subsets that are not empty, (2^N - 1, N)."""
    return np.arange(1, 1 << n_rows)[:, None] & (1 << np.arange(n_rows)) > 0
