"""Rewritten documentation: proven examples, and nothing of the original left."""

import builtins
import json
import re
from pathlib import Path

import numpy as np
import pytest

from protocols.domains.zwc.documentation import document, prove
from protocols.domains.zwc.functions import NAMES
from protocols.domains.zwc.obfuscate import obfuscate
from protocols.domains.zwc.scrub import WORDS, Scrubber

LIBRARY = obfuscate()
LENGTHS = ("brief", "full")


def originals() -> set[str]:
    return {name.rpartition(".")[2] for name in LIBRARY.entries}


@pytest.mark.parametrize(
    "library",
    [
        LIBRARY,
        obfuscate(seed=11, package="lib"),
        obfuscate("math"),
        obfuscate("statistics"),
        obfuscate(
            mapping=json.loads((Path(__file__).parent / "data" / "sebench_names.json").read_text())["names"]
        ),
    ],
    ids=["default", "other seed and name", "math", "statistics", "authors"],
)
def test_every_example_prints_what_it_says(library):
    proof = prove(library)
    print(f"{proof.matched} of {proof.ran} examples in {proof.documents} documents match")
    assert proof.failures == () and proof.matched == proof.ran
    assert proof.documents == 2 * len(library.entries) and proof.ran >= len(library.entries)


@pytest.mark.parametrize("length", LENGTHS)
def test_every_function_has_a_signature_and_an_example(length):
    docs = document(LIBRARY, length)
    assert list(docs) == list(LIBRARY.public)
    for public, text in docs.items():
        assert text.startswith(f"zwc.{public}("), text
        assert re.search(rf">>> .*\bzwc\.{public}\(", text), text


@pytest.mark.parametrize("length", LENGTHS)
def test_the_library_is_not_named(length):
    for public, text in document(LIBRARY, length).items():
        assert not re.search(r"(?i)numpy|\bnp\b|ndarray", text), (public, text)


@pytest.mark.parametrize("length", LENGTHS)
def test_no_original_name_is_left_in_a_code_position(length):
    names = "|".join(sorted(originals(), key=len, reverse=True))
    called = re.compile(rf"(?<![\w.])({names})\((?!s\))")
    method = re.compile(rf"(?<!zwc)\.({names})\(")
    quoted = re.compile(rf"(?<!`)`{{1,2}}({names})`{{1,2}}")
    uncommon = re.compile(rf"(?<![\w.=])({'|'.join(sorted(originals() - WORDS))})\b(?!\s*[=:])")
    for public, text in document(LIBRARY, length).items():
        parameters = set(re.findall(r"\w+", text.partition("\n")[0]))
        assert not called.search(text) and not method.search(text), (public, text)
        assert not set(quoted.findall(text)) - parameters, (public, text)
        assert not set(uncommon.findall(text)) - parameters, (public, uncommon.findall(text), text)


@pytest.mark.parametrize("length", LENGTHS)
def test_functions_that_the_package_lacks_are_not_recommended(length):
    lacking = {
        n
        for n, v in vars(np).items()
        if callable(v) and not isinstance(v, type) and n not in originals() and not hasattr(builtins, n)
    }
    names = "|".join(map(re.escape, sorted(lacking)))
    pattern = re.compile(rf"(?<![\w.])({names})\(|`({names})`")
    for public, text in document(LIBRARY, length).items():
        parameters = set(re.findall(r"\w+", text.partition("\n")[0]))
        found = {name for pair in pattern.findall(text) for name in pair if name}
        assert not found - parameters, (public, found)


def test_brief_is_brief():
    lengths = [len(text.split()) for text in document(LIBRARY, "brief").values()]
    assert max(lengths) < 60 and sum(lengths) / len(lengths) < 25
    mean = document(LIBRARY, "brief")[LIBRARY.entries["mean"]]
    assert mean == (
        f"zwc.{LIBRARY.entries['mean']}(a, axis=None)\n"
        "Compute the arithmetic mean along the specified axis.\n"
        ">>> a = [1.0, 2.0, 6.0]\n"
        f">>> zwc.{LIBRARY.entries['mean']}(a)\n"
        "3.0"
    )


def test_documentation_is_deterministic():
    from protocols.domains.zwc import documentation

    first = document(LIBRARY, "full")
    documentation._document.cache_clear()
    assert document(LIBRARY, "full") == first


def test_full_keeps_what_the_docstring_says():
    text = document(LIBRARY, "full")[LIBRARY.entries["cumsum"]]
    for title in ("Parameters", "Returns", "See Also", "Examples"):
        assert f"\n{title}\n{'-' * len(title)}\n" in text
    assert f">>> a = zwc.{LIBRARY.entries['array']}([[1, 2, 3], [4, 5, 6]])" in text
    assert len(NAMES) > 120


def test_scrubbing_knows_code_from_prose():
    scrub = Scrubber("zwc", "numpy", {"mean": "kocito", "argsort": "bidade", "linalg.inv": "rfx.quvohe"})
    assert scrub("The mean along an axis") == "The mean along an axis"
    assert scrub("np.mean and numpy.linalg.inv") == "zwc.kocito and zwc.rfx.quvohe"
    assert scrub("call mean(x) or 'mean'; mean.at") == "call zwc.kocito(x) or 'zwc.kocito'; zwc.kocito.at"
    assert scrub("argsort is no word") == "zwc.bidade is no word"
    assert scrub("_mean_dispatcher() got x") == "zwc.kocito() got x"
    assert scrub("an ndarray of NumPy, np.foo") == "a ZWCArray of zwc, another function of zwc"
    assert scrub("`mean`", keep=["mean"]) == "`mean`"
