"""The sentences of tasks: frames, links and scenarios, apart for training and test.

A statement is a frame with two slots: {given} says what comes in ("the noon temperatures of a week in
`temps`"), {what} says what goes out ("the average of the temperatures"). Frames, links, scenarios and
phrases each exist once for training and once, in other words, for the test.
"""

import random
import re
from dataclasses import dataclass

from protocols.domains.zwc.bank.array_scenarios import ARRAY_SCENARIOS
from protocols.domains.zwc.bank.further_scenarios import FURTHER_SCENARIOS
from protocols.domains.zwc.bank.kinds import KINDS
from protocols.domains.zwc.bank.recipe import Recipe
from protocols.domains.zwc.bank.scenarios import SCENARIOS
from protocols.records import Split

FRAMES = {
    Split.TRAIN: (
        "Given {given}, return {what}.",
        "You get {given}. Return {what}.",
        "Compute {what} from {given}.",
        "From {given}, compute {what}.",
        "The input is {given}. Find {what}.",
        "Take {given} and return {what}.",
        "We have {given} and want {what}.",
        "Return {what}, given {given}.",
        "Write code that takes {given} and gives {what}.",
        "A program reads {given}. It should return {what}.",
    ),
    Split.TEST: (
        "Starting with {given}, work out {what}.",
        "Someone hands you {given}; report {what}.",
        "Determine {what} when you know {given}.",
        "For {given}, produce {what}.",
        "Wanted: {what}. Known: {given}.",
        "Obtain {what} with the help of {given}.",
        "Please give me {what}; I have {given}.",
    ),
}
#: Frames of tasks that go by way of a first result.
STEPWISE_FRAMES = {
    Split.TRAIN: (
        "Given {given}, first find {first}. Then return {what}.",
        "The input is {given}. Compute {first}, and then {what}.",
        "You get {given}. Find {first}; return {what}.",
        "Take {given} and compute {first}. Return {what}.",
        "From {given}, compute {first}, then return {what}.",
        "We have {given}. The first step is {first}. We want {what}.",
    ),
    Split.TEST: (
        "Starting with {given}, work out {first}; report {what}.",
        "Someone hands you {given}. Determine {first} and produce {what}.",
        "For {given}, obtain {first}. Please give me {what}.",
        "Known: {given}. On the way: {first}. Wanted: {what}.",
    ),
}
#: How data and parameters are joined; {names} is "`a` and `b`".
LINKS = {
    Split.TRAIN: ("in {names}", "as {names}", "listed in {names}"),
    Split.TEST: ("called {names}", "held by {names}"),
}
#: How the scenario's noun is referred to again.
NOUNS = {
    Split.TRAIN: ("the {plural}", "these {plural}"),
    Split.TEST: ("those {plural}", "the given {plural}"),
}
#: A scenario may end in a comma, which other punctuation swallows.
_COMMA = re.compile(r",(?=[.,;])")


@dataclass(frozen=True)
class Scenario:
    data: str  # "the noon temperatures of a week"; with parameter slots where it names them itself
    plural: str  # "temperatures"
    names: tuple[str, ...]  # of its parameters


def scenarios(kind: str, split: Split) -> list[Scenario]:
    """The scenarios of a kind: lines of `scenarios` and `array_scenarios`."""
    return _PARSED[KINDS[kind][0]][split]


def them(scenario: Scenario, split: Split, rng: random.Random) -> str:
    """The scenario's data, referred to again."""
    return rng.choice(NOUNS[split]).format(plural=scenario.plural)


def statement(recipe: Recipe, scenario: Scenario, split: Split, rng: random.Random) -> str:
    """What is asked for in a task of one function."""
    what, extra = asked(recipe, scenario, split, rng)
    return sentence(scenario, what, split, rng, extra)


def asked(recipe: Recipe, scenario: Scenario, split: Split, rng: random.Random) -> tuple[str, str]:
    """What a recipe asks for, and the words for its own parameters."""
    noun = them(scenario, split, rng)
    slots = dict(zip("xyz", scenario.names)) | {p: p for p, _ in recipe.own} | {"them": noun}
    return rng.choice(recipe.phrases(split)).format(**slots), recipe.extra.format(**slots)


def sentence(
    scenario: Scenario, what: str, split: Split, rng: random.Random, extra: str = "", first: str = ""
) -> str:
    """A sentence or two that say what comes in, `extra` parameters included, and what goes out.

    `first` is a result that it goes by way of.
    """
    given = scenario.data.format(**dict(zip("xyz", scenario.names)))
    if given == scenario.data:
        names = [f"`{n}`" for n in scenario.names]
        joined = ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else names[0]
        given += " " + rng.choice(LINKS[split]).format(names=joined)
    if extra:
        given += f" and {extra}"
    frames = STEPWISE_FRAMES if first else FRAMES
    text = rng.choice(frames[split]).format(given=given, what=what, first=first)
    return _COMMA.sub("", text)


def _parse(text: str) -> list[Scenario]:
    rows = [[part.strip() for part in line.split("|")] for line in text.strip().splitlines()]
    return [Scenario(data, plural, tuple(names.split())) for data, plural, names in rows]


_PARSED = {
    kind: {Split.TRAIN: _parse(train), Split.TEST: _parse(test)}
    for kind, (train, test) in (SCENARIOS | ARRAY_SCENARIOS | FURTHER_SCENARIOS).items()
}
