r"""Where the final answer stands in a response, and whether it is a number as it stands.

The answer is the last complete \boxed{...}; there is none without it. Otherwise any number of a text would
do, also one that was only said in passing.
"""

import re

from protocols.domains.math.notation import number, plain

_PARTS = re.compile(r"\\boxed\s*\{|\\\\|\\[{}]|\\boxed\s+(?P<bare>[^\s{}$\\]+)|[{}]")


def final(response: str) -> str | None:
    """What the last complete box holds; None without one."""
    open_braces: list[tuple[int, bool]] = []  # where what they hold begins, and whether it is a box
    last: tuple[int, int] | None = None
    for part in _PARTS.finditer(response):
        if part["bare"]:
            last = (part.start("bare"), part.end("bare"))
        elif part[0] in ("\\\\", "\\{", "\\}"):
            pass
        elif part[0] != "}":
            open_braces.append((part.end(), part[0] != "{"))
        elif open_braces:
            start, box = open_braces.pop()
            if box and (last is None or start > last[0]):
                last = (start, part.start())
    return None if last is None else response[last[0] : last[1]]


def truth_of(answer: str) -> str:
    """The final answer of a worked solution: what its last box holds, or what follows #### (as GSM8K writes
    it); else the whole."""
    boxed = final(answer)
    return boxed if boxed is not None else answer.rpartition("####")[2].strip()


def is_computed(text: str) -> bool:
    """Whether it is a number, or a fraction in lowest terms, and nothing that remains to be computed."""
    found = number(plain(text))
    return found is not None and found.lowest
