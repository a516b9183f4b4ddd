"""How alike two statements are in what they say: the cosine of their character n-grams.

An n-gram lies within one word (its ends marked), so that neither the order of the words nor their forms count
for much. It needs no model, and depends on nothing but the two texts.

Wordings of the task bank say how far that goes (`tests/test_similarity.py` counts them). Of pairs of
statements about one function that ask for the same task in other words, for another call on the same data
(by rows instead of columns, say), or for the same call on other data, in per cent:

    similarity at least    0.7   0.75    0.8   0.85    0.9
    same task             79.2   65.6   48.1   27.9   11.0
    other call            27.6   16.7    8.1    3.8    1.0
    other data             1.1    0.3    0.0    0.0    0.0

Limits: it knows no synonyms, so that a paraphrase that shares few words passes; and it does not understand
the one word that turns a task into another one (row, column; largest, smallest), so that some that differ
only there are taken for the same.
"""

import math
import re
from collections import Counter
from functools import lru_cache

LENGTHS = (3, 4, 5)


@lru_cache(maxsize=65536)
def profile(text: str) -> dict[str, float]:
    """The weights of a text's n-grams, 1 + ln(how often), scaled to a norm of 1; {} without words."""
    grams = Counter(
        marked[at : at + length]
        for word in re.findall(r"\w+", text.lower())
        for marked in (f" {word} ",)
        for length in LENGTHS
        for at in range(len(marked) - length + 1)
    )
    weights = {gram: 1.0 + math.log(count) for gram, count in grams.items()}
    norm = math.sqrt(math.fsum(weight * weight for weight in weights.values()))
    return {gram: weight / norm for gram, weight in weights.items()}


def similarity(one: str, other: str) -> float:
    """From 0.0 (nothing in common) to 1.0 (the same n-grams, equally often).

    Rounded, so that a threshold and the order of neighbours do not hang on the last bits of logarithms.
    """
    some, others = profile(one), profile(other)
    return min(1.0, round(math.fsum(weight * others.get(gram, 0.0) for gram, weight in some.items()), 12))
