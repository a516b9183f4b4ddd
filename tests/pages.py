"""What tests of pages share: open one at an address, and read it."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

APP = Path(__file__).resolve().parents[1] / "ui" / "app.py"


class Show:
    """Opens a page at an address; a page that raises fails the test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch = monkeypatch
        self._patch.setattr("sys.argv", ["app"])

    def __call__(
        self, runs: Path, page: str, run: str | None = None, /, **address: str | list[str]
    ) -> AppTest:
        self._patch.setenv("TASKSPACE_RUNS", str(runs))
        app = AppTest.from_file(str(APP), default_timeout=60)
        for name, value in {"page": page, "run": run, **address}.items():
            if value is not None:
                app.query_params[name] = value
        app.run()
        for button in app.button:
            if button.key == "ask":  # what stands in an address is asked by whoever wants it
                button.click().run()
        assert not app.exception, [error.value for error in app.exception]
        assert not app.error
        return app


def texts(app: AppTest) -> str:
    """Everything on the page that is plain text."""
    parts = [element.value for kind in (app.text, app.code, app.caption, app.info) for element in kind]
    parts += [frame.value.to_csv() for frame in app.dataframe]
    return "\n".join(str(part) for part in parts)
