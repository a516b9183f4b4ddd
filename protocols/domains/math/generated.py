"""Problems made by reasoning-gym's generators, the same for the same seed, in splits that share none."""

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Any

from protocols.domains.math.asking import Helper, HelperLost
from protocols.domains.math.problems import Problem
from protocols.errors import SettingError
from protocols.seeds import seed_of

Generators = Mapping[str, Mapping[str, Any]]
_PATIENCE = 20  # times as many problems are made as are wanted, before what is there has to do
_SILENCE_S = 60.0  # the longest time that one problem may take to be made


class Makers:
    """The generators that were asked for, and the process that runs them."""

    def __init__(self, generators: Generators, seed: int, helper: Helper) -> None:
        self._generators = generators
        self._seed = seed
        self._helper = helper

    def problems(self, count: int, split: str) -> list[list[Problem]]:
        """`count` problems in all, as equal parts of each generator; fewer where a generator has no more.

        Raises:
            SettingError: there is no such generator, or it refuses its settings, or it makes nothing.
        """
        if not self._generators:
            raise SettingError("setting math.generators: name at least one, or give math.train and math.test")
        each, more = divmod(count, len(self._generators))
        return [
            self._made(name, settings, each + (number < more), split, ())
            for number, (name, settings) in enumerate(self._generators.items())
        ]

    def demonstrations(self, count: int, known: Collection[str]) -> dict[str, list[Problem]]:
        """By generator, `count` problems that are none of the known ones; fewer where there are no more, none
        where an answer is only known when it is seen."""
        if not count:
            return {}
        return {
            name: [one for one in self._made(name, settings, count, "demonstrations", known) if one.answer]
            for name, settings in self._generators.items()
        }

    def _made(
        self, name: str, settings: Mapping[str, Any], count: int, split: str, known: Collection[str]
    ) -> list[Problem]:
        source: dict[str, Any] = {
            "name": name,
            "settings": dict(settings),
            "seed": seed_of("math", self._seed, split, name) % 2**31,
            "size": _PATIENCE * max(count, 1),
        }
        found: dict[str, Problem] = {}
        last = 0  # the problem that was new
        for index in range(source["size"]):
            if len(found) == count or index - last > 200 + _PATIENCE * len(found):
                break  # there are enough, or no more
            told = self._asked(name, {**source, "index": index})
            question = told["question"].strip()
            if told["usable"] and question not in known and question not in found:
                last = index
                found[question] = Problem(
                    kind=name, question=question, answer=told["answer"], source={**source, "index": index}
                )
        if count and not found and split != "demonstrations":
            raise SettingError(
                f"setting math.generators.{name}: it makes no problem that its scorer can judge; leave it out"
            )
        return list(found.values())

    def _asked(self, name: str, source: dict[str, Any]) -> dict[str, Any]:
        setting = f"setting math.generators.{name}"
        try:
            told = self._helper.ask(_SILENCE_S, do="make", source=source)
        except TimeoutError:
            raise SettingError(
                f"{setting}: no problem in {_SILENCE_S:g} s; give it easier settings, or leave it out"
            ) from None
        except HelperLost as error:
            raise SettingError(f"{setting}: {error}") from None
        if told["said"] == "unknown":
            near = get_close_matches(name, told["known"], 3, 0.5) or told["known"][:5]
            raise SettingError(
                f"setting math.generators: reasoning-gym has no {name!r}; choose e.g. {', '.join(near)}"
            )
        if told["said"] != "made":
            raise SettingError(f"{setting}: {told['why']}; correct its settings")
        return told
