"""Parts that pages share. Data reaches the browser through plain-text widgets only, made safe before.

Streamlit reads Markdown in labels, captions and messages, so those hold fixed words of ours; whatever
comes from a run goes through `ui.safe` into `st.text`, `st.code`, `st.dataframe` or a figure.
"""

import functools
import re
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, ParamSpec

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from protocols.errors import TaskspaceError
from protocols.verdicts import CATEGORIES
from ui import runs, theme
from ui.safe import clip, line, show

P = ParamSpec("P")
POLL_S = 2.0  # how often a page in view asks for the run's version: one indexed row


def calm(what: str, detail: str) -> None:
    """A state that is no failure of the screen: what there is (our words), and what to do about it."""
    st.info(what, icon=":material/info:")
    st.code(show(detail), language=None, wrap_lines=True)


def calmly(page: Callable[P, None]) -> Callable[P, None]:
    """A page or fragment whose run cannot be read says so in a sentence instead of a traceback."""

    @functools.wraps(page)
    def shown(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            page(*args, **kwargs)
        except TaskspaceError as error:
            calm("This run cannot be shown now.", str(error))

    return shown


def text(value: Any, name: str, height: int | None = None, lines: bool = False) -> None:
    """A text of unknown origin in a box of its own; what was clipped can be downloaded whole.

    Args:
        name: of the download, and of the box: unique on its page.
        height: of the box in pixels, from which on it scrolls.
    """
    whole = value if isinstance(value, str) else str(value)
    _, cut = clip(whole)
    shown = show(whole)
    tall = height is not None and shown.count("\n") > height // 22
    st.code(
        shown or " ",
        language=None,
        wrap_lines=not lines,
        line_numbers=lines,
        height=height if tall and height is not None else "content",
    )
    if cut:
        st.download_button(
            "Download the whole text",
            data=whole.encode(errors="backslashreplace"),
            file_name=f"{slug(name)}.txt",
            mime="application/octet-stream",  # a browser saves it and never opens it
            key=f"download {name}",
            on_click="ignore",
            icon=":material/download:",
        )


def slug(name: str) -> str:
    """A name that is safe in a file name, an address and a label."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", name)[:80]


def table(
    rows: Iterable[dict[str, Any]], columns: dict[str, Any], height: int | str = "auto", **more: Any
) -> Any:
    """Rows as a table: columns in this order, texts made safe, `{name: label or column config}`."""
    made = [{name: _cell(row.get(name)) for name in columns} for row in rows]
    return st.dataframe(
        pd.DataFrame(made, columns=list(columns)),
        hide_index=True,
        height=height,  # type: ignore[arg-type]
        column_config=columns,
        placeholder="–",
        **more,
    )


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | datetime):
        return value
    if isinstance(value, list | tuple):
        return line(", ".join(str(part) for part in value))
    return line(value)


def when(seconds: float | None) -> datetime | None:
    """UNIX seconds as this machine's local time."""
    return None if seconds is None else datetime.fromtimestamp(seconds)


def clock(seconds: float | None) -> str:
    return "–" if seconds is None else f"{datetime.fromtimestamp(seconds):%H:%M:%S}"


def percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


def figure(made: go.Figure, key: str, alt: str, **more: Any) -> Any:
    return st.plotly_chart(made, key=key, config=theme.PLAIN, alt=alt, **more)


def figure_and_table(
    made: go.Figure | None, key: str, alt: str, rows: Iterable[dict[str, Any]], columns: dict[str, Any]
) -> None:
    """A figure, and its numbers as a table for whoever cannot see it, folded away."""
    figure_or_nothing(made, key, alt)
    if made is not None:
        with st.expander(f"{alt}: the numbers", icon=":material/table_rows:"):
            table(rows, columns, height=300)


def alarm(what: str, where: str, since: float, do: str) -> None:
    """Something that is off: what (our words), where, since when, and what to do about it."""
    st.warning(what, icon=":material/warning:")
    st.code(show(f"where  {where}\nsince  {clock(since)}\ndo     {do}"), language=None, wrap_lines=True)


def picked(event: Any) -> list[str]:
    """What the chosen points of a figure carry as `customdata`, where that is one text."""
    found = [point.get("customdata") for point in event.selection.points]
    found = [value[0] if isinstance(value, list) and value else value for value in found]
    return [value for value in found if isinstance(value, str)]


def figure_or_nothing(made: go.Figure | None, key: str, alt: str) -> None:
    if made is None:
        st.caption("Nothing yet.")
    else:
        figure(made, key, alt)


def verdict_badge(reward: float | None, category: str) -> None:
    """The verdict as a coloured word. Categories that are not ours are shown as plain text beside it."""
    if reward is None:
        st.badge("no verdict: the sandbox failed", icon=":material/cloud_off:", color="gray")
    elif reward >= 1.0:
        st.badge("verified", icon=":material/check:", color="green")
    else:
        label = category.replace("_", " ") if category in CATEGORIES else "not verified"
        st.badge(label, icon=":material/close:", color="orange")
    if category not in CATEGORIES:
        st.text(line(category))


def episode_link(label: str, attempt_id: str, **more: Any) -> None:
    """A link to an episode of the same run. The label is ours."""
    name, _ = runs.chosen_run()
    st.page_link(
        "views/episode.py",
        label=label,
        query_params={runs.RUN_PARAM: name, "attempt": attempt_id},
        **more,
    )


def open_episode(attempt_id: str) -> None:
    """Go to an episode of the same run."""
    name, _ = runs.chosen_run()
    st.switch_page("views/episode.py", query_params={runs.RUN_PARAM: name, "attempt": attempt_id})


def tighten() -> None:
    """Less empty space above the title. Fixed words of ours; no data ever goes this way."""
    st.html(
        "<style>[data-testid='stMainBlockContainer'] {padding: 3.2rem 3rem 3rem}"
        "@media (max-width: 640px) {[data-testid='stMainBlockContainer'] {padding: 3.2rem 1rem 2rem}}</style>"
    )


EPISODE_COLUMNS: dict[str, Any] = {
    "at": st.column_config.TimeColumn("at", format="HH:mm:ss", width=80),
    "round": st.column_config.NumberColumn("round", width=60),
    "policy_version": st.column_config.NumberColumn("version", width=70),
    "purpose": st.column_config.TextColumn("purpose", width=80),
    "book": st.column_config.TextColumn("book", width=70),
    "step": st.column_config.TextColumn("step", width=80),
    "category": st.column_config.TextColumn("verdict", width=130),
    "topics": st.column_config.TextColumn("topics", width=150),
    "statement": st.column_config.TextColumn("task", width="large"),
}


def episode_table(rows: list[dict[str, Any]], key: str, height: int | str = "auto") -> None:
    """Episodes, one a row; choosing one opens it."""
    event = table(
        ({**row, "at": when(row["created"])} for row in rows),
        EPISODE_COLUMNS,
        height=height,
        key=key,
        on_select="rerun",
        selection_mode="single-row",
    )
    chosen = event.selection.rows
    if chosen and chosen[0] < len(rows):
        open_episode(rows[chosen[0]]["id"])
