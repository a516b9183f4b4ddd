"""One run in a process of its own, for tests that kill it: `python loop_driver.py RUN_DIR SETTINGS_JSON`."""

import sys
from pathlib import Path

from actors.arena import Arena
from actors.engines import scripted
from actors.engines.base import Request
from actors.engines.scripted import copy_the_shape
from memory.artefacts import fetch_model
from protocols.seeds import rng_of
from protocols.settings import RunSettings

NOUNS = ("temperatures", "heights", "prices", "scores", "errors", "sales", "changes", "weights", "depths")


def small_run(**changes) -> RunSettings:
    """The whole loop on a scripted engine and a tiny random model: seconds."""
    base = {
        "rounds": 2,
        "seed": 3,
        "model": {"name": "tiny-random"},
        "engine": {"kind": "scripted"},
        "zwc": {"functions": 4, "tasks_per_function": 3, "test_tasks_per_function": 1},
        "proposer": {"per_round": 6},
        "solver": {"group_size": 3, "groups_per_round": 9, "batch_groups": 2},
        "learner": {"batch_size": 4, "threads": 1, "device": "cpu"},
        "evaluation": {"tasks": 4},
        "runtime": {"kind": "inline"},
        "sandbox": {"workers": 1, "wall_s": 60},  # a busy machine must not turn answers into timeouts
    }
    return RunSettings.model_validate(base | changes)


def imaginative(request: Request, version: int) -> str:
    """A rule for self-play: proposals that differ, and now and then a text that is none; answers as usual."""
    answer = copy_the_shape(request, version)
    if not request.prompt.prefill.startswith("Task:"):
        return answer
    rng = rng_of("imaginative", request.seed, version)
    if rng.random() < 0.2:
        return " I do not know."
    noun, verb = rng.choice(NOUNS), rng.choice(("Return", "Compute", "Find", "Work out"))
    numbers = [rng.randint(-20, 20) for _ in range(6)]
    return f" {verb} what to make of the {noun} of a week in `{noun}`.\nInput: {noun} = {numbers}"


def self_play(**changes) -> RunSettings:
    """A small run that plays nothing but what it proposes, and learns both."""
    learner = {"recipe": "absolute-zero", "threads": 1, "device": "cpu"}
    proposer = {"per_round": 9, "steer": 0.4}
    return small_run(**{"learner": learner, "proposer": proposer} | changes)


def main() -> None:
    run_dir, settings = Path(sys.argv[1]), RunSettings.model_validate_json(sys.argv[2])
    if settings.learner.recipe == "absolute-zero":
        scripted.copy_the_shape = imaginative
    run_dir.mkdir(parents=True, exist_ok=True)
    model = fetch_model(settings.model.name)

    def notify(kind: str, facts: dict) -> None:
        print(kind, facts, flush=True)

    print("done" if Arena(settings, run_dir, model, notify).run() else "stopped", flush=True)


if __name__ == "__main__":
    main()
