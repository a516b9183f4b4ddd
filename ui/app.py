"""The screen: choose a run, then watch it live, walk its task space, replay an episode, see it learn.

`ui.launch` starts this file under Streamlit. Every view can be restored from its address: the page is the
path (or `?page=`), `run`, `attempt`, `task` and the choices on a page are query parameters.

    ui/runs.py      which run, opened read-only           ui/safe.py     text that cannot do harm
    ui/queries.py   what is asked of it                   ui/blocks.py   parts that pages share
    ui/charts.py    figures from plain data               ui/views/      one file for each page
    ui/player.py    replays: play, pause, move            ui/tokens.py   the one place that writes HTML
"""

from pathlib import Path

import streamlit as st

from ui import blocks, runs

# The folder is not called `pages`: Streamlit would serve such a folder by rules of its own until `main` has
# run once, and a visitor's first address could miss the run.
_ICON = Path(__file__).with_name("icon.svg")
PAGES = {
    "live": st.Page(
        "views/live.py", title="Live", icon=":material/monitoring:", url_path="live", default=True
    ),
    "space": st.Page("views/space.py", title="Task space", icon=":material/hub:", url_path="space"),
    "episode": st.Page("views/episode.py", title="Episode", icon=":material/forum:", url_path="episode"),
    "learning": st.Page("views/learning.py", title="Learning", icon=":material/school:", url_path="learning"),
    "compare": st.Page("views/compare.py", title="Compare", icon=":material/balance:", url_path="compare"),
    "data": st.Page("views/data.py", title="Data", icon=":material/table:", url_path="data"),
    "runs": st.Page("views/runs.py", title="Runs", icon=":material/folder_open:", url_path="runs"),
}
OF_MANY = ("compare", "runs")  # pages about the folder, whichever run is chosen


def main() -> None:
    # A named icon would be fetched from the network for the browser's tab; this one is ours.
    st.set_page_config(page_title="taskspace", page_icon=str(_ICON), layout="wide")
    blocks.tighten()
    page = st.navigation(list(PAGES.values()))
    asked = st.query_params.get("page")
    if asked in PAGES:  # ?page=… on any path; the rest of the address stays
        rest = {key: st.query_params.get_all(key) for key in st.query_params if key != "page"}
        del st.query_params["page"]
        if PAGES[asked].url_path != page.url_path:
            st.switch_page(PAGES[asked], query_params=rest)
    found = runs.find_runs(runs.runs_dir())
    chosen = _choose(found)
    if chosen is None and not (found and page.url_path in OF_MANY):
        _wait(found)
    else:
        if chosen is not None:
            st.session_state["chosen run"] = (chosen, found[chosen])
        page.run()


def _choose(found: dict[str, Path]) -> str | None:
    """The sidebar's choice, in step with the address; None while what is asked for is not there."""
    names = list(found)
    asked = st.query_params.get(runs.RUN_PARAM) or st.session_state.get("run name") or next(iter(names), None)
    with st.sidebar:
        name = st.selectbox(
            "Run",
            names,
            index=names.index(asked) if asked in names else None,
            key=f"run picker {asked in names}",  # another widget, so that a run that comes up is taken
            placeholder="choose a run",
            help="The run that was written to last stands first. Type to search; Runs lists them all.",
            on_change=_forget,
        )
    if name is not None:
        st.query_params[runs.RUN_PARAM] = name
        st.session_state["run name"] = name
    return name


def _forget() -> None:
    """Another run has other episodes and nodes."""
    for name in ("attempt", "node", "replay", "topic", "part", "upto"):
        st.query_params.pop(name, None)


@st.fragment(run_every=blocks.POLL_S)
def _wait(found: dict[str, Path]) -> None:
    """Nothing to show yet: look again and again, and go on as soon as there is."""
    folder = runs.runs_dir()
    if runs.find_runs(folder).keys() - found.keys():
        st.rerun()
    asked = st.query_params.get(runs.RUN_PARAM)
    if asked:
        blocks.calm(
            "This run has not written anything here yet.",
            f"{folder}: no run {asked!r}; it is shown when it begins. Or choose another run on the left.",
        )
    else:
        blocks.calm(
            "There is no run to show yet.",
            f"{folder} holds no run folder; start one with `taskspace run quickstart`, and it is shown here.",
        )


main()
