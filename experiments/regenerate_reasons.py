"""Why an answer that is generated again may differ from the stored one: what is known to be different now.

`docs/determinism.md` says what is promised; here is what of it does not hold for this run on this machine.
"""

from collections.abc import Sequence
from pathlib import Path

from experiments import summary
from protocols.settings import RunSettings

#: Packages that compute probabilities.
COMPUTING = ("torch", "transformers", "vllm", "numpy")


def why(run_dir: Path, settings: RunSettings, engines: Sequence[str], now: str) -> list[str]:
    """One line for each reason; never empty."""
    found = []
    others = [name for name in engines if name != now]
    if others:
        found.append(f"engine: {', '.join(others)} then, {now} now; they round differently")
    if now == "vllm":
        found.append("batches: vLLM composes them as time goes, and with them the last bits of probabilities")
    if now == "openai":
        found.append("server: its weights, batches and random numbers are its own")
    if settings.engine.replicas > 1:
        found.append(
            f"engine.replicas={settings.engine.replicas}: an engine that was lost in the run left its part "
            "to others, in other batches"
        )
    found += _machine(run_dir, settings, now)
    return found or [
        "nothing that is known of: same engine, package versions, and number of cores. What is left is "
        "another processor, other weights of version 0, or a store or checkpoint changed by hand"
    ]


def _machine(run_dir: Path, settings: RunSettings, now: str) -> list[str]:
    """Packages, cores and device, as the run's summary has them."""
    then = summary.load(run_dir)
    if not then:
        return ["machine: there is no summary.json, so that packages and cores of the run are not known"]
    here = summary.versions()
    found = [
        f"{name}: {before} then, {here.get(name, 'missing')} now"
        for name in COMPUTING
        if (before := then.get("versions", {}).get(name)) and before != here.get(name)
    ]
    machine, cores = then.get("machine", {}), summary.machine()["cores"]
    if not settings.engine.threads and machine.get("cores") not in (None, cores):
        found.append(f"threads: {machine['cores']} cores then, {cores} now; sums are added in another order")
    if now == "transformers" and _may_use_gpu(settings):
        found.append("device: a GPU computes here; where the run computed is not stored")
    return found


def _may_use_gpu(settings: RunSettings) -> bool:
    if settings.engine.device == "cpu":
        return False
    import torch

    return torch.cuda.is_available()
