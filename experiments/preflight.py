"""Checks before a run starts: each failure is one line, and nothing has been written yet.

Estimates, not promises: they refuse what cannot work, and let through what may. Does not cover: whether
the model answers anything sensible, and disks that fill up later (the store says so then).
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from experiments import accelerators, cluster, engine_checks, isolation_checks, memory_use
from experiments.model_checks import check_adapters, check_tokenizer, check_weights
from experiments.progress import downloading
from memory import filesystems
from protocols.cores import Cores
from protocols.errors import SettingError, StoreError
from protocols.recipes import recipe
from protocols.records import Role, Split
from protocols.settings import ModelSettings, RunSettings

#: Interpreters, Ray, torch's own libraries, sandbox and activations of a small batch; measured on smoke.
PROCESSES_BYTES = 1_500_000_000
#: The run database, the report, and what other programs need to go on working.
DISK_RESERVE_BYTES = 300_000_000
#: Bytes of a number on a CPU; `auto` may be either.
WIDTH_CPU = {"auto": 4, "bfloat16": 2, "float32": 4}


def model_folder(settings: ModelSettings, quiet: bool = False) -> Path:
    """The model as a local folder, fetched with a progress bar when it is not there yet.

    Raises:
        SettingError: it is known to write no text.
        ArtefactError: it does not exist, cannot be reached, or is damaged.
    """
    from memory import artefacts

    if settings.name in artefacts.EMBEDDERS:
        raise SettingError(
            f"model.name {settings.name}: it turns texts into vectors and writes none; choose another model,"
            " or set learner.grpo.embedder to it"
        )
    with downloading(f"model {settings.name}", quiet) as told:
        return artefacts.fetch_model(settings.name, settings.revision, told)


def fetch_embedder(settings: RunSettings, quiet: bool = False) -> None:
    """Get the model that the diversity bonus embeds answers with, where there is to be one, into the cache.

    Raises:
        ArtefactError: it does not exist, cannot be reached, or is damaged.
    """
    name = settings.learner.grpo.embedding
    if name is None or recipe(settings.learner.recipe).algorithm == "sft":
        return
    from memory.embedder_sources import fetch_embedder

    with downloading(f"embedder {name}", quiet) as told:
        fetch_embedder(name, told)


def with_files(settings: RunSettings) -> RunSettings:
    """The settings with the domain's files as a local folder, fetched when they are not there yet.

    Raises:
        ArtefactError: they do not exist, or cannot be reached.
    """
    if settings.domain.startswith("zwc") and settings.zwc.files:
        from memory.row_files import fetch_rows

        return _changed(settings, "zwc", files=str(fetch_rows(settings.zwc.files)))
    if settings.domain == "math":
        from memory.problem_files import fetch_problems

        train, test = settings.math.train, settings.math.test
        return _changed(
            settings,
            "math",
            train=train and str(fetch_problems(train, "train")),
            test=tuple(str(fetch_problems(name, "test")) for name in test),
        )
    if settings.domain == "tools":
        from memory.bfcl import bfcl_dir

        return _changed(settings, "tools", files=str(bfcl_dir(settings.tools.files)))
    return settings


def _changed(settings: RunSettings, section: str, **values: Any) -> RunSettings:
    return settings.model_copy(update={section: getattr(settings, section).model_copy(update=values)})


def check(settings: RunSettings, runs_dir: Path, model_path: Path, resumed: bool = False) -> None:
    """Everything that can be known before the first role starts.

    Args:
        resumed: the run goes on from a store, which knows its tasks.

    Raises:
        SettingError: domain or engine refuse their settings, or too little memory.
        EngineError: the server that is to answer cannot be used.
        StoreError: too little disk, or files that cannot be locked there.
    """
    from actors.choosing import base_tasks
    from protocols.domain import make_domain

    check_ratios(settings)
    domain = make_domain(settings)
    if settings.proposer.per_round and not domain.proposable:
        raise SettingError(
            f"setting proposer.per_round: the tasks of {domain.name} are given, none can be proposed; "
            "write --set proposer.per_round=0"
        )
    if settings.evaluation.kind not in ("all", *domain.kinds):
        raise SettingError(
            f"setting evaluation.kind: {domain.name} has no tasks of kind {settings.evaluation.kind!r}; "
            f"write --set evaluation.kind=all, or choose among {', '.join(domain.kinds)}"
        )
    kind = "single" if "multi" in domain.kinds else "all"
    given = settings.proposer.per_round or settings.curator.source
    if not (given or resumed or domain.tasks(Split.TRAIN, kind, 1)):
        raise SettingError(
            f"domain {domain.name}: it has no training task (those that are held out are left out); "
            "give it others to train on, or let some be proposed"
        )
    if settings.curator.base_tasks and not (resumed or settings.curator.source):  # a store may know others
        base_tasks(domain, settings)  # refuses unknown ones
    for notice in domain.notices:
        print(notice, file=sys.stderr)
    parameters = parameters_of(model_path)
    check_machines(settings, parameters, model_path)
    isolation_checks.check(settings, domain)
    check_tokenizer(settings.model, model_path)
    check_weights(settings.model, model_path)
    check_adapters(settings, model_path)
    engine_checks.check(settings, model_path)
    there = nearest_existing(runs_dir)
    if not there.is_dir():
        raise SettingError(f"--runs {runs_dir}: {there} is no folder; choose another one")
    if filesystems.journal_mode(there) != "WAL":
        print(
            f"{runs_dir}: its file system ({filesystems.kind(there)}) shares no memory between processes; "
            "the run keeps a rollback journal, so who looks at it waits for who writes it, and vice versa",
            file=sys.stderr,
        )
    free = shutil.disk_usage(there).free
    check_disk(settings, parameters, free, runs_dir)


def check_ratios(settings: RunSettings) -> None:
    """Raises:
    SettingError: answers would be weighed against log-probabilities of another distribution. The engine's
        are those it sampled from; below a `top_p` of 1 that is the nucleus, renormalised, and the policy's
        are those of the whole vocabulary, so that every ratio is off by the mass that was cut away.
    """
    grpo, plan = settings.learner.grpo, recipe(settings.learner.recipe)
    weighed = {
        "learner.grpo.denominator=recomputed": grpo.denominator == "rollout",
        "learner.grpo.engine_cap=null": grpo.engine_cap is not None,
        "learner.grpo.engine_band=null": grpo.engine_band is not None,
    }
    remedy = next((name for name, wanted in weighed.items() if wanted), None)
    if plan.algorithm == "sft" or remedy is None:
        return
    sampled = {Role.SOLVER: settings.solver.sampling, Role.PROPOSER: settings.proposer.sampling}
    for role in plan.roles:
        if sampled[role].top_p < 1:
            raise SettingError(
                f"setting {role}.sampling.top_p: {sampled[role].top_p:g} cuts away some probability, and "
                f"{remedy.partition('=')[0]} compares with it; write --set {role}.sampling.top_p=1, or "
                f"--set {remedy}"
            )


def check_machines(settings: RunSettings, parameters: int, model_path: Path) -> None:
    """GPUs and memory: of the cluster that the run goes to, else of this machine.

    Raises:
        SettingError: the cluster cannot be joined, a GPU is missing, or something does not fit.
    """
    if settings.runtime.address is not None:
        nodes = cluster.nodes(settings.runtime)
        accelerators.check(settings, parameters, model_path, None, nodes)
        return
    gpus = accelerators.gpus_here() if accelerators.may_use_gpu(settings) else []
    accelerators.check(settings, parameters, model_path, gpus, None)
    # Bytes a parameter: a copy in the engine; weights, gradients and two moments in the learner. What
    # adapters need is little beside the copy that they are learned beside.
    engine, learner = (WIDTH_CPU[section.dtype] for section in (settings.engine, settings.learner))
    if not settings.learner.lora.rank:
        learner = 16
    width = sum(
        size
        for role, size in (("engine", engine), ("learner", learner))
        if not accelerators.on_gpu(settings, role, bool(gpus))
    )
    check_memory(parameters, memory_use.available(), width)


def unused_cores(settings: RunSettings, found: Cores) -> str:
    """What to say of this machine's cores that a run leaves alone; nothing where it uses all, or others."""
    if found.usable == found.machine or settings.runtime.address is not None:
        return ""
    quota = "none" if found.quota is None else f"{found.quota:g}"
    return (
        f"cores: {found.usable} of {found.machine} are used "
        f"(this process's affinity allows {found.allowed}, its CPU quota is {quota})"
    )


