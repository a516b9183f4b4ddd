"""Learner, engine and quickstart on one GPU: `python experiments/gpu/measure.py --out FOLDER`.

Needs PyTorch, transformers and this checkout, no Ray; rows that need more (adapters: peft; the quickstart:
networkx, sqlite-utils) are left out where it is missing, and say so. Under 10 minutes on one GPU.
`--device cpu --scale tiny` tries it out anywhere.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # a bare checkout, not installed

try:
    import torch

    from actors.engines.base import Request
    from actors.engines.transformers_engine import TransformersEngine
    from actors.learning.grpo import GrpoLearner
    from actors.learning.packing import pack, split
    from actors.learning.sft import SftLearner
    from experiments.gpu.flops import peak_of, training_flops
    from protocols.engine_settings import EngineSettings, Sampling
    from protocols.learner_settings import LearnerSettings
    from protocols.records import Message, Prompt, Sample
except ImportError as missing:
    print(f"measure: {missing.name} is missing; pip install {missing.name}", file=sys.stderr)
    raise SystemExit(2) from None

#: (layers, hidden, intermediate, heads, key-value heads, vocabulary)
SHAPES = {
    "135m": (30, 576, 1536, 9, 3, 49152),  # SmolLM2-135M
    "1b": (16, 2048, 8192, 32, 8, 128256),  # Llama 3.2 1B
    "tiny": (2, 64, 128, 4, 2, 259),
}
STEPS, WARM = 12, 3
Row = dict[str, Any]


class Scale:
    """What is measured: models, sequences, answers."""

    def __init__(self, tiny: bool) -> None:
        self.models = ("tiny",) if tiny else ("135m", "1b")
        self.batch = 4 if tiny else 32  # sequences of a step
        self.prompt, self.answer = (20, 20) if tiny else (512, 512)  # tokens
        self.micro_tokens = 256 if tiny else 16384
        self.engine_rows = (4,) if tiny else (64, 256)
        self.engine_tokens = 8 if tiny else 128


def random_model(shape: str, folder: Path) -> Path:
    """A Hugging Face folder of a Llama with random weights, and the tokenizer of the tiny one."""
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    from memory.tiny_model import make_tiny_random

    made = folder / shape
    made.mkdir()
    make_tiny_random(made)
    if shape == "tiny":
        return made
    tokenizer = AutoTokenizer.from_pretrained(made, trust_remote_code=False)
    layers, hidden, inner, heads, shared, vocabulary = SHAPES[shape]
    config = LlamaConfig(
        num_hidden_layers=layers,
        hidden_size=hidden,
        intermediate_size=inner,
        num_attention_heads=heads,
        num_key_value_heads=shared,
        vocab_size=vocabulary,
        max_position_embeddings=8192,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
    )
    model: Any = LlamaForCausalLM(config)
    model.to(torch.bfloat16).save_pretrained(made)
    return made


def samples_of(scale: Scale, steps: int, advantages: bool, group: int = 4) -> list[Sample]:
    """Groups of answers to prompts of their own; a byte is a token."""
    made = []
    for number in range(steps * scale.batch):
        text = f"{number // group:06d} ".ljust(max(8, scale.prompt - 40), "x")
        ids = tuple((7 * number + 3 * i) % 200 for i in range(scale.answer))
        made.append(
            Sample(
                attempt_id=str(number),
                prompt=Prompt(messages=(Message(role="user", content=text),)),
                token_ids=ids,
                logprobs=(-5.0,) * len(ids),
                weight=-1.0 if advantages and number % 2 else 1.0,
                group_id=str(number // group),
            )
        )
    return made


def learner_row(model: Path, shape: str, kind: str, rank: int, scale: Scale, device: str, work: Path) -> Row:
    """Seconds of a step, in the middle of an update of `STEPS`."""
    settings: dict[str, Any] = {
        "device": device,
        "batch_size": scale.batch,
        "micro_tokens": scale.micro_tokens,
        "lora": {"rank": rank},
        "recipe": "closed-sft" if kind == "sft" else "grpo",
    }
    if kind == "grpo":
        settings["grpo"] = {"mini_batches": STEPS, "denominator": "rollout"}
    wanted = LearnerSettings.model_validate(settings)
    cls = SftLearner if kind == "sft" else GrpoLearner
    learner = cls(model, wanted, work / f"{shape}-{kind}-{rank}", 1)
    samples = samples_of(scale, STEPS, kind == "grpo")
    examples = (
        [learner._trajectory(sample) for sample in samples]
        if isinstance(learner, GrpoLearner)
        else _examples(learner, samples)
    )
    ended: list[float] = []

    def told(done: int, steps: int, loss: float) -> None:
        if device != "cpu":
            torch.cuda.synchronize()
        ended.append(time.perf_counter())

    learner.learn(samples, 1, 1, "measured", told)
    taken = sorted(after - before for before, after in zip(ended[WARM:], ended[WARM + 1 :]))
    seconds = taken[len(taken) // 2]
    one = examples[: scale.batch]
    parts = [pack(part) for part in split(one, scale.micro_tokens)]
    rows, labels = sum(len(part.ids) for part in parts), sum(len(part.labels) for part in parts)
    flops = training_flops(_config(model), rows, labels, [len(example) for example in one], bool(rank))
    peak = peak_of(torch.cuda.get_device_name()) if device != "cpu" else None
    return {
        "model": shape,
        "what": f"{kind}, {'adapters of rank ' + str(rank) if rank else 'all weights'}",
        "tokens_per_second": sum(map(len, one)) / seconds,
        "spread": f"{taken[0]:.3f} to {taken[-1]:.3f} s a step",
        "utilisation": flops / seconds / peak if peak else None,
    }


def _examples(learner: SftLearner, samples: list[Sample]) -> list[Any]:
    from actors.learning.batches import example_of

    return [example_of(learner.tokenizer, sample) for sample in samples]


def _config(model: Path) -> Any:
    from transformers import AutoConfig

    return AutoConfig.from_pretrained(model, trust_remote_code=False)


def engine_row(model: Path, shape: str, rows: int, scale: Scale, device: str) -> Row:
    """Tokens per second of answers that have the same length, in groups of four."""
    engine = TransformersEngine(model, EngineSettings(kind="transformers", device=device, batch_size=rows))
    requests = [
        Request(
            id=str(n),
            prompt=Prompt(messages=(Message(role="user", content=f"Tell me about {n // 4}."),)),
            sampling=Sampling(max_tokens=scale.engine_tokens),
            seed=n,
            stop=(),
        )
        for n in range(rows)
    ]
    engine.generate(requests)
    began = time.perf_counter()
    tokens = sum(len(one.logprobs) for one in engine.generate(requests))
    seconds = time.perf_counter() - began
    engine.close()
    return {"model": shape, "what": f"generation, {rows} rows", "tokens_per_second": tokens / seconds}


def quickstart_row(device: str, tiny: bool, work: Path) -> Row:
    """Closed-SFT from the first proposal to the last measurement, all roles in this process."""
    from actors.arena import Arena
    from experiments import config
    from memory.artefacts import fetch_model

    preset = "smoke" if tiny else "quickstart"
    chosen = ["runtime.kind=inline", f"engine.device={device}", f"learner.device={device}"]
    settings = config.load(preset, chosen)
    accuracies: list[float] = []

    def notify(kind: str, facts: dict[str, Any]) -> None:
        if kind == "evaluation" and facts["book"] == "closed" and facts["accuracy"] is not None:
            accuracies.append(facts["accuracy"])

    run_dir = work / "quickstart"
    run_dir.mkdir()
    began = time.perf_counter()
    Arena(settings, run_dir, fetch_model(settings.model.name), notify).run()
    return {
        "model": settings.model.name,
        "what": f"{preset}: closed book {accuracies[0]:.3f} to {accuracies[-1]:.3f}",
        "seconds": time.perf_counter() - began,
    }


def measure(device: str, tiny: bool, minutes: float, only: str, work: Path) -> list[Row]:
    """All rows whose name has `only` in it, as long as there is time."""
    scale, began = Scale(tiny), time.monotonic()
    found: list[Row] = []

    def add(name: str, make: Callable[[], Row]) -> None:
        if only not in name:
            return
        if time.monotonic() - began > minutes * 60:
            found.append({"row": name, "what": f"left out: {minutes:g} minutes are over"})
            return
        if device != "cpu":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        print(f"{name} ...", file=sys.stderr, flush=True)
        try:
            row = make()
        except ImportError as missing:
            row = {"what": f"left out: {missing.name} is not installed"}
        except torch.OutOfMemoryError:
            row = {"what": "left out: it does not fit into the GPU's memory"}
        if device != "cpu":
            row["peak_gb"] = torch.cuda.max_memory_allocated() / 1e9
        found.append({"row": name, **row})

    for shape in scale.models:
        model = random_model(shape, work)
        for rank in (0, 16):
            for kind in ("sft", "grpo"):
                name = f"learner-{shape}-{kind}-{'lora' if rank else 'full'}"
                add(name, lambda: learner_row(model, shape, kind, rank, scale, device, work))  # noqa: B023
        for rows in scale.engine_rows:
            add(f"engine-{shape}-{rows}", lambda: engine_row(model, shape, rows, scale, device))  # noqa: B023
    add("quickstart", lambda: quickstart_row(device, tiny, work))
    return found


def table(rows: list[Row], title: str) -> str:
    """Markdown."""
    heads = ("row", "model", "what", "tokens_per_second", "utilisation", "peak_gb", "seconds", "spread")
    lines = [f"{title}\n", "| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for row in rows:
        cells = [row.get(head) for head in heads]
        lines.append(
            "| " + " | ".join(f"{c:,.3g}" if isinstance(c, float) else str(c or "") for c in cells) + " |"
        )
    return "\n".join(lines)


def profiled(device: str, tiny: bool, work: Path, out: Path) -> None:
    """A trace of one update of the largest model, and its top operations."""
    from torch.profiler import ProfilerActivity, profile

    scale = Scale(tiny)
    shape = scale.models[-1]
    kinds = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if device != "cpu" else [])
    model = random_model(shape, work)
    with profile(activities=kinds) as profiler:
        learner_row(model, shape, "sft", 0, scale, device, work)
    profiler.export_chrome_trace(str(out / "trace.json"))
    order = "self_cuda_time_total" if device != "cpu" else "self_cpu_time_total"
    (out / "operations.txt").write_text(profiler.key_averages().table(sort_by=order, row_limit=40))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--scale", choices=("full", "tiny"), default="full")
    parser.add_argument("--only", default="", help="rows with this in their name")
    parser.add_argument("--minutes", type=float, default=9.0, help="begin no row after so long")
    parser.add_argument("--out", type=Path, help="folder for table.md and rows.json")
    parser.add_argument("--profile", action="store_true", help="a trace of the learner instead, into --out")
    asked = parser.parse_args()
    if asked.device == "cuda" and not torch.cuda.is_available():
        print("measure: no CUDA device; try it out with --device cpu --scale tiny", file=sys.stderr)
        return 2
    if asked.profile and asked.out is None:
        print("measure: --profile writes files; say where with --out FOLDER", file=sys.stderr)
        return 2
    name = torch.cuda.get_device_name() if asked.device == "cuda" else "CPU"
    title = f"{name}, {date.today()}, torch {torch.__version__}: `{' '.join(['python', *sys.argv])}`"
    if asked.out:
        asked.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="taskspace-gpu-") as folder:
        if asked.profile:
            profiled(asked.device, asked.scale == "tiny", Path(folder), asked.out)
            return 0
        rows = measure(asked.device, asked.scale == "tiny", asked.minutes, asked.only, Path(folder))
    print(table(rows, title))
    if asked.out:
        (asked.out / "table.md").write_text(table(rows, title) + "\n", encoding="utf-8")
        (asked.out / "rows.json").write_text(json.dumps({"title": title, "rows": rows}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
