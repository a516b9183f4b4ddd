"""Settings of text generation: which engine, where, and how answers are sampled."""

from typing import Literal

from pydantic import Field

from protocols.openai_settings import OpenAISettings
from protocols.section import Section


class EngineSettings(Section):
    kind: Literal["auto", "transformers", "scripted", "openai"] = "auto"
    """Text generation: `auto` picks the best that works here; `openai` asks a server."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where the engine computes."""
    dtype: Literal["bfloat16", "float32"] = "bfloat16"
    """Weights and arithmetic of generation."""
    batch_size: int = Field(64, ge=1, le=4096)
    """Sequences decoded together."""
    threads: int = Field(0, ge=0, le=1024)
    """CPU threads; 0 = all cores this process may use."""
    probe_tolerance: float = Field(0.1, gt=0, le=10)
    """Largest mean difference of log-probabilities (nats) between learner and engine after publishing."""
    failures_allowed: int = Field(3, ge=0, le=100)
    """Consecutive failed calls before the run ends with the engine's cause."""
    deadline_s: float = Field(600.0, gt=0)
    """Longest wait for one batch."""
    openai: OpenAISettings = OpenAISettings()
    """The server that the `openai` engine asks."""

    @property
    def fixed_weights(self) -> bool:
        """Whether the engine can only ever serve the model as it came."""
        return self.kind == "openai"


class Sampling(Section):
    temperature: float = Field(0.8, ge=0, le=5)
    """0 = greedy."""
    top_p: float = Field(1.0, gt=0, le=1)
    """Nucleus; 1 = everything."""
    max_tokens: int = Field(96, ge=1, le=32768)
    """Longest answer, in tokens."""
