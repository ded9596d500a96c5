"""Checkpoints on disk: written whole or not at all, and refused unless they are of the same run."""

import json
import pickle
from dataclasses import replace

import dask.array as da
import numpy as np
import numpyro.distributions as dist
import pytest
from numpyro.distributions.transforms import AffineTransform
from quick import quick_compilation
from stopping import assert_identical, stop_after
from textbook import assert_three_parts

import bayesgmm as bg
from bayesgmm.engines import checkpoint_file, driver
from bayesgmm.engines.fingerprint import digest, digest_of_data
from bayesgmm.model.mixture import Full, Mixture

RANDOM = np.random.default_rng(5)
ROWS = np.concatenate([RANDOM.normal(c, 1, (30, 2)) for c in ((0, 0), (6, 0), (0, 6))])
SPEC = bg.MixtureSpec(4)
ENGINE = bg.EM(n_init=3, tol=0.0, max_iter=60)


@pytest.fixture(autouse=True)
def _slices_of_one_length(monkeypatch):
    monkeypatch.setattr(driver, "next_size", lambda size, seconds, longest: size)


def run(rows=ROWS, spec=SPEC, engine=ENGINE, seed=2, path=None, **given):
    with quick_compilation():
        return bg.fit(rows, spec, engine=replace(engine, checkpoint=path, **given), seed=seed)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The bytes of a good file, of a run that was stopped after two slices."""
    path = tmp_path_factory.mktemp("made") / "run.checkpoint"
    with pytest.MonkeyPatch.context() as patch:
        stop_after(patch, 2)
        run(path=path)
    return path.read_bytes()


@pytest.fixture
def path(made, tmp_path):
    path = tmp_path / "run.checkpoint"
    path.write_bytes(made)
    return path


@pytest.fixture
def no_work(monkeypatch):
    """Nothing is computed."""
    monkeypatch.setattr(bg.EM, "climb", None)
    monkeypatch.setattr(bg.EM, "starts", None)


def refused(path, *words, **given):
    """It is refused with these words, and the file left alone."""
    before = path.read_bytes()
    with pytest.raises(ValueError, match="checkpoint") as error:
        run(path=path, **given)
    assert_three_parts(str(error.value), str(path), *words)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def rewritten(path, change):
    """Change the header of a good file."""
    with np.load(path) as file:
        arrays = dict(file)
    header = json.loads(str(arrays[checkpoint_file.HEADER]))
    change(header)
    arrays[checkpoint_file.HEADER] = np.array(json.dumps(header))
    with open(path, "wb") as file:
        np.savez(file, **arrays)


# Other runs --------------------------------------------------------------------------------------


def test_the_same_run_is_not_refused(path):
    assert_identical(run(path=path), run())
    assert_identical(run(path=path, every=3, engine=replace(ENGINE, tol=0)), run())


WEIGHTS, LABELS = np.ones(90), np.r_[0, np.full(89, -1)]
OTHERS = {
    "one setting": ({"engine": replace(ENGINE, max_iter=61)}, ["max_iter=61", "max_iter=60"]),
    "two settings": (
        {"engine": replace(ENGINE, n_init=2, start="random")},
        ["n_init=2, start='random'", "n_init=3, start='kmeans'"],
    ),
    "an array": ({"engine": replace(ENGINE, start=np.full((90, 4), 0.25))}, ["start='kmeans'"]),
    "engine": ({"engine": bg.Gibbs(progress=False)}, ["of Gibbs", "of EM"]),
    "rows": ({"rows": np.r_[ROWS[:-1], ROWS[:1]]}, ["of these data"]),
    "one bit": ({"rows": np.where(ROWS[7] == ROWS, np.nextafter(ROWS, 9), ROWS)}, ["these data"]),
    "type": ({"rows": ROWS.astype(np.float32)}, ["of these data"]),
    "weights": ({"rows": bg.Dataset.from_array(ROWS, weights=WEIGHTS)}, ["of these data"]),
    "labels": ({"rows": bg.Dataset.from_array(ROWS, labels=LABELS)}, ["of these data"]),
    "names": ({"rows": bg.Dataset.from_array(ROWS, names=["a", "b"])}, ["of these data"]),
    "components": ({"spec": bg.MixtureSpec(5)}, ["of this model"]),
    "structure": ({"spec": bg.MixtureSpec(4, covariance="diag")}, ["of this model"]),
    "weight prior": ({"spec": replace(SPEC, weights=bg.Dirichlet(2.0))}, ["of this model"]),
    "prior": (
        {"spec": replace(SPEC, prior=bg.NormalInverseWishart(mean_precision=0.1))},
        ["of this model"],
    ),
    "no prior": ({"spec": bg.MixtureSpec.maximum_likelihood(4)}, ["of this model"]),
    "seed": ({"seed": 3}, ["of this seed"]),
}


@pytest.mark.parametrize("other", OTHERS)
def test_another_run_is_refused_with_what_differs(path, no_work, other):
    given, words = OTHERS[other]
    refused(path, *words, **given)


def test_rows_that_stay_in_their_file_are_told_apart(tmp_path, monkeypatch, no_work):
    first, other = tmp_path / "first.npy", tmp_path / "other.npy"
    np.save(first, ROWS)
    np.save(other, ROWS + 1.0)
    marks = [digest_of_data(bg.stream(one)) for one in (first, first, other)]
    assert marks[0] == marks[1] != marks[2]
    assert marks[0] != digest_of_data(bg.Dataset.from_array(ROWS))


def test_rows_divided_otherwise_are_refused(tmp_path):
    """Their sums differ in the last bits, and draws in the end."""
    path, engine = tmp_path / "run.checkpoint", replace(ENGINE, max_iter=3)
    run(da.from_array(ROWS, chunks=(40, 2)), engine=engine, path=path)
    other = da.from_array(ROWS, chunks=(50, 2))
    refused(path, "rows divided as these are", rows=other, engine=engine)


@pytest.mark.parametrize("name", ["bayesgmm", "jax", "device"])
def test_versions_count(path, no_work, name):
    rewritten(path, lambda header: header["mark"]["versions"].update({name: "0.0.1"}))
    refused(path, f"{name} 0.0.1")


def test_settings_are_equal_as_numbers_are():
    same = digest({"a": 1.0, "b": np.float64(0.1)}), digest({"a": 1, "b": 0.1})
    assert same[0] == same[1]
    one, other = digest(Mixture(0, 1, Full(2))), digest((0, 1, (2,)))
    assert one != other
    assert digest([[1], [2, 3]]) != digest([[1, 2], [3]])
    assert digest(np.zeros((2, 3))) != digest(np.zeros((3, 2)))
    assert digest(None) != digest("None")


def test_distributions_are_told_apart_whatever_the_order_of_their_parameters(monkeypatch):
    """NumPyro keeps their names in a set, whose order is another in every process."""
    one, other = dist.BetaNegativeBinomial(1.0, 4.0, 3.0), dist.BetaNegativeBinomial(1.0, 3.0, 4.0)
    assert digest(one) != digest(other)
    assert digest(dist.Gamma(1.0, 2.0)) != digest(dist.InverseGamma(1.0, 2.0))
    scaled = [dist.TransformedDistribution(dist.Normal(), AffineTransform(0.0, s)) for s in (1, 2)]
    assert digest(scaled[0]) != digest(scaled[1])
    before, names = digest(one), type(one).gather_pytree_data_fields()
    monkeypatch.setattr(type(one), "gather_pytree_data_fields", classmethod(lambda _: names[::-1]))
    assert digest(one) == before


# Other files -------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_truncated_file_is_refused(path, made, no_work, share):
    path.write_bytes(made[: int(share * len(made))])
    refused(path, "truncated")


def test_a_file_with_a_wrong_byte_is_refused_or_says_the_same(path, made):
    whole, n_refused = run(), 0
    for place in np.random.default_rng(0).integers(0, len(made), 40):
        damaged = bytearray(made)
        damaged[place] ^= 0x5A
        path.write_bytes(damaged)
        try:
            fit = run(path=path)
        except ValueError as error:
            assert_three_parts(str(error), str(path))
            n_refused += 1
        else:
            assert_identical(fit, whole)
    assert n_refused > 20


class Trap:
    def __reduce__(self):
        return (exec, ("raise SystemExit('executed')",))


def as_text(path):
    path.write_text("label,x,y\n")


def as_pickle(path):
    path.write_bytes(pickle.dumps(Trap()))


def as_array(path):
    with open(path, "wb") as file:
        np.save(file, ROWS)


def as_fit(path):
    bg.save(run(), path)


def as_arrays(path):
    with open(path, "wb") as file:
        np.savez(file, rows=ROWS)


def as_pickled_header(path):
    with open(path, "wb") as file:
        np.savez(file, **{checkpoint_file.HEADER: np.array([Trap()], object)})


@pytest.mark.parametrize(
    "make", [as_text, as_pickle, as_array, as_fit, as_arrays, as_pickled_header]
)
def test_another_kind_of_file_is_refused(tmp_path, make):
    path = tmp_path / "run.checkpoint"
    make(path)
    refused(path, "another kind")


def test_another_format_is_refused(path, no_work):
    rewritten(path, lambda header: header.update(format=1))
    refused(path, "format 2, got 1")


@pytest.mark.parametrize(
    "record", [["os", "system"], ["builtins", "exec"], ["bayesgmm.engines.em", "EM"], ["numpyro.no", "X"]]
)  # fmt: skip
def test_nothing_but_records_is_built(path, no_work, record):
    rewritten(path, lambda header: header["state"].update(record=record))
    with pytest.raises(ValueError, match="Expected named tuples"):
        run(path=path)


@pytest.mark.parametrize("gone", ["mark", "state", "n_done"])
def test_a_header_without_a_part_is_refused(path, no_work, gone):
    rewritten(path, lambda header: header.pop(gone))
    refused(path, "unreadable")


def test_places_where_no_file_can_be_are_refused(tmp_path, no_work):
    with pytest.raises(FileNotFoundError, match="Make the folder first"):
        run(path=tmp_path / "no" / "run.checkpoint")
    with pytest.raises(IsADirectoryError, match=r"run\.checkpoint"):
        run(path=tmp_path)


@pytest.mark.parametrize("kind", [bg.EM, bg.Gibbs, bg.NUTS])
@pytest.mark.parametrize(
    "setting", [{"checkpoint": 3}, {"checkpoint": ""}, {"every": -1}, {"every": "a"}, {"every": True}]
)  # fmt: skip
def test_settings_outside_their_domain_are_refused(kind, setting):
    with pytest.raises(ValueError, match=r"Expected (checkpoint|every) to be") as error:
        kind(**setting)
    assert_three_parts(str(error.value))


def test_a_fit_with_a_checkpoint_is_saved_and_loaded(tmp_path):
    fit = run(path=tmp_path / "run.checkpoint", every=7)
    bg.save(fit, tmp_path / "fit.nc")
    again = bg.load(tmp_path / "fit.nc")
    assert again.engine == fit.engine
    assert again.engine.checkpoint == str(tmp_path / "run.checkpoint")
    assert repr(fit.engine) == repr(ENGINE)
