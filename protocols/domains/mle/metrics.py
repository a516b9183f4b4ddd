"""Metrics by name: what each needs, which way it goes, and how it is computed. All run on the trusted side.

Several target columns give the mean over columns, except for `log_loss`, where the columns are the classes.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

Table = Any  # (rows, targets): floats, or strings for labels
SUM_TOLERANCE = 1e-5  # of a row of probabilities, as MLE-bench's graders have it
_WHOLE = re.compile(r"([+-]?)(0|[1-9][0-9]*)(?:\.0*)?")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?|[+-]?(?:nan|inf|infinity)")


class Unusable(Exception):
    """A submission that this metric cannot be computed on, by its own fault."""


class Metric(NamedTuple):
    better: Literal["higher", "lower"]
    values: Literal["labels", "numbers"]
    compute: Callable[[Table, Table], float]


def _by_column(compute: Callable[[Any, Any], float]) -> Callable[[Table, Table], float]:
    def mean(truth: Table, said: Table) -> float:
        return float(np.mean([compute(truth[:, i], said[:, i]) for i in range(truth.shape[1])]))

    return mean


def _accuracy(truth: Any, said: Any) -> float:
    return float(np.mean(truth == said))


def _macro_f1(truth: Any, said: Any) -> float:
    from sklearn.metrics import f1_score

    return float(f1_score(truth, said, average="macro", zero_division=0.0))


def _auc(truth: Any, said: Any) -> float:
    from sklearn.metrics import roc_auc_score

    if len(np.unique(truth)) != 2:
        raise ValueError("its answers need two classes")
    return float(roc_auc_score(truth, said))


def _rmse(truth: Any, said: Any) -> float:
    return float(np.sqrt(np.mean((truth - said) ** 2)))


def _rmsle(truth: Any, said: Any) -> float:
    if (truth <= -1).any():
        raise ValueError("its answers have values of -1 or less")
    if (said <= -1).any():
        raise Unusable("values have to be above -1")
    return _rmse(np.log1p(truth), np.log1p(said))


def _mae(truth: Any, said: Any) -> float:
    return float(np.mean(np.abs(truth - said)))


def _r2(truth: Any, said: Any) -> float:
    spread = float(np.sum((truth - truth.mean()) ** 2))
    if spread == 0.0:
        raise ValueError("its answers are all the same")
    return 1.0 - float(np.sum((truth - said) ** 2)) / spread


def _log_loss(truth: Table, said: Table) -> float:
    if ((said < 0) | (said > 1)).any():
        raise Unusable("probabilities have to lie between 0 and 1")
    if truth.shape[1] == 1:
        truth, said = np.hstack([1 - truth, truth]), np.hstack([1 - said, said])
    if not np.isin(truth, (0.0, 1.0)).all() or (truth.sum(axis=1) != 1).any():
        raise ValueError("its answers are not 0 or 1, one class a row")
    if (np.abs(said.sum(axis=1) - 1) > SUM_TOLERANCE).any():
        raise Unusable("the probabilities of each row have to sum to 1")
    least = np.finfo(float).eps
    return float(-np.mean(np.log(np.clip((truth * said).sum(axis=1), least, 1.0))))


METRICS = {
    "accuracy": Metric("higher", "labels", _by_column(_accuracy)),
    "macro_f1": Metric("higher", "labels", _by_column(_macro_f1)),
    "auc": Metric("higher", "numbers", _by_column(_auc)),
    "log_loss": Metric("lower", "numbers", _log_loss),
    "rmse": Metric("lower", "numbers", _by_column(_rmse)),
    "rmsle": Metric("lower", "numbers", _by_column(_rmsle)),
    "mae": Metric("lower", "numbers", _by_column(_mae)),
    "r2": Metric("higher", "numbers", _by_column(_r2)),
}


def normalised(score: float, worst: float, best: float) -> float:
    """(score - worst) / (best - worst), clipped to [0, 1]. Source: arXiv 2509.04575, appendix A."""
    return min(1.0, max(0.0, (score - worst) / (best - worst)))


def table(columns: Sequence[Sequence[str]], values: Literal["labels", "numbers"]) -> Table:
    """(rows, targets) from texts, column by column.

    Raises:
        Unusable: a text is no finite number where numbers are wanted.
    """
    if values == "labels":
        return np.array([[_label(text) for text in column] for column in columns], dtype=object).T
    try:
        found = np.array([[_number(text) for text in column] for column in columns], dtype=float).T
    except ValueError as error:
        raise Unusable(f"{str(error)[:80]}") from None
    if not np.isfinite(found).all():
        raise Unusable("a value is not finite")
    return found


def _label(text: str) -> str:
    """True is TRUE is true, however a table was written."""
    said = plain(text)
    return said.casefold() if said.casefold() in ("true", "false") else said


def _number(text: str) -> float:
    lowered = text.strip().lower()
    if lowered in ("true", "false"):
        return float(lowered == "true")
    if not _DECIMAL.fullmatch(lowered):  # float() reads 1_0, and digits of other scripts
        raise ValueError(f"{text[:40]!r} is not a number")
    return float(lowered)


def plain(text: str) -> str:
    """A label or an id in one spelling: a whole number that was written as a float, 3.0, is 3. All else is
    text: 007, 1e5 and 1_0 are no other spellings of 7, 100000 and 10."""
    text = text.strip()
    whole = _WHOLE.fullmatch(text)
    if whole is None:
        return text
    sign, digits = whole.groups()
    return f"-{digits}" if sign == "-" and digits != "0" else digits
