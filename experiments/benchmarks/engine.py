"""Tokens per second of the transformers engine against plain `model.generate`, in one run.

Same model, dtype, threads, prompts and sampling. `generate` gets what a careful user gives it: all prompts
in one left-padded batch, its own cache. Both are counted by the tokens they sampled up to the end of turn.

Does not cover: other engines, several devices.
"""

import resource
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from actors.engines.base import Request
from protocols.records import Message, Prompt
from protocols.settings import EngineSettings, Sampling

NEEDED = 1.3  # times plain generate, on prompts that share their opening

_ANIMALS = ("cat", "dog", "cow", "owl", "eel", "ant", "fox")


def run(
    model_path: Path | None = None,
    rows: int = 64,
    group: int = 4,
    new_tokens: int = 64,
    shared_tokens: int = 300,
    temperature: float = 0.8,
    threads: int = 0,
    repeats: int = 1,
) -> dict[str, Any]:
    """Measure with a shared prompt opening and without one.

    Args:
        rows: prompts decoded together; groups of `group` are equal, as they are in collection.
        shared_tokens: about how many tokens all prompts have in common.

    Returns:
        For `shared_` and `distinct_` prompts: prompt_tokens (mean), tokens per second of engine and
        generate (medians over `repeats`), and their ratio; also threads, and the process's peak memory in
        MB after the engine ran and after generate ran as well.
    """
    import torch

    from actors.engines.transformers_engine import TransformersEngine
    from memory.artefacts import fetch_model

    path = model_path or fetch_model("smollm2-135m-instruct")
    settings = EngineSettings(kind="transformers", batch_size=rows, threads=threads)
    engine = TransformersEngine(path, settings)
    sampling = Sampling(temperature=temperature, max_tokens=new_tokens)
    cases = {
        "shared": _requests(_facts(shared_tokens), rows, group, sampling),
        "distinct": _requests("", rows, 1, sampling),
    }
    result: dict[str, Any] = {"model": path.name, "rows": rows, "new_tokens": new_tokens}
    for name, requests in cases.items():
        engine.generate(requests[:4])  # warm
        rates, prompt_tokens = [], 0.0
        for _ in range(repeats):
            began = time.perf_counter()
            completions = engine.generate(requests)
            seconds = time.perf_counter() - began
            rates.append(sum(len(completion.logprobs) for completion in completions) / seconds)
            prompt_tokens = statistics.mean(completion.prompt_tokens for completion in completions)
        result[f"{name}_prompt_tokens"] = prompt_tokens
        result[f"{name}_engine_tokens_per_second"] = statistics.median(rates)
    result["engine_peak_mb"] = _peak_mb()
    result["threads"] = torch.get_num_threads()
    engine.close()
    generate = _Generate(path, settings)
    for name, requests in cases.items():
        generate(requests[:4])
        baseline = statistics.median(generate(requests) for _ in range(repeats))
        result[f"{name}_generate_tokens_per_second"] = baseline
        result[f"{name}_ratio"] = result[f"{name}_engine_tokens_per_second"] / baseline
    result["generate_peak_mb"] = _peak_mb()
    return result | {"needed": NEEDED, "passed": result["shared_ratio"] >= NEEDED}


class _Generate:
    """The baseline: transformers' own `generate`."""

    def __init__(self, path: Path, settings: EngineSettings) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        from actors.precision import dtype_on

        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._tokenizer = AutoTokenizer.from_pretrained(path, trust_remote_code=False)
        self._model = AutoModelForCausalLM.from_pretrained(
            path, dtype=dtype_on(device, settings.dtype), trust_remote_code=False
        ).eval()
        self._model.to(device)

    def __call__(self, requests: list[Request]) -> float:
        """Tokens per second."""
        import torch

        from actors.engines.chat import encode_prompt, end_of_turn_id

        prompts = [encode_prompt(self._tokenizer, request.prompt)[0] for request in requests]
        end = end_of_turn_id(self._tokenizer)
        width = max(map(len, prompts))
        ids = torch.tensor([[end] * (width - len(prompt)) + prompt for prompt in prompts])
        mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
        sampling = requests[0].sampling
        torch.manual_seed(0)
        began = time.perf_counter()
        with torch.inference_mode():
            out = self._model.generate(
                ids.to(self._model.device),
                attention_mask=mask.to(self._model.device),
                do_sample=True,
                temperature=sampling.temperature,
                top_k=0,
                top_p=1.0,
                max_new_tokens=sampling.max_tokens,
                pad_token_id=end,
            )[:, width:].tolist()
        seconds = time.perf_counter() - began
        tokens = sum(row.index(end) + 1 if end in row else len(row) for row in out)
        return tokens / seconds


def shared_requests(rows: int, sampling: Sampling) -> list[Request]:
    """Groups of four equal prompts, all of which open with the same 300 tokens."""
    return _requests(_facts(300), rows, 4, sampling)


def _facts(tokens: int) -> str:
    # One such sentence is about 11 tokens.
    return "".join(f"Item {i} of the list is worth {i * i % 97}. " for i in range(max(1, tokens // 11)))


def _requests(opening: str, rows: int, group: int, sampling: Sampling) -> list[Request]:
    return [
        Request(
            id=str(row),
            prompt=Prompt(
                messages=(
                    Message(
                        role="user",
                        content=f"{opening}Tell me a long story about the number {row // group} and "
                        f"the {_ANIMALS[row // group % len(_ANIMALS)]} who liked it.",
                    ),
                )
            ),
            sampling=sampling,
            seed=row,
            stop=(),
        )
        for row in range(rows)
    ]


def _peak_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)
