"""Settings of text generation: which engine, where, and how answers are sampled."""

from typing import Literal

from pydantic import Field

from protocols.hardware import Device, Dtype
from protocols.openai_settings import OpenAISettings
from protocols.section import Section
from protocols.vllm_settings import VllmSettings


class ScriptedSettings(Section):
    latency_s: float = Field(0.0, ge=0, le=3600)
    """Seconds that every call takes, whatever it asks for: what scheduling is measured with."""


class EngineSettings(Section):
    kind: Literal["auto", "vllm", "transformers", "openai", "scripted"] = "auto"
    """Text generation: `auto` takes vLLM where it works and there is a GPU, else transformers; says why."""
    replicas: int = Field(1, ge=1, le=1024)
    """Engine actors, each with a copy of the model."""
    vllm: VllmSettings = VllmSettings()
    """What only vLLM has."""
    scripted: ScriptedSettings = ScriptedSettings()
    """What only the scripted engine has."""
    device: Device = "auto"
    """Where the engine computes."""
    dtype: Dtype = "auto"
    """Weights and arithmetic of generation; `auto` = bfloat16 where the device has arithmetic for it, else
    float32."""
    batch_size: int = Field(64, ge=1, le=4096)
    """Sequences decoded together."""
    threads: int = Field(0, ge=0, le=1024)
    """CPU threads; 0 = all cores this process may use."""
    probe_tolerance: float = Field(0.1, gt=0, le=10)
    """Largest mean difference of log-probabilities (nats) between learner and engine after publishing."""
    transport: Literal["folder", "objects", "direct"] = "folder"
    """How published weights come to engines: from the run's folder, which engines on other nodes have to see,
    through Ray's object store, or directly from the learner's memory (vLLM; NCCL between GPUs, gloo else)."""
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
