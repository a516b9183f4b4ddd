"""What every engine offers. Engines turn prompts into sampled text; they know nothing of tasks.

vLLM fits behind the same four calls.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from protocols.records import Prompt, Record
from protocols.settings import Sampling


class Request(Record):
    id: str
    prompt: Prompt
    sampling: Sampling
    seed: int  # all randomness of this request: the same seed and weights give the same text
    stop: tuple[str, ...] = ("\n```",)  # generation ends after the first of these; it stays in the text


class Completion(Record):
    """`text` is prefill + sampled text; ids and log-probabilities as in `records.Attempt`."""

    request_id: str
    text: str
    token_ids: tuple[int, ...]  # () where an engine has no tokenizer at hand
    logprobs: tuple[float, ...]  # NaN = not known
    prefilled: int
    prompt_tokens: int
    finish: str  # stop (stop string or end of turn), length, no_room (the prompt fills the context)


class Meeting(Record):
    """Where a version is handed over from memory to memory (`actors.engines.direct`)."""

    host: str
    port: int
    size: int  # the sender and all receivers


class Weights(Record):
    """Published weights: where they are, and how to tell that the right ones were loaded."""

    version: int
    path: str  # a Hugging Face folder; with `adapter` peft's, to be added to the model as it came
    checksum: str | None = None  # `memory.checkpoints.weights_checksum`; None = do not check
    probe_ids: tuple[int, ...] = ()  # a fixed token sequence ...
    probe_logprobs: tuple[float, ...] = ()  # ... and the learner's log-probability of each id after the first
    files: Any = None  # Ray's reference to the folder's files, {name: bytes}, for nodes that do not see it
    adapter: bool = False  # the folder holds low-rank adapters only (`memory.adapters`)
    meeting: Meeting | None = None  # they are sent there now; None = read the folder


class Engine(Protocol):
    name: str
    version: int

    def generate(
        self, requests: Sequence[Request], progress: Callable[[int], None] | None = None
    ) -> list[Completion]:
        """Completions in the order of the requests. `progress` is told how many tokens were sampled.

        Raises:
            EngineError: the batch cannot be generated, with the cause.
        """

    def load(self, weights: Weights) -> None:
        """Replace the weights, verify checksum and probe, drop every cache that depends on them.

        Raises:
            EngineError: what was loaded is not what was published; both sides are in the message.
        """

    def metrics(self) -> dict[str, float]:
        """tokens, seconds, batches since the start."""

    def close(self) -> None: ...
