"""Adapters: only they are learned and published, engines add them to the weights as they came, exactly."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from command import refused, taskspace
from hypothesis import given, settings
from hypothesis import strategies as st
from loop_driver import small_run
from peft import PeftModel
from safetensors.torch import load_file, save_file
from test_learning_grpo import samples_of
from transformers import AutoModelForCausalLM, AutoTokenizer

from actors.arena import Arena
from actors.engines.base import Weights
from actors.engines.transformers_engine import TransformersEngine
from actors.engines.weights import sequence_logprobs
from actors.learning.grpo import GrpoLearner
from actors.learning.sft import SftLearner
from experiments import config
from experiments.ladders import complete
from memory import adapters, checkpoints
from memory.artefacts import fetch_model
from protocols.engine_settings import EngineSettings
from protocols.errors import ArtefactError, EngineError, SettingError
from protocols.learner_settings import LearnerSettings

SERVED = EngineSettings(dtype="float32", device="cpu", threads=1, probe_tolerance=1e-3)
TEXT = tuple(b"def solve(values): return zwc.sorted(values)")


@pytest.fixture(scope="module")
def model() -> Path:
    return fetch_model("tiny-random")


def learner_of(model: Path, run: Path, kind: Any = SftLearner, **changes: Any) -> Any:
    chosen: dict[str, Any] = {"learning_rate": 1e-2, "epochs": 4, "threads": 1, "device": "cpu"}
    chosen |= {"dtype": "float32", "lora": {"rank": 4, "alpha": 8}}
    if kind is GrpoLearner:
        chosen["recipe"] = "closed-rl"
    return kind(model, LearnerSettings.model_validate(chosen | changes), run, 1, model_name="made/tiny")


@pytest.fixture(scope="module")
def learned(model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Weights]]:
    """A run's folder, and what was published as versions 0, 1 and 2."""
    run = tmp_path_factory.mktemp("adapted")
    learner = learner_of(model, run)
    told = [learner.weights()]
    for version in (1, 2):
        learner.learn(samples_of(model), version, 1, "x")
        told.append(learner.weights())
    return run, told


def served(folder: Path) -> list[float]:
    return sequence_logprobs(AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32), TEXT)


@pytest.mark.parametrize("kind", [SftLearner, GrpoLearner])
def test_only_adapters_are_learned(model: Path, tmp_path: Path, kind: Any) -> None:
    learner = learner_of(model, tmp_path, kind)
    before = {name: p.clone() for name, p in learner.model.named_parameters()}
    update = learner.learn(samples_of(model), 1, 1, "x")
    assert kind is GrpoLearner or update.losses[-1] < update.losses[0]
    for name, parameter in learner.model.named_parameters():
        assert torch.equal(parameter, before[name]) is ("lora_" not in name), name
    assert all(".lora_" in name for name in learner.optimiser.shapes())
    assert not any("lm_head" in name or "embed" in name for name in learner.optimiser.shapes())


def test_what_is_published_is_an_adapter_that_peft_loads(learned: Any, model: Path) -> None:
    run, (_, _, weights) = learned
    folder = Path(weights.path)
    assert weights.adapter and not learned[1][0].adapter and folder == checkpoints.path_of(run, 2)
    assert [file.name for file in folder.glob("*.safetensors")] == ["adapter_model.safetensors"]
    assert (folder / "tokenizer.json").is_file() and not (folder / "config.json").exists()
    config = json.loads((folder / "adapter_config.json").read_text())
    assert (config["base_model_name_or_path"], config["r"], config["lora_alpha"]) == ("made/tiny", 4, 8)
    assert weights.checksum == checkpoints.weights_checksum(folder)
    base = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    found = sequence_logprobs(PeftModel.from_pretrained(base, folder), weights.probe_ids)
    assert found == pytest.approx(weights.probe_logprobs, abs=1e-4)


def test_an_engine_goes_back_and_forth_and_nothing_adds_up(learned: Any, model: Path) -> None:
    engine = TransformersEngine(model, SERVED)
    came = {name: tensor.clone() for name, tensor in engine.model.state_dict().items()}
    seen: dict[int, list[Any]] = {0: [], 1: [], 2: []}
    for version in (1, 2, 1, 0, 2):
        engine.load(learned[1][version])  # checks the probe
        seen[version].append({name: tensor.clone() for name, tensor in engine.model.state_dict().items()})
    for states in seen.values():
        assert all(torch.equal(states[0][name], state[name]) for state in states for name in came)
    assert all(torch.equal(seen[0][0][name], came[name]) for name in came)
    assert not torch.equal(*(seen[v][0]["model.layers.0.mlp.up_proj.weight"] for v in (0, 1)))


