"""The solver: plays starts in groups, with the book open or closed, to the end of every play.

It asks an engine for text and packs the answers, as produced, into groups. It judges nothing.
"""

import time
from collections.abc import Sequence
from functools import cached_property
from itertools import chain

import msgspec

from actors.engines.base import Completion, Request, Weights
from actors.runtime import Role
from protocols.chaining import Chain
from protocols.domain import Session, make_domain
from protocols.iteration import Play, shown
from protocols.prompting import exchange
from protocols.records import Attempt, Exchange, Group, Purpose
from protocols.seeds import digest, seed_of
from protocols.settings import RunSettings, Sampling


class Solver:
    def __init__(self, settings: RunSettings, engine: Role) -> None:
        self._settings = settings
        self._engine = engine
        self._domain = make_domain(settings)

    @cached_property
    def _engine_name(self) -> str:
        """What `auto` came to."""
        deadline = self._settings.engine.deadline_s
        return self._engine.call("describe", deadline_s=deadline, reason="its name")["name"]

    def play(self, plays: Sequence[Play], weights: Weights) -> list[Group]:
        """One group for each play, all under `weights`; plays of several turns go on until all have ended.

        Raises:
            EngineError, DeadlineError: the engine could not answer.
        """
        started = time.monotonic()
        episodes = [[self._episode(play, index) for index in range(play.size)] for play in plays]
        alive = [episode for group in episodes for episode in group]
        while alive:
            completions = self._engine.call(
                "generate",
                [episode.request for episode in alive],
                weights,
                deadline_s=self._settings.engine.deadline_s,
                reason=f"{len(alive)} answers of round {plays[0].round}",
            )
            alive = [one for one, answer in zip(alive, completions, strict=True) if one.goes_on(answer)]
        seconds = time.monotonic() - started
        return [self._group(play, of, weights.version, seconds) for play, of in zip(plays, episodes)]

    def _episode(self, play: Play, index: int) -> "Episode":
        collect = play.purpose is Purpose.COLLECT
        sampling = self._settings.solver.sampling if collect else self._settings.evaluation.sampling
        attempt_id = digest("attempt", play.group_id, index)
        session: Session
        if play.steps:
            session = Chain(self._domain, play.task, play.start.book, play.steps)
        else:
            start = shown(play.start, self._settings.solver.history_chars)
            session = self._domain.session(play.task, start, start.book)
        return Episode(session, attempt_id, sampling, self._domain.stops, self._settings.seed)

    def _group(self, play: Play, episodes: Sequence["Episode"], version: int, seconds: float) -> Group:
        return Group(
            id=play.group_id,
            round=play.round,
            position=play.position,
            purpose=play.purpose,
            start=play.start,
            prompt=episodes[0].first,
            prompt_tokens=episodes[0].completions[0].prompt_tokens,
            policy_version=version,
            engine=self._engine_name,
            attempts=tuple(one.attempt(play.group_id, index) for index, one in enumerate(episodes)),
            seconds=seconds,
        )


class Episode:
    """One attempt while it is played: its session, and what was said so far."""

    def __init__(
        self, session: Session, attempt_id: str, sampling: Sampling, stops: tuple[str, ...], seed: int
    ) -> None:
        prompt = session.prompt()
        assert prompt is not None, "a session begins with a prompt"
        self.first = prompt
        self.completions: list[Completion] = []
        self._exchanges: list[Exchange] = []
        self._session, self._prompt, self._before = session, prompt, prompt
        self._id, self._sampling, self._stops, self._seed = attempt_id, sampling, stops, seed

    @property
    def request(self) -> Request:
        """Its next prompt. The first one's id and seed are those of the attempt."""
        turn = len(self.completions)
        return Request(
            id=digest("answer", self._id, turn) if turn else self._id,
            prompt=self._prompt,
            sampling=self._sampling,
            seed=seed_of(self._seed, self._id, turn) if turn else seed_of(self._seed, self._id),
            stop=self._stops,
        )

    def goes_on(self, answer: Completion) -> bool:
        """Take the answer to the last request; whether there is a further one."""
        if self.completions and answer.finish == "no_room":  # the play ends with the turn before
            self.completions[-1] = msgspec.structs.replace(self.completions[-1], finish="length")
            return False
        before = self._before if self.completions else None
        answered = self.completions[-1].text if self.completions else ""
        self._exchanges.append(
            exchange(before, answered, self._prompt, answer.text, len(answer.token_ids), answer.prefilled)
        )
        self.completions.append(answer)
        if answer.finish == "no_room":
            return False
        self._session.receive(answer.text)
        following = self._session.prompt()
        if following is None:
            return False
        self._before, self._prompt = self._prompt, following
        return True

    def attempt(self, group_id: str, index: int) -> Attempt:
        parts = self.completions
        return Attempt(
            id=self._id,
            group_id=group_id,
            index=index,
            response=parts[-1].text,
            token_ids=tuple(chain.from_iterable(part.token_ids for part in parts)),
            logprobs=tuple(chain.from_iterable(part.logprobs for part in parts)),
            prefilled=sum(part.prefilled for part in parts),
            finish=parts[-1].finish,
            seed=seed_of(self._seed, self._id),
            exchanges=tuple(self._exchanges) if len(parts) > 1 else (),
        )
