"""What a terminal obeys is shown and not sent, unless it comes from tables and bars of ours."""

import os
import pty
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.visible import reveal

SAY = """
import sys
from experiments import terminal
terminal.set_up()
for stream in (sys.stdout, sys.stderr):
    print(TEXT, file=stream, flush=True)
"""
TITLE, COLOUR, UP = "\x1b]0;owned\x07", "\x1b[31mred\x1b[0m", "\x1b[1A\x1b[2K"


def said(text: str) -> tuple[str, str]:
    code = SAY.replace("TEXT", repr(text))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout, done.stderr


@pytest.mark.parametrize("text", [TITLE, COLOUR, UP, "a\rb", "\x9b31m", "\x08\x7f\x00", "\u202eabc"])
def test_files_and_pipes_get_nothing_that_a_terminal_obeys(text: str) -> None:
    for found in said(text):
        assert found == reveal(text).replace("\r", "\\r") + "\n"
        assert found.rstrip("\n").isprintable()


def test_line_ends_tabs_and_other_letters_stay() -> None:
    text = "a\tb\nπ 漢 👩‍👧"
    assert said(text) == (f"{text}\n", f"{text}\n")


def test_a_terminal_gets_colours_and_on_standard_error_movements() -> None:
    mine, theirs = pty.openpty()
    code = SAY.replace("TEXT", repr(TITLE + COLOUR + UP))
    subprocess.run([sys.executable, "-c", code], stdout=theirs, stderr=theirs, check=True)
    os.close(theirs)
    out, err = os.read(mine, 4096).decode().splitlines()
    os.close(mine)
    assert out == "\\x1b]0;owned\\x07" + COLOUR + reveal(UP)
    assert err == "\\x1b]0;owned\\x07" + COLOUR + UP


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_revealed_texts_are_printable_line_by_line(text: str) -> None:
    shown = reveal(text)
    assert all(c in "\n\t" or c.isprintable() or c.isspace() for c in shown)
    assert reveal(shown) == shown
