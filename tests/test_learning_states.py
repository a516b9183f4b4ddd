"""A learner's state goes from any number of ranks to any other, whole or not at all."""

import json
import os
import pickle
import shutil
import signal
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from learner_ranks import apart, together, weights_of
from test_learning_grpo import samples_of
from torch.distributed.checkpoint import FileSystemWriter

from actors.learning import states
from actors.learning.grpo import GrpoLearner
from actors.learning.ranks import Ranks
from memory import checkpoints
from memory.artefacts import fetch_model
from protocols.errors import TaskspaceError
from protocols.learner_settings import LearnerSettings

CASES: dict[str, dict[str, Any]] = {"whole": {}, "adapters": {"lora": {"rank": 4}}}


def learner_at(
    run: Path, version: int, ranks: Ranks | None = None, seed: int = 1, **settings: Any
) -> GrpoLearner:
    chosen = {"learning_rate": 1e-3, "epochs": 3, "threads": 1, "device": "cpu", "dtype": "float32"}
    checked = LearnerSettings.model_validate({**chosen, "recipe": "closed-rl", "warmup": 0.0, **settings})
    learner = GrpoLearner(fetch_model("tiny-random"), checked, run, seed, ranks=ranks)
    if version:
        learner.resume(version)
    return learner


def learn(ranks: Ranks, run: Path, version: int) -> dict[str, Any]:
    """For each case the update after `version`, with whatever ranks there are."""
    samples, found = samples_of(fetch_model("tiny-random")), {}
    for case, settings in CASES.items():
        learner = learner_at(run / case, version, ranks, **settings)
        first = weights_of(learner)
        update = learner.learn(samples, version + 1, version + 1, "x")
        found[case] = {"first": first, "weights": weights_of(learner), "losses": update.losses}
        found[case]["metrics"] = {**learner.metrics(), "seconds": 0}
    return found


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("states")


@pytest.fixture(scope="module")
def passed_on(run: Path) -> list[Any]:
    """Version 1 by two ranks, 2 by one process, 3 by two ranks again."""
    threads = torch.get_num_threads()
    first = together(2, run / "out-1", learn, run, 0)[0]
    second = learn(Ranks(), run, 1)
    torch.set_num_threads(threads)
    return [first, second, together(2, run / "out-3", learn, run, 2)[0]]


@pytest.mark.parametrize("case", CASES)
def test_two_ranks_then_one_then_two_go_on_as_one_did(passed_on: list[Any], run: Path, case: str) -> None:
    through = learner_at(run / "through" / case, 0, **CASES[case])
    for version, found in enumerate(passed_on, 1):
        update = through.learn(samples_of(fetch_model("tiny-random")), version, version, "x")
        assert found[case]["losses"] == pytest.approx(update.losses, rel=1e-3, abs=1e-4)
        assert apart(found[case]["weights"], weights_of(through), passed_on[0][case]["first"]) < 1e-3
    assert found[case]["metrics"] == {**through.metrics(), "seconds": 0}
    stored = {v: checkpoints.path_of(run / case, v) / checkpoints.STATE for v in (2, 3)}
    assert (stored[2] / states.FLAT).is_file() and not (stored[2] / states.SHARDS).exists()
    assert len(list((stored[3] / states.SHARDS).glob("*.distcp"))) == 2


@pytest.mark.parametrize("case", CASES)
def test_what_was_published_is_what_was_learned(passed_on: list[Any], run: Path, case: str) -> None:
    """By two ranks: the folder holds the weights that they ended with."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    folder = checkpoints.path_of(run / case, 3)
    if case == "adapters":
        base = AutoModelForCausalLM.from_pretrained(fetch_model("tiny-random"))
        model: Any = PeftModel.from_pretrained(base, folder).get_base_model()
    else:
        model = AutoModelForCausalLM.from_pretrained(folder)
        assert model.dtype == torch.float32
        assert model.get_input_embeddings().weight is model.get_output_embeddings().weight
        of_one = checkpoints.path_of(run / case, 2)  # by one process: the same files say the same
        assert {file.name for file in folder.iterdir()} == {file.name for file in of_one.iterdir()}
        for name in ("config.json", "generation_config.json", "tokenizer_config.json"):
            assert json.loads((folder / name).read_text()) == json.loads((of_one / name).read_text())
    loaded = dict(model.named_parameters())
    assert all(torch.equal(loaded[name], tensor) for name, tensor in passed_on[2][case]["weights"].items())


def test_shards_of_another_model_or_run_are_refused_in_one_line(passed_on: list[Any], run: Path) -> None:
    folder = run / "whole"
    with pytest.raises(
        TaskspaceError, match=r"embed_tokens\.weight is not trained here and \[259, 64\] in"
    ) as one:
        learner_at(folder, 3, train_embeddings=False)
    with pytest.raises(TaskspaceError, match=r"lora_A.* is \[4, 64\] here and not trained in") as two:
        learner_at(folder, 3, **CASES["adapters"])
    with pytest.raises(TaskspaceError, match="seed 5 here, 1 in the state"):
        learner_at(folder, 3, seed=5)
    assert all("\n" not in str(refused.value) for refused in (one, two))


def _die_between_shards(ranks: Ranks, run: Path) -> None:
    """The second rank is killed before its shard is written; the first one's is there by then."""
    if ranks.rank == 1:
        FileSystemWriter.write_data = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore
    learner_at(run, 0, ranks).learn(samples_of(fetch_model("tiny-random")), 1, 1, "x")


def test_a_kill_between_shards_leaves_no_half_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="SIGKILL"):
        together(2, tmp_path / "out", _die_between_shards, tmp_path)
    assert checkpoints.versions(tmp_path) == []
    learner_at(tmp_path, 0)
    assert list((tmp_path / "checkpoints").iterdir()) == []


def test_a_state_before_any_step_has_no_moments(tmp_path: Path) -> None:
    """As when no answer was better than another: what is read goes on like what was never written."""
    samples = samples_of(fetch_model("tiny-random"))
    equal = [msgspec.structs.replace(s, weight=0.0) for s in samples]
    learner = learner_at(tmp_path, 0)
    learner.learn(equal, 1, 1, "x")
    flat = learner.optimiser.state_dict()
    assert set(states.by_name(flat, learner.optimiser.shapes())) == {
        f"master.{name}" for name in learner.optimiser.shapes()
    }
    again = learner_at(tmp_path, 1).learn(samples, 2, 2, "x")
    assert again.losses == learner_at(tmp_path / "fresh", 0).learn(samples, 2, 2, "x").losses


class Running:
    """Becomes a call when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self._mark),)


@pytest.mark.parametrize("shards", [True, False])
def test_a_state_from_elsewhere_runs_nothing(
    passed_on: list[Any], run: Path, tmp_path: Path, shards: bool
) -> None:
    folder = tmp_path / "case"
    shutil.copytree(run / "whole", folder)
    state = folder / checkpoints.relative_path(3 if shards else 2) / checkpoints.STATE
    index = state / states.SHARDS / ".metadata" if shards else state / states.FLAT
    assert index.is_file()
    index.write_bytes(pickle.dumps(Running(tmp_path / "ran")))
    with pytest.raises(TaskspaceError, match="the learner's state cannot be read") as told:
        learner_at(folder, 3 if shards else 2)
    assert not (tmp_path / "ran").exists() and "\n" not in str(told.value) and len(str(told.value)) < 500
