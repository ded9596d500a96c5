"""Predictive checks as pictures: their structure, and the numbers behind lines, regions and bands."""

from dataclasses import replace

import jax
import matplotlib.pyplot as plt
import numpy as np
import pytest
import textbook as tb
from posterior.handmade import every_fit, fit_of, made
from scipy import stats

import bayesgmm as bg
from bayesgmm.diagnostics.replicates import rows_of_mixtures
from bayesgmm.plots.ppc_density import bins_of, curves_of
from bayesgmm.plots.ppc_distances import expected_distances, ordered_distances
from bayesgmm.plots.ppc_draws import from_posterior, from_prior
from bayesgmm.plots.ppc_pairs import N_SAMPLE, REGIONS, regions
from bayesgmm.posterior.density import flat_draws

every_structure = pytest.mark.parametrize("structure", tb.STRUCTURES, ids=lambda one: one.name)
FULL = next(one for one in tb.STRUCTURES if one.name == "full")


def with_prior(fit, prior=None, covariance="full"):
    """The same draws under a model that has a prior."""
    rule = prior or bg.NormalInverseWishart()
    spec = bg.MixtureSpec(2, covariance=covariance, weights=bg.Dirichlet(1.0), prior=rule)
    return replace(fit, model=bg.resolve(spec, fit.data))


def texts(legend):
    return [text.get_text() for text in legend.get_texts()]


def line_of(ax, label):
    (line,) = [one for one in ax.lines if one.get_label() == label]
    return line.get_xdata(), line.get_ydata()


def dots_of(ax):
    (dots,) = [one for one in ax.collections if one.get_gid() == "rows"]
    return np.asarray(dots.get_offsets())


def column_density(fit, column, grid):
    """The average over draws of sum_k w_k N(x | mu_k, Sigma_k), one Gaussian at a time."""
    structure = next(one for one in tb.STRUCTURES if one.name == fit.model.family.name)
    flat = jax.tree.map(
        lambda leaf: leaf.reshape(-1, *leaf.shape[fit.log_likelihood.ndim :]), fit.mixture
    )
    n_draws, total = len(flat.log_weights), np.zeros_like(grid)
    for s in range(n_draws):
        weights, means, matrices = tb.parameters_of(
            structure, jax.tree.map(lambda x, s=s: x[s], flat)
        )
        for w, mean, matrix in zip(weights, means, matrices, strict=True):
            total += w * stats.norm.pdf(grid, mean[column], np.sqrt(matrix[column, column]))
    return total / n_draws


def test_every_column_has_axes_and_one_legend_names_all(posterior):
    axes = bg.plots.ppc(posterior)
    assert isinstance(axes, np.ndarray)
    assert [ax.get_xlabel() for ax in axes] == ["length", "width", "depth"]
    assert [ax.get_ylabel() for ax in axes] == ["density", "", ""]
    (legend,) = axes[0].figure.legends
    assert texts(legend) == ["data", "posterior predictive", "90% band"]
    assert all(ax.get_legend() is None for ax in axes)


