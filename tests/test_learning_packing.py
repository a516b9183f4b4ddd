"""Packed rows compute what separate sequences compute."""

from pathlib import Path

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from transformers import AutoModelForCausalLM

from actors.learning import attention
from actors.learning.losses import sft_loss
from actors.learning.packing import Example, common_opening, pack, split
from memory.artefacts import fetch_model
from protocols.errors import SettingError

_EXAMPLES = [
    Example((1, 2, 3, 4), (5, 6), 1.0),
    Example((1, 2, 9), (7,), 0.5),
    Example((1, 2, 3, 4, 8), (9, 10, 11), 2.0),
]


@pytest.fixture(scope="module")
def folder() -> Path:
    return fetch_model("tiny-random")


def _model(folder: Path, kind: str) -> torch.nn.Module:
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation=kind)


def test_a_row_holds_the_common_opening_once() -> None:
    packed = pack(_EXAMPLES)
    assert packed.opening == 2
    assert packed.ids.tolist() == [1, 2, 3, 4, 5, 6, 9, 7, 3, 4, 8, 9, 10, 11]
    assert packed.positions.tolist() == [0, 1, 2, 3, 4, 5, 2, 3, 2, 3, 4, 5, 6, 7]
    assert packed.lengths == (4, 2, 6)
    # each label stands at the row of the token before it
    assert packed.places.tolist() == [3, 4, 6, 10, 11, 12]
    assert packed.labels.tolist() == [5, 6, 7, 9, 10, 11]
    assert packed.weights.tolist() == [1, 1, 0.5, 2, 2, 2]
    assert packed.tokens == 6 + 4 + 8


def test_equal_prompts_keep_a_row_of_their_own_for_the_first_label() -> None:
    same = [Example((1, 2, 3), (4,)), Example((1, 2, 3), (5,))]
    assert common_opening(same) == 2
    packed = pack(same)
    assert packed.ids.tolist() == [1, 2, 3, 4, 3, 5]
    assert packed.ids[packed.places].tolist() == [3, 3] and packed.labels.tolist() == [4, 5]


@given(st.lists(st.integers(2, 40), min_size=1, max_size=30), st.integers(16, 100))
def test_micro_batches_hold_every_example_once_within_the_bound(lengths: list[int], bound: int) -> None:
    examples = [Example((index,), (0,) * (length - 1)) for index, length in enumerate(lengths)]
    parts = split(examples, bound)
    assert sorted(e.prompt for part in parts for e in part) == sorted(e.prompt for e in examples)
    assert all(len(part) == 1 or sum(map(len, part)) <= bound for part in parts)


def _sequences() -> st.SearchStrategy[list[Example]]:
    ids = st.integers(0, 255)
    sequence = st.tuples(st.lists(ids, min_size=1, max_size=12), st.lists(ids, min_size=1, max_size=9))
    return st.tuples(
        st.lists(ids, max_size=10), st.lists(sequence, min_size=1, max_size=5), st.floats(0.1, 2)
    ).map(lambda x: [Example((*x[0], *p), tuple(r), x[2] * (1 + i)) for i, (p, r) in enumerate(x[1])])


@settings(max_examples=10, deadline=None)
@given(examples=_sequences())
def test_loss_and_gradients_are_those_of_separate_sequences(folder: Path, examples: list[Example]) -> None:
    packing, plain = _model(folder, attention.NAME), _model(folder, "sdpa")
    packed = pack(examples)
    hidden = packing.model(
        input_ids=packed.ids[None],
        position_ids=packed.positions[None],
        layout=attention.Layout(packed.opening, packed.lengths),
    ).last_hidden_state[0]
    found = sft_loss(packing.lm_head(hidden[packed.places]), packed.labels, packed.weights)
    found.backward()

    total = sum(e.weight * len(e.response) for e in examples)
    expected = torch.zeros(())
    for example in examples:
        ids = torch.tensor([example.ids])
        first = len(example.prompt)
        logits = plain(input_ids=ids).logits[0, first - 1 : -1]
        weights = torch.full((len(example.response),), example.weight)
        expected = expected + sft_loss(logits, ids[0, first:], weights, total)
    expected.backward()

    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    for (name, mine), theirs in zip(packing.named_parameters(), plain.parameters()):
        torch.testing.assert_close(
            mine.grad, theirs.grad, rtol=1e-3, atol=1e-4, msg=lambda m, n=name: f"{n}: {m}"
        )


def test_the_two_ways_to_attend_agree() -> None:
    q, k, v = torch.randn(2, 6, 5, 8), torch.randn(2, 3, 7, 8), torch.randn(2, 3, 7, 8)
    mask = attention.Layout(2, (5, 4)).mask
    small, large = (f(q, k, v, mask, None) for f in (attention._small_attention, attention._large_attention))
    torch.testing.assert_close(small, large, rtol=1e-5, atol=1e-5)


def test_a_window_shorter_than_a_sequence_is_refused() -> None:
    q = torch.randn(1, 2, 6, 4)
    with pytest.raises(SettingError, match="looks back 5 tokens"):
        attention.packed_attention(
            torch.nn.Module(), q, q, q, None, layout=attention.Layout(2, (4,)), sliding_window=5
        )


def test_answers_to_one_prompt_share_a_micro_batch_and_its_prompt_is_computed_once() -> None:
    groups = [
        [Example(prompt=(1, 2, *range(10 * g, 10 * g + 40)), response=(g, a)) for a in range(8)]
        for g in range(1, 5)
    ]
    mixed = [group[a] for a in range(8) for group in groups]
    parts = split(mixed, 41 + 8 * 3)
    assert sorted(map(id, (e for part in parts for e in part))) == sorted(map(id, mixed))
    assert [len(part) for part in parts] == [8] * 4
    for part in parts:
        assert len({e.prompt for e in part}) == 1 and len(pack(part).ids) == 41 + 8 * 3


def test_a_group_keeps_its_prompt_to_itself_where_another_would_cost_more_than_it_shares() -> None:
    """Two groups of four: their prompts share little, the answers of one share much."""
    groups = [
        Example(prompt=(1, 2, *range(100 * g, 100 * g + 40)), response=(7, 8, answer))
        for g in (1, 2)
        for answer in range(4)
    ]
    parts = split(groups, 10_000)
    assert [len(part) for part in parts] == [4, 4]
    assert [len(pack(part).ids) for part in parts] == [41 + 4 * 4] * 2
    lone = [Example(prompt=(1, 2, 3, 100 + g), response=(7,)) for g in range(6)]
    assert len(split(lone, 10_000)) == 1  # one answer each: nothing is lost by packing them together
