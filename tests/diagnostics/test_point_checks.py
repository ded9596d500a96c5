from dataclasses import replace

import numpy as np
import pytest

import bayesgmm as bg
from bayesgmm.engines.aitken import remaining_gain
from bayesgmm.result import Outcome, Status


def table_of(fit):
    return bg.diagnose(fit).set_index("check")


def with_history(fit, **changes):
    return replace(fit, history={**fit.history, **changes})


def climbs_to(*values):
    return np.asarray(values, float)


def test_two_clear_clusters_pass_everything(point):
    table = bg.diagnose(point)
    assert list(table.columns) == ["check", "value", "threshold", "passed", "advice", "about"]
    assert table["passed"].dtype == bool
    assert table["check"].is_unique
    assert table["advice"].str.endswith(".").all()
    assert table.verdict.endswith(f"describes the data: all {len(table)} checks passed.")
    assert (table["about"] == "run").sum() == 7


def test_a_fall_of_the_history_is_found(point):
    falling = with_history(point, log_likelihood=climbs_to(-300, -250, -250.5, -240, -240, -240))
    row = table_of(falling).loc["largest fall of the log-likelihood"]
    assert row["value"] == 0.5
    assert not row["passed"]
    assert "reg_covar" in row["advice"]


def test_rounding_is_no_fall(point):
    noisy = with_history(point, log_likelihood=climbs_to(-300, -250, -250 - 1e-9))
    assert table_of(noisy).loc["largest fall of the log-likelihood", "passed"]


def test_an_optimum_found_once_is_doubted(point):
    alone = with_history(
        point,
        restart_log_likelihood=climbs_to(-300, -250, -310, -320),
        best_restart=np.asarray(1),
    )
    row = table_of(alone).loc["share of restarts at the best optimum"]
    assert row["value"] == 0.25
    assert not row["passed"]
    assert "n_init" in row["advice"]


def test_one_restart_has_nothing_to_agree_with(point):
    single = with_history(point, restart_log_likelihood=climbs_to(-250))
    assert "share of restarts at the best optimum" not in table_of(single).index


def test_a_component_on_a_single_row_is_found(data):
    lonely = np.concatenate([data.values, [[40.0, 40.0]]])
    start = np.zeros((len(lonely), 2))
    start[:-1, 0] = start[-1, 1] = 1
    engine = bg.EM(start=start, reg_covar=1e-7)
    table = table_of(bg.fit(lonely, bg.MixtureSpec.maximum_likelihood(2), engine=engine))
    np.testing.assert_allclose(table.loc["share of reg_covar in a variance", "value"], 1, rtol=1e-6)
    assert not table.loc["share of reg_covar in a variance", "passed"]
    assert not table.loc["narrowest variance over the data's", "passed"]


def test_singularity_does_not_depend_on_the_unit_of_a_column(data):
    spec = bg.MixtureSpec.maximum_likelihood(2)
    name = "narrowest variance over the data's"
    engine = bg.EM(reg_covar=0)
    plain = bg.fit(data, spec, engine=engine)
    rescaled = bg.fit(data.values * [1, 1e-6], spec, engine=engine)
    other = table_of(rescaled).loc[name, "value"]
    np.testing.assert_allclose(other, table_of(plain).loc[name, "value"], rtol=1e-2)


def test_an_empty_component_is_counted(point):
    log_weights = np.log([1 - 1e-9, 1e-9])
    emptied = replace(point, scaled=point.scaled._replace(log_weights=log_weights))
    row = table_of(emptied).loc["components with less than one row"]
    assert (row["value"], row["passed"]) == (1, False)


def test_what_is_left_of_a_geometric_climb_is_exact():
    rate, limit = 0.9, -100.0
    values = limit - 50 * rate ** np.arange(12)
    assert remaining_gain(values) == pytest.approx(limit - values[-1], rel=1e-10)


@pytest.mark.parametrize(
    ("values", "left"), [((-5, -3, -3), 0.0), ((-5, -3, -4), 0.0), ((-5, -4, -2), np.inf)]
)
def test_what_is_left_where_the_series_says_nothing(values, left):
    assert remaining_gain(climbs_to(*values)) == left


def test_a_run_cut_short_says_so_first(point):
    message = "Stopped at max_iter=3. Increase max_iter."
    values = climbs_to(-300, -280, -262)
    cut = with_history(
        replace(point, status=Status(Outcome.MAX_ITER, message)), log_likelihood=values
    )
    table = bg.diagnose(cut)
    assert not table["passed"][0]
    assert f"2 of {len(table)} checks fail (status, and 1 more). {message}" in table.verdict
    assert "max_iter" in table.set_index("check").loc["log-likelihood still to be gained", "advice"]


def test_with_a_prior_the_likelihood_may_fall(data):
    fit = bg.fit(data, bg.MixtureSpec(2), engine=bg.EM())
    table = table_of(fit)
    assert set(table.index[table["about"] == "run"]) == {
        "status",
        "narrowest variance over the data's",
        "components with less than one row",
    }
