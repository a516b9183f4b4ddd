"""The proposer: writes new tasks from documentation. What cannot be used is kept, with its reason."""

from collections.abc import Sequence

from actors.asking import Ask
from actors.engines.base import Request, Weights
from actors.runtime import Role
from protocols.domain import Rejected, make_domain
from protocols.records import Proposal
from protocols.seeds import seed_of
from protocols.settings import RunSettings


class Proposer:
    def __init__(self, settings: RunSettings, engine: Role) -> None:
        self._settings = settings
        self._engine = engine
        self._domain = make_domain(settings)

    def propose(self, asks: Sequence[Ask], weights: Weights) -> list[Proposal]:
        """One proposal for each ask: with a task, or with the reason why there is none.

        Raises:
            EngineError, DeadlineError: the engine could not answer.
        """
        seeds = [seed_of(self._settings.seed, ask.id) for ask in asks]
        requests = [
            Request(
                id=ask.id,
                prompt=self._domain.proposer_prompt(ask.topic, seed),
                sampling=self._settings.proposer.sampling,
                seed=seed,
                stop=("\n\n",),
            )
            for ask, seed in zip(asks, seeds, strict=True)
        ]
        completions = self._engine.call(
            "generate",
            requests,
            weights,
            deadline_s=self._settings.proposer.deadline_s,
            reason=f"{len(requests)} proposals",
        )
        proposals = []
        for ask, request, completion, seed in zip(asks, requests, completions, seeds, strict=True):
            task, reason, detail = None, None, ""
            try:
                task = self._domain.parse_proposal(ask.topic, completion.text, seed)
            except Rejected as rejected:
                reason, detail = rejected.reason, rejected.detail
            proposals.append(
                Proposal(
                    id=ask.id,
                    round=ask.round,
                    position=ask.position,
                    topic=ask.topic,
                    prompt=request.prompt,
                    response=completion.text,
                    policy_version=weights.version,
                    task=task,
                    reason=reason,
                    detail=detail,
                    token_ids=completion.token_ids,
                    logprobs=completion.logprobs,
                    prefilled=completion.prefilled,
                    finish=completion.finish,
                )
            )
        return proposals
