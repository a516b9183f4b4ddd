"""A step: what can be done with a result, and the words for it, in tasks that need three or more functions.

A step takes results of some forms and gives one form. {0} is the result in the words, and in the call; other
slots are parameters of the step's own (an amount, an axis, a limit). Words end in {0}, so that one can tell
what a step inside other steps is about.

Does not cover: the steps there are (`steps`, `other_steps`), and what comes first, which is any recipe
(`chains`).
"""

from dataclasses import dataclass

from protocols.records import Split

#: Forms of results: one number, a list of them, a table, more axes; one truth value, a list of them; one
#: complex number, a list of them; a text.
NUMBER, NUMBERS, TABLE, BLOCK = "number", "numbers", "table", "block"
TRUTH, TRUTHS, ONE_COMPLEX, COMPLEX, TEXT = "truth", "truths", "complex number", "complex numbers", "text"
#: As `gives`: the form that it took.
SAME = ""


@dataclass(frozen=True)
class Step:
    name: str  # original dotted name
    takes: tuple[str, ...]
    gives: str  # empty: the form that it took
    train: str
    test: str
    how: str = "{0}"  # arguments of the call
    own: tuple[tuple[str, str], ...] = ()  # parameters of its own: (name, generator in `values.OWN`)
    extra: str = ""  # words for them

    def phrase(self, split: Split) -> str:
        return self.train if split is Split.TRAIN else self.test

    def form(self, taken: str) -> str:
        return self.gives or taken