def test_a_point_has_a_density_and_no_band(line):
    ax = bg.plots.ppc(line)
    assert texts(ax.get_legend()) == ["data", "fitted density"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("length", "density")


@pytest.mark.parametrize("columns", ["depth", 2, ["depth"], [2]])
def test_a_column_is_named_or_counted(posterior, columns):
    assert bg.plots.ppc(posterior, columns=columns).get_xlabel() == "depth"


@pytest.mark.parametrize(("n_columns", "n_panels"), [(2, 2), (4, 4), (5, 5), (8, 6)])
def test_at_most_six_columns_are_drawn_unless_more_are_asked_for(n_columns, n_panels):
    rng = np.random.default_rng(0)
    parameters = tb.random_parameters(rng, FULL, 2, n_columns)
    names = [f"x{j}" for j in range(n_columns)]
    rows = rng.normal(size=(40, n_columns))
    fit = made(tb.mixture_of(FULL, parameters), "full", rows=rows, names=names)
    axes = bg.plots.ppc(fit)
    assert [ax.get_xlabel() for ax in axes] == names[:n_panels]
    assert len(axes[0].figure.axes) == n_panels
    assert len(bg.plots.ppc(fit, columns=names)) == n_columns


def test_given_axes_are_used_and_returned(posterior):
    _, ax = plt.subplots()
    assert bg.plots.ppc(posterior, columns="width", ax=ax) is ax
    assert bg.plots.ppc(posterior, "distances", ax=ax) is ax
    assert len(plt.get_fignums()) == 1


@every_fit
def test_the_line_is_the_density_averaged_over_draws(structure, kind):
    fit = fit_of(structure, kind)
    name = "fitted density" if kind == "point" else "posterior predictive"
    for column, ax in enumerate(bg.plots.ppc(fit)):
        grid, values = line_of(ax, name)
        some = slice(None, None, 57)
        tb.assert_close(values[some], column_density(fit, column, grid[some]), rtol=1e-8, atol=0)
        one = bg.marginal(fit, column).log_density(grid[:, None])
        tb.assert_close(values, np.exp(one), rtol=1e-8, atol=0)


@every_fit
def test_the_line_holds_all_probability(structure, kind):
    fit = fit_of(structure, kind)
    average = from_posterior(fit, 200).average
    matrices = np.asarray(tb.parameters_of(structure, flat_draws(fit)).matrices)
    scales = fit.model.affine.scale * np.sqrt(tb.diagonals(matrices)[..., 1])
    reach = np.abs(fit.mixture.means[..., 1] - fit.model.affine.centre[1]).max() + 9 * scales.max()
    n_points = int(2 * reach / scales.min()) + 2
    grid = fit.model.affine.centre[1] + np.linspace(-reach, reach, n_points)
    total = np.trapezoid(curves_of(average, 1, grid).mean(0), grid)
    # Poisson's sum: steps of one sigma or less leave 2 exp(-2 pi^2); nine sigma leave less.
    assert abs(total - 1) < 3 * np.exp(-2 * np.pi**2)


def test_the_band_holds_nine_tenths_of_the_draws(posterior):
    ax = bg.plots.ppc(posterior, columns="length", n_draws=60)
    (band,) = ax.collections
    grid, _ = line_of(ax, "posterior predictive")
    curves = curves_of(from_posterior(posterior, 60).draws, 0, grid)
    ends = np.quantile(curves, [0.05, 0.95], axis=0)
    (vertices,) = [path.vertices for path in band.get_paths()]
    tb.assert_close(sorted(set(vertices[:, 1])), sorted(set(ends.ravel())))


def test_the_axis_holds_all_rows_and_nine_tenths_of_the_predicted_ones(posterior, rows):
    for ax, column in zip(bg.plots.ppc(posterior), rows.T, strict=True):
        low, high = ax.get_xlim()
        assert low < column.min() < column.max() < high
        # 4 standard errors of a share of 0.1 among the rows drawn to find the ends.
        held = np.trapezoid(*line_of(ax, "posterior predictive")[::-1])
        assert held > 0.9 - 4 * np.sqrt(0.09 / N_SAMPLE)


def test_the_histogram_is_a_density(posterior):
    for ax in bg.plots.ppc(posterior):
        (outline,) = ax.patches
        across, up = outline.get_path().vertices.T
        # The outline goes around the bars and back along the foot: the area of a polygon.
        area = np.abs(np.sum(across * np.roll(up, -1) - np.roll(across, -1) * up)) / 2
        tb.assert_close(area, 1.0)


@pytest.mark.parametrize("n_rows", [30, 900])
def test_bins_of_rounded_values_hold_equally_many_steps(n_rows):
    values = np.random.default_rng(1).normal(50, 12, n_rows).round()
    edges = bins_of(values, 0.0)
    held = np.histogram(np.arange(values.min(), np.ceil(edges[-1])), edges)[0]
    assert len(set(held)) == 1
    assert np.histogram(values, edges)[0].sum() == n_rows


@pytest.mark.parametrize(
    "values", [[2.0, 2.0], [0.0, 1.0], [0.0, 1e-9, 1e9], [1e8, 1e8 + 1, 1e8 + 4]]
)
def test_bins_of_few_values_hold_them_all(values):
    edges = bins_of(np.array(values), 0.01)
    assert len(edges) < 100
    assert (np.diff(edges) > 0).all()
    assert np.histogram(values, edges)[0].sum() == len(values)


def test_few_rows_have_ticks_and_many_have_none(line, posterior):
    assert len(bg.plots.ppc(line).lines) == 2
    rows = np.tile(line.data.values, (5, 1)) + np.arange(500)[:, None] / 1e3
    many = replace(line, data=bg.Dataset.from_array(rows, names=["length"]))
    assert len(bg.plots.ppc(many).lines) == 1


def test_rows_stand_beside_as_many_drawn_ones(posterior, rows):
    axes = bg.plots.ppc(posterior, "pairs", columns=["depth", 0])
    assert axes.shape == (2,)
    assert [ax.get_xlabel() for ax in axes] == ["depth"] * 2
    assert [ax.get_ylabel() for ax in axes] == ["length", ""]
    assert axes[0].get_title() == "data"
    assert axes[1].get_title().startswith("drawn from the posterior")
    assert axes[0].axis() == axes[1].axis()
    np.testing.assert_array_equal(dots_of(axes[0]), rows[:, [2, 0]])
    assert dots_of(axes[1]).shape == (100, 2)
    (legend,) = axes[0].figure.legends
    assert texts(legend) == ["holds 50% of new rows", "holds 90% of new rows"]


def test_of_many_rows_some_are_drawn_and_it_is_said(point):
    rows = np.random.default_rng(0).normal(size=(2_500, 3))
    many = replace(point, data=bg.Dataset.from_array(rows, names=point.data.names))
    axes = bg.plots.ppc(many, "pairs", columns=[0, 1])
    assert axes[0].get_title() == "data, 2,000 of 2,500 rows"
    assert [len(dots_of(ax)) for ax in axes] == [2_000, 2_000]


def test_rows_beyond_the_axes_are_counted(point):
    means = point.scaled.means * [[1.0], [0.0]] + [[0.0], [1e6]]
    far = point.scaled._replace(means=means, log_weights=np.log([0.97, 0.03]))
    axes = bg.plots.ppc(replace(point, scaled=far), "pairs", columns=[0, 1])
    n_beyond = int((dots_of(axes[1])[:, 0] > axes[1].get_xlim()[1]).sum())
    assert n_beyond > 1
    assert axes[1].get_title() == f"drawn from the fit ({n_beyond} rows outside)"


def test_drawn_rows_are_of_the_fit(point):
    axes = bg.plots.ppc(point, "pairs", columns=[0, 1])
    predictive = bg.marginal(point, [0, 1])
    drawn = dots_of(axes[1])
    # 4 standard errors of the mean of 100 rows.
    distance = np.abs(drawn.mean(0) - predictive.mean())
    assert (distance < 4 * predictive.sd() / np.sqrt(len(drawn))).all()


def test_the_worst_pair_is_drawn_unless_another_is_asked_for():
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(300, 3))
    rows[:, 2] = 0.95 * rows[:, 1] + np.sqrt(1 - 0.95**2) * rows[:, 2]
    independent = tb.Parameters(np.ones(1), np.zeros((1, 3)), np.eye(3)[None])
    axes = bg.plots.ppc(made(tb.mixture_of(FULL, independent), "full", rows=rows), "pairs")
    assert (axes[0].get_xlabel(), axes[0].get_ylabel()) == ("b", "c")


