"""What is loaded is what was saved, to the last bit; anything else is refused."""

import json
from dataclasses import fields, is_dataclass, replace

import arviz as az
import jax
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest
import xarray as xr
from diagnostics.draws import posterior_of_draws
from quick import quick_compilation

import bayesgmm as bg
from bayesgmm.engines.starts import PartialStart
from bayesgmm.model.mixture import Diagonal, Mixture
from bayesgmm.model.weights.snedecor import FisherSnedecor
from bayesgmm.store import files, settings

MATRIX = np.array([[2.0, 0.3], [0.3, 1.0]])
HYPERPRIORS = [
    dist.Beta(2.0, 3.0),
    dist.Chi2(3.0),
    dist.Exponential(0.1),
    dist.Gamma(1.0, 20.0),
    dist.HalfCauchy(0.3),
    dist.HalfNormal(0.7),
    dist.InverseGamma(3.0, 1.0),
    dist.LogNormal(-2.0, 0.5),
    dist.Uniform(0.01, 2.0),
    dist.Weibull(1.0, 2.0),
    FisherSnedecor(6.0, 3.0),
]
COUNTS = [
    dist.BetaNegativeBinomial(3.0, 4.0, 1.0),
    dist.Binomial(5, 0.3),
    dist.Binomial(5, logits=0.3),
    dist.Categorical(np.array([0.2, 0.5, 0.3])),
    dist.Categorical(logits=np.array([0.2, 0.5, 0.3])),
    dist.DiscreteUniform(0, 9),
    dist.Geometric(0.3),
    dist.Geometric(logits=0.3),
    dist.NegativeBinomialProbs(3.0, 0.4),
    dist.NegativeBinomialLogits(3.0, 0.4),
    dist.Poisson(1.5),
]
SCALES = [dist.Wishart(3.0, rate_matrix=MATRIX), dist.Gamma(np.array([1.0, 1.0]), MATRIX[0])]
PRIOR = bg.NormalInverseWishart(
    mean=np.array([0.1, 1 / 3]),
    mean_precision=0.1,
    degrees_of_freedom=7,
    scale=[[2.0, 0.3], [0.3, 1.0]],
)
ROWS = np.random.default_rng(2).normal([[0, 0]] * 30 + [[6, 3]] * 30)
RESPONSIBILITIES = np.repeat(np.eye(2), 30, 0) * 0.9 + 0.05
STARTS = {
    "responsibilities": RESPONSIBILITIES,
    "mixture": Mixture(
        log_weights=np.log([0.3, 0.7]),
        means=np.array([[0.0, 1.0], [5.0, 1 / 3]]),
        covariance=Diagonal(np.ones((2, 2))),
    ),
    "partial": PartialStart("random", means=np.array([[0.0, 1.0], [5.0, 1 / 3]])),
}


@pytest.fixture(scope="module")
def posterior():
    """Draws with a sampler's statistics, a random concentration and labels (NUTS: test_harness)."""
    frame = pd.DataFrame(ROWS, columns=["length", "größe"])
    spec = bg.MixtureSpec(max_components=3, weights=bg.SparseDirichlet(dist.HalfNormal(0.1)))
    data = bg.Dataset.from_array(frame)
    return posterior_of_draws(data, spec, n_chains=2, n_draws=50)


@pytest.fixture(scope="module")
def point():
    spec = bg.MixtureSpec(2, covariance="diag", prior=None, weights=None)
    return bg.fit(ROWS, spec, engine=bg.EM(n_init=2))


@pytest.fixture(scope="module")
def saved(point, tmp_path_factory):
    """The bytes of a file."""
    path = tmp_path_factory.mktemp("saved") / "fit.nc"
    bg.save(point, path)
    return path.read_bytes()


def round_trip(fit, tmp_path, name="fit.nc"):
    bg.save(fit, tmp_path / name)
    return bg.load(tmp_path / name)


def assert_same(a, b):
    """Equal down to the type of every record and the bits of every array."""
    if is_dataclass(a):
        assert type(a) is type(b)
        for field in fields(a):
            assert_same(getattr(a, field.name), getattr(b, field.name))
    elif hasattr(a, "log_prob"):
        assert type(a).__name__ == type(b).__name__
        assert_same(
            {p: getattr(a, p) for p in a.arg_constraints},
            {p: getattr(b, p) for p in a.arg_constraints},
        )
    elif isinstance(a, tuple):
        assert type(a) is type(b)
        assert len(a) == len(b)
        for one, other in zip(a, b, strict=True):
            assert_same(one, other)
    elif isinstance(a, dict):
        assert a.keys() == b.keys()
        for name in a:
            assert_same(a[name], b[name])
    elif isinstance(a, (np.ndarray, np.generic, jax.Array)):
        assert np.asarray(a).dtype == np.asarray(b).dtype
        np.testing.assert_array_equal(a, b, strict=np.ndim(a) > 0)
    else:
        assert a == b


