"""What a round asks the proposer about: all topics in turn, and the poorly known ones more often.

Everything follows from the seed and from what was stored before the round began, so that a round asks the
same whenever it is asked for its questions. Not here: how a proposal is asked for (`actors.proposer`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from actors.deciding import decision
from memory.reader import RunReader
from protocols.records import Decision, Record
from protocols.seeds import digest, rng_of
from protocols.settings import RunSettings


class Ask(Record):
    """One proposal that a round is going to ask for."""

    id: str
    round: int
    position: int
    topic: str


class Known(Record):
    """How well a topic is known, and where that was seen."""

    accuracy: float  # in [0, 1]; 0 where nothing is known
    source: str  # evaluation, groups, nothing
    round: int | None = None  # of the evaluation


def asks_of(
    settings: RunSettings, reader: RunReader, topics: Sequence[str], round: int
) -> tuple[list[Ask], list[Decision]]:
    """The round's proposals, and why those about poorly known topics were chosen.

    The first ones go on with the topics in turn where the last round ended; the share `proposer.steer` of
    them is drawn by `weights_of`.
    """
    drawn = steered(settings)
    in_turn = settings.proposer.per_round - drawn
    chosen = [topics[((round - 1) * in_turn + position) % len(topics)] for position in range(in_turn)]
    known = knowledge(reader, topics, round) if drawn else {}
    chances = weights_of(topics, known) if drawn else {}
    if drawn:
        rng = rng_of(settings.seed, "steer", round)
        chosen += rng.choices(list(chances), list(chances.values()), k=drawn)
    ids = [digest("proposal", settings.seed, round, position) for position in range(len(chosen))]
    asks = [Ask(id=ids[at], round=round, position=at, topic=topic) for at, topic in enumerate(chosen)]
    decisions = []
    for ask in asks[in_turn:]:
        seen = known[ask.topic]
        numbers = {
            "topic": ask.topic,
            "accuracy": seen.accuracy,
            "source": seen.source,
            "evaluated": seen.round,
            "chance": chances[ask.topic],
        }
        decisions.append(decision(round, "ask", ask.id, "choose", "steered", numbers))
    return asks, decisions


def steered(settings: RunSettings) -> int:
    """How many of a round's proposals are about topics that are drawn."""
    return round(settings.proposer.per_round * settings.proposer.steer)


def weights_of(topics: Sequence[str], known: Mapping[str, Known]) -> dict[str, float]:
    """The chance of each topic: 1 - accuracy over the sum of all; uniform where everything is known."""
    missing = {topic: 1.0 - known[topic].accuracy for topic in topics}
    total = sum(missing.values())
    return {topic: value / total if total else 1.0 / len(missing) for topic, value in missing.items()}


def knowledge(reader: RunReader, topics: Sequence[str], round: int) -> dict[str, Known]:
    """How well each topic was known when the round began.

    By the newest closed-book evaluation before the round; for a topic that it did not measure, by the solve
    rate of the groups collected before the round.
    """
    measured = [e for e in reader.evaluations() if e["book"] == "closed" and e["round"] < round]
    newest: dict[str, Any] = max(measured, key=lambda e: e["round"], default={"by_topic": {}})
    solved = reader.solve_rates(round)
    found = {}
    for topic in topics:
        if topic in newest["by_topic"]:
            accuracy = newest["by_topic"][topic]
            found[topic] = Known(accuracy=accuracy, source="evaluation", round=newest["round"])
        elif topic in solved:
            found[topic] = Known(accuracy=solved[topic], source="groups")
        else:
            found[topic] = Known(accuracy=0.0, source="nothing")
    return found
