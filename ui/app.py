"""The screen: choose a run, then watch it live, walk its task space, replay an episode, see it learn.

`ui.launch` starts this file under Streamlit. Every view can be restored from its address: the page is the
path (or `?page=`), `run`, `attempt`, `task` and the choices on a page are query parameters.

    ui/runs.py      which run, opened read-only           ui/safe.py     text that cannot do harm
    ui/queries.py   what is asked of it                   ui/blocks.py   parts that pages share
    ui/charts.py    figures from plain data               ui/views/      one file for each page
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
}


def main() -> None:
    # A named icon would be fetched from the network for the browser's tab; this one is ours.
    st.set_page_config(page_title="taskspace", page_icon=str(_ICON), layout="wide")
    blocks.tighten()
    page = st.navigation(list(PAGES.values()))
    asked = st.query_params.get("page")
    if asked in PAGES:  # ?page=… on any path; the rest of the address stays
        rest = {key: value for key, value in st.query_params.to_dict().items() if key != "page"}
        del st.query_params["page"]
        if PAGES[asked].url_path != page.url_path:
            st.switch_page(PAGES[asked], query_params=rest)
    folder = runs.runs_dir()
    found = runs.find_runs(folder)
    if not found:
        blocks.calm(
            "There is no run to show yet.",
            f"{folder} holds no run folder; start one with `taskspace run quickstart`, then reload.",
        )
        return
    _choose(found)
    page.run()


def _choose(found: dict[str, Path]) -> None:
    """The sidebar's choice, in step with the address."""
    names = list(found)
    asked = st.query_params.get(runs.RUN_PARAM) or st.session_state.get("run name")
    with st.sidebar:
        name = st.selectbox("Run", names, index=names.index(asked) if asked in names else 0, key="run picker")
        if asked is not None and asked not in names:
            st.caption("The run in the address is not here; this is the newest one.")
    if st.query_params.get(runs.RUN_PARAM) != name:
        st.query_params[runs.RUN_PARAM] = name
    st.session_state["run name"] = name
    st.session_state["chosen run"] = (name, found[name])


main()
