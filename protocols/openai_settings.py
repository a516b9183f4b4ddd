"""Settings of the engine that asks a server with OpenAI's interface."""

from pydantic import Field

from protocols.section import Section


class OpenaiSettings(Section):
    base_url: str = ""
    """Where the server is, e.g. http://127.0.0.1:8000/v1."""
    model: str = ""
    """The model's name there; "" = the only one that the server has."""
    exact: bool = True
    """The server is vLLM and has the run's own model: prompts go as token ids, and the sampled ids come back
    with their log-probabilities. Without it text is exchanged, which reinforcement learning cannot use."""
    api_key_env: str = Field("OPENAI_API_KEY", pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    """Name of the environment variable that holds the key. Keys are never stored or shown."""
    concurrency: int = Field(64, ge=1, le=4096)
    """Requests under way at once."""
    requests_per_minute: int = Field(0, ge=0)
    """Most requests that are begun in a minute; 0 = no limit of ours."""
    tokens_per_minute: int = Field(0, ge=0)
    """Most tokens, of prompts and of answers as long as they may get; 0 = no limit of ours."""
    timeout_s: float = Field(120.0, gt=0)
    """Longest wait for one answer, each try by itself."""
    retries: int = Field(5, ge=0, le=100)
    """Further tries where the server is busy (429), failing (5xx), or not reached; ever longer apart, or as
    the server asks for."""
    prompt_price: float = Field(0.0, ge=0)
    """What a million prompt tokens cost; 0 = unknown."""
    answer_price: float = Field(0.0, ge=0)
    """What a million sampled tokens cost; 0 = unknown."""
    budget: float = Field(0.0, ge=0)
    """The run ends when it has cost this much since it was last started; 0 = no bound."""
