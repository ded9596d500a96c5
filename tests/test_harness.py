"""Every engine on every family: fit, diagnose, predict, save, load. A new one adds a line."""

import numpy as np
import pytest

import bayesgmm as bg

ENGINES = {
    "em": (bg.EM(n_init=2), lambda family: bg.MixtureSpec.maximum_likelihood(2, family)),
    "map": (bg.EM(n_init=2), lambda family: bg.MixtureSpec(2, covariance=family)),
    "nuts": (
        bg.NUTS(n_chains=2, n_warmup=100, n_draws=100, progress=False),
        lambda family: bg.MixtureSpec(2, covariance=family),
    ),
}
FAMILIES = ("full", "tied", "diag", "spherical")
# Models take long to compile: one family of each engine is enough for every day, NUTS's for none.
CASES = [
    pytest.param(
        *(engine, family),
        marks=pytest.mark.slow if family != "full" or engine == "nuts" else [],
        id=f"{engine}-{family}",
    )
    for engine in ENGINES
    for family in FAMILIES
]


def two_blobs(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return 80 rows in two blobs ten standard deviations apart, and their labels."""
    random = np.random.default_rng(seed)
    labels = np.repeat([0, 1], 40)
    return random.normal(size=(80, 2)) + 10.0 * labels[:, None], labels


@pytest.mark.parametrize(("engine", "family"), CASES)
def test_fit_diagnose_predict_save_load(engine: str, family: str, tmp_path) -> None:
    rows, truth = two_blobs(1)
    settings, spec = ENGINES[engine]
    fit = bg.fit(rows, spec(family), engine=settings, seed=3)
    assert fit.status.ok
    assert np.isfinite(fit.log_likelihood).all()

    table = bg.diagnose(fit)
    assert {"value", "threshold", "passed", "advice"} <= set(table.columns)

    clusters = bg.partition(fit)
    agreement = (clusters.labels == truth).mean()
    assert max(agreement, 1 - agreement) == 1.0
    new, _ = two_blobs(2)
    belongs = bg.membership(fit, clusters, new)
    np.testing.assert_allclose(belongs.mean.sum(1), 1, rtol=1e-12)
    density = bg.log_density(fit, new)
    assert density.shape == (80,)

    bg.save(fit, tmp_path / "fit.nc")
    again = bg.load(tmp_path / "fit.nc")
    np.testing.assert_array_equal(bg.log_density(again, new), density)
    np.testing.assert_array_equal(bg.partition(again).labels, clusters.labels)
    assert str(again.model) == str(fit.model)
    assert again.provenance == fit.provenance
