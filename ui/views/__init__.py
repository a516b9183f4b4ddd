"""One file for each page, run by Streamlit (`ui.app`). Not for importing: reading a page draws it."""
