"""Which engine a run gets, and why."""

from pathlib import Path
from typing import Any

from actors.engines.base import Engine
from protocols.engine_settings import EngineSettings
from protocols.errors import EngineError


def make_engine(settings: EngineSettings, model_path: Path | None, **options: Any) -> Engine:
    """The engine that `settings.kind` names; `auto` takes the best that works here. Its `why` says so.

    Args:
        model_path: a Hugging Face folder; not needed by `scripted`; `openai` takes its tokenizer only.
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
    from actors.engines.transformers_engine import TransformersEngine

    return TransformersEngine(model_path, settings, **options)
