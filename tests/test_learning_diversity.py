"""The diversity bonus of ExIt: hand numbers, properties, and its place in an update."""

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_learning_grpo import learner_of, model, samples_of  # noqa: F401  (a fixture)

from actors.learning.diversity import diversity_factors


def test_by_hand() -> None:
    """Points 0, 0, 3 on a line: centroid 1, distances 1, 1, 2."""
    points = torch.tensor([[0.0], [0.0], [3.0]])
    printed, mean = diversity_factors(points)
    assert printed.tolist() == [1.0, 1.0, 2.0] and mean == pytest.approx(4 / 3)
    assert diversity_factors(points, from_least=True)[0].tolist() == [0.0, 0.0, 1.0]


@pytest.mark.parametrize("points", [[[2.0, 1.0]], [[0.0, 0.0], [5.0, 1.0]], [[1.0, 1.0]] * 4])
def test_where_all_are_equally_far_nothing_changes(points: list[list[float]]) -> None:
    for from_least in (True, False):
        assert diversity_factors(torch.tensor(points), from_least)[0].tolist() == [1.0] * len(points)


@given(st.lists(st.lists(st.integers(-50, 50), min_size=3, max_size=3), min_size=3, max_size=8), st.randoms())
def test_properties(points: list[list[int]], rng) -> None:
    given_points = torch.tensor(points, dtype=torch.float32)
    printed, _ = diversity_factors(given_points)
    scaled, _ = diversity_factors(given_points, from_least=True)
    order = list(range(len(points)))
    rng.shuffle(order)
    assert torch.allclose(diversity_factors(given_points[order])[0], printed[order], rtol=1e-6)
    assert torch.allclose(diversity_factors(given_points + 100)[0], printed, rtol=1e-3)
    assert scaled.min() >= 0 and scaled.max() <= 1 and (printed >= scaled - 1e-9).all()
    if scaled.unique().numel() > 1:  # one is nearest, one farthest, and the printed factors differ by as much
        assert (scaled.min(), scaled.max()) == (0, 1)
        assert float(printed.max() - printed.min()) == pytest.approx(1.0)


def test_an_update_weighs_advantages_and_tells_how_far_answers_were(
    model: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    samples = samples_of(model)
    plain = learner_of(model, tmp_path / "off").learn(samples, 1, 1, "exit")
    pairs = learner_of(model, tmp_path / "on", grpo={"diversity": "printed"}).learn(samples, 1, 1, "exit")
    assert pairs.losses == plain.losses and pairs.metrics["diversity_factor"] == 1.0  # groups of two
    assert pairs.metrics["diversity"] > 0 and "diversity" not in plain.metrics
    whole = [sample.__class__(**{**_fields(sample), "group_id": "one"}) for sample in samples]
    apart = learner_of(model, tmp_path / "scaled", grpo={"diversity": "scaled"}).learn(whole, 1, 1, "exit")
    assert 0 < apart.metrics["diversity_factor"] < 1
    assert apart.metrics["advantage"] < plain.metrics["advantage"]


def _fields(record) -> dict:
    return {name: getattr(record, name) for name in record.__struct_fields__}
