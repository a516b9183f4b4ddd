"""Each alert with a run that has the fault, and with one that has not; then on stored runs."""

import re
import time
from pathlib import Path
from typing import Any

import pytest
from demo_run import DemoRun, make_demo_run

from memory import opening
from memory.alerts import alerts, evidence, rules, stalls
from memory.reader import RunReader
from memory.store import Store
from protocols.isolation import LAYERS
from protocols.settings import RunSettings


def groups(errors: list[int], attempts: int = 4) -> list[dict[str, Any]]:
    return [
        {"round": 1 + i // 10, "attempts": attempts, "infra_errors": n, "created": 1000.0 + i}
        for i, n in enumerate(errors)
    ]


def updates(name: str, values: list[float], **more: float) -> list[dict[str, Any]]:
    return [
        {"version": i + 1, "created": 50.0 * (i + 1), "metrics": {name: value, **more}}
        | {"losses": [0.5], "grad_norms": [1.0]}
        for i, value in enumerate(values)
    ]


def proposals(different: list[int], count: int = 16) -> list[dict[str, Any]]:
    return [
        {"round": i + 1, "proposals": count, "different": n, "created": 10.0 * i}
        for i, n in enumerate(different)
    ]


def test_infra_errors() -> None:
    alert = rules.infra_errors(groups([0] * 20 + [1, 0, 3, 1]))
    assert (
        alert is not None
        and alert.since == 1020.0
        and "5 of the newest 96 attempts, in round 3" in alert.where
    )
    assert rules.infra_errors(groups([0] * 24)) is None
    assert rules.infra_errors(groups([2, 0])) is None  # a quarter, and yet only two
    assert rules.infra_errors(groups([1] * 4 + [0] * 80)) is None  # four of 336
    assert rules.infra_errors(groups([4] * 50 + [0] * rules.RECENT_GROUPS)) is None  # over long ago


def test_collapse_of_entropy() -> None:
    alert = rules.entropy_collapse(updates("entropy", [0.5, 0.6, 0.4, 0.3, 0.09, 0.08]))
    assert alert is not None and alert.since == 250.0 and "versions 5 to 6" in alert.where
    assert rules.entropy_collapse(updates("entropy", [0.5, 0.6, 0.4, 0.3, 0.09, 0.2])) is None  # it came back
    assert rules.entropy_collapse(updates("entropy", [0.5, 0.4, 0.3, 0.2, 0.15])) is None  # it sharpens
    alert = rules.entropy_collapse(updates("entropy", [0.01]))
    assert alert is not None and "version 1" in alert.where  # hardly any from the beginning
    assert rules.entropy_collapse(updates("reward", [0.5])) is None  # of SFT, entropy is not known
    assert rules.entropy_collapse(updates("entropy", [float("nan")])) is None


def test_collapse_of_proposals() -> None:
    alert = rules.proposal_collapse(proposals([16, 15, 7, 3]))
    assert alert is not None and alert.since == 20.0 and "3 of 16" in alert.where
    assert "rounds 3 to 4" in alert.where
    assert rules.proposal_collapse(proposals([16, 15, 8])) is None
    assert rules.proposal_collapse(proposals([3, 12])) is None
    assert rules.proposal_collapse(proposals([1, 1], count=4)) is None
    assert rules.proposal_collapse([]) is None


def test_mismatch_of_log_probabilities() -> None:
    alert = rules.mismatch(updates("rollout_gap", [0.01, 0.2, 0.3]), comparable=True)
    assert alert is not None and alert.since == 100.0 and "versions 2 to 3" in alert.where
    assert rules.mismatch(updates("rollout_gap", [0.3, 0.02]), comparable=True) is None
    # Another prompt, or older weights: then the gap is not the engine's.
    assert rules.mismatch(updates("rollout_gap", [0.01, 0.2, 0.3]), comparable=False) is None
    assert rules.mismatch(updates("rollout_gap", [0.3], staleness_most=1.0), comparable=True) is None


def test_losses_that_are_no_numbers() -> None:
    found = updates("entropy", [0.5, 0.5])
    assert rules.not_finite(found) is None
    found[1]["grad_norms"] = [1.0, float("inf")]
    alert = rules.not_finite(found)
    assert alert is not None and alert.where == "version 2" and alert.since == 100.0


def stage(round: int, role: str, name: str, ended: float, seconds: float = 10.0) -> dict[str, Any]:
    return {"round": round, "role": role, "stage": name, "numbers": {}} | {
        "started": ended - seconds,
        "seconds": seconds,
    }


def open_round(round: int, planned: int, admitted: int, learned: bool = False) -> dict[str, Any]:
    return {"round": round, "started": 900.0} | {"planned": planned, "admitted": admitted, "learned": learned}


def under_way(**changes: Any) -> dict[str, Any]:
    """Round 2 of 4, of 8 groups: half of them are played and judged, the last ones at 1,002 s."""
    stages = [
        stage(1, "learner", "learn", 880.0, 60.0),
        stage(2, "proposer", "propose", 890.0),
        stage(2, "solver", "play", 1000.0, 50.0),
        stage(2, "verifier", "judge", 1002.0, 1.0),
        stage(2, "verifier", "wait for solver", 5000.0, 3000.0),  # a sum, and no work
    ]
    seen = {
        "stages": stages,
        "open": [open_round(2, 8, 4)],
        "finished": 1,
        "last": 1002.0,
        "config": {"rounds": 4, "engine": {"deadline_s": 900.0}},
    }
    return seen | changes


def test_a_stalled_role() -> None:
    assert stalls.stalled(under_way(), now=1002 + 4 * 50 - 1) is None
    alert = stalls.stalled(under_way(), now=1002 + 4 * 50 + 1)
    assert alert is not None and alert.since == 1002.0 and "the solver" in alert.where
    assert "engine.deadline_s (900 s)" in alert.do and "took 50 s" in alert.where
    first = under_way(stages=under_way()["stages"][1:], open=[open_round(2, 4, 4)])
    assert stalls.stalled(first, now=1002 + 3500) is None  # a first update may take until its deadline
    assert "not done anything yet" in stalls.stalled(first, now=1002 + 3700).where  # type: ignore[union-attr]
    assert stalls.stalled(under_way(finished=4), now=1e9) is None
    assert stalls.stalled(under_way(last=None), now=1e9) is None


def test_who_owes_what_and_since_when() -> None:
    seen = under_way()
    assert stalls.owing(seen) == {"solver": 1002.0}
    assert stalls.owing(seen | {"open": [], "stages": seen["stages"][:2]}) == {"proposer": 1002.0}
    assert stalls.owing(seen | {"open": []}) == {"solver": 1002.0}  # it is measured
    assert stalls.owing(seen | {"open": [open_round(2, 4, 4)]}) == {"learner": 1002.0}
    assert stalls.owing(seen | {"open": [open_round(2, 4, 4, learned=True)]}) == {"solver": 1002.0}
    stages = [*seen["stages"], stage(2, "solver", "play", 1050.0)]
    assert stalls.owing(seen | {"stages": stages}) == {"verifier": 1050.0}


def test_a_learner_that_hangs_is_found_while_the_next_round_is_played() -> None:
    stages = [
        *under_way()["stages"],
        *(stage(3, "solver", "play", 1100.0 + 10 * i) for i in range(200)),
        *(stage(3, "verifier", "judge", 1101.0 + 10 * i, 1.0) for i in range(200)),
    ]
    seen = under_way(stages=stages, open=[open_round(2, 4, 4), open_round(3, 999, 200)], last=3091.0)
    alert = stalls.stalled(seen, now=3092.0)
    assert alert is not None and "the learner" in alert.where and alert.since == 1002.0
    learned = [open_round(2, 4, 4, learned=True), open_round(3, 999, 200)]
    stages = [*stages, stage(2, "learner", "learn", 3090.0, 60.0)]
    assert stalls.stalled(seen | {"open": learned, "stages": stages}, now=3092.0) is None


def test_a_run_that_ended_early_is_not_called_stalled() -> None:
    seen = under_way() | {"groups": [], "updates": [], "proposals": [], "comparable": False}
    assert [alert.kind for alert in alerts(seen, "gone", 1e9)] == ["ended early"]
    assert [alert.kind for alert in alerts(seen, "here", 1e9)] == ["stalled role"]
    assert [alert.kind for alert in alerts(seen, "unknown", 1e9)] == ["stalled role"]
    assert alerts(seen | {"finished": 4}, "gone", 1e9) == []
    assert alerts(seen, "here", 1003.0) == []


def test_remedies_name_settings_that_there_are() -> None:
    told = [
        rules.infra_errors(groups([4] * 5)),
        rules.entropy_collapse(updates("entropy", [0.01])),
        rules.proposal_collapse(proposals([1])),
        rules.mismatch(updates("rollout_gap", [9.0]), True),
        rules.not_finite(updates("entropy", [1.0]) and [{**updates("a", [1])[0], "losses": [float("nan")]}]),
        *(
            stalls.stalled(under_way(open=made), now=1e9)
            for made in ([], [open_round(2, 8, 4)], [open_round(2, 4, 4)])
        ),
    ]
    settings = RunSettings.model_validate({})
    named = 0
    for alert in told:
        assert alert is not None and alert.what.endswith(".") and alert.do.endswith(".")
        for name in re.findall(r"\b(?:engine|solver|proposer|learner|verifier)(?:\.[a-z_]+)+", alert.do):
            value: Any = settings
            for part in name.split("."):
                assert hasattr(value, part), name
                value = getattr(value, part)
            named += 1
    assert named >= 10
    for role, (name, default) in stalls._DEADLINES.items():
        section, key = name.split(".")
        assert getattr(getattr(settings, section), key) == default, role


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_demo_run(tmp_path_factory.mktemp("runs") / "demo", rounds=4)


def test_a_stored_run_without_faults(demo: Path) -> None:
    with RunReader(demo) as reader:
        seen = evidence(reader)
    assert len(seen["groups"]) == rules.RECENT_GROUPS and len(seen["updates"]) == 4
    assert all(row["different"] > 0.5 * row["proposals"] > 0 for row in seen["proposals"])
    assert alerts(seen, opening.writer(demo), time.time() + 1e6) == []


def test_a_stored_run_with_every_fault(tmp_path: Path) -> None:
    with DemoRun(tmp_path / "ill", topics=3, groups_per_round=8, proposals_per_round=12) as run:
        for _ in range(3):
            run.play_round()
        with run.store.batch():
            run.store.db.execute("UPDATE groups SET infra_errors = 1")
            run.store.db.execute(
                "UPDATE proposals SET reason = 'duplicate' WHERE round >= 2 AND position > 3"
            )
            run.store.db.execute(
                """UPDATE updates SET losses_json = '[{"$float": "nan"}]' WHERE version = 3"""
            )
            run.store.db.execute(
                """UPDATE updates SET metrics_json = '{"entropy": 0.001, "rollout_gap": 1.5}'"""
            )
            grpo = "json_set(value_json, '$.learner.recipe', 'grpo')"
            run.store.db.execute(f"UPDATE run SET value_json = {grpo} WHERE key = 'config'")
        with RunReader(tmp_path / "ill") as reader:
            seen = evidence(reader)
        assert opening.writer(tmp_path / "ill") == "here"
        found = alerts(seen, opening.writer(tmp_path / "ill"), time.time() + 1e6)
        assert [alert.kind for alert in found] == [
            "stalled role", "infra errors", "loss", "log-probabilities", "entropy", "proposals",
        ]  # fmt: skip
        told = {alert.kind: alert.where for alert in found}
        assert "rounds 2 to 3" in told["proposals"] and told["loss"] == "version 3"
    assert opening.writer(tmp_path / "ill") == "gone"
    assert alerts(seen, "gone", time.time())[0].kind == "ended early"


def test_an_empty_run_has_no_alerts(tmp_path: Path) -> None:
    with Store.create(tmp_path / "new" / "run.db", {"rounds": 4}, {}), RunReader(tmp_path / "new") as reader:
        assert alerts(evidence(reader), "here", 1e9) == []
        assert alerts(evidence(reader), "gone", 1e9) == []


def test_programs_below_the_floor_are_told() -> None:
    layers = [{"name": name, "state": "on", "reason": ""} for name in LAYERS]
    assert rules.weak_sandbox(layers, 5.0) is None
    assert rules.weak_sandbox([], 5.0) is None and rules.weak_sandbox(["of an older store"], None) is None
    weak = [
        row | {"state": "missing", "reason": "denied"} if row["name"] == "seccomp" else row for row in layers
    ]
    told = rules.weak_sandbox(weak, 5.0)
    assert (
        told is not None and told.kind == "sandbox" and "seccomp: denied" in told.where and told.since == 5.0
    )
