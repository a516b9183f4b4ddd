"""Which engine a run gets, and why."""

import importlib.util
from pathlib import Path
from typing import Any

from actors.engines.base import Engine
from actors.loading import loading
from protocols.engine_settings import EngineSettings
from protocols.errors import EngineError


def make_engine(
    settings: EngineSettings, model_path: Path | None, lora_rank: int = 0, **options: Any
) -> Engine:
    """The engine that `settings.kind` names; `auto` takes the best that works here. Its `why` says so.

    Args:
        model_path: a Hugging Face folder; not needed by `scripted`; `openai` takes its tokenizer only.
        lora_rank: of the adapters that will be published, if any.
        options: passed on to the engine's class.

    Raises:
        EngineError: it cannot be made here, with the remedy.
    """
    if settings.kind == "scripted":
        from actors.engines.scripted import ScriptedEngine

        return ScriptedEngine(settings, **options)
    if settings.kind == "openai":
        from actors.engines.openai_engine import OpenAIEngine

        return OpenAIEngine(settings, model_path, **options)
    if model_path is None:
        raise EngineError(f"engine.kind {settings.kind} needs a model folder; set model.name")
    refused = why_not_vllm(settings) if settings.kind == "auto" else ""
    if settings.kind == "vllm" or (settings.kind == "auto" and not refused):
        with loading():
            from actors.engines.vllm_engine import VllmEngine

        try:
            return VllmEngine(model_path, settings, lora_rank, **options)
        except EngineError as error:
            if settings.kind == "vllm":
                raise
            refused = str(error)
    with loading():
        from actors.engines.transformers_engine import TransformersEngine

    engine = TransformersEngine(model_path, settings, **options)
    if refused:
        engine.why += f"; not vllm: {refused}"
    return engine


def why_not_vllm(settings: EngineSettings) -> str:
    """Why `auto` does not try vLLM; "" where it does."""
    if settings.device == "cpu":
        return "engine.device is cpu"
    if importlib.util.find_spec("vllm") is None:
        return "it is not installed"
    with loading():
        import torch

    if not torch.cuda.is_available():
        return "there is no GPU, and on a CPU it starts in a minute and generates no faster"
    return ""
