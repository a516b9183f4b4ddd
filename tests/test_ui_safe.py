"""Text from a model is shown as text: nothing unseen, nothing endless, no markup."""

import unicodedata
from html import unescape

from hypothesis import given
from hypothesis import strategies as st

from ui import safe

ANYTHING = st.text(st.characters(), max_size=200)


def unseen(text: str) -> set[str]:
    """Characters that a reader does not see, or that move others about."""
    return {c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") and c not in "\n\t"}


def test_what_hides_is_shown() -> None:
    assert safe.show("\x1b[31mred\x07") == r"\x1b[31mred\x07"
    assert safe.show("abc\u202edcb") == r"abc\u202edcb"
    assert safe.show("zero\u200bwidth\ufeff") == r"zero\u200bwidth\ufeff"
    assert safe.show("a\r\nb\rc") == "a\\r\nb\\rc"
    assert safe.show("\ud83d") == r"\ud83d"
    assert safe.show("\U000e0041\u2028") == r"\U000e0041\u2028"
    assert safe.show("\u3164") == r"\u3164"


def test_ordinary_text_stays_as_it_is() -> None:
    text = "def solve(a):\n\treturn zwc.kopado(a)  # größer, 数, 🙂, <b>\n"
    assert safe.show(text) == text


@given(ANYTHING)
def test_nothing_unseen_is_left(text: str) -> None:
    assert not unseen(safe.show(text))
    assert not unseen(safe.line(text)) and "\n" not in safe.line(text)
    assert not unseen(safe.hover(text))


@given(ANYTHING)
def test_hover_holds_no_markup_but_line_breaks(text: str) -> None:
    shown = safe.hover(text, max_lines=10_000)
    bare = shown.replace("<br>", "")
    assert "<" not in bare and ">" not in bare
    assert unescape(bare) == safe.reveal(text.replace("\t", " ")).replace("\n", "")


def test_long_lines_are_clipped_with_a_notice() -> None:
    text = "a\n" + "x" * 1_000_000 + "\nb"
    shown = safe.show(text)
    assert len(shown) < safe.MAX_TEXT and "line of 1,000,000 characters" in shown
    assert "text of 1,000,004 characters, clipped" in shown
    assert safe.clip(text)[1] and not safe.clip("short")[1]


def test_a_long_line_inside_a_short_text_keeps_what_follows() -> None:
    text = "x" * (safe.MAX_LINE + 1) + "\nthe end"
    shown = safe.show(text)
    assert shown.endswith("\nthe end") and f"line of {safe.MAX_LINE + 1:,} characters" in shown


@given(st.integers(1, 30), st.text("ab\n", max_size=200), st.integers(1, 100))
def test_clipping_keeps_short_lines_and_bounds_the_rest(width: int, text: str, most: int) -> None:
    shown, cut = safe.clip(text, width, most)
    if not cut:
        assert shown == text
    else:
        assert "…" in shown
        assert all(len(line) <= width + 80 for line in shown.split("\n"))


def test_lines_of_tables_are_short() -> None:
    assert safe.line("a\nb\tc") == "a ⏎ b c"
    assert len(safe.line("y" * 5_000)) == 120
    assert safe.line(3.5) == "3.5"
