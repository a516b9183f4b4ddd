"""Whole steps of reinforcement learning against TRL's GRPOTrainer: sample, reward, learn, hand over weights.

Same model, prompts, group size, lengths and settings; each contender in a process of its own, one after the
other, so that peak memory is its own. Counted are sampled tokens over the time from the end of the first
step, which warms both up, to the end of the last. Ours writes a checkpoint at every step and loads it into
the engine, as a run does; TRL samples from the model that it trains. Both on the GPU where there is one; then
peak memory is the GPU's.
"""

import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from experiments.benchmarks.contenders import apart
from protocols.cores import usable_cores
from protocols.learner_settings import LearnerSettings
from protocols.records import Book, Prompt, Sample, Split, Start, Step
from protocols.settings import EngineSettings, Sampling, ZwcSettings

NEEDED = 2.5  # times TRL's tokens per second


def run(
    model: str = "smollm2-135m-instruct",
    prompts: int = 8,
    group: int = 8,
    new_tokens: int = 48,
    steps: int = 3,
    seed: int = 1,
) -> dict[str, Any]:
    """Take `steps` steps of `prompts * group` answers with both, and compare all but the first.

    Returns:
        for `ours` and `trl`: sampled tokens per second, tokens, peak memory; and the ratio of the speeds.
    """
    import torch

    from memory.artefacts import fetch_model

    device = "cuda" if torch.cuda.is_available() else "cpu"
    task = {
        "device": device,
        "model": str(fetch_model(model)),
        "prompts": prompts,
        "group": group,
        "new_tokens": new_tokens,
        "steps": steps,
        "seed": seed,
    }
    found = {name: apart(__name__, name, task) for name in ("trl", "ours")}
    ratio = round(found["ours"]["tokens_per_s"] / found["trl"]["tokens_per_s"], 2)
    lighter = found["ours"]["peak_gb"] <= found["trl"]["peak_gb"]
    return {
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
        "completions a step": prompts * group,
        **found,
        "ratio": ratio,
        "needed": NEEDED,
        "passed": ratio >= NEEDED and lighter,
    }


def _prompts(count: int) -> list[Prompt]:
    """Closed-book prompts of zwc training tasks."""
    from protocols.domains.zwc.domain import ZwcDomain

    domain = ZwcDomain(ZwcSettings(tasks_per_function=-(-count // 16)))
    start = Start(id="bench", task_id="bench", step=Step.INITIAL, book=Book.CLOSED)
    tasks = domain.tasks(Split.TRAIN, "single")[:count]
    return [domain.learning_prompt(task, start, Book.CLOSED) for task in tasks]


def _reward(text: str) -> float:
    """Anything that differs within a group: what is learned does not matter here."""
    return float(sum(map(ord, text)) % 2)


def _measured(ends: list[float], tokens: list[float]) -> dict[str, Any]:
    import torch

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1e3
    if torch.cuda.is_available():
        peak = torch.cuda.max_memory_allocated()
    return {
        "tokens_per_s": round(sum(tokens[1:]) / (ends[-1] - ends[0]), 1),
        "tokens": sum(tokens[1:]),
        "peak_gb": round(peak / 1e9, 2),
    }


def _ours(task: dict[str, Any], folder: Path) -> dict[str, Any]:
    from actors.engines.base import Request
    from actors.engines.transformers_engine import TransformersEngine
    from actors.learning.advantages import group_advantages
    from actors.learning.grpo import GrpoLearner

    model = Path(task["model"])
    settings = LearnerSettings(recipe="closed-rl", learning_rate=1e-6, warmup=0.0, device=task["device"])
    learner = GrpoLearner(model, settings, folder, task["seed"])
    engine = TransformersEngine(model, EngineSettings(kind="transformers", device=task["device"]))
    sampling = Sampling(temperature=1.0, max_tokens=task["new_tokens"])
    prompts = _prompts(task["prompts"])
    ends, tokens = [], []
    for step in range(task["steps"]):
        requests = [
            Request(id=f"{i}-{j}", prompt=prompt, sampling=sampling, seed=1000 * step + 100 * i + j, stop=())
            for i, prompt in enumerate(prompts)
            for j in range(task["group"])
        ]
        completions = engine.generate(requests)
        samples = []
        for first in range(0, len(completions), task["group"]):
            answers = completions[first : first + task["group"]]
            advantages = group_advantages([_reward(answer.text) for answer in answers])
            samples += [
                Sample(
                    attempt_id=answer.request_id,
                    prompt=prompts[first // task["group"]],
                    token_ids=answer.token_ids,
                    logprobs=answer.logprobs,
                    prefilled=answer.prefilled,
                    weight=advantage,
                    group_id=str(first),
                )
                for answer, advantage in zip(answers, advantages)
            ]
        learner.learn(samples, step + 1, step + 1, "closed-rl")
        engine.load(learner.weights())
        ends.append(time.perf_counter())
        tokens.append(float(sum(len(answer.logprobs) for answer in completions)))
    return _measured(ends, tokens)


def _trl(task: dict[str, Any], folder: Path) -> dict[str, Any]:
    import torch
    from datasets import Dataset
    from transformers import TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    from actors.precision import dtype_on

    torch.set_num_threads(usable_cores())
    count = task["prompts"] * task["group"]
    rows = [
        {"prompt": [{"role": m.role, "content": m.content} for m in prompt.messages]}
        for prompt in _prompts(task["prompts"])
    ]
    tokens: list[float] = []
    ends: list[float] = []

    def reward(completions: list[Any], completion_ids: list[list[int]], **_: Any) -> list[float | None]:
        tokens.append(float(sum(map(len, completion_ids))))
        return [_reward(completion[0]["content"]) for completion in completions]

    class Clock(TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:
            ends.append(time.perf_counter())

    config = GRPOConfig(
        output_dir=str(folder),
        per_device_train_batch_size=count,
        num_generations=task["group"],
        max_completion_length=task["new_tokens"],
        max_steps=task["steps"],
        temperature=1.0,
        beta=0.0,
        learning_rate=1e-6,
        lr_scheduler_type="constant",
        warmup_steps=0,
        gradient_checkpointing=False,
        bf16=dtype_on(torch.device(task["device"]), "auto") is torch.bfloat16,
        use_cpu=task["device"] == "cpu",
        model_init_kwargs={"dtype": "float32"},
        report_to="none",
        save_strategy="no",
        disable_tqdm=True,
        seed=task["seed"],
    )
    trainer = GRPOTrainer(
        model=task["model"],
        reward_funcs=reward,
        args=config,
        train_dataset=Dataset.from_list(rows * task["steps"]),
        callbacks=[Clock()],
    )
    trainer.train()
    return _measured(ends, tokens)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        contender = {"ours": _ours, "trl": _trl}[sys.argv[1]]
        print(json.dumps(contender(json.loads(sys.argv[2]), Path(scratch))))
