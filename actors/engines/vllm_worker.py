"""What vLLM's workers can do beyond vLLM: take weights straight from the learner. Runs in their processes."""

from typing import Any

from actors.engines.base import Meeting
from actors.engines.direct import received


class Receiver:
    """Mixed into vLLM's worker class (`worker_extension_cls`)."""

    device: Any
    model_runner: Any

    def receive_directly(self, host: str, port: int, size: int) -> None:
        """Every worker gets all tensors, and keeps its shard of each."""
        meeting = Meeting(host=host, port=port, size=size)
        self.model_runner.reload_weights(weights_iterator=received(meeting, self.device))
