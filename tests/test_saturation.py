"""The model of saturation: the slowest part sets the rate, and no more of anything makes a run slower."""

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.benchmarks import saturation
from experiments.benchmarks.saturation import Costs, System, bottleneck, throughputs

SECONDS = st.floats(1e-6, 1.0)
COUNTS = st.integers(1, 2000)
COSTS = st.builds(Costs, **{field.name: SECONDS for field in fields(Costs)})
SYSTEMS = st.builds(
    System,
    engines=COUNTS,
    engine_answers_per_s=st.floats(0.01, 1000),
    solvers=COUNTS,
    slots=COUNTS,
    batch_groups=COUNTS,
    group_size=st.integers(1, 64),
    tokens=st.integers(0, 32_768),
    stores=st.integers(1, 64),
    driver_waits=st.booleans(),
)


def rate(costs: Costs, system: System) -> float:
    return bottleneck(throughputs(costs, system))[1]


@given(COSTS, SYSTEMS)
def test_the_bottleneck_is_the_slowest_part(costs, system):
    rates = throughputs(costs, system)
    name, slowest = bottleneck(rates)
    assert rates[name] == slowest
    assert all(slowest <= other for other in rates.values())


@given(COSTS, SYSTEMS, st.sampled_from(["engines", "solvers", "slots", "stores", "batch_groups"]), COUNTS)
def test_more_of_anything_never_makes_it_slower(costs, system, name, further):
    more = replace(system, **{name: getattr(system, name) + further})
    assert rate(costs, more) >= rate(costs, system) * (1 - 1e-9)


@given(COSTS, SYSTEMS, st.sampled_from([field.name for field in fields(Costs)]), st.floats(1, 100))
def test_nothing_that_costs_more_makes_it_faster(costs, system, name, times):
    dearer = replace(costs, **{name: getattr(costs, name) * times})
    assert rate(dearer, system) <= rate(costs, system) * (1 + 1e-9)
    assert saturation.machine(dearer, system, 2) <= saturation.machine(costs, system, 2) * (1 + 1e-9)


@given(COSTS, SYSTEMS)
def test_enough_engines_are_those_that_the_slowest_other_part_can_follow(costs, system):
    enough = saturation.enough_engines(costs, system)
    fewer = replace(system, engines=max(1, int(enough * 0.5)))
    if fewer.engines < enough:
        assert bottleneck(throughputs(costs, fewer))[0] == "engines"
    more = replace(system, engines=int(enough * 2) + 1)
    assert rate(costs, more) == pytest.approx(enough * system.engine_answers_per_s)


@given(COUNTS, COUNTS)
def test_random_routing_loses_less_the_more_calls_there_are(servers, calls):
    share = saturation.routed(servers, calls)
    assert 0 < share <= saturation.routed(servers, calls + 1) <= 1
    assert saturation.routed(1, calls) == 1  # one server is never passed by


def test_by_hand():
    costs = Costs(
        play_group_s=0.002, engine_group_s=0.001, program_s=0.004, program_cpu_s=0.003, admit_s=0.001,
        admit_group_s=0.0001, admit_attempt_s=0.00002, admit_token_s=1e-7, stage_s=0.0001,
        driver_batch_s=0.002, driver_group_s=0.0005, round_trip_s=0.001,
    )  # fmt: skip
    system = System(engines=10, engine_answers_per_s=5, slots=8, batch_groups=10, group_size=4)
    # A transaction: 1 ms + 10 groups * (0.1 ms + 4 * (0.02 ms + 100 * 0.1 us)) = 3.2 ms; and two stages.
    assert saturation.transaction_s(costs, 10, 4, 100) == pytest.approx(0.0032)
    rates = throughputs(costs, system)
    assert rates == pytest.approx(
        {
            "engines": 50,
            "solvers": 4 / 0.002,
            "verifiers": 8 / 0.004,
            "curator": 40 / 0.0034,
            "driver": 40 / (0.002 + 0.005 + 0.003 + 0.0034),
        }
    )
    assert bottleneck(rates) == ("engines", 50)
    assert throughputs(costs, replace(system, driver_waits=False))["driver"] == pytest.approx(40 / 0.007)
    # An answer: 3 ms of its program, 3/4 ms of its group, and 10.4 ms / 40 of its batch.
    assert saturation.machine(costs, system, 2) == pytest.approx(2 / (0.003 + 0.00075 + 0.0104 / 40))
