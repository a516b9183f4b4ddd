"""A run as Parquet files, one a table, and back.

    DIR/episodes.parquet   a row an attempt, as `memory.lines` has it (`info` as JSON): for trainers
    DIR/attempts.parquet   what was answered, with token ids and log-probabilities as lists
    DIR/verdicts.parquet   what was said of it, a row an attempt
    DIR/TABLE.parquet      every other table of the store; columns that end in `_text` hold the text itself

Written from one state of the store, in parts, so that a run in progress can be exported and a large one does
not have to fit into memory.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from memory import lines, opening
from memory.building import TABLES
from memory.codec import from_json, text_hash, to_json, to_text
from memory.privacy import portable
from memory.reading import ReadOnly
from protocols.errors import StoreError

ROWS = 1024  # written or read at once
EPISODES = "episodes"

#: Columns of `attempts` that hold what the verifier said.
VERDICT = ("reward", "category", "infra_error", "flipped", "verdict_seconds", "evidence_json")

Columns = dict[str, str]  # name -> type in the store

_TYPES = {"INTEGER": pa.int64(), "REAL": pa.float64(), "TEXT": pa.string()}
_LISTS = {"token_ids": np.dtype("<u4"), "logprobs": np.dtype("<f4")}
_SAID = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
_EPISODE = pa.schema(
    [
        ("example_id", pa.string()),
        ("prompt", _SAID),
        ("completion", _SAID),
        ("answer", pa.string()),
        ("reward", pa.float64()),
        ("task", pa.string()),
        ("info", pa.string()),
    ]
)


def write(source: Path, folder: Path) -> dict[str, int]:
    """Export a run; returns how many rows each file has.

    Args:
        source: the run folder or its run.db.
        folder: is there, and empty.
    """
    counts = {}
    with ReadOnly(source) as reader:
        reader.rows("BEGIN")  # one state for all files
        for name, (table, wanted) in _files(reader).items():
            schema = pa.schema([(column, _arrow(column, kind)) for column, kind in wanted.items()])
            rewritten = _portable if table == "run" else list
            parts = (
                pa.Table.from_arrays(
                    [_array(f, v) for f, v in zip(schema, zip(*rewritten(rows)))], schema=schema
                )
                for rows in reader.parts(_select(table, wanted), size=ROWS)
            )
            counts[name] = _written(folder / f"{name}.parquet", schema, parts)
        counts[EPISODES] = _written(folder / f"{EPISODES}.parquet", _EPISODE, _episodes(reader))
    return counts


def read(folder: Path, path: Path) -> dict[str, int]:
    """Make a run database of what `write` wrote; returns how many rows each table has.

    Raises:
        StoreError: a file or a column is missing, or rows name others that are not there.
    """
    connection = opening.new(path, {})
    try:
        with opening.errors_of(path), ReadOnly(path) as reader:
            connection.execute("BEGIN")
            connection.execute("PRAGMA defer_foreign_keys = ON")
            counts = {}
            for name, (table, wanted) in _files(reader).items():
                if name != "verdicts":
                    counts[name] = _read_table(connection, folder, name, table, wanted)
            lost = connection.execute("PRAGMA foreign_key_check").fetchone()
            if lost:
                raise StoreError(f"{folder}: rows of {lost[0]} name rows of {lost[2]} that are not there")
            connection.commit()
    finally:
        connection.close()
    return counts


def episodes(file: Path) -> Iterator[lines.Line]:
    """The rows of a file with prompt and completion: Parquet, or a Hugging Face Arrow file.

    Raises:
        StoreError: it is neither, or damaged.
    """
    try:
        if file.suffix == ".arrow":
            with pa.memory_map(str(file)) as stored:
                for batch in pa.ipc.open_stream(stored):
                    yield from batch.to_pylist()
        else:
            for batch in pq.ParquetFile(file).iter_batches(ROWS):
                yield from batch.to_pylist()
    except pa.ArrowException as error:
        raise StoreError(f"{file}: cannot be read ({' '.join(str(error).split())[:200]})") from None


def _files(reader: ReadOnly) -> dict[str, tuple[str, Columns]]:
    """By file a table, and which columns of it stand there."""
    found = {table: (table, reader.columns(table)) for table in TABLES if table != "tokens"}
    whole = found["attempts"][1]
    answered = {column: kind for column, kind in whole.items() if column not in VERDICT}
    found["attempts"] = ("attempts", answered | dict.fromkeys(_LISTS, "BLOB"))
    found["verdicts"] = ("attempts", {c: whole[c] for c in ("seq", "id", *VERDICT)})
    return found


def _select(table: str, wanted: Columns) -> str:
    def value(column: str) -> str:
        if column.endswith("_text"):
            return f"(SELECT body FROM texts WHERE id = t.{column})"
        return f"k.{column}" if table == "attempts" and column in _LISTS else f"t.{column}"

    tokens = " LEFT JOIN tokens k ON k.attempt_seq = t.seq" if table == "attempts" else ""
    order = "t.seq" if "seq" in wanted else ", ".join(f"t.{column}" for column in list(wanted)[:2])
    return f"SELECT {', '.join(map(value, wanted))} FROM {table} t{tokens} ORDER BY {order}"


def _portable(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Settings and facts of a run, for another machine."""
    return [(key, to_json(portable(from_json(text)))) for key, text in rows]