def test_a_bfloat16_learner_and_engine_agree_within_the_usual_tolerance(model: Path, tmp_path: Path) -> None:
    learner = learner_of(model, tmp_path, dtype="bfloat16")
    engine = TransformersEngine(model, EngineSettings(device="cpu", threads=1))
    learner.learn(samples_of(model), 1, 1, "x")
    engine.load(learner.weights())
    assert engine.version == 1


def test_another_adapter_than_published_is_refused(learned: Any, model: Path, tmp_path: Path) -> None:
    engine, right = TransformersEngine(model, SERVED), learned[1][2]
    facts = {name: getattr(right, name) for name in right.__struct_fields__}
    with pytest.raises(EngineError, match=r"checksum \w+, but 00ff was published"):
        engine.load(Weights(**facts | {"checksum": "00ff"}))
    with pytest.raises(EngineError, match="are not what was published"):
        engine.load(Weights(**facts | {"path": learned[1][1].path, "checksum": None}))
    tensors = load_file(Path(right.path) / adapters.WEIGHTS)
    (tmp_path / adapters.CONFIG).write_bytes((Path(right.path) / adapters.CONFIG).read_bytes())
    save_file({k.replace("layers.1", "layers.9"): v for k, v in tensors.items()}, tmp_path / adapters.WEIGHTS)
    with pytest.raises(EngineError, match=r"does not fit the served model: model\.layers\.9"):
        engine.load(Weights(**facts | {"path": str(tmp_path), "checksum": None}))


@given(st.integers(1, 4), st.floats(0.1, 64), st.integers(0, 99))
@settings(max_examples=30)
def test_an_adapted_weight_computes_what_weight_and_adapter_compute(
    rank: int, scale: float, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    w, b, a, x = (torch.randn(*s, generator=generator) for s in ((5, 3), (5, rank), (rank, 3), (7, 3)))
    found = x @ adapters.Delta(scale, b, a).added_to(w).T
    torch.testing.assert_close(found, x @ w.T + scale * ((x @ a.T) @ b.T), rtol=1e-4, atol=1e-3)


def test_a_merged_folder_is_pefts_own_merge_and_is_made_once(
    learned: Any, model: Path, tmp_path: Path
) -> None:
    folder = Path(learned[1][2].path)
    assert adapters.whole(model, model, tmp_path) == model
    made = adapters.whole(model, folder, tmp_path)
    stamp = (made / "model.safetensors").stat().st_mtime_ns
    assert adapters.whole(model, folder, tmp_path) == made
    assert (made / "model.safetensors").stat().st_mtime_ns == stamp and len(list(tmp_path.iterdir())) == 1
    assert not adapters.is_adapter(made) and AutoTokenizer.from_pretrained(made).chat_template
    base = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    merged = PeftModel.from_pretrained(base, folder).merge_and_unload()
    assert served(made) == pytest.approx(sequence_logprobs(merged, TEXT), abs=1e-4) != served(model)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("use_dora", True, "use_dora is True"),
        ("peft_type", "IA3", "only plain LoRA"),
        ("alpha_pattern", {"q_proj": 3}, "only one rank"),
    ],
)
def test_other_adapters_are_refused(
    learned: Any, model: Path, tmp_path: Path, key: str, value: Any, message: str
) -> None:
    folder = Path(learned[1][2].path)
    config = json.loads((folder / adapters.CONFIG).read_text())
    (tmp_path / adapters.CONFIG).write_text(json.dumps(config | {key: value}))
    (tmp_path / adapters.WEIGHTS).write_bytes((folder / adapters.WEIGHTS).read_bytes())
    with pytest.raises(ArtefactError, match=message):
        adapters.read_deltas(tmp_path)


def test_a_resumed_learner_goes_on_exactly_with_dropout(model: Path, tmp_path: Path) -> None:
    dropping = {"lora": {"rank": 2, "dropout": 0.3}}
    through = learner_of(model, tmp_path / "a", **dropping)
    for version in (1, 2):
        last = through.learn(samples_of(model), version, 1, "x")
    learner_of(model, tmp_path / "b", **dropping).learn(samples_of(model), 1, 1, "x")
    again = learner_of(model, tmp_path / "b", **dropping)
    again.resume(1)
    repeated = again.learn(samples_of(model), 2, 1, "x")
    assert (repeated.checksum, repeated.losses) == (last.checksum, last.losses)
    assert again.weights() == again.weights()  # measured without dropout
    plain = learner_of(model, tmp_path / "c", lora={"rank": 2}).learn(samples_of(model), 1, 1, "x")
    assert plain.losses != through.published(1).losses
    again.resume(0)
    assert again.weights() == learner_of(model, tmp_path / "d", **dropping).weights()


