"""Random pronounceable identifiers: consonant and vowel in turn, five to seven letters (SE-Bench's shape).

Does not cover: which names to replace (`obfuscate`).
"""

import builtins
import keyword
import random
import sys
from collections.abc import Iterable, Iterator

CONSONANTS = "bcdfghjklmnpqrstvwxyz"
VOWELS = "aeiou"


def identifiers(seed: int, taken: Iterable[str] = ()) -> Iterator[str]:
    """Endless distinct identifiers, the same for the same seed and `taken`.

    Never one of `taken`, a keyword, a built-in, or the name of a standard module.
    """
    random_ = random.Random(seed)
    used = {*taken, *keyword.kwlist, *keyword.softkwlist, *dir(builtins), *sys.stdlib_module_names}
    while True:
        length = random_.randint(5, 7)
        name = "".join(random_.choice(CONSONANTS if i % 2 == 0 else VOWELS) for i in range(length))
        if name not in used:
            used.add(name)
            yield name