def _arrow(column: str, kind: str) -> pa.DataType:
    if column in _LISTS:
        return pa.list_(pa.from_numpy_dtype(_LISTS[column]))
    return pa.string() if column.endswith("_text") else _TYPES[kind]


def _array(field: pa.Field, values: Sequence[Any]) -> pa.Array:
    if field.name in _LISTS:
        unpacked = _LISTS[field.name]
        values = [None if blob is None else np.frombuffer(blob, unpacked) for blob in values]
    return pa.array(values, field.type)


def _episodes(reader: ReadOnly) -> Iterator[pa.Table]:
    part: list[lines.Line] = []
    for line in lines.lines(reader):
        said = {name: [_plain(message) for message in line[name]] for name in ("prompt", "completion")}
        part.append({**_plain(line), **said, "info": to_json(line["info"])})
        if len(part) == lines.CHUNK:
            yield pa.Table.from_pylist(part, _EPISODE)
            part = []
    yield pa.Table.from_pylist(part, _EPISODE)


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """Its texts in a form that has UTF-8 bytes."""
    return {name: to_text(value) if isinstance(value, str) else value for name, value in values.items()}


def _written(file: Path, schema: pa.Schema, parts: Iterator[pa.Table]) -> int:
    count = 0
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for part in parts:
            writer.write_table(part)
            count += len(part)
    return count


def _read_table(connection: sqlite3.Connection, folder: Path, name: str, table: str, wanted: Columns) -> int:
    if table == "attempts":
        wanted = wanted | dict.fromkeys(VERDICT, "")
    plain = [column for column in wanted if not (table == "attempts" and column in _LISTS)]
    values = ", ".join(
        "(SELECT id FROM texts WHERE hash = ?)" if column.endswith("_text") else "?" for column in plain
    )
    sql = f"INSERT INTO {table} ({', '.join(plain)}) VALUES ({values})"
    count = 0
    for rows in _rows(folder, name):
        for column in wanted:
            if column not in rows or (column.endswith("_text") and None in rows[column]):
                raise StoreError(
                    f"{folder}/{name}.parquet: lacks {column}; it was exported by another version, or from a "
                    "damaged run: see `taskspace check`"
                )
            if column.endswith("_text"):
                rows[column] = _kept(connection, rows[column])
            elif column in _LISTS:
                packed = _LISTS[column]
                rows[column] = [None if v is None else np.asarray(v, packed).tobytes() for v in rows[column]]
        connection.executemany(sql, zip(*(rows[column] for column in plain)))
        if table == "attempts":
            connection.executemany("INSERT INTO tokens VALUES (?, ?, ?)", zip(*(rows[c] for c in _TOKENS)))
        count += len(rows[plain[0]])
    return count


_TOKENS = ("seq", *_LISTS)


def _rows(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    """Columns by name, part by part; attempts together with their verdicts.

    Raises:
        StoreError: the file is missing, damaged, or lacks a column.
    """
    names = ("attempts", "verdicts") if name == "attempts" else (name,)
    for file in (folder / f"{one}.parquet" for one in names):
        if not file.is_file():
            raise StoreError(f"{file}: is missing; export the run again with --parquet")
    try:
        opened = [pq.ParquetFile(folder / f"{one}.parquet") for one in names]
        for parts in zip(*(file.iter_batches(ROWS) for file in opened), strict=True):
            yield {column: values for part in parts for column, values in part.to_pydict().items()}
    except (pa.ArrowException, OSError, ValueError) as error:
        words = " ".join(str(error).split())[:200]
        raise StoreError(f"{folder}/{name}.parquet: cannot be read ({words})") from None


def _kept(connection: sqlite3.Connection, bodies: list[str]) -> list[bytes]:
    """Keep texts; returns their hashes, by which rows name them."""
    hashes = [text_hash(body) for body in bodies]
    connection.executemany(
        "INSERT INTO texts (hash, body) VALUES (?, ?) ON CONFLICT (hash) DO NOTHING", zip(hashes, bodies)
    )
    return hashes