def check_memory(parameters: int, available: int, width: int = 18) -> None:
    """Raises:
    SettingError: `width` bytes a parameter would not fit into `available` bytes.
    """
    needed = parameters * width + PROCESSES_BYTES
    if needed > available:
        raise SettingError(
            f"memory: about {needed / 1e9:.1f} GB are needed and {available / 1e9:.1f} GB are free; "
            f"end other programs, or choose a smaller model with --set model.name=..."
        )


def check_disk(settings: RunSettings, parameters: int, free: int, folder: Path) -> None:
    """Raises:
    StoreError: the run's checkpoints would not fit into `free` bytes.
    """
    kept = settings.learner.keep_versions
    parameters = 0 if settings.learner.lora.rank else parameters  # adapters are small
    weights = parameters * 4 * (min(kept + 1, settings.rounds) if kept else settings.rounds)  # fp32
    states = parameters * 8 * (settings.learner.keep_states + 1)  # the new one exists before the old one goes
    needed = weights + states + DISK_RESERVE_BYTES
    if needed > free:
        raise StoreError(
            f"disk: about {needed / 1e9:.1f} GB are needed in {folder} and {free / 1e9:.1f} GB are free; "
            f"free some, or choose another folder with --runs"
        )


def parameters_of(folder: Path) -> int:
    """How many parameters a Hugging Face folder holds, from the sizes of its weight files.

    Raises:
        SettingError: its config.json is none.
    """
    size = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    width = 2
    config = folder / "config.json"
    if config.is_file():
        try:
            declared = json.loads(config.read_text(encoding="utf-8"))
            if not isinstance(declared, dict):
                raise ValueError("it holds no settings")
        except (ValueError, OSError) as error:
            why = " ".join(str(error).split())[:120]
            raise SettingError(
                f"model {folder.name}: its config.json cannot be read ({why}); fetch the model again"
            ) from None
        name = declared.get("dtype") or declared.get("torch_dtype") or "bfloat16"
        width = 4 if "32" in str(name) else 2
    return size // width


def nearest_existing(path: Path) -> Path:
    """The path itself, or the first folder above it that is there."""
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path