def test_the_reference_is_the_model_without_adapters(model: Path, tmp_path: Path) -> None:
    found = {}
    for name, lora in (("adapters", {"rank": 4}), ("whole", {"rank": 0})):
        learner = learner_of(
            model, tmp_path / name, GrpoLearner, lora=lora, epochs=1, grpo={"kl_weight": 0.1}
        )
        trajectories = [learner._trajectory(sample) for sample in samples_of(model)]
        updates = [learner.learn(samples_of(model), version, version, "x") for version in (1, 2)]
        assert updates[0].metrics["kl"] == pytest.approx(0.0, abs=1e-6)
        assert updates[1].metrics["kl"] > 1e-4
        found[name] = learner._logprobs_of_reference(trajectories, 3).values()
    for one, other in zip(*found.values(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


def test_what_does_not_fit_adapters_is_refused(model: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"learner\.lora\.target_modules: .*nowhere"):
        learner_of(model, tmp_path, lora={"rank": 2, "target_modules": ["nowhere"]})
    with pytest.raises(SettingError, match=r"learner\.grpo\.reference_every"):
        LearnerSettings.model_validate(
            {"recipe": "closed-rl", "lora": {"rank": 2}, "grpo": {"kl_weight": 1, "reference_every": 1}}
        )
    only = learner_of(model, tmp_path, lora={"rank": 2, "target_modules": ["q_proj"]})
    assert all(".q_proj." in name for name in only.optimiser.shapes())


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run that learned adapters, runs/adapted, and one that learned weights, runs/whole."""
    here = tmp_path_factory.mktemp("played")
    for name, lora in (("adapted", {"rank": 4}), ("whole", {"rank": 0})):
        run = here / "runs" / name
        run.mkdir(parents=True)
        learner = {"batch_size": 4, "threads": 1, "device": "cpu", "lora": lora}
        assert Arena(small_run(learner=learner), run, fetch_model("tiny-random"), lambda *_: None).run()
    return here


def test_a_run_is_exported_as_a_whole_model(played: Path, model: Path, tmp_path: Path) -> None:
    for run, extra, version in (("adapted", [], 2), ("adapted", ["--version", "1"], 1), ("whole", [], 2)):
        out = tmp_path / f"{run}-{version}"
        done = taskspace("export", run, "--model", out, *extra, cwd=played)
        assert done.returncode == 0 and f"version {version}" in done.stdout, done.stderr
        names = {file.name for file in out.iterdir()}
        assert {"config.json", "model.safetensors", "tokenizer.json"} <= names
        assert not names & {"state", "update.json", "manifest.json", *(adapters.CONFIG, adapters.WEIGHTS)}
        folder = checkpoints.path_of(played / "runs" / run, version)
        if run == "whole":
            expected = served(folder)
        else:
            base = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
            expected = sequence_logprobs(PeftModel.from_pretrained(base, folder), TEXT)
        assert served(out) == pytest.approx(expected, abs=1e-4)
        assert AutoTokenizer.from_pretrained(out).chat_template


def test_wrong_exports_are_one_line(played: Path, tmp_path: Path) -> None:
    assert "no run.db there" in refused("export", "nothing", "--model", tmp_path / "a", cwd=played)
    line = refused("export", "adapted", "--model", tmp_path / "a", "--version", "9", cwd=played)
    assert "no such version; choose one of 0, 1, 2" in line
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    line = refused("export", "adapted", "--model", tmp_path / "full", cwd=played)
    assert "something is there already" in line
    version = checkpoints.path_of(played / "runs" / "whole", 1)
    version.rename(tmp_path / "elsewhere")
    line = refused("export", "whole", "--model", tmp_path / "a", "--version", "1", cwd=played)
    assert "were removed; choose one of 0, 2" in line
    assert not (tmp_path / "a").exists() and not list(tmp_path.glob(".unfinished*"))


def test_a_version_of_adapters_is_measured(played: Path) -> None:
    done = taskspace(
        "eval", "adapted", "--limit", "2", "--json", "--set", "engine.kind=transformers",
        "--set", "engine.threads=1", "--set", "evaluation.sampling.max_tokens=8", cwd=played, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["version"] == 2
    assert len(list((played / "runs" / "adapted" / "merged").iterdir())) == 1


def test_a_run_may_start_from_the_adapters_that_another_one_ended_with(played: Path, model: Path) -> None:
    run = played / "runs" / "adapted"
    config.save(small_run(learner={"lora": {"rank": 4}}), run / "config.yaml")
    found = complete.newest_weights(run)
    assert not adapters.is_adapter(found) and served(found) != pytest.approx(served(model), abs=1e-3)
    assert complete.newest_weights(played / "runs" / "whole") == checkpoints.path_of(
        played / "runs" / "whole", 2
    )