def test_the_regions_of_a_gaussian_are_its_ellipses():
    gaussian = tb.Parameters(np.ones(1), np.zeros((1, 3)), np.diag([1.0, 4.0, 0.25])[None])
    fit = made(tb.mixture_of(FULL, gaussian), "full")
    levels, _ = regions(bg.marginal(fit, [0, 1]))
    highest = bg.marginal(fit, [0, 1]).log_density(fit.model.affine.centre[:2])
    held = stats.chi2.cdf(2 * (highest - levels), 2)
    masses = np.array(list(REGIONS))
    # 4 standard errors of a share of the rows drawn to find the levels.
    assert (np.abs(held - masses) < 4 * np.sqrt(masses * (1 - masses) / N_SAMPLE)).all()


@every_fit
def test_the_regions_hold_what_they_claim(structure, kind):
    predictive = bg.marginal(fit_of(structure, kind), [2, 0])
    levels, inside = regions(predictive)
    n = 20_000
    held = predictive.log_density(predictive.sample(n, seed=1)) >= levels[:, None]
    masses = np.array(list(REGIONS))
    # 4 standard errors of the difference of two shares.
    error = np.sqrt(masses * (1 - masses) * (1 / n + 1 / N_SAMPLE))
    assert (np.abs(held.mean(1) - masses) < 4 * error).all()
    assert len(inside) == 0.9 * N_SAMPLE


