"""Which block of an answer counts, and where an answer ends: fences as CommonMark pairs them, and beyond."""

import textwrap
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.engines.stopping import first_end
from protocols.fences import CLOSING, code_blocks, ends_closed, ends_open, last_code_block

T = "```"
CODE = "def solve(x):\n    return x\n"
BODY = CODE.removesuffix("\n")
RIGHT = {
    "one block": f"{T}python\n{CODE}{T}",
    "an output behind it": f"{T}python\n{CODE}{T}\nIt prints:\n{T}text\n1\n{T}\nDone.",
    "a command behind it": f"{T}python\n{CODE}{T}\n{T}bash\npip install x\n{T}\nThat is all.",
    "a bare block behind it": f"{T}python\n{CODE}{T}\nIt prints\n{T}\n1\n{T}\nas wanted.",
    "a session behind it": f"{T}python\n{CODE}{T}\n{T}pycon\n>>> solve(1)\n1\n{T}",
    "python3": f"{T}python3\n{CODE}{T}",
    "Python": f"{T}Python\n{CODE}{T}",
    "py": f"{T} py\n{CODE}{T}",
    "attributes": f'{T}python title="a.py" {{1}}\n{CODE}{T}',
    "braces": f"{T}{{.python .numberLines}}\n{CODE}{T}",
    "tildes": f"~~~python\n{CODE}~~~\nSo it is.",
    "four ticks": f"{T}`python\n{CODE}{T}`\nSo it is.",
    "in a list": "1. So:\n\n" + textwrap.indent(f"{T}python\n{CODE}{T}\n", "   ") + "2. Done.",
    "quoted": textwrap.indent(f"{T}python\n{CODE}{T}\n", "> "),
    "indented as a whole": textwrap.indent(f"{T}python\n{CODE}{T}\n", "    "),
    "indented code": f"{T}python\n{textwrap.indent(CODE, '    ')}{T}",
    "carriage returns": f"{T}python\n{CODE}{T}\n".replace("\n", "\r\n"),
    "behind a thought": f"<think>\nHm.\n</think>\n{T}python\n{CODE}{T}",
    "behind prose": f"Sure: {T}python\n{CODE}{T}\nThat is all.",
    "no end": f"So:\n{T}python\n{CODE}",
    "a draft before it": f"{T}python\nx = 1\n{T}\nBetter:\n{T}python\n{CODE}{T}",
    "no word, an output behind it": f"{T}\n{CODE}{T}\n{T}\n1\n{T}",
    "another word": f"{T}pseudo\n{CODE}{T}\n{T}\n1\n{T}",
}


RIGHT |= {
    "an empty block behind it": f"{T}python\n{CODE}{T}\n{T}python\n{T}\n",
    "behind prose, and a draft before it": f"{T}python\nx = 1\n{T}\nFinally: {T}python\n{CODE}{T}\n",
    "a fence that is spoken of": f"I write a {T}python block.\n\n{T}python\n{CODE}{T}\nbye",
}


@pytest.mark.parametrize("text", RIGHT.values(), ids=RIGHT.keys())
def test_the_answer_is_found(text):
    assert last_code_block(text, "solve") == BODY


@pytest.mark.parametrize("text", ["", "def solve(x): ...", f"{T}js\nsolve()\n{T}", f"{T}text\n1\n{T}\nok"])
def test_there_is_no_code(text):
    assert last_code_block(text, "solve") is None


@pytest.mark.parametrize("indent", ["", "  ", "    "])
def test_fences_in_a_docstring_close_nothing(indent):
    inner = textwrap.indent(f'"""Says:\n\n{T}\n>>> solve(1)\n{T}\n"""\n', indent)
    code = f"def solve(x):\n{inner}    return x\n" if indent else f"{inner}{CODE}"
    text = f"{T}python\n{code}{T}\nDone.\n{T}\n1\n{T}"
    assert last_code_block(text, "solve") == code.removesuffix("\n")


def test_a_string_that_never_ends_takes_nothing_with_it():
    text = f'{T}python\ns = """abc\n{T}\nProse.\n{T}text\n1\n{T}'
    assert [block.body for block in code_blocks(text)] == ['s = """abc', "1"]


LINES = st.lists(st.sampled_from(["x = 1", "    y", "", "# note", "print('`')", '"a"']), max_size=6)


