"""reasoning-gym's problems, made again from where they came from, and their own scorers. Part of
the helper process: nothing of ours is imported here.

Some scorers pass what a model wrote to `eval` or to sympy's `parse_expr`, which evaluates it, too. Here they
get literals and formulas only: a call or an attribute in an answer is an error, and the answer scores 0.
"""

import ast
import io
import math
import re
import sys
import tokenize
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from typing import Any

import reasoning_gym
import sympy
from reasoning_gym.dataset import ProceduralDataset
from reasoning_gym.factory import DATASETS
from sympy.parsing import sympy_parser

_NONSENSE = "no answer"
_LITERAL = (
    ast.Expression, ast.Constant, ast.List, ast.Tuple, ast.Set, ast.Dict, ast.Load, ast.UnaryOp, ast.USub,
    ast.UAdd, ast.Invert, ast.BinOp, ast.operator,
)  # fmt: skip
_FUNCTIONS = re.compile(
    "a?(sin|cos|tan|cot|sec|csc)|a?(sinh|cosh|tanh)|exp|log|ln|sqrt|cbrt|Abs|abs|pi|Rational|Integer|Float|Symbol"
    "|erf|sign|floor|ceiling|factorial|gamma"
)


def made(source: dict[str, Any]) -> dict[str, Any]:
    """The problem, its answer ("" where it is only known when it is seen), and whether it can be judged: its
    own answer has full marks."""
    if source["name"] not in DATASETS:
        return {"said": "unknown", "known": sorted(DATASETS)}
    entry = _made(*_key(source))[1]
    answer = "" if entry["answer"] is None else str(entry["answer"])
    usable = not answer.strip() or score(source, answer) == 1.0
    return {"said": "made", "question": str(entry["question"]), "answer": answer.strip(), "usable": usable}


# Generators whose scorers give full marks to what is near the answer, or holds it: what the answer has to be
# like. Others of the same worth (another solution) keep their marks.
_WORDS = re.compile(r"[A-Za-z0-9.]+")


def _exactly(answer: str) -> Any:
    try:
        return Fraction(answer.replace(",", "").strip())
    except ValueError:
        return answer


_ALIKE: dict[str, Callable[[str], Any]] = {
    "number_format": _exactly,
    "decimal_arithmetic": _exactly,
    "decimal_chain_sum": _exactly,
    "number_sorting": lambda answer: [float(one) for one in re.findall(r"-?\d+(?:\.\d+)?", answer)],
    "time_intervals": lambda answer: answer.casefold().split(),
    "knights_knaves": lambda answer: sorted(_WORDS.findall(answer.casefold())),
    "kakurasu": lambda answer: len(answer.split()),
    "word_sorting": lambda answer: len(answer.split()),
    "letter_jumble": lambda answer: len(answer.split()),
    "quantum_lock": lambda answer: len(answer.split()),
    "sokoban": lambda answer: len(answer.split()),
    "survo": lambda answer: len(answer.split()),
    "complex_arithmetic": lambda answer: "nan" in answer.casefold(),
}


def score(source: dict[str, Any], answer: str) -> float:
    """What the generator's scorer gives, in [0, 1]. One that has none of its own wants its text, and so does
    one that gives full marks to nonsense."""
    dataset, entry = _made(*_key(source))
    alike = _ALIKE.get(source["name"])
    if alike is not None and entry["answer"] is not None and alike(answer) != alike(str(entry["answer"])):
        return 0.0
    own = type(dataset).score_answer is not ProceduralDataset.score_answer
    if entry["answer"] is not None and (not own or _takes_all(*_key(source))):
        return float(answer.strip() == str(entry["answer"]).strip())
    return _score(dataset, entry, answer)


@lru_cache(1024)
def _takes_all(*key: Any) -> bool:
    dataset, entry = _made(*key)
    return _score(dataset, entry, _NONSENSE) == 1.0


def _score(dataset: Any, entry: dict[str, Any], answer: str) -> float:
    try:
        if type(dataset).__name__ == "Puzzle24Dataset" and not _makes_24(
            answer, entry["metadata"]["numbers"]
        ):
            return 0.0
        found = float(dataset.score_answer(answer, entry))
    except (MemoryError, RecursionError):
        raise
    except Exception:  # an answer that its scorer cannot read
        return 0.0
    return min(1.0, max(0.0, found)) if math.isfinite(found) else 0.0


def _makes_24(answer: str, numbers: list[int]) -> bool:
    """What the scorer of the game of 24 leaves out: that the numbers are those given, and that 24.9 is not
    24."""
    used = sorted(int(one) for one in re.findall(r"\d+", answer))
    written = re.fullmatch(r"[\d\s()+*/-]+", answer) is not None and "**" not in answer and "//" not in answer
    return written and used == sorted(numbers) and bool(parse_expr(answer) == 24)


def _key(source: dict[str, Any]) -> tuple[str, str, int, int, int]:
    return source["name"], repr(source["settings"]), source["seed"], source["size"], source["index"]


@lru_cache(1024)
def _made(name: str, settings: str, seed: int, size: int, index: int) -> tuple[Any, dict[str, Any]]:
    dataset = _dataset(name, settings, seed, size)
    return dataset, dataset[index]


@lru_cache(64)
def _dataset(name: str, settings: str, seed: int, size: int) -> Any:
    made = reasoning_gym.create_dataset(name, size=size, seed=seed, **ast.literal_eval(settings))
    for module in [m for n, m in sys.modules.items() if n.startswith("reasoning_gym.")]:
        vars(module).setdefault("eval", _evaluate)
        if vars(module).get("parse_expr") is _parse_expr:
            vars(module)["parse_expr"] = parse_expr
    sympy.parse_expr = parse_expr
    return made


def _evaluate(text: str, *scopes: Any) -> Any:
    """`eval` for literals and arithmetic of numbers."""
    tree = ast.parse(text.strip(), mode="eval")
    strange = next((node for node in ast.walk(tree) if not isinstance(node, _LITERAL)), None)
    if strange is not None:
        raise ValueError(f"{type(strange).__name__} in what is to be evaluated")
    return eval(compile(tree, "<literal>", "eval"), {"__builtins__": {}})


_parse_expr = sympy_parser.parse_expr


def parse_expr(text: str, *args: Any, **settings: Any) -> Any:
    """sympy's, for formulas: numbers, one-letter names, and functions of mathematics."""
    before = ""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NAME and (
            before.endswith(".") or (len(token.string) > 1 and not _FUNCTIONS.fullmatch(token.string))
        ):
            raise ValueError(f"{token.string!r} is no part of a formula")
        if token.type in (tokenize.STRING, tokenize.COMMENT):
            raise ValueError("a text is no part of a formula")
        before = token.string
    return _parse_expr(text, *args, **settings)
