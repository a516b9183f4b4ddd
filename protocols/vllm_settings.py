"""Settings of the vLLM engine."""

from pydantic import Field

from protocols.section import Section


class VllmSettings(Section):
    tensor_parallel: int = Field(1, ge=1, le=64)
    """GPUs that hold one copy of the model together; each needs `num_gpus` of the engine's resources."""
    memory_share: float = Field(0.85, gt=0, le=1)
    """Share of the GPU's memory for weights and cache."""
    kv_cache_mb: int = Field(0, ge=0)
    """Cache of keys and values; 0 = what `memory_share` leaves on a GPU, 1024 on a CPU."""
    max_model_len: int = Field(0, ge=0)
    """Longest prompt and answer together, in tokens; 0 = the model's."""
    prefix_caching: bool = True
    """Compute what prompts open with alike only once."""
    eager: bool | None = None
    """Without compilation: starts sooner, generates more slowly; null = on a CPU only."""
    sleep: bool = False
    """Give the GPU's memory back while the learner learns (colocated layouts)."""
