from dataclasses import replace

import arviz as az
import numpy as np
import pytest

import bayesgmm as bg
from bayesgmm.diagnostics import datatree
from bayesgmm.model.mixture import Diagonal, Spherical, Tied

STATS = {"lp", "diverging", "energy", "n_steps", "tree_depth", "acceptance_rate", "step_size"}
DIMS = {
    "n_clusters": (),
    "log_lik": (),
    "entropy": (),
    "concentration": (),
    "sorted_weights": ("rank",),
}
COMPONENT_DIMS = {
    "weights": ("component",),
    "means": ("component", "feature"),
    "chol": ("component", "feature", "feature_bis"),
}
SCALARS = ["n_clusters", "log_lik", "entropy", "concentration"]


@pytest.fixture(scope="module")
def tree(posterior):
    return bg.to_datatree(posterior)


@pytest.fixture(scope="module")
def moving(tree):
    """The quantities that are not constant; ArviZ divides by the variance of the others."""
    return [name for name in SCALARS if name != "n_clusters"]


def test_groups_variables_and_dimensions(tree):
    assert list(tree["posterior"].data_vars)[:3] == ["n_clusters", "log_lik", "entropy"]
    for group, known in (("posterior", DIMS), ("components", COMPONENT_DIMS)):
        found = {name: value.dims for name, value in tree[group].data_vars.items()}
        assert found == {name: ("chain", "draw", *dims) for name, dims in known.items()}
    assert "no common labels" in tree["components"].attrs["note"]
    assert set(tree["sample_stats"].data_vars) == STATS
    assert tree["log_likelihood"]["x"].dims == ("chain", "draw", "row")
    assert tree["posterior_predictive"]["x"].dims == ("chain", "draw", "row", "feature")
    assert tree["observed_data"]["x"].dims == ("row", "feature")
    assert tree["constant_data"]["centre"].dims == ("feature",)
    assert list(tree["components"]["feature"].values) == ["length", "width"]


def test_values_are_those_of_the_fit(tree, posterior):
    group, components = tree["posterior"], tree["components"]
    np.testing.assert_array_equal(components["means"], posterior.mixture.means)
    np.testing.assert_array_equal(group["n_clusters"], posterior.n_clusters)
    np.testing.assert_array_equal(tree["observed_data"]["x"], posterior.data.values)
    weights = components["weights"]
    in_order = -np.sort(-weights, -1)
    np.testing.assert_array_equal(group["sorted_weights"], in_order[..., :2])
    entropy = -(weights * np.log(weights)).sum("component")
    np.testing.assert_allclose(group["entropy"], entropy, rtol=1e-12)


def test_pointwise_log_likelihoods_are_those_of_the_mixture(tree, posterior):
    chain, draw, row = 1, 17, 5
    mixture, x = posterior.mixture, posterior.data.values[row]
    total = 0.0
    for k in range(4):
        whitened = np.linalg.solve(
            mixture.covariance.chol[chain, draw, k], x - mixture.means[chain, draw, k]
        )
        det = np.prod(np.diag(mixture.covariance.chol[chain, draw, k]))
        density = np.exp(-whitened @ whitened / 2) / (2 * np.pi * abs(det))
        total += np.exp(mixture.log_weights[chain, draw, k]) * density
    found = float(tree["log_likelihood"]["x"][chain, draw, row])
    assert found == pytest.approx(np.log(total), rel=1e-10)


def test_it_says_where_it_comes_from(tree, posterior):
    attrs = tree.attrs
    assert attrs["seed"] == 3
    assert attrs["created_at"] == posterior.provenance.created
    assert attrs["status"] == "complete"
    assert attrs["engine"] == repr(posterior.engine)
    assert '"bayesgmm": "0.1.0"' in attrs["versions"]


def test_arviz_reads_it_unchanged(tree, moving):
    summary = az.summary(tree, var_names=[*moving, "sorted_weights"])
    assert {"mean", "r_hat", "ess_bulk", "ess_tail"} <= set(summary.columns)
    assert len(summary) == len(moving) + 2
    assert float(az.rhat(tree, var_names=moving)["log_lik"]) < 1.02
    assert float(az.ess(tree, var_names=moving)["entropy"]) > 400
    assert np.isfinite(az.loo(tree).elpd)


def test_a_point_is_one_chain_of_one_draw(point):
    tree = bg.to_datatree(point)
    group = tree["posterior"]
    assert group.sizes["chain"] == group.sizes["draw"] == 1
    assert not {"sample_stats", "components"} & set(tree.children)
    assert tree["posterior_predictive"]["x"].shape == (1, 1, *point.data.values.shape)
    assert float(group["log_lik"].item()) == point.log_likelihood
    np.testing.assert_allclose(
        tree["log_likelihood"]["x"].sum("row").item(), point.log_likelihood, rtol=1e-12
    )
    assert len(az.summary(tree, kind="stats", var_names=["means", "weights"])) == 6


@pytest.mark.parametrize(
    ("name", "record", "dims"),
    [
        ("tied", Tied(np.eye(2)), {"chol": ("feature", "feature_bis")}),
        ("diag", Diagonal(np.ones((2, 2))), {"scales": ("component", "feature")}),
        ("spherical", Spherical(np.ones(2)), {"scales": ("component",)}),
    ],
)
def test_every_family_names_its_dimensions(point, name, record, dims):
    spec = bg.MixtureSpec.maximum_likelihood(2, name)
    model = bg.resolve(spec, point.data)
    fit = replace(point, model=model, scaled=point.scaled._replace(covariance=record))
    group = bg.to_datatree(fit)["posterior"]
    assert {n: group[n].dims[2:] for n in dims} == dims


def test_an_absent_component_adds_no_entropy(point):
    log_weights = np.array([0.0, -np.inf])
    fit = replace(point, scaled=point.scaled._replace(log_weights=log_weights))
    group = bg.to_datatree(fit)["posterior"]
    assert float(group["entropy"].item()) == 0
    assert int(group["n_clusters"].item()) == 1


def test_small_groups_are_there_unless_declined_and_large_ones_on_request(posterior, monkeypatch):
    groups = {"log_likelihood", "posterior_predictive"}
    assert groups <= set(bg.to_datatree(posterior).children)
    without = bg.to_datatree(posterior, log_likelihood=False, posterior_predictive=0)
    assert not groups & set(without.children)
    monkeypatch.setattr(datatree, "MOST_NUMBERS", 1000)
    assert not groups & set(bg.to_datatree(posterior).children)
    asked = bg.to_datatree(posterior, log_likelihood=True, posterior_predictive=8)
    assert asked["log_likelihood"]["x"].shape == (4, 300, 70)
    assert asked["posterior_predictive"]["x"].shape == (4, 2, 70, 2)


def test_a_negative_number_of_replicates_is_refused(posterior):
    with pytest.raises(ValueError, match=r"Expected posterior_predictive .* got -1"):
        bg.to_datatree(posterior, posterior_predictive=-1)


def test_replicates_name_their_draws_and_come_out_the_same_again(tree, posterior):
    drawn = tree["posterior_predictive"]["x"]
    assert drawn.sizes["chain"] * drawn.sizes["draw"] == datatree.N_REPLICATES
    assert set(drawn["draw"].values) <= set(range(300))
    np.testing.assert_array_equal(drawn, bg.to_datatree(posterior)["posterior_predictive"]["x"])
