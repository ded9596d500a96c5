"""What a fit leaves alone: JAX's settings in every thread, and programs already compiled."""

import threading
from contextlib import contextmanager

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import monitoring
from tables import rows, start_for

from bayesgmm.estimators.gaussian_mixture import GaussianMixture

COMPILED = "/jax/core/compile/backend_compile_duration"
CHEAP = {"covariance_type": "spherical"}


@contextmanager
def compilations():
    """Count the programs that JAX compiles inside the block."""
    seen = []

    def listen(event, duration, **_):
        if event == COMPILED:
            seen.append(duration)

    monitoring.register_event_duration_secs_listener(listen)
    try:
        yield seen
    finally:
        monitoring.unregister_event_duration_listener(listen)


def use(values, seed, **settings):
    ours = GaussianMixture(2, random_state=seed, **settings, **CHEAP).fit(values)
    return ours.predict(values), ours.score(values), ours.covariances_, ours.sample(3)


STARTS = {name: {"init_params": name} for name in ("kmeans", "k-means++", "random_from_data")}
STARTS["given"] = start_for("faithful", "spherical")._asdict()
STARTS["restarts"] = {"n_init": 3}


# A given start is far from the moved rows: on some processors EM stops on the plateau around it.
@pytest.mark.filterwarnings("ignore:EM met tol")
@pytest.mark.parametrize("settings", STARTS.values(), ids=STARTS)
def test_a_second_fit_of_the_same_shape_compiles_nothing(settings):
    values = rows("faithful")
    use(values, 0, **settings)
    new = np.random.default_rng(1).permutation(values) * [2.0, 0.5] + [3.0, -100.0]
    with compilations() as seen:
        use(new, 1, **settings)
        use(new.astype(np.float32), 2, **settings, tol=1e-5, reg_covar=1e-4)
    assert seen == []


def test_the_counter_counts():
    with compilations() as seen:
        jax.jit(lambda x: x + 1)(jnp.ones(3)).block_until_ready()
    assert seen


def test_a_fit_leaves_double_precision_to_its_own_thread():
    settings = dict(jax.config.values)
    stop, types = threading.Event(), set()

    def work_in_single_precision():
        while not stop.is_set():
            types.add((jnp.ones(1).dtype.name, bool(jax.config.jax_enable_x64)))

    other = threading.Thread(target=work_in_single_precision)
    other.start()
    try:
        for seed in range(3):
            use(rows("faithful"), seed)
    finally:
        stop.set()
        other.join()
    assert types == {("float32", False)}
    assert jnp.ones(1).dtype == jnp.float32
    assert dict(jax.config.values) == settings


def test_fits_in_two_threads_agree():
    results = [None, None]

    def work(index):
        results[index] = use(rows("faithful"), 0)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = use(rows("faithful"), 0)
    for labels, score, covariances, _ in results:
        assert np.array_equal(labels, expected[0])
        assert score == expected[1]
        assert np.array_equal(covariances, expected[2])


def test_a_single_precision_user_gets_double_precision_numbers():
    ours = GaussianMixture(2, random_state=0, **CHEAP).fit(rows("faithful"))
    under_x64 = None
    with jax.enable_x64(True):
        under_x64 = GaussianMixture(2, random_state=0, **CHEAP).fit(rows("faithful"))
    assert np.array_equal(ours.means_, under_x64.means_)
    assert isinstance(ours.means_, np.ndarray)
