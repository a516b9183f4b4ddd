"""Data: any SQL on the run, read-only; what comes out can be taken away."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import streamlit as st

from memory.reader import RunReader
from protocols.errors import TaskspaceError
from ui import blocks, queries_data, runs
from ui.safe import line

_SQL = "sql"
_ASKED = "asked sql"  # what the user asked, in this session
_CELL = 300  # characters of a text shown in a cell
_LATER = "application/octet-stream"  # a browser saves it and never opens it


@blocks.calmly
def data() -> None:
    name, run = runs.chosen_run()
    st.selectbox(
        "Examples",
        list(queries_data.EXAMPLES),
        index=None,
        key="example",
        placeholder="a question to begin with",
        on_change=_take,
    )
    sql = st.text_area(
        "SQL",
        key=_SQL,
        bind="query-params",
        height=190,
        placeholder="SELECT … FROM episodes",
        help="One SELECT on this run, read-only, for up to 5 seconds. Ctrl+Enter asks. The address keeps it.",
        on_change=_ask,
    )
    with st.expander("Tables and columns", icon=":material/schema:"):
        st.caption("docs/store.md says what each of them means.")
        blocks.text(runs.snapshot("tables", run, queries_data.tables), "tables", 320)
    if not (sql and sql.strip()):
        st.caption("Nothing asked yet.")
    elif st.session_state.get(_ASKED) == sql:
        _result(name, run, sql)
    else:  # an address may come from anybody: it asks nothing by itself
        st.caption("This stood in the address. Nothing is asked before you say so.")
        st.button("Ask", key="ask", on_click=_ask, type="primary", icon=":material/play_arrow:")
    st.subheader("The task space as a graph")
    st.caption("All tasks and attempts with what came from what, for Gephi, Cytoscape, igraph or networkx.")
    st.download_button(
        "GraphML",
        data=_file(partial(queries_data.as_graphml, run)),
        file_name=f"{blocks.slug(name)}.graphml",
        mime=_LATER,
        key="save graphml",
        on_click="ignore",
        icon=":material/hub:",
    )


def _take() -> None:
    """An example goes into the box, and so into the address."""
    chosen = st.session_state["example"]
    if chosen is not None:
        st.session_state[_SQL] = queries_data.EXAMPLES[chosen]
        _ask()


def _ask() -> None:
    """What stands in the box is asked, now and whenever the page is drawn again."""
    st.session_state[_ASKED] = st.session_state[_SQL]


def _result(name: str, run: Path, sql: str) -> None:
    def ask(reader: RunReader) -> tuple[list[dict[str, Any]], bool]:
        return queries_data.asked(reader, sql)

    try:
        rows, more = runs.snapshot("data", run, ask, key=sql)
    except TaskspaceError as error:
        if not str(error).startswith("query:"):
            raise
        blocks.calm("This SQL gives no answer.", str(error))
        return
    if not rows:
        st.caption("No rows.")
        return
    count = "One row." if len(rows) == 1 else f"{len(rows):,} rows."
    if more:
        count = f"The first {len(rows):,} rows; files hold up to {queries_data.SAVED:,}."
    st.caption(count)
    # Names of columns come from the SQL, which may stand in anybody's address.
    columns = {column: line(column, 60) for column in rows[0]}
    blocks.table(
        ({column: _cell(value) for column, value in row.items()} for row in rows),
        columns,
        height=min(560, 40 + 35 * len(rows)),
        key="data rows",
    )
    with st.container(horizontal=True):
        for label, made, ending in (
            ("CSV", queries_data.as_csv, "csv"),
            ("Parquet", queries_data.as_parquet, "parquet"),
        ):
            st.download_button(
                label,
                data=_file(partial(made, run, sql)),
                file_name=f"{blocks.slug(name)}.{ending}",
                mime=_LATER,
                key=f"save {ending}",
                on_click="ignore",
                icon=":material/download:",
            )


def _file(make: Callable[[], bytes]) -> Callable[[], bytes]:
    """Made when the button is pressed. What cannot be made then is told in the file, in a line."""

    def made() -> bytes:
        try:
            return make()
        except TaskspaceError as error:
            return f"taskspace: {error}\n".encode()

    return made


def _cell(value: Any) -> Any:
    if isinstance(value, bytes):
        return f"{len(value):,} bytes: {value[:12].hex()}{'…' if len(value) > 12 else ''}"
    return line(value, _CELL) if isinstance(value, str) else value


st.title("Data")
data()