def test_a_posterior_comes_back_whole(posterior, tmp_path):
    again = round_trip(posterior, tmp_path)
    assert_same(posterior, again)
    assert str(again.model) == str(posterior.model)
    assert repr(again) == repr(posterior)


def test_a_posterior_predicts_as_before(posterior, tmp_path):
    again = round_trip(posterior, tmp_path)
    new = ROWS[:7] + 0.1
    np.testing.assert_array_equal(bg.log_density(again, new), bg.log_density(posterior, new))
    np.testing.assert_array_equal(again.allocations(), posterior.allocations())
    pointwise = bg.pointwise_log_likelihood
    np.testing.assert_array_equal(pointwise(again), pointwise(posterior))


def test_a_point_comes_back_whole(point, tmp_path):
    assert_same(point, round_trip(point, tmp_path))


def test_single_precision_and_collapsed_restarts_survive(point, tmp_path):
    data = bg.Dataset.from_array(ROWS.astype(np.float32))
    history = {**point.history, "restart_log_likelihood": np.array([-np.inf, np.nan])}
    odd = replace(point, data=data, model=bg.resolve(point.model.spec, data), history=history)
    again = round_trip(odd, tmp_path)
    assert_same(odd, again)
    assert again.mixture.means.dtype == np.float32


def test_the_affine_map_does_not_depend_on_the_order_in_memory(point, tmp_path):
    """Sums over rows of a table stored by columns round differently."""
    rows = np.asfortranarray(np.random.default_rng(0).lognormal(3, 2, (997, 2)))
    data = bg.Dataset.from_array(rows)
    fit = replace(point, data=data, model=bg.resolve(point.model.spec, data))
    again = round_trip(fit, tmp_path)
    np.testing.assert_array_equal(again.data.scaled(), data.scaled())


@pytest.mark.parametrize("start", STARTS)
def test_engines_keep_the_start_they_were_given(point, start, tmp_path):
    engine = bg.EM(start=STARTS[start], tol=1 / 3, n_init=np.int64(2))
    again = round_trip(replace(point, engine=engine), tmp_path)
    assert_same(engine.start, again.engine.start)
    assert again.engine.tol == engine.tol


@pytest.mark.parametrize("hyperprior", HYPERPRIORS, ids=lambda h: type(h).__name__)
@pytest.mark.parametrize("prior", [bg.Dirichlet, bg.SparseDirichlet, bg.DirichletProcess])
def test_specifications_survive(hyperprior, prior):
    spec = bg.MixtureSpec(3, weights=prior(hyperprior), prior=PRIOR)
    arrays: dict = {}
    text = json.dumps(settings.encode(spec, arrays))
    again = settings.decode(json.loads(text), arrays)
    assert_same(replace(spec, prior=None, weights=None), replace(again, prior=None, weights=None))
    assert_same(spec.weights, again.weights)
    np.testing.assert_array_equal(again.prior.scale, PRIOR.scale)
    assert_same(again.prior.mean, PRIOR.mean)
    x = 0.3
    assert float(again.weights.concentration.log_prob(x)) == float(hyperprior.log_prob(x))


def test_every_name_on_the_list_is_tried():
    tried = [*HYPERPRIORS, *COUNTS, *SCALES]
    assert {type(one).__name__ for one in tried} == set(settings.DISTRIBUTIONS)


@pytest.mark.parametrize("law", COUNTS, ids=lambda one: type(one).__name__)
def test_priors_of_the_number_of_components_are_saved(law):
    arrays = {}
    text = json.dumps(settings.encode(bg.MixtureOfFiniteMixtures(law), arrays))
    again = settings.decode(json.loads(text), arrays).n_components_minus_one
    assert type(again) is type(law)
    np.testing.assert_array_equal(again.log_prob(2), law.log_prob(2))


@pytest.mark.parametrize("law", SCALES, ids=lambda one: type(one).__name__)
def test_priors_of_the_scale_are_saved(law):
    arrays = {}
    text = json.dumps(settings.encode(bg.IndependentNormalWishart(scale=law), arrays))
    again = settings.decode(json.loads(text), arrays).scale
    value = MATRIX if law.event_shape else MATRIX[0]
    np.testing.assert_array_equal(again.log_prob(value), law.log_prob(value))


@pytest.mark.parametrize("covariance", [pytest.param("full", marks=pytest.mark.slow), "diag"])
@pytest.mark.parametrize(
    "kind",
    [bg.NormalInverseWishart, pytest.param(bg.IndependentNormalWishart, marks=pytest.mark.slow)],
)
def test_everything_of_the_partition_sampler_is_saved(covariance, kind, tmp_path):
    spec = bg.MixtureSpec(max_components=3, covariance=covariance, prior=kind())
    engine = bg.Gibbs(n_chains=2, n_warmup=2, n_draws=3, thin=2, progress=False)
    with quick_compilation():
        fit = bg.fit(ROWS, spec, engine=engine)
    again = round_trip(fit, tmp_path)
    for name in ("scale", "n_components", "concentration", "counts"):
        np.testing.assert_array_equal(getattr(again, name), getattr(fit, name))
    assert again.engine == engine
    assert_same(again.model.prior, fit.model.prior)
    assert_same(again.model.scale_prior, fit.model.scale_prior)
    np.testing.assert_array_equal(again.allocations(), fit.allocations())


