"""What an alert says."""

from protocols.records import Record


class Alert(Record, frozen=True):
    """One thing that is off. `kind` and `what` are fixed words; `where` may hold names of the run."""

    kind: str
    what: str
    where: str
    since: float  # UNIX seconds
    do: str
