"""Sampling: the distribution that is drawn from is the one that is reported."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.engines.sampling import generator_of, sample

logits_of = st.lists(st.floats(-8, 8, width=32), min_size=2, max_size=9)


def distribution(logits: list[float], temperature: float, top_p: float) -> np.ndarray:
    """Written the long way, in float64."""
    scaled = np.array(logits, dtype=np.float64) / temperature
    p = np.exp(scaled - scaled.max())
    p /= p.sum()
    kept, total = np.zeros(len(p), dtype=bool), 0.0
    for index in np.argsort(-p, kind="stable"):
        if total >= top_p < 1:  # 1 keeps everything, also what rounding hides
            break
        kept[index] = True
        total += p[index]
    p = np.where(kept, p, 0)
    return p / p.sum()


@settings(max_examples=60, deadline=None)
@given(logits_of, st.floats(0.2, 3), st.floats(0, 1, exclude_max=True))
def test_inverse_cdf_takes_the_token_whose_interval_holds_the_number(logits, temperature, uniform):
    p = distribution(logits, temperature, 1.0)
    (token,), (logprob,) = sample(torch.tensor([logits]), [uniform], [temperature], [1.0])
    edges = np.concatenate([[0], p.cumsum()])
    assert edges[token] - 1e-5 <= uniform <= edges[token + 1] + 1e-5
    assert abs(logprob - np.log(p[token])) < 1e-3


@settings(max_examples=60, deadline=None)
@given(st.permutations([3.0, 2.0, 1.0, 0.0, -1.0]), st.floats(0.05, 0.97), st.floats(0, 1, exclude_max=True))
def test_the_nucleus_is_the_smallest_set_that_reaches_top_p(logits, top_p, uniform):
    p = distribution(logits, 1.0, top_p)
    (token,), (logprob,) = sample(torch.tensor([logits]), [uniform], [1.0], [top_p])
    assert p[token] > 0
    assert abs(logprob - np.log(p[token])) < 1e-3


def test_rows_with_other_settings_do_not_disturb_each_other():
    logits = torch.randn(6, 50, generator=torch.Generator().manual_seed(0))
    uniforms = [0.1, 0.9, 0.5, 0.3, 0.7, 0.2]
    heats, tops = [0.0, 0.7, 1.0, 1.5, 0.7, 0.0], [1.0, 0.5, 1.0, 0.9, 1.0, 0.3]
    together = sample(logits, uniforms, heats, tops)
    for row in range(6):
        alone = sample(
            logits[row : row + 1], uniforms[row : row + 1], heats[row : row + 1], tops[row : row + 1]
        )
        assert alone[0][0] == together[0][row]
        assert abs(alone[1][0] - together[1][row]) < 1e-5
    assert together[0][0] == int(logits[0].argmax())


def test_frequencies_follow_the_distribution():
    logits = [1.0, 0.0, -1.0, 2.0]
    draws = 20_000
    random = generator_of(11)
    tokens, _ = sample(
        torch.tensor([logits]).expand(draws, -1),
        [random.random() for _ in range(draws)],
        [0.8] * draws,
        [1.0] * draws,
    )
    found = np.bincount(tokens, minlength=4) / draws
    assert np.abs(found - distribution(logits, 0.8, 1.0)).max() < 0.02  # five standard errors


def test_impossible_tokens_are_never_taken_at_the_edges():
    logits = torch.tensor([[-torch.inf, 0.0, -torch.inf, 0.0, -torch.inf]])
    for uniform in (0.0, 0.5, 1 - 2**-53):
        (token,), _ = sample(logits, [uniform], [1.0], [1.0])
        assert token in (1, 3)