def test_the_outlines_are_those_of_the_regions(point):
    predictive = bg.marginal(point, [0, 1])
    levels, _ = regions(predictive)
    for ax in bg.plots.ppc(point, "pairs", columns=[0, 1]):
        drawn = [one for one in ax.collections if hasattr(one, "levels")]
        for outline, level in zip(drawn, levels, strict=True):
            vertices = np.concatenate([path.vertices for path in outline.get_paths()])
            # Linear interpolation across a cell of 1/150 of the axes.
            assert np.abs(predictive.log_density(vertices) - level).max() < 0.02


def test_distances_have_points_band_and_line_of_equality(posterior):
    ax = bg.plots.ppc(posterior, "distances")
    assert texts(ax.get_legend()) == ["90% band", "as expected", "data"]
    assert ax.get_xlabel() == "expected distance from its component"
    assert ax.get_ylabel() == "distance of a row from its component"
    np.testing.assert_array_equal(*line_of(ax, "as expected"))
    expected, found = line_of(ax, "data")
    assert (np.diff(expected) > 0).all()
    assert (np.diff(found) >= 0).all()


@every_structure
def test_distances_of_one_component_are_mahalanobis_distances(structure):
    rng = np.random.default_rng(3)
    one = tb.random_parameters(rng, structure, 1, 3)
    rows = rng.normal(size=(40, 3))
    rows[0] = 1e3
    fit = made(tb.mixture_of(structure, one), structure.name, rows=rows)
    scaled = fit.data.scaled()
    offsets = scaled - one.means[0]
    squares = np.einsum("ni,ij,nj->n", offsets, np.linalg.inv(one.matrices[0]), offsets)
    _, found = line_of(bg.plots.ppc(fit, "distances", n_draws=3), "data")
    tb.assert_close(found, np.sort(np.sqrt(squares)))


def drawn_sets(fit, n_sets, n_rows):
    """Data sets in engine units drawn from a point fit, (n_sets, n_rows, D)."""
    random, mixtures = np.random.default_rng(8), jax.tree.map(lambda leaf: leaf[None], fit.scaled)
    with jax.enable_x64(True):
        family = fit.model.family
        return [next(rows_of_mixtures(random, family, mixtures, n_rows)) for _ in range(n_sets)]


@every_structure
def test_the_band_is_that_of_rows_drawn_from_the_fit(structure):
    n_sets, fit = 400, fit_of(structure, "point")
    found = np.stack([ordered_distances(fit, rows, 1)[0] for rows in drawn_sets(fit, n_sets, 60)])
    lower, median, upper = expected_distances(60, 3)
    inside = ((lower <= found) & (found <= upper)).mean(0)
    # 5 standard errors of shares of 0.9 and 0.5, sixty of each.
    assert (np.abs(inside - 0.9) < 5 * np.sqrt(0.09 / n_sets)).all()
    assert (np.abs((found <= median).mean(0) - 0.5) < 5 * np.sqrt(0.25 / n_sets)).all()


def test_rows_drawn_from_the_fit_lie_mostly_in_the_band_and_others_do_not():
    fit, (lower, _, upper) = fit_of(FULL, "point"), expected_distances(500, 3)
    (rows,) = drawn_sets(fit, 1, 500)

    def shares_inside(found):
        return ((lower <= found) & (found <= upper)).mean(-1)

    # Ranks go in and out of the band together: one set in a hundred has no more inside than this.
    sets = np.sort(stats.chi.rvs(3, size=(2_000, 500), random_state=np.random.default_rng(5)))
    usual = np.quantile(shares_inside(sets), 0.01)
    assert shares_inside(ordered_distances(fit, rows, 50).mean(0)) > usual
    assert shares_inside(ordered_distances(fit, 2 * rows, 50).mean(0)) < usual


