"""One run in a process of its own, for tests that kill it: `python loop_driver.py RUN_DIR SETTINGS_JSON`."""

import sys
from pathlib import Path

from actors.arena import Arena
from memory.artefacts import fetch_model
from protocols.settings import RunSettings


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


def main() -> None:
    run_dir, settings = Path(sys.argv[1]), RunSettings.model_validate_json(sys.argv[2])
    run_dir.mkdir(parents=True, exist_ok=True)
    model = fetch_model(settings.model.name)

    def notify(kind: str, facts: dict) -> None:
        print(kind, facts, flush=True)

    print("done" if Arena(settings, run_dir, model, notify).run() else "stopped", flush=True)


if __name__ == "__main__":
    main()
