"""Which attempts of a run are meant: by a condition on its view `episodes`, or by a SELECT of their ids.

Anybody's SQL, so it goes through `RunReader.query`: it cannot write. Does not cover: what becomes of them
(`borrowing`).
"""

import difflib
import re

from memory.reader import RunReader
from protocols.errors import SettingError, StoreError

#: Longest time for a selection; a SELECT over a million attempts takes seconds.
DEADLINE_S = 60.0
#: Whole statements, those that write among them: what is refused is then said in plain words.
_STATEMENT = re.compile(
    r"\s*(select|with|values|insert|update|delete|replace\s+into|drop|alter|create|attach|detach|pragma|vacuum"
    r"|reindex|analyze|begin|commit|rollback)\b",
    re.IGNORECASE,
)


def attempts(reader: RunReader, where: str | None) -> frozenset[str] | None:
    """Ids of the selected attempts, of whatever purpose; None where nothing is asked for: all of them.

    Raises:
        StoreError: it is no SELECT, or wrong; the message names the nearest column.
        SettingError: what the SELECT gives are no ids of attempts.
    """
    if where is None:
        return None
    whole = bool(_STATEMENT.match(where))
    # On a line of its own, so that a comment at its end does not swallow the bracket.
    sql = where if whole else f"SELECT id FROM episodes WHERE (\n{where}\n)"
    try:
        rows = reader.query(sql, seconds=DEADLINE_S)
    except StoreError as error:
        raise StoreError(f"--where {where}: {_with_nearest(str(error), reader)}") from None
    found = frozenset(next(iter(row.values())) for row in rows)
    if whole and found:
        known = {row["id"] for row in reader.rows("SELECT id FROM attempts")}
        strange = next((one for one in found if one not in known), None)
        if strange is not None:
            raise SettingError(
                f"--where {where}: {strange!r} is no id of an attempt; select the column `id` of episodes"
            )
    return found


def _with_nearest(message: str, reader: RunReader) -> str:
    wrong = re.search(r"no such column: (\S+?);", message)
    if wrong is None:
        return message
    columns = [row["name"] for row in reader.rows("SELECT name FROM pragma_table_info('episodes')")]
    near = difflib.get_close_matches(wrong[1].rpartition(".")[2], columns, n=1)
    return f"{message}; did you mean {near[0]!r}?" if near else message
