"""The benchmark of scaling at its smallest: real actors, real programs, a real store, whole figures."""

import numpy as np
import pytest

from experiments.benchmarks import scaling, scaling_costs, scaling_parts
from experiments.benchmarks.scaling_work import JudgedGroups, settings_of, tasks_of


def test_judged_groups_are_all_different_and_belong_together():
    ids = [task.id for task in tasks_of(settings_of())]
    made = JudgedGroups(ids, 4, 25, "a").take(40) + JudgedGroups(ids, 4, 25, "b").take(40)
    assert len({one.group.id for one in made}) == 80
    attempts = [attempt for one in made for attempt in one.group.attempts]
    assert len({attempt.id for attempt in attempts}) == len({a.response for a in attempts}) == 320
    for one in made:
        assert [v.attempt_id for v in one.verdicts] == [a.id for a in one.group.attempts]
        assert {a.group_id for a in one.group.attempts} == {one.group.id}
        assert one.group.start.task_id in ids


def test_the_fit_finds_what_made_the_numbers():
    shapes = scaling_costs.SHAPES
    features = [(1, b, b * size, b * size * tokens) for b, size, tokens in shapes]
    wanted = [1e-3, 5e-5, 2e-5, 1e-7]
    found, error = scaling_costs.fit(features, np.asarray(features) @ wanted)
    assert found == pytest.approx(wanted, rel=1e-6)
    assert error < 1e-6


def test_bytes_of_the_store_and_on_the_wire_grow_with_answers():
    found = scaling_costs.store_bytes(200)
    assert 100 < found["attempt_bytes"] < 2000
    assert 8 < found["token_bytes"] < 30  # an id and a log-probability of 4 bytes each, and the text
    small, large = scaling_costs.wire_bytes(25), scaling_costs.wire_bytes(400)
    assert large["wire_bytes"] > small["wire_bytes"] > 0
    assert small["judged_bytes"] > small["played_bytes"]


def test_admission_of_every_batch_size_is_measured():
    found = scaling_parts.admission((1, 2), (1, 2), 8)
    assert {size: set(by) for size, by in found.items()} == {1: {1, 2}, 2: {1, 2}}
    assert all(rate > 0 for by in found.values() for rate in by.values())


@pytest.mark.slow
def test_a_small_benchmark_measures_and_predicts_everything():
    found = scaling.run((1, 2), (1, 2), ((1, 1, 3), (2, 2, 4)), seconds=1.5, groups=16, repeats=4)
    for name in ("verification_programs_per_s", "rollout_groups_per_s", "admission_1_groups_per_s"):
        assert set(found[name]) == {1, 2}
        assert all(rate > 0 for rate in found[name].values())
    # Two calls under way keep one simulated engine busy: 5 groups a second is all that it can give.
    assert 3.5 < found["rollout_groups_per_s"][1] <= 5.1
    whole = found["run_2_in_flight_2_groups_a_batch"]
    assert 0 < whole["answers_per_s"] <= 2 * 2 * 4 / scaling.LATENCY_S
    assert whole["predicted"] == min(whole["predicted_by_part"].values())
    assert all(seconds >= 0 for seconds in found["costs"].values())
    assert found["on_paper"]["as it is"]["engines_enough"] > 1
