"""Settings of the math domain."""

from typing import Any

from pydantic import Field

from protocols.section import Section

GENERATORS: dict[str, dict[str, Any]] = {
    "chain_sum": {"min_terms": 2, "max_terms": 2, "min_digits": 1, "max_digits": 1},
    "products": {"min_terms": 2, "max_terms": 2, "min_digits": 1, "max_digits": 1},
    "gcd": {"min_value": 2, "max_value": 12},
    "lcm": {"min_value": 2, "max_value": 6},
    "count_primes": {"max_n": 20},
    "leg_counting": {"min_animals": 1, "max_animals": 1, "max_instances": 3},
}
"""Where SmolLM2-135M-Instruct is neither hopeless nor perfect: `docs/domains.md` has its solve rates."""


class MathSettings(Section):
    train: str = ""
    """Training problems: "" = the generators; else a JSONL file, or a data set's Hugging Face id."""
    test: tuple[str, ...] = ()
    """Held-out problems, each a kind of its own: () = the generators; else files or ids, as in `train`."""
    generators: dict[str, dict[str, Any]] = GENERATORS
    """reasoning-gym's generators by name, each with its settings; a kind each."""
    seed: int = Field(1, ge=0)
    """Seed of generated problems and of drawn subsets."""
    train_problems: int = Field(180, ge=1)
    """Problems to train on: generated in equal parts, or drawn from `train` (1,280 in ExIt)."""
    test_problems: int = Field(60, ge=1)
    """Held-out problems that are generated, in equal parts; of `test` all are used."""
    problem_key: str = ""
    """Column of the problem; "" = problem, question or prompt, whichever comes first."""
    answer_key: str = ""
    """Column of the answer; "" = answer, solution or target."""
    partial_scores: bool = True
    """What a generator's own scorer gives between 0 and 1 is the reward; false = 1 or 0."""
    demonstrations: int = Field(3, ge=0, le=16)
    """Worked examples in the prompt, of the same generator; problems that are read have none."""
    opening: str = ""
    """How every answer is made to begin, e.g. \\\\boxed{ for a model that is to answer at once."""
    deadline_s: float = Field(5.0, gt=0, le=600)
    """Longest time to judge one answer."""