@pytest.mark.slow
def test_the_prior_is_drawn_like_the_posterior(posterior, rows):
    ax = bg.plots.ppc(with_prior(posterior), columns="length", group="prior", n_draws=5)
    assert texts(ax.get_legend()) == ["data", "prior predictive", "90% band"]
    grid, values = line_of(ax, "prior predictive")
    assert grid[0] < rows[:, 0].min() < rows[:, 0].max() < grid[-1]
    assert 0.7 < np.trapezoid(values, grid) <= 1


def test_the_prior_of_two_columns_has_one_data_set(posterior):
    axes = bg.plots.ppc(with_prior(posterior), "pairs", group="prior", n_draws=5)
    assert [ax.get_xlabel() for ax in axes] == ["length", "length"]
    assert axes[1].get_title().startswith("drawn from the prior")
    assert len(dots_of(axes[1])) == 100


@every_structure
def test_the_prior_density_is_students(structure, point):
    rule = bg.NormalInverseWishart(degrees_of_freedom=9.0, scale=2.0, mean_precision=0.5)
    fit = with_prior(point, rule, structure.name)
    prior, row = fit.model.prior, np.array([0.4, -0.3, 0.8])
    nu, kappa = float(prior.degrees_of_freedom), float(prior.mean_precision)
    expected = structure.predictive(row, np.asarray(prior.mean), kappa, nu, np.asarray(prior.scale))
    full = tb.parameters_of(FULL, flat_draws(from_prior(fit, 100).average))
    assert len(full.weights) == 2_000
    each = [
        np.exp(stats.multivariate_normal.logpdf(row, mean[0], matrix[0]))
        for mean, matrix in zip(full.means, full.matrices, strict=True)
    ]
    tb.assert_mean(each, np.exp(expected))


def test_independent_means_add_their_own_covariance(point):
    rule = bg.IndependentNormalWishart(mean_covariance=[1.0, 4.0, 9.0], scale=2.0)
    drawn = from_prior(with_prior(point, rule), 5)
    before = tb.parameters_of(FULL, flat_draws(drawn.draws)).matrices[:, :1]
    after = tb.parameters_of(FULL, flat_draws(drawn.average)).matrices
    expected = np.diag([1.0, 4.0, 9.0]) / point.model.affine.scale**2
    tb.assert_close(after - before, np.broadcast_to(expected, after.shape), atol=1e-8)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"kind": "bars"}, ["kind", "'bars'", "pairs"]),
        ({"kind": ["density"]}, ["kind"]),
        ({"group": "both"}, ["group", "'both'", "prior"]),
        ({"n_draws": 0}, ["n_draws"]),
        ({"columns": "height"}, ["height", "length"]),
        ({"columns": []}, ["none"]),
        ({"columns": ["length", 0]}, ["twice"]),
        ({"kind": "pairs", "columns": "length"}, ["two columns", "got 1"]),
        ({"kind": "pairs", "columns": [0, 1, 2]}, ["two columns", "got 3"]),
        ({"kind": "distances", "columns": [0]}, ["columns=None", "[0]"]),
        ({"kind": "distances", "group": "prior"}, ["prior", "density"]),
        ({"group": "prior"}, ["priors", "maximum likelihood"]),
    ],
)
def test_what_cannot_be_drawn_is_refused(point, settings, words):
    with pytest.raises(ValueError, match="got") as refusal:
        bg.plots.ppc(point, **settings)
    tb.assert_three_parts(str(refusal.value), *words)
    assert not plt.get_fignums()


@pytest.mark.parametrize("kind", ["density", "pairs"])
def test_axes_for_more_than_one_panel_are_refused(point, kind):
    _, ax = plt.subplots()
    with pytest.raises(ValueError, match="ax") as refusal:
        bg.plots.ppc(point, kind, columns=[0, 1], ax=ax)
    tb.assert_three_parts(str(refusal.value), "Leave ax out")


def test_one_column_has_no_pairs(line):
    with pytest.raises(ValueError, match="two columns or more") as refusal:
        bg.plots.ppc(line, "pairs")
    tb.assert_three_parts(str(refusal.value), "density")