def test_arviz_reads_the_file(posterior, tmp_path):
    bg.save(posterior, tmp_path / "fit.nc")
    with xr.open_datatree(tmp_path / "fit.nc", engine="h5netcdf") as tree:
        assert {"posterior", "sample_stats", "observed_data"} <= set(tree.children)
        assert list(tree["components"]["feature"].values) == ["length", "größe"]
        assert len(az.summary(tree, var_names=["log_lik", "entropy"])) == 2
        assert tree.attrs["bayesgmm_format"] == files.FORMAT


def test_any_suffix_and_a_text_path_will_do(point, tmp_path):
    bg.save(point, str(tmp_path / "fit.result"))
    assert bg.load(str(tmp_path / "fit.result")).log_likelihood == point.log_likelihood


def test_a_failed_write_leaves_the_old_file_and_no_other(point, tmp_path, monkeypatch):
    path = tmp_path / "fit.nc"
    bg.save(point, path)
    before = path.read_bytes()

    def fail(tree, target, **_):
        target.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(xr.DataTree, "to_netcdf", fail)
    with pytest.raises(OSError, match="disk full"):
        bg.save(point, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_no_file_and_no_folder_are_told(point, tmp_path):
    with pytest.raises(FileNotFoundError, match="Check the path"):
        bg.load(tmp_path / "none.nc")
    with pytest.raises(FileNotFoundError, match="Make the folder"):
        bg.save(point, tmp_path / "none" / "fit.nc")
    with pytest.raises(IsADirectoryError, match="got the folder"):
        bg.save(point, tmp_path)


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.99])
def test_a_truncated_file_is_refused(saved, tmp_path, keep):
    path = tmp_path / "fit.nc"
    path.write_bytes(saved[: keep if keep >= 1 else int(keep * len(saved))])
    with pytest.raises(ValueError, match="save the fit again"):
        bg.load(path)


def test_text_and_folders_are_refused(tmp_path):
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    for path in (tmp_path / "rows.csv", tmp_path):
        with pytest.raises(ValueError, match="Expected a netCDF file written by bg"):
            bg.load(path)


def test_a_netcdf_file_of_another_origin_is_refused(tmp_path):
    path = tmp_path / "other.nc"
    xr.DataTree.from_dict({"posterior": xr.Dataset({"a": 1.0})}).to_netcdf(path, engine="h5netcdf")
    with pytest.raises(ValueError, match="got another netCDF file"):
        bg.load(path)


def rewritten(path, change):
    """Change the tree of a saved file by hand."""
    with xr.open_datatree(path, engine="h5netcdf") as opened:
        tree = opened.load()
    change(tree)
    tree.to_netcdf(path, engine="h5netcdf")


def test_another_format_is_refused(saved, tmp_path):
    path = tmp_path / "fit.nc"
    path.write_bytes(saved)
    rewritten(path, lambda tree: tree.attrs.update(bayesgmm_format=99))
    with pytest.raises(ValueError, match="Expected file format 1, got 99"):
        bg.load(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"record": "EM"', '"record": "Popen"', "got 'Popen'"),
        ('"record": "EM", "fields"', '"distribution": "eval", "parameters"', "got 'eval'"),
        ('"n_init"', '"shell"', "do not fit together"),
    ],
)
def test_a_header_can_name_known_classes_and_fields_only(saved, tmp_path, old, new, message):
    path = tmp_path / "fit.nc"
    path.write_bytes(saved)

    def change(tree):
        assert old in tree.attrs["bayesgmm_header"]
        tree.attrs["bayesgmm_header"] = tree.attrs["bayesgmm_header"].replace(old, new)

    rewritten(path, change)
    with pytest.raises(ValueError, match=message):
        bg.load(path)


class Gamma(dist.Gamma):
    """Not NumPyro's, for all its name."""


class EM(bg.EM):
    """Not ours, for all its name."""


@pytest.mark.parametrize("hyperprior", [Gamma(1.0, 1.0), dist.Pareto(1.0, 2.0)])
def test_a_hyperprior_that_cannot_be_written_is_told(point, tmp_path, hyperprior):
    spec = bg.MixtureSpec(2, covariance="diag", weights=bg.SparseDirichlet(hyperprior))
    fit = replace(point, model=replace(point.model, spec=spec))
    with pytest.raises(ValueError, match="Expected a hyperprior out of"):
        bg.save(fit, tmp_path / "fit.nc")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("engine", [EM(), bg.EM(start=RESPONSIBILITIES.astype(object))])
def test_settings_that_cannot_be_written_are_told(point, tmp_path, engine):
    with pytest.raises(ValueError, match="Expected settings made of numbers"):
        bg.save(replace(point, engine=engine), tmp_path / "fit.nc")
