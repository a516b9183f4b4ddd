"""Duplicates by meaning: what similarity tells apart, counted on the task bank's wordings."""

import itertools
import random
import re
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors import similarity as module
from actors.similarity import profile, similarity
from protocols.domains.zwc.bank.families import RECIPES
from protocols.domains.zwc.bank.wording import scenarios, statement
from protocols.records import Split

ROW = re.compile(r"^    (similarity at least|same task|other call|other data) +(.+)$", re.MULTILINE)


def wordings() -> dict[str, list[tuple[int, int, str]]]:
    """By function: (which call, which data, a statement that asks for it), several statements for each."""
    rng, found = random.Random(0), defaultdict(set)
    for name in list(RECIPES)[:60]:
        for call, recipe in enumerate(RECIPES[name]):
            for data, scenario in enumerate(scenarios(recipe.kind, Split.TRAIN)[:3]):
                found[name] |= {(call, data, statement(recipe, scenario, Split.TRAIN, rng)) for _ in range(5)}
    return {name: sorted(texts) for name, texts in found.items()}


def test_the_docstring_counts_what_the_bank_shows() -> None:
    scores: dict[str, list[float]] = {"same task": [], "other call": [], "other data": []}
    for texts in wordings().values():
        for (call, data, one), (other_call, other_data, other) in itertools.combinations(texts, 2):
            if (call, data) == (other_call, other_data):
                scores["same task"].append(similarity(one, other))
            elif call != other_call and data == other_data:
                scores["other call"].append(similarity(one, other))
            elif call == other_call:
                scores["other data"].append(similarity(one, other))
    told = {name: row.split() for name, row in ROW.findall(module.__doc__ or "")}
    thresholds = [float(text) for text in told.pop("similarity at least")]
    counted = {
        name: [100 * sum(s >= t for s in found) / len(found) for t in thresholds]
        for name, found in scores.items()
    }
    for name, shares in counted.items():
        # A few more or fewer wordings in the bank do not make the table wrong.
        assert shares == pytest.approx([float(text) for text in told[name]], abs=3), (name, shares)
        assert shares == sorted(shares, reverse=True)
    for same, call in zip(counted["same task"], counted["other call"]):
        assert same > 2 * call


@given(st.text(max_size=60), st.text(max_size=60))
def test_similarity_is_a_cosine(one: str, other: str) -> None:
    assert 0.0 <= similarity(one, other) <= 1.0
    assert similarity(one, other) == pytest.approx(similarity(other, one))
    assert similarity(one, one) == pytest.approx(1.0 if profile(one) else 0.0)


def test_words_count_and_not_their_order_or_case() -> None:
    assert similarity("Return the mean of values", "the MEAN of values, return") == pytest.approx(1.0)
    assert similarity("abc", "xyz") == 0.0


@given(st.lists(st.sampled_from(["the", "mean", "of", "all", "prices", "prices", "sorted"]), min_size=1))
def test_the_same_words_in_another_order_are_wholly_alike(words: list[str]) -> None:
    """A threshold of 1.0 must not hang on how sums of logarithms round."""
    assert similarity(" ".join(words), " ".join(reversed(words))) == 1.0
