"""Two ranks learn what one process learns: losses, gradient norms and weights are equal within rounding."""

from itertools import product
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from learner_ranks import apart, together, weights_of
from test_learning_grpo import samples_of

from actors.learning.balance import balanced
from actors.learning.grpo import GrpoLearner
from actors.learning.packing import Example, cut_further, rows, split
from actors.learning.ranks import Ranks
from actors.learning.sft import SftLearner
from memory.artefacts import fetch_model
from protocols.learner_settings import LearnerSettings

LOADS = st.lists(st.integers(0, 50), max_size=7)


@given(LOADS, st.integers(1, 4))
def test_balance_loses_and_doubles_nothing(loads: list[int], ranks: int) -> None:
    shares = balanced(loads, ranks)
    assert len(shares) == ranks
    assert sorted(index for share in shares for index in share) == list(range(len(loads)))
    assert all(share == sorted(share) for share in shares)


@given(LOADS, st.integers(1, 3))
def test_the_fullest_rank_is_within_grahams_bound_of_the_best_division(loads: list[int], ranks: int) -> None:
    def fullest(shares: Any) -> int:
        return max(sum(loads[index] for index in share) for share in shares)

    best = min(
        fullest([[i for i, rank in enumerate(chosen) if rank == r] for r in range(ranks)])
        for chosen in product(range(ranks), repeat=len(loads))
    )
    assert fullest(balanced(loads, ranks)) <= (4 / 3 - 1 / (3 * ranks)) * best + 1e-9


def test_balance_by_hand() -> None:
    assert balanced([3, 9, 4, 4], 2) == [[1], [0, 2, 3]]
    assert balanced([5], 3) == [[0], [], []]


EXAMPLES = st.lists(
    st.tuples(st.integers(1, 3), st.integers(2, 6), st.integers(1, 9)).map(
        lambda told: Example((told[0],) * told[1], (9,) * told[2])
    ),
    min_size=1,
    max_size=9,
)


@given(EXAMPLES, st.integers(1, 5), st.integers(16, 40))
def test_all_ranks_compute_equally_often_and_everything_once(
    batch: list[Example], size: int, tokens: int
) -> None:
    of_rank = [Ranks(rank, size).parts(batch, tokens) for rank in range(size)]
    assert len({len(parts) for parts in of_rank}) == 1
    counted = [e for parts in of_rank for part, counts in parts if counts for e in part]
    assert sorted(map(id, counted)) == sorted(map(id, batch))
    idle = [part for parts in of_rank for part, counts in parts if not counts]
    assert all(len(part) == 1 and len(part[0]) == min(map(len, batch)) for part in idle)
    if len(batch) >= size:
        assert all(any(counts for _, counts in parts) for parts in of_rank)


def test_a_large_part_is_halved_until_every_rank_has_one() -> None:
    batch = [Example((1, 2), (3,) * length) for length in (1, 2, 3, 4)]
    whole = split(batch, 1000)
    assert len(whole) == 1 and rows(whole[0]) == sum(map(len, batch)) - 3
    assert [list(map(len, part)) for part in cut_further(whole, 3)] == [[3, 4], [5], [6]]
    assert len(cut_further(whole, 9)) == 4


CASES: dict[str, dict[str, Any]] = {
    "sft": {},
    "sft frozen embeddings": {"train_embeddings": False, "weight_decay": 0.1},
    "sft checkpointed": {"activation_checkpointing": True},
    "grpo": {"recipe": "closed-rl", "grpo": {"mini_batches": 2}},
    "grpo reference": {
        "recipe": "closed-rl",
        "grpo": {"kl_weight": 0.1, "reference_every": 1, "reference_step": 0.5, "reference_mix": 0.3},
    },
    "grpo diversity": {
        "recipe": "closed-rl",
        "grpo": {"diversity": "printed", "aggregation": "sequence_mean", "mini_batches": 2},
    },
    "grpo rollout": {
        "recipe": "closed-rl",
        "grpo": {"denominator": "rollout", "clip_low": None, "clip_high": None, "engine_cap": 2.0},
    },
    "sft adapters": {"lora": {"rank": 4}, "activation_checkpointing": True},
    "grpo adapters": {"recipe": "closed-rl", "lora": {"rank": 4}, "grpo": {"kl_weight": 0.1}},
    "sft bfloat16": {"dtype": "bfloat16"},
    "grpo bfloat16": {"recipe": "closed-rl", "dtype": "bfloat16", "grpo": {"mini_batches": 2}},
}


def play(ranks: Ranks, case: str, run: Path) -> dict[str, Any]:
    """Two updates; what came of them."""
    model = fetch_model("tiny-random")
    chosen = {"learning_rate": 1e-3, "batch_size": 2, "epochs": 2, "threads": 1, "device": "cpu"}
    chosen |= {"micro_tokens": 40, "dtype": "float32", "warmup": 0.0}
    settings = LearnerSettings.model_validate(chosen | CASES[case])
    kind: Any = GrpoLearner if "recipe" in CASES[case] else SftLearner
    learner = kind(model, settings, run / case.replace(" ", "-"), 1, ranks=ranks)
    samples = samples_of(model)
    if kind is SftLearner:  # 3 of them: the last batch has one, and so work for one rank only
        samples = [
            msgspec.structs.replace(s, weight=w, prefilled=0) for s, w in zip(samples, (1.0, 2.0, 0.5))
        ]
    else:  # one answer is only measured, and one group is larger
        samples.append(msgspec.structs.replace(samples[1], attempt_id="more", weight=0.0))
    first = weights_of(learner)
    updates = [learner.learn(samples, version, version, "x") for version in (1, 2)]
    return {
        "first": first,
        "weights": weights_of(learner),
        "losses": [loss for update in updates for loss in update.losses],
        "norms": [norm for update in updates for norm in update.grad_norms],
        "metrics": [
            {k: v for k, v in update.metrics.items() if not k.startswith("seconds")} for update in updates
        ],
        "probe": learner.weights().probe_logprobs,
        "tied": learner.model.get_input_embeddings().weight is learner.model.get_output_embeddings().weight,
    }


def _all(ranks: Ranks, run: Path) -> dict[str, Any]:
    return {case: play(ranks, case, run) for case in CASES}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    folder = tmp_path_factory.mktemp("ranks")
    threads = torch.get_num_threads()
    alone = _all(Ranks(), folder / "alone")
    torch.set_num_threads(threads)
    return alone, together(2, folder / "found", _all, folder / "two")


@pytest.mark.parametrize("case", CASES)
def test_two_ranks_learn_what_one_process_learns(both: Any, case: str) -> None:
    alone, ranks = both[0][case], [found[case] for found in both[1]]
    rel, near = (0.05, 0.05) if "bfloat16" in case else (1e-4, 1e-4)
    for found in ranks:
        assert found["tied"] is alone["tied"] is True
        assert found["losses"] == pytest.approx(alone["losses"], rel=rel, abs=near / 10)
        assert found["norms"] == pytest.approx(alone["norms"], rel=rel)
        for here, there in zip(found["metrics"], alone["metrics"], strict=True):
            assert here == pytest.approx(there, rel=rel, abs=near / 10)
        assert found["probe"] == pytest.approx(alone["probe"], rel=rel, abs=near)
        assert apart(found["weights"], alone["weights"], alone["first"]) < near
    assert all(torch.equal(a, b) for a, b in zip(*(found["weights"].values() for found in ranks)))
    if case.startswith("sft"):
        assert all(norm > 1.0 for norm in alone["norms"])  # clipping was at work
