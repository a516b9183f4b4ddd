"""A response as the program that the published evaluation runs.

    the last ```python block
    import zwc
    if __name__ == "__main__":  every case called, 20 times `=` printed, then each result and a `#`

Weaknesses that are kept: a block that is opened in another way, or not closed, is not found; the function
called is the first `def` in the *text*, be it a helper, a method or a comment; the cases are in reach of the
program, the outputs that their writer expected (not the truth) included.
"""

import re
from collections.abc import Sequence

SEPARATOR = "=" * 20

_BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)
_DEFINITION = re.compile(r"def\s+([a-zA-Z_]\w*)\s*\(")
_NUMPY_ARRAY = re.compile(r"\bnp\.array\b")


def last_block(response: str) -> str:
    """The code of a response; empty when there is none."""
    blocks = _BLOCK.findall(response)
    return blocks[-1] if blocks else ""


def first_function(code: str) -> str:
    """The name after the first `def` in the text; empty when there is none."""
    found = _DEFINITION.search(code)
    return found[1] if found else ""


def for_package(text: str, array: str) -> str:
    """Inputs of a case with the package's constructor (`array`, such as `zwc.yitaf`) for NumPy's."""
    return _NUMPY_ARRAY.sub(lambda _: array, text)


def script(code: str, cases: Sequence[tuple[str, str]]) -> str:
    """The whole program. `cases` are (inputs as the text between the parentheses of a call, expected)."""
    function = first_function(code)
    given = [{"input": inputs, "output": output} for inputs, output in cases]
    lines = [
        f"{code}import zwc",
        'if __name__ == "__main__":',
        f"    test_cases = {given!r}",
        "    result_list = []",
        *(f"    result_list.append({function}({inputs}))" for inputs, _ in cases),
        f'    print("{SEPARATOR}")',
        "    for i in range(len(result_list)):",
        "        print(result_list[i])",
        '        print("#")',
    ]
    return "\n".join(lines)


def outputs(stdout: str) -> list[str]:
    """The results in what a program printed: after the last separator, each before its `#`."""
    return [text.strip() for text in stdout.split(SEPARATOR)[-1].split("#")[:-1]]