@given(LINES, LINES, st.sampled_from(["", "python", "py", "text", "bash"]))
def test_code_comes_back_as_it_was_written(first, then, word):
    body = "".join(f"{line}\n" for line in first)
    after = "".join(f"{line}\n" for line in then)
    text = f"Before.\n\n{T}python\n{body}{T}\n\nBetween.\n\n{T}{word}\n{after}{T}\n\nAfter."
    found = [block.body for block in code_blocks(text)]
    assert found == [textwrap.dedent(one.removesuffix("\n")) for one in (body, after)]


@given(st.text(alphabet="`~ab\n \"'>-1.", max_size=60))
def test_any_text_can_be_read(text):
    for block in code_blocks(text):
        assert isinstance(block.body, str)
    assert not (ends_open(text) and ends_closed(text))


def end(said: str, given: str = "") -> str | None:
    at = first_end(given + said, len(given), (CLOSING,))
    return None if at is None else (given + said)[len(given) : at]


def test_an_answer_ends_where_its_block_closes_and_not_where_it_opens():
    explained = f"It is the mean.\n{T}python\n{CODE}{T}"
    assert end(explained + "\nDone.") == explained
    assert end(f"{CODE}{T}\nDone.", f"{T}python\n") == CODE + T
    assert end(f"It is the mean.\n{T}\n{CODE}{T}\n") == f"It is the mean.\n{T}\n{CODE}{T}"
    assert end(f"It is the mean.\n{T}python\n{CODE}") is None
    documented = f'def solve(x):\n    """\n    {T}\n    1\n    {T}\n    """\n    return x\n{T}'
    assert end(documented + "\nDone.", f"{T}python\n") == documented


DOCUMENTED = f'def f():\n  """\n  {T}\n  f()\n  {T}\n  """\n  return 1'


@pytest.mark.parametrize(
    "text",
    [
        f"1. Do:\n   {T}python\n{textwrap.indent(DOCUMENTED, '   ')}\n   {T}\nbye",
        textwrap.indent(f"{T}python\n{DOCUMENTED}\n{T}", "> "),
        f"{T}\n{DOCUMENTED}\n{T}\nbye",
    ],
    ids=["in a list", "quoted", "without a word"],
)
def test_fences_in_a_docstring_stay_where_they_stand(text):
    assert last_code_block(text, "f") == DOCUMENTED


@pytest.mark.parametrize("code", [f'def f():\n    pat = "{T}python"\n    return pat', "x = '''a\n   \nb'''"])
def test_code_is_not_rewritten(code):
    assert last_code_block(f"{T}\n{code}\n{T}\nbye", "f") == code


def test_an_answer_goes_on_where_a_fence_closes_nothing():
    spoken = f"I'll answer in a {T}python block.\n\n{T}python\n{CODE}{T}"
    assert end(spoken + "\nbye") == spoken
    inner = f"{T}python\ndef f(x):\n    return f'''\n{T}\n{{x}}\n{T}\n'''\n{T}"
    assert end(inner + "\nbye") == inner


LONG = {
    "strings": f"{T}python\nx='''\n{T}\n'''\n{T}\n\n" * 400,
    "strings without an end": f"{T}python\nx='''\n{T}\n\n" * 400,
    "ticks": "`" * 20_000,
    "behind prose": f"a {T}python\n" * 2000,
}


@pytest.mark.parametrize("text", LONG.values(), ids=LONG.keys())
@pytest.mark.timeout(60)
def test_an_answer_of_nothing_but_fences_takes_no_minutes(text):
    code_blocks(text)
    ends_closed(text)


RIGHT = "def solve(x):\n    return x\n"


@pytest.mark.parametrize(
    "answer",
    [
        f"```python\n{RIGHT}```\nUsage:\n```python\nprint(solve(1))\n```",
        f"```python\n{RIGHT}```</answer>",
        f"```python\n{RIGHT}``` That is it.",
        f"<answer>\n```python\n{RIGHT}```Explanation\nIt returns x.",
        f"<think>\n```python\ndef solve(x):\n    return\n</think>\n```python\n{RIGHT}```",
        f"````markdown\n# Answer\n```python\n{RIGHT}```\n````",
    ],
)
def test_what_models_write_round_right_code(answer: str) -> None:
    found = last_code_block(answer, "solve")
    assert found is not None and found.strip() == RIGHT.strip()


def test_a_small_answer_takes_no_long_time() -> None:
    nested = "\n\n".join(" " * (4 * (i + 1)) + "x" for i in range(24))
    deep = f"{nested}\n\n{' ' * 100}```python\n{' ' * 100}def solve(): pass\n"
    began = time.process_time()
    last_code_block(deep, "solve"), ends_closed(deep), ends_open(deep)
    last_code_block("```python\ns='''\n```\n" * 300)
    assert time.process_time() - began < 20
