import numpy as np
import pytest
from textbook import assert_close

import bayesgmm as bg

SPEC = bg.MixtureSpec.maximum_likelihood(2)
ENGINE = bg.EM(start="random_from_data", tol=1e-5, max_iter=500)


@pytest.fixture(scope="module")
def path(rows):
    return bg.em_path(rows, SPEC, engine=ENGINE, seed=1)


def test_the_path_is_the_history_of_the_fit(rows, path):
    whole = bg.fit(rows, SPEC, engine=ENGINE, seed=1)
    climbed = [float(fit.log_likelihood) for fit in path]
    assert_close(climbed, whole.history["log_likelihood"], rtol=1e-10)
    assert path[-1].status.ok
    assert path[2].status.message == "After 2 of at most 500 updates."
    assert_close(path[-1].mixture.means, whole.mixture.means, rtol=1e-6, atol=1e-8)


def test_the_path_ends_with_the_updates_allowed(rows):
    path = bg.em_path(rows, SPEC, engine=bg.EM(start="random_from_data", max_iter=3), seed=1)
    assert len(path) == 4


def test_several_starts_are_refused(rows):
    with pytest.raises(ValueError, match="Expected an engine with one start, got n_init=2"):
        bg.em_path(rows, SPEC, engine=bg.EM(n_init=2))


def test_every_update_is_a_picture(path, tmp_path):
    moving = bg.plots.animation(path[:4])
    moving.save(tmp_path / "em.gif", writer="pillow", dpi=40)
    assert (tmp_path / "em.gif").stat().st_size > 1_000
    ax = moving._fig.axes[0]
    (lines,) = (one for one in ax.collections if one.get_gid() == "ellipses")
    assert len(lines.get_segments()) == 2 * 2
    assert ax.get_title(loc="left").startswith("update 3: log-likelihood")
    (dots,) = (one for one in ax.collections if one.get_gid() == "rows")
    assert np.asarray(dots.get_facecolors()).shape == (100, 4)


def test_draws_are_refused(posterior):
    with pytest.raises(ValueError, match="Expected point fits, one per update"):
        bg.plots.animation([posterior])
