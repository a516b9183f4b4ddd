"""Opening run databases: settings of connections, migrations, the folder lock, errors in plain words."""

import os
import socket
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout

from memory import filesystems, objects
from memory.schema import APPLICATION_ID, MIGRATIONS
from protocols.errors import StoreError

_BUSY_S = 10.0

#: What a writing connection is set to, each with its reason. Where the log cannot work, see `_pragmas`.
WRITER_PRAGMAS = {
    "trusted_schema": "OFF",  # what a file brings along calls no function that does more than compute
    "journal_mode": "WAL",  # readers go on while a batch is written, and see whole batches only
    # With NORMAL a commit is in the kernel's hands when it returns: any process may be killed and no admitted
    # group is lost. Only the log's fold into the file waits for the disk, so power loss may take the last
    # batches, never the file's integrity. FULL would pay one fsync per batch for the power-loss case alone.
    "synchronous": "NORMAL",
    "foreign_keys": "ON",  # off by default in SQLite; every number must lead back to its episode
    "cache_size": "-65536",  # 64 MiB: the indexes on random ids stay in memory up to about a million attempts
    "wal_autocheckpoint": "4000",  # fold the log every 16 MiB: hot index pages are copied less often
    "journal_size_limit": str(64 * 2**20),  # give disk back after a long reader made the log grow
}

_WORDS = {
    sqlite3.SQLITE_FULL: "the disk is full; free some space, then go on with --resume",
    sqlite3.SQLITE_IOERR: "the disk failed to read or write; check it, then go on with --resume",
    sqlite3.SQLITE_BUSY: "another program keeps it locked; close that program, then go on with --resume",
    sqlite3.SQLITE_READONLY: "it may not be written to; check the permissions of the file and its folder",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check that the folder exists and may be written to",
    sqlite3.SQLITE_CORRUPT: "it is damaged; restore a copy, or save the rest: `taskspace check --repair`",
    sqlite3.SQLITE_NOTADB: "it is not a database; name the run.db of a run folder",
}


@contextmanager
def errors_of(path: Path) -> Iterator[None]:
    """Turn what the machine did to a database into `StoreError`. Mistakes of ours stay what they are."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", None)
        words = _WORDS.get(code & 0xFF) if code is not None else None
        if words is None:
            raise
        raise StoreError(f"{path}: {words} ({error})") from error


class FolderLock:
    """One writer per run folder. The kernel drops the lock with its process, however that one ends.

    Raises:
        StoreError: another process has it.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / "run.lock"
        # No soft fallback: a marker file would outlive `kill -9`.
        self._lock = FileLock(path, thread_local=False, fallback_to_soft=False)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(blocking=False)
            path.write_text(f"{os.getpid()} on {socket.gethostname()}\n")
        except Timeout:
            holder = path.read_text(errors="replace").strip() or "unknown"
            raise StoreError(
                f"{folder}: run folder in use by process {holder}; wait for it or stop it"
            ) from None
        except OSError as error:
            self._lock.release()
            raise StoreError(
                f"{folder}: cannot be locked ({error}); choose a writable local folder"
            ) from error

    def release(self) -> None:
        """Let the folder go. Safe to call twice."""
        self._lock.release()


def writer(folder: Path) -> Literal["here", "gone", "unknown"]:
    """Whether the process that wrote last to a run folder still holds it. Looks only, and takes no lock.

    Returns:
        here: it does, on this machine; gone: it ended; unknown: it is or was on another machine, or this
        system does not list its locks.
    """
    path = folder / "run.lock"
    try:
        number, _, host = path.read_text(errors="replace").strip().partition(" on ")
        inode = path.stat().st_ino
        held = Path("/proc/locks").read_text()
    except OSError:
        return "unknown"
    if host != socket.gethostname():
        return "unknown"
    # 1: FLOCK  ADVISORY  WRITE 3671 fe:00:802139 0 EOF
    locks = [line.split()[4:6] for line in held.splitlines()]
    mine = any(lock[:1] == [number] and lock[-1].endswith(f":{inode}") for lock in locks if lock)
    return "here" if mine else "gone"


def require_file(path: Path) -> None:
    """Raises StoreError when there is no such file."""
    if not path.is_file():
        raise StoreError(f"{path}: there is no run database; name a run folder that holds run.db")


def schema_version(connection: sqlite3.Connection, path: Path) -> int:
    """Migrations applied to an open database; 0 for an empty one.

    Raises:
        StoreError: it is not a run database, or was written by a newer taskspace.
    """
    with errors_of(path):
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if application != APPLICATION_ID and (tables or version):
        raise StoreError(f"{path}: a database, but not of a taskspace run; name the run.db of a run folder")
    if version > len(MIGRATIONS):
        raise StoreError(
            f"{path}: schema version {version} is newer than this taskspace's {len(MIGRATIONS)};"
            " upgrade taskspace to open it"
        )
    return int(version)


