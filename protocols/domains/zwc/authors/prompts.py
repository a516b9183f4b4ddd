"""Prompts for the authors' tasks, in the structure of the published ones and in words of our own.

One user turn without a system message: introduction, functions (open book only), problem, test cases,
function to complete, requirements, last line. The documentation is the oracle's: that of the selected
functions, as Python prints a list of {name: text}, the names without their package. Source: SE-Bench (arXiv
2602.04811), section 4 of its prompts as its repository has them.
"""

from collections.abc import Mapping, Sequence

from protocols.domains.zwc.authors import script
from protocols.domains.zwc.authors.files import PACKAGE, Row
from protocols.domains.zwc.prompts import history_messages
from protocols.records import Message, Prompt, Step, Turn


def prompt(
    row: Row,
    array: str,
    documentation: Mapping[str, str] | None,
    history: Sequence[Turn] = (),
    step: Step = Step.INITIAL,
) -> Prompt:
    """The prompt of a row. `documentation` by obfuscated name is the open book, None the closed one."""
    first = Message(role="user", content=question(row, array, documentation))
    return Prompt(messages=(first, *history_messages(history, step)))


def question(row: Row, array: str, documentation: Mapping[str, str] | None) -> str:
    """The user turn. `array` is the obfuscated name of NumPy's `array`, without its package."""
    parts = [_INTRODUCTION.format(PACKAGE, ", functions of it" if documentation is not None else "")]
    if documentation is not None:
        shown = [{name.rpartition(".")[2]: documentation[name]} for name in row.functions]
        parts.append(f"### Functions of {PACKAGE}\n{shown}")
    parts += [
        f"### Problem\n{row.query}",
        f"### Test Cases\n{script.for_package(row.example, f'{PACKAGE}.{array}')}",
        f"### Function to Complete\n{row.stub}",
        _REQUIREMENTS.format(PACKAGE, " and the functions above" if documentation is not None else ""),
    ]
    return "\n\n".join(parts)


_INTRODUCTION = (
    "Here is a programming problem for the Python library {0}{1} and test cases for it. The test cases show "
    "the form of the data; their outputs may be wrong. Complete the function so that inputs and outputs have "
    "that form."
)
_REQUIREMENTS = """\
### Requirements
- Solve the problem with the {0} library{1}. Do not write its functions anew, and use no other library.
- Write the body of the function only: its name, its parameters and their order stay as they are.
- Built-in modules of Python may be imported; the work itself has to be done by {0}.
- End with the whole program in one block, opened by ```python: every import, and the completed function.
- What the function returns has the structure that the test cases show: a list where they show a list.

Now write the function, with calls of {0} in it."""
