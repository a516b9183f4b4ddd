"""Tokens per second of the learner against TRL's SFTTrainer: same data, same batches, same settings.

Each contender runs in a process of its own, one after the other, so that peak memory is its own. Both train
all parameters in the same order of batches; both are timed from the end of their first step to the end of
their last; tokens are all tokens of all sequences, prompt and response, padding excluded. TRL gets its
faster setting (no gradient checkpointing) and, where the processor has bfloat16, autocast to it on float32
weights. Beside it stands what share of a step matrix products take (`products`).
"""

import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.benchmarks import products
from experiments.benchmarks.contenders import apart
from protocols.cores import usable_cores
from protocols.learner_settings import LearnerSettings
from protocols.records import Book, Sample, Split, Start, Step
from protocols.settings import ZwcSettings

if TYPE_CHECKING:
    from actors.learning.packing import Example

NEEDED = 3.0  # times TRL's tokens per second
SAME = 0.05  # nats between the smoothed loss curves

_SMOOTH = 4  # steps averaged before the two loss curves are compared


def run(
    model: str = "smollm2-135m-instruct",
    samples: int = 96,
    batch_size: int = 16,
    learning_rate: float = 1e-4,
    epochs: int = 1,
    seed: int = 1,
) -> dict[str, Any]:
    """Train with both and compare.

    Returns:
        for `learner` and `trl`: tokens per second, peak memory, losses; the ratio of the speeds, and the
        largest difference of the smoothed losses; for some batch sizes, the shares of matrix products.
    """
    from memory.artefacts import fetch_model

    folder = fetch_model(model)
    task = {
        "model": str(folder),
        "samples": samples - samples % batch_size,  # whole batches only: the same ones for both
        "settings": {
            "batch_size": batch_size,
            "learning_rate": learning_rate,
            "epochs": epochs,
            "warmup": 0.0,
            "train_embeddings": True,
            "device": "cpu",
        },
        "seed": seed,
    }
    found = {name: apart(__name__, name, task) for name in ("trl", "learner")}
    curves = [_smooth(found[name]["losses"]) for name in ("learner", "trl")]
    ratio = _ratio(found, "tokens_per_s")
    shares = {f"products_batch_{size}": products.run(folder, size) for size in products.NEEDED}
    enough = all(
        shares[f"products_batch_{size}"]["share"] >= least for size, least in products.NEEDED.items()
    )
    difference = round(max(abs(a - b) for a, b in zip(*curves, strict=True)), 4)
    return {
        "samples": task["samples"],
        "steps": len(found["trl"]["losses"]),
        **{name: {k: v for k, v in found[name].items() if k != "losses"} for name in found},
        "ratio": ratio,
        "cpu_ratio": _ratio(found, "tokens_per_cpu_s"),
        "loss_difference": difference,
        **shares,
        "losses": {name: [round(loss, 4) for loss in found[name]["losses"]] for name in found},
        "needed": NEEDED,
        "shares_needed": {str(size): least for size, least in products.NEEDED.items()},
        "passed": ratio >= NEEDED and difference <= SAME and enough,
    }


def _ratio(found: dict[str, dict[str, Any]], speed: str) -> float:
    return round(found["learner"][speed] / found["trl"][speed], 2)


def _smooth(losses: list[float]) -> list[float]:
    window = min(_SMOOTH, len(losses))
    return [sum(losses[i : i + window]) / window for i in range(len(losses) - window + 1)]


