"""Log-probabilities as engines and servers give them: which of them are any."""

import math
from collections.abc import Iterable

#: What vLLM and OpenAI's API say of a token that they rule out.
RULED_OUT = -9999.0
#: A sum of rounded exponentials may be a little above 1.
ROUNDING = 1e-3


def is_one(value: float) -> bool:
    """Whether a number can be the log-probability, in nats, of a token that was sampled."""
    return math.isfinite(value) and RULED_OUT < value <= ROUNDING


def marked(values: Iterable[float]) -> tuple[float, ...]:
    """NaN, "not known", in place of what is no log-probability; what rounding put above 0 is 0."""
    return tuple(min(value, 0.0) if is_one(value) else math.nan for value in values)


def all_known(values: Iterable[float]) -> bool:
    return all(map(is_one, values))
