"""Does a text give away what the closed book keeps: names of the package, sentences of its documentation?

Does not cover: hints in other words. A sentence counts when it is there word by word.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from protocols.domains.zwc.documentation import told
from protocols.domains.zwc.obfuscate import Library

#: Shorter ones say nothing that is the documentation's own ("the input array").
SHORTEST = 6  # words

_WORDS = re.compile(r"[A-Za-z0-9_]+")


@dataclass(frozen=True)
class Secrets:
    """What a closed book has to keep."""

    names: frozenset[str]  # every part of every public name; the package's own name is no secret
    sentences: tuple[str, ...]  # lower case, words with single spaces, a space at both ends

    def in_text(self, text: str) -> list[str]:
        """The names and sentences that are in a text, sorted."""
        words = _WORDS.findall(text)
        plain = f" {' '.join(words).lower()} "
        return sorted(self.names.intersection(words)) + [s.strip() for s in self.sentences if s in plain]


def secrets_of(library: Library) -> Secrets:
    """Names, and the sentences of the brief and the full documentation. What examples give is no secret."""
    return secrets_in(library.public, told(library))


def secrets_in(public: Iterable[str], texts: Iterable[str]) -> Secrets:
    """These dotted names, part by part, and the sentences of these texts."""
    names = {part for dotted in public for part in dotted.split(".")}
    sentences = {s for text in texts for s in _sentences(text)}
    return Secrets(frozenset(names), tuple(sorted(sentences)))


def _sentences(text: str) -> list[str]:
    found = []
    for part in re.split(r"[.:;!?](?:\s|$)|\n\s*\n", text):
        words = _WORDS.findall(part)
        if len(words) >= SHORTEST:
            found.append(f" {' '.join(words).lower()} ")
    return found
