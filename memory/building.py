"""A new run folder made out of something else: whole, or not at all.

Also what the makers share: which tables there are, in an order in which rows may name each other.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from protocols.errors import StoreError

#: Tables with rows of a run, those that are named before those that name them. Texts go along with the rows.
TABLES = (
    "run",
    "rounds",
    "tasks",
    "proposals",
    "groups",
    "attempts",
    "tokens",
    "decisions",
    "updates",
    "samples",
    "proposal_samples",
    "evaluations",
    "buffer",
    "stages",
    "events",
)


@contextmanager
def building(out: Path, option: str) -> Iterator[Path]:
    """A folder to write into, which becomes `out` when the block ends well, and else is removed.

    Args:
        option: that names `out`, for messages.

    Raises:
        StoreError: there is something already, or it cannot be written.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise StoreError(f"{option} {out}: something is there already; give a new or an empty folder")
    made = not out.parent.exists()
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".unfinished-{out.name}-", dir=out.parent) as scratch:
            draft = Path(scratch) / "made"
            draft.mkdir()
            yield draft
            draft.rename(out)  # an empty folder gives way
    except OSError as error:
        raise StoreError(f"{option} {out}: {error.strerror}; choose another folder") from None
    finally:
        if made and not out.exists():
            with suppress(OSError):  # something else is in it: then it stays
                out.parent.rmdir()