def cut_short(path: Path) -> bool:
    """Whether the file was made and has nothing in it; what is wrong with one that cannot be read is told
    when it is opened."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            return not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    except sqlite3.Error:
        return False


def new(path: Path, run: Mapping[str, str]) -> sqlite3.Connection:
    """A writing connection to a new database with these `run` rows (JSON by key).

    Raises:
        StoreError: the file holds a run already.
    """
    with _writing(path, fresh=True) as connection:
        _migrate(connection, path, 0, run)
    return connection


class OlderSchemaError(StoreError):
    """A run of an earlier version: whoever opens it for writing migrates it."""


def existing(path: Path) -> sqlite3.Connection:
    """A writing connection to a run database, migrated to this version.

    Raises:
        StoreError: empty, damaged, newer, or something else.
    """
    with _writing(path) as connection:
        with errors_of(path):
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            pages, size = (
                connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size")
            )
        if path.stat().st_size < pages * size:
            raise StoreError(f"{path}: {_WORDS[sqlite3.SQLITE_CORRUPT]} (the end of the file is missing)")
        version = schema_version(connection, path)
        _require_own(connection, path, version)
        _migrate(connection, path, version, {})
    return connection


def _require_own(connection: sqlite3.Connection, path: Path, version: int) -> None:
    with errors_of(path):
        objects.require_own(connection, path, MIGRATIONS[:version])


def read_only(path: Path) -> sqlite3.Connection:
    """A connection that cannot write, for use by one thread at a time.

    Raises:
        StoreError: no such file, or as `schema_version` says.
        OlderSchemaError: it is readable once `taskspace check --repair` or a resumed run has migrated it.
    """
    require_file(path)
    uri = path.resolve().as_uri()
    with errors_of(path):
        try:
            connection = _connect_read_only(f"{uri}?mode=ro")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
                raise  # busy, say: somebody is writing, and it must not be read as if nobody were
            # SQLite needs a writable folder to share a log with a writer. Without a log there is none to
            # share: a finished run on a read-only disk is read as it lies.
            logs = [path.with_name(path.name + suffix) for suffix in ("-wal", "-journal")]
            if any(log.exists() and log.stat().st_size for log in logs):
                # Half a batch of a killed writer: undone by whoever may write; else nobody can read on.
                _undo(uri)
                connection = _connect_read_only(f"{uri}?mode=ro")
            else:
                connection = _connect_read_only(f"{uri}?mode=ro&immutable=1")
    try:
        version = schema_version(connection, path)
        _require_own(connection, path, version)
        if version < len(MIGRATIONS):
            if not version:
                raise StoreError(f"{path}: holds no run yet; wait for its start, or start it again")
            raise OlderSchemaError(
                f"{path}: schema version {version} is older than this taskspace's {len(MIGRATIONS)};"
                " `taskspace check --repair` migrates it"
            )
    except BaseException:
        connection.close()
        raise
    return connection


def _undo(uri: str) -> None:
    """Have SQLite roll back what a rollback journal says was not finished."""
    with closing(sqlite3.connect(f"{uri}?mode=rw", uri=True, timeout=_BUSY_S)) as connection:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()


def _connect_read_only(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True, timeout=_BUSY_S, check_same_thread=False)
    try:
        connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def _writing(path: Path, fresh: bool = False) -> Iterator[sqlite3.Connection]:
    """A connection for writing to a run (`fresh`: to a file without one); closed if the block fails."""
    with errors_of(path):
        connection = sqlite3.connect(path, timeout=_BUSY_S, check_same_thread=False)
        try:
            version = schema_version(connection, path)  # looked at before anything is changed in the file
            if version and fresh:
                raise StoreError(
                    f"{path}: holds a run already; go on with --resume, or choose another folder"
                )
            if not version and not fresh:
                raise StoreError(f"{path}: holds no run, its start was cut short; delete it and start again")
            for name, value in _pragmas(path).items():
                connection.execute(f"PRAGMA {name} = {value}")
            yield connection
        except BaseException:
            with suppress(sqlite3.Error):
                connection.close()
            raise


def _pragmas(path: Path) -> dict[str, str]:
    """`WRITER_PRAGMAS`, or a rollback journal in place of the log where its file system has none.

    Raises:
        StoreError: files cannot be locked there.
    """
    mode = filesystems.journal_mode(path.absolute().parent)
    # A rollback journal that was not synced may lack what a killed machine needs to undo half a batch.
    return WRITER_PRAGMAS if mode == "WAL" else WRITER_PRAGMAS | {"journal_mode": mode, "synchronous": "FULL"}


def _migrate(connection: sqlite3.Connection, path: Path, version: int, run: Mapping[str, str]) -> None:
    """Apply what is missing, all in one transaction: a file is never left between two versions."""
    if version == len(MIGRATIONS):
        return
    from sqlite_utils import Database  # loads pandas where it is installed; readers need not wait for that

    db = Database(connection, recursive_triggers=False, execute_plugins=False)
    with errors_of(path), db.atomic():
        for migration in MIGRATIONS[version:]:
            db.executescript(migration)
        for key, value in {**run, "created": str(time.time())}.items() if run else ():
            db.execute("INSERT INTO run (key, value_json) VALUES (?, ?)", [key, value])
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
