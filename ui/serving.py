"""What the screen's process runs: Streamlit, and a watch on whoever started it: it does not outlive them."""

import os
import signal
import sys
import threading
import time

_LOOK_EVERY_S = 1.0


def main() -> None:
    """`python -m ui.serving PARENT streamlit-arguments...`"""
    parent, *arguments = sys.argv[1:]
    threading.Thread(target=_watch, args=(int(parent),), daemon=True).start()
    from streamlit.web import cli

    sys.argv = ["streamlit", *arguments]
    cli.main(prog_name="streamlit")


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_EVERY_S)
    signal.raise_signal(signal.SIGTERM)  # as whoever started it would have ended it
    time.sleep(5.0)
    os._exit(0)


if __name__ == "__main__":
    main()