def samples_of(model: Path, count: int) -> list[Sample]:
    """Canonical answers to zwc training tasks, closed book."""
    from transformers import AutoTokenizer

    from protocols.domains.zwc.domain import ZwcDomain
    from protocols.domains.zwc.prompts import answer

    domain = ZwcDomain(ZwcSettings(tasks_per_function=-(-count // 16)))
    tokenizer = AutoTokenizer.from_pretrained(model, trust_remote_code=False)
    start = Start(id="bench", task_id="bench", step=Step.INITIAL, book=Book.CLOSED)
    return [
        Sample(
            attempt_id=task.id,
            prompt=domain.learning_prompt(task, start, Book.CLOSED),
            token_ids=tuple(tokenizer(answer(task, "zwc"), add_special_tokens=False)["input_ids"]),
        )
        for task in domain.tasks(Split.TRAIN, "single")[:count]
    ]


def batches_of(
    model: Path, samples: list[Sample], settings: LearnerSettings, seed: int
) -> "list[list[Example]]":
    from transformers import AutoTokenizer

    from actors.learning.batches import batches_of as cut
    from actors.learning.batches import example_of

    tokenizer = AutoTokenizer.from_pretrained(model, trust_remote_code=False)
    examples = [example_of(tokenizer, sample) for sample in samples]
    return cut(examples, settings.epochs, settings.batch_size, (seed, 1))


def now() -> tuple[float, float]:
    """Seconds on the wall, and of this process's CPU time."""
    return time.perf_counter(), time.process_time()


def measured(
    ends: list[tuple[float, float]], batches: "list[list[Example]]", losses: list[float]
) -> dict[str, Any]:
    """Speed after the first step, which warms kernels and allocators up for both."""
    tokens = sum(len(example) for batch in batches[1:] for example in batch)
    wall, cpu = (last - first for first, last in zip(ends[0], ends[-1]))
    return {
        "tokens_per_s": round(tokens / wall, 1),
        "tokens_per_cpu_s": round(tokens / cpu, 1),
        "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2),
        "losses": losses,
    }


def _learner(task: dict[str, Any], folder: Path) -> dict[str, Any]:
    from actors.learning.sft import SftLearner

    model = Path(task["model"])
    settings = LearnerSettings(**task["settings"])
    samples = samples_of(model, task["samples"])
    batches = batches_of(model, samples, settings, task["seed"])
    learner = SftLearner(model, settings, folder, task["seed"])
    ends: list[tuple[float, float]] = []
    update = learner.learn(samples, 1, 0, "closed-sft", lambda *_: ends.append(now()))
    return measured(ends, batches, list(update.losses))


def _trl(task: dict[str, Any], folder: Path) -> dict[str, Any]:
    import torch
    from datasets import Dataset
    from torch.utils.data import SequentialSampler
    from transformers import TrainerCallback
    from trl import SFTConfig, SFTTrainer

    from actors.precision import dtype_on

    settings = LearnerSettings(**task["settings"])
    model = Path(task["model"])
    # The learner's batches in their order: one pass over these rows is all of its epochs.
    batches = batches_of(model, samples_of(model, task["samples"]), settings, task["seed"])
    rows = [
        {"input_ids": list(e.ids), "labels": [-100] * len(e.prompt) + list(e.response)}
        for batch in batches
        for e in batch
    ]
    torch.set_num_threads(usable_cores())

    dataset = Dataset.from_list(rows)

    class InOrder(SFTTrainer):
        def _get_train_sampler(self, *_: Any) -> SequentialSampler:
            return SequentialSampler(dataset)

    ends: list[tuple[float, float]] = []

    class Clock(TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:
            ends.append(now())

    config = SFTConfig(
        output_dir=str(folder),
        per_device_train_batch_size=settings.batch_size,
        num_train_epochs=1,
        learning_rate=settings.learning_rate,
        lr_scheduler_type="constant",
        warmup_steps=0,
        adam_beta1=settings.betas[0],
        adam_beta2=settings.betas[1],
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.grad_clip,
        gradient_checkpointing=False,
        bf16=dtype_on(torch.device("cpu"), settings.dtype) is torch.bfloat16,
        use_cpu=True,
        model_init_kwargs={"dtype": "float32"},
        logging_steps=1,
        report_to="none",
        save_strategy="no",
        disable_tqdm=True,
        seed=task["seed"],
    )
    trainer = InOrder(model=task["model"], args=config, train_dataset=dataset, callbacks=[Clock()])
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    return measured(ends, batches, losses)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        contender = {"learner": _learner, "trl": _trl}[sys.argv[1]]
        print(json.dumps(contender(json.loads(sys.argv[2]), Path(scratch))))
