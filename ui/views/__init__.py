"""One file for each page, run by Streamlit (`ui.app`). Not for importing: a page draws itself when it is read."""
