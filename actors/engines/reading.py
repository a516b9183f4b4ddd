"""A model's tokenizer, endings and context: what an engine has to know whose model is elsewhere."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from actors.engines.base import Completion, Request
from actors.engines.chat import end_of_turn_id
from actors.engines.stopping import StopWatch
from protocols.errors import EngineError
from protocols.logprobs import marked


class Reading:
    """
    tokenizer   of the folder
    ends        ids that end a turn: the tokenizer's, and those that the model's generation settings name
    context     tokens that fit into the model

    Raises:
        EngineError: the folder holds no model.
    """

    def __init__(self, folder: Path) -> None:
        from transformers import AutoConfig, AutoTokenizer, GenerationConfig

        try:
            self.tokenizer: Any = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
            config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        except (OSError, ValueError, KeyError) as error:
            raise EngineError(
                f"No model to be read in {folder}: {str(error).splitlines()[0][:200]}"
            ) from error
        try:
            named = GenerationConfig.from_pretrained(folder).eos_token_id
        except OSError:
            named = None
        self.ends = {end_of_turn_id(self.tokenizer), *([named] if isinstance(named, int) else named or [])}
        self.context: int = getattr(config, "max_position_embeddings", None) or 1 << 30
        self._watch = StopWatch(self.tokenizer)

    def goes_on(self, request: Request, sampled: Sequence[int], found: Any) -> bool:
        """See `StopWatch.goes_on`."""
        return self._watch.goes_on(sampled, request.prompt.prefill, request.stop, found)

    def completion(
        self,
        request: Request,
        prompt: Sequence[int],
        prefill: Sequence[int],
        sampled: Sequence[int],
        logprobs: Sequence[float],
        finish: str,
    ) -> Completion:
        """What was sampled after prompt and prefill, up to a stop string that begins in the prefill: engines
        only look for those that they wrote whole."""
        sampled = list(sampled)
        opening = request.prompt.prefill
        end = self._watch.first_stop(sampled, opening, request.stop)
        if end < len(sampled):
            sampled, logprobs, finish = sampled[:end], logprobs[:end], "stop"
        said = sampled[:-1] if sampled and sampled[-1] in self.ends else sampled
        text = self._watch.decode([*prefill, *said])
        return Completion(
            request_id=request.id,
            text=text if text.startswith(opening) else opening + self._watch.decode(said),
            token_ids=(*prefill, *sampled),
            logprobs=marked(logprobs),
            prefilled=len(prefill),
            prompt_tokens=len(prompt),
            finish=finish,
        )
