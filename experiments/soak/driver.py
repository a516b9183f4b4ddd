"""One run in a process of its own: `python -m experiments.soak.driver RUN_DIR SETTINGS_JSON LEARNER`.

Its last line with `soak: ` (Ray prints others) is `complete`, `stopped` (after Ctrl-C) or an error.
"""

import signal
import sys
from functools import partial
from pathlib import Path
from typing import Any

from actors.arena import Arena
from actors.learner import Learner
from experiments.benchmarks.simulated import SimulatedLearner
from memory.artefacts import fetch_model
from protocols.errors import TaskspaceError
from protocols.settings import RunSettings


def main() -> int:
    run_dir, settings = Path(sys.argv[1]), RunSettings.model_validate_json(sys.argv[2])
    learner: Any = Learner if sys.argv[3] == "real" else partial(SimulatedLearner, seconds=0.5)
    run_dir.mkdir(parents=True, exist_ok=True)
    model = fetch_model(settings.model.name)
    arena = Arena(settings, run_dir, model, lambda kind, facts: None, learner)
    signal.signal(signal.SIGINT, lambda number, frame: arena.request_stop())
    try:
        print("soak: complete" if arena.run() else "soak: stopped", flush=True)
    except (TaskspaceError, OSError) as error:
        print(f"soak: {' '.join(str(error).split())}", flush=True)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
