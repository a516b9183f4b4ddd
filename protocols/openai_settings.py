"""Settings of the `openai` engine: a server somewhere else that speaks OpenAI's HTTP interface.

No key stands here: `api_key_env` is the name of the environment variable that holds it.
"""

import re
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from protocols.errors import SettingError
from protocols.section import Section

#: What servers' keys are usually kept in: a configuration file may choose among these, the user any.
KEY_VARIABLES = (
    "OPENAI_API_KEY",
    "VLLM_API_KEY",
    "OPENROUTER_API_KEY",
    "TOGETHER_API_KEY",
    "MISTRAL_API_KEY",
    "GROQ_API_KEY",
    "DEEPSEEK_API_KEY",
    "FIREWORKS_API_KEY",
    "TASKSPACE_API_KEY",
)


class OpenAISettings(Section):
    base_url: str = "http://127.0.0.1:8000/v1"
    """Where the server is, with its `/v1`."""
    model: str = ""
    """The model's name at the server; empty = the first that the server lists."""
    api_key_env: str = "OPENAI_API_KEY"
    """Environment variable that holds the key (its name, never the key); unset = no key is sent."""
    endpoint: Literal["auto", "completions", "chat"] = "auto"
    """`completions` sends and gets token ids (vLLM, with the tokenizer of model.name), `chat` sends messages;
    auto: completions where that is exact."""
    prefill: Literal["auto", "continue", "ask"] = "auto"
    """How `chat` opens an answer: `continue` a last assistant message (vLLM's continue_final_message), or
    `ask` for the opening in the prompt; auto: continue at a vLLM server."""
    concurrency: int = Field(32, ge=1, le=1024)
    """Requests in flight."""
    requests_per_minute: int = Field(0, ge=0)
    """Requests begun in any 60 seconds, at most; 0 = no limit. Repeated ones are the server's to refuse."""
    tokens_per_minute: int = Field(0, ge=0)
    """Tokens of prompts and answers in any 60 seconds, at most; 0 = no limit. Until an answer is there, it
    counts with its max_tokens."""
    timeout_s: float = Field(120.0, gt=0, le=3600)
    """Longest wait for the answer to one request, before it is repeated."""
    retries: int = Field(4, ge=0, le=20)
    """How often a request is repeated after 408, 409, 429, 5xx, a timeout or a lost connection: after what
    the server's Retry-After says, else after 0.5 s, doubling up to 8 s."""
    price_prompt: float = Field(0.0, ge=0)
    """Price of a million prompt tokens, in any currency; 0 = unknown."""
    price_completion: float = Field(0.0, ge=0)
    """Price of a million tokens of answers, in the same currency; 0 = unknown."""
    budget: float = Field(0.0, ge=0)
    """The engine stops once its answers cost more than this, counted from its start; 0 = no limit."""

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            secret = parts.username is not None or parts.password is not None or bool(parts.query)
            fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            fits = secret = False
        if secret:  # settings are stored and shown; so the address is not repeated here either
            raise SettingError(
                "setting engine.openai.base_url: user names, passwords and keys do not belong in it; put the "
                "key into an environment variable and its name into engine.openai.api_key_env"
            )
        if not fits:
            raise SettingError(
                f"setting engine.openai.base_url: {value[:80]!r} is no address; "
                "write e.g. --set engine.openai.base_url=http://127.0.0.1:8000/v1"
            )
        return value.rstrip("/")

    @field_validator("api_key_env", mode="before")
    @classmethod
    def _is_a_name(cls, value: Any) -> Any:
        if not isinstance(value, str) or not re.fullmatch(r"[A-Z_][A-Z0-9_]{0,63}", value):
            raise SettingError(  # without the value: it may be the key itself
                "setting engine.openai.api_key_env: what was given is not the name of an environment "
                "variable (capitals, digits and _); write e.g. --set "
                "engine.openai.api_key_env=OPENAI_API_KEY, and put the key into that variable"
            )
        return value

    @model_validator(mode="after")
    def _a_budget_needs_prices(self) -> "OpenAISettings":
        if self.budget and not (self.price_prompt or self.price_completion):
            raise SettingError(
                "setting engine.openai.budget: without prices nothing costs anything; write e.g. "
                "--set engine.openai.price_prompt=0.5 --set engine.openai.price_completion=1.5"
            )
        return self
