"""Several engine actors as one role: requests spread over them, a hanging or lost one worked around."""

from collections.abc import Sequence
from time import monotonic
from typing import Any

from actors.engines.base import Completion, Request, Weights
from actors.runtime import Pending, Role
from protocols.errors import DeadlineError, RoleLostError
from protocols.seeds import seed_of


class Replicas:
    """Called like one engine role. Picklable, so that solvers and proposers can hold it.

    Args:
        retries: how often in a row a part of a call is tried again where an engine hung.
    """

    name = "engine"

    def __init__(self, roles: Sequence[Role], retries: int) -> None:
        self._roles = list(roles)
        self._retries = retries

    @property
    def size(self) -> int:
        """How many engines there still are."""
        return len(self._roles)

    def call(self, method: str, *args: Any, deadline_s: float, reason: str) -> Any:
        """`generate` is shared out; `describe` asks the first one; anything else goes to all of them."""
        if method == "generate":
            requests, weights = args
            return self._generate(requests, weights, deadline_s, reason)
        return self._ask(method, args, deadline_s, reason)

    def _ask(self, method: str, args: tuple[Any, ...], deadline_s: float, reason: str) -> Any:
        """The first engine's answer, after all that are asked have answered."""
        answers: list[Any] = []
        asked = self._roles[:1] if method == "describe" else self._roles
        cause: DeadlineError | RoleLostError | None = None
        for _ in range(self._retries + 1):
            began, pending = monotonic(), [(role, role.submit(method, *args)) for role in asked]
            asked = []
            for role, one in pending:
                try:
                    answers.append(one.result(deadline_s, reason))
                except (DeadlineError, RoleLostError) as error:
                    cause = error
                    self._work_round(role, began, error)
                    asked += [role] if role in self._roles else []
            if answers and not asked:
                return answers[0]
            asked = asked or self._roles[:1]
        assert cause is not None
        raise cause

    def _generate(
        self, requests: Sequence[Request], weights: Weights, deadline_s: float, reason: str
    ) -> list[Completion]:
        found: dict[int, Completion] = {}
        first = seed_of("replica", requests[0].id) if requests else 0
        parts = spread([request.prompt for request in requests], len(self._roles))
        cause: DeadlineError | RoleLostError | None = None
        for turn in range(self._retries + 1):
            began = monotonic()
            asked: list[tuple[list[int], Role, Pending]] = []
            for number, part in enumerate(parts, first + turn):
                role = self._roles[number % len(self._roles)]
                asked.append((part, role, role.submit("generate", [requests[i] for i in part], weights)))
            parts = []
            for part, role, pending in asked:
                try:
                    found |= zip(part, pending.result(deadline_s, reason))
                except (DeadlineError, RoleLostError) as error:
                    self._work_round(role, began, error)
                    parts, cause = [*parts, part], error
            if not parts:
                return [found[i] for i in range(len(requests))]
        assert cause is not None
        raise cause

    def _work_round(self, role: Role, asked: float, error: DeadlineError | RoleLostError) -> None:
        """Have an engine that hangs started again; go on without one that is lost, unless it was the last."""
        if isinstance(error, DeadlineError):
            role.replace(asked)
            return
        others = [other for other in self._roles if other is not role]
        if not others:
            raise error
        self._roles = others


def spread(prompts: Sequence[Any], shares: int) -> list[list[int]]:
    """Positions of the prompts in at most `shares` parts of about equal size, equal prompts in one part: what
    is computed for a prompt is computed once."""
    groups: dict[Any, list[int]] = {}
    for position, prompt in enumerate(prompts):
        groups.setdefault(prompt, []).append(position)
    parts: list[list[int]] = [[] for _ in range(min(shares, len(groups)))]
    for group in sorted(groups.values(), key=len, reverse=True):
        min(parts, key=len).extend(group)
    return [sorted(part) for part in parts]
