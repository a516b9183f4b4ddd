"""What kind of mistake a wrong answer makes: finer than the verdict's category, for counting.

A pure function of verdict, task, response and library. Source of the idea: SE-Bench (arXiv 2602.04811), which
reports "hallucinated attributes"; the classes here are ours. Does not cover: right answers, and attempts
without a reward.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np

from protocols.domains.zwc.functions import CONSTRUCTORS
from protocols.fences import last_code_block
from protocols.records import Task, Verdict

#: Mistakes, in the order in which they are looked for.
MISTAKES = {
    "no_code": "no fenced code",
    "syntax": "the code does not compile",
    "limits": "time, memory or output ran out",
    "numpy_habit": "NumPy itself, one of its names in the package, or an array method that only NumPy has",
    "invented_attribute": "a name that the package does not have",
    "forbidden_import": "another module that is not offered",
    "wrong_function": "a function of the package, but not every one that the task is about",
    "wrong_arguments": "the right function, which refused what it was given",
    "not_plain": "a result that is not plain data, or an entry point of another form",
    "no_library_call": "the package did not do the work",
    "other_error": "another exception",
    "wrong_answer": "the right function, and another answer",
}

_LIMITS = ("timeout", "memory", "output_limit")
_REFUSALS = ("TypeError", "ValueError", "LinAlgError", "AxisError")
_ABSENT = re.compile(
    r"AttributeError: (?:module )?'(?P<owner>[^']*)'.* has no attribute '(?P<name>\w+)'"
    r"|ImportError: cannot import name '(?P<imported>\w+)' from '(?P<source>[\w.]+)'"
    r"|import of (?P<whole>\w+)\.(?P<part>\w+)"
)
_UNDEFINED = re.compile(r"NameError: name '(?P<name>\w+)' is not defined")


def mistake(
    verdict: Verdict, task: Task, response: str, package: str, originals: Mapping[str, str]
) -> str | None:
    """The class of a wrong answer, one of `MISTAKES`; None for right ones and those without a reward.

    Args:
        originals: obfuscated dotted name -> original dotted name, of the whole package.
    """
    if verdict.reward is None or verdict.category == "correct":
        return None
    source = last_code_block(response, task.payload["entry_point"])
    if source is None:
        return "no_code"
    if verdict.category == "syntax_error":
        return "syntax"
    if verdict.category in _LIMITS:
        return "limits"
    told = f"{verdict.evidence.get('exception', '')} {verdict.evidence.get('detail', '')}"
    missing = _missing(source, told, package, originals)
    if missing:
        return missing
    if verdict.category == "forbidden_import":
        return "forbidden_import"
    named = _named(source, package, originals)
    if named and not set(task.topics) <= set(named):
        return "wrong_function" if set(named) - _constructors(originals) else "no_library_call"
    if verdict.category == "runtime_error":
        refused = named and any(kind in told for kind in _REFUSALS)
        return "wrong_arguments" if refused else "other_error"
    if verdict.category == "malformed":
        return "not_plain"
    if verdict.category == "wrong_answer" and not named:
        return "no_library_call"
    return verdict.category if verdict.category in MISTAKES else "other_error"


def _missing(source: str, told: str, package: str, originals: Mapping[str, str]) -> str | None:
    """Whose name it was that is not there; None where nothing was missing, or nobody's name."""
    if re.search(r"\b(import|from)\s+numpy\b", source):
        return "numpy_habit"
    undefined = _UNDEFINED.search(told)
    if undefined:
        return "numpy_habit" if undefined["name"] in {"np", "numpy", *originals.values()} else None
    absent = _ABSENT.search(told)
    if absent is None:
        unknown = _unknown(source, package, originals)
        return ("numpy_habit" if unknown in _numpys() else "invented_attribute") if unknown else None
    name = absent["name"] or absent["imported"] or absent["part"]
    owner = absent["owner"] or absent["source"] or absent["whole"]
    if owner.partition(".")[0] == package or owner == f"{package.upper()}Array":
        return "numpy_habit" if name in _numpys() else "invented_attribute"
    return "numpy_habit" if name in dir(np.ndarray) else None


def _unknown(source: str, package: str, originals: Mapping[str, str]) -> str | None:
    """The first name that the source takes for one of the package's. A program finds out when it calls it,
    and not before."""
    spaces = {name.rpartition(".")[0] for name in originals}
    for name in re.findall(rf"\b{re.escape(package)}\.(\w+(?:\.\w+)*)", source):
        if name not in originals and name not in spaces and not name.endswith("Array"):
            return (
                str(name).rpartition(".")[2]
                if name.rpartition(".")[0] in spaces
                else str(name).partition(".")[0]
            )
    for space, names in re.findall(
        rf"\bfrom\s+{re.escape(package)}(?:\.([\w.]+))?\s+import\s+([\w, ]+)", source
    ):
        for name in (part.split()[0] for part in names.split(",") if part.strip()):
            dotted = f"{space}.{name}" if space else name
            if dotted not in originals and dotted not in spaces and not name.endswith("Array"):
                return str(name)
    return None


def _named(source: str, package: str, originals: Mapping[str, str]) -> Sequence[str]:
    """Functions of the package that the source names, whether they were reached or not."""
    found = re.findall(rf"\b{re.escape(package)}\.([\w.]+)", source)
    return [name for name in found if name in originals]


def _constructors(originals: Mapping[str, str]) -> set[str]:
    return {public for public, original in originals.items() if original in CONSTRUCTORS}


@cache
def _numpys() -> frozenset[str]:
    """Public names of NumPy, of its linear algebra, and of its arrays."""
    return frozenset(name for owner in (np, np.linalg, np.ndarray) for name in dir(owner) if name[0] != "_")
