"""One process at a time: a lock file in a local home, elsewhere an advisory lock of PostgreSQL.

A lock file holds who has the lock (:class:`Holder`), for the messages of those who wait for it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import logging
import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from remora.core.errors import NotReady, StorageError, UnreadableInput
from remora.core.home import Home, storage_errors
from remora.core.json_document import read_document
from remora.core.redaction import redacted

SQLITE, POSTGRESQL = "sqlite:///", "postgresql"

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Holder:
    """The process that has a lock; ``command`` is what it does with it, ``since`` an instant in ISO 8601, UTC."""

    pid: int
    host: str
    command: str
    since: str

    def __str__(self) -> str:
        """For a message: who it is, and since when."""
        return f"`{self.command}` (process {self.pid} on {self.host}, since {self.since[:16].replace('T', ' ')} UTC)"


def holder_of(home: Home, path: str) -> Holder | None:
    """Who has, or had last, the lock file ``path`` of a local home; None where the file does not say."""
    try:
        return read_document(home, path, Holder, "")
    except (FileNotFoundError, StorageError, UnreadableInput):
        return None


@contextlib.contextmanager
def exclusive_lock(
    home: Home,
    path: str,
    database: str = "",
    *,
    command: str = "another command",
    on_busy: Callable[[], NotReady] | None = None,
) -> Iterator[None]:
    """Hold the lock file ``path`` of a local home; the kernel lets go when the process dies, however it dies.

    A home on S3 has no locks. There ``database`` gives one: beside the file of ``sqlite:///…``, or in PostgreSQL, which
    lets go when the connection ends. With any other database nothing is held, and of two racing changes the last one
    stands. StorageError when the lock cannot be had. It is waited for, unless ``on_busy`` gives what is raised while
    another process holds it. ``command`` is what others see that this process does.
    """
    if home.is_local:
        with _locked(Path(home.at(path)), command, on_busy):
            yield
    elif database.startswith(SQLITE):
        with _locked(Path(f"{database.removeprefix(SQLITE)}.lock"), command, on_busy):
            yield
    elif database.startswith(POSTGRESQL):
        with advisory(database, home.at(path), on_busy=on_busy):
            yield
    else:
        yield


@contextlib.contextmanager
def advisory(database: str, name: str, *, on_busy: Callable[[], NotReady] | None = None) -> Iterator[None]:
    """Hold the advisory lock ``name`` of a PostgreSQL server, waiting for whoever has it unless told not to.

    It belongs to a connection of its own, so the server lets go when this process dies. A pooler between must keep
    sessions (PgBouncer: `pool_mode = session`). StorageError when the server does not answer, or was lost meanwhile.
    """
    import sqlalchemy
    from sqlalchemy.exc import SQLAlchemyError

    # PostgreSQL names advisory locks by signed numbers of 64 bits.
    key = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big", signed=True)
    engine = sqlalchemy.create_engine(database, poolclass=sqlalchemy.NullPool, isolation_level="AUTOCOMMIT")
    with contextlib.ExitStack() as held:
        try:
            connection = held.enter_context(engine.connect())
            if on_busy is None:
                connection.execute(sqlalchemy.select(sqlalchemy.func.pg_advisory_lock(key)))
            elif not connection.execute(sqlalchemy.select(sqlalchemy.func.pg_try_advisory_lock(key))).scalar():
                raise on_busy()
        except SQLAlchemyError as error:
            raise StorageError(f"No lock at {redacted(database)}: {error}. Nothing was changed.") from error
        yield
        try:
            kept = connection.execute(sqlalchemy.select(sqlalchemy.func.pg_advisory_unlock(key))).scalar()
        except SQLAlchemyError as error:
            raise _lost(database) from error
        if not kept:
            raise _lost(database)


def _lost(database: str) -> StorageError:
    return StorageError(
        f"The lock at {redacted(database)} was lost while it was held, so another command may have run beside "
        f"this one. Look at `remora bundle history`, and run the command again."
    )


@contextlib.contextmanager
def _locked(file: Path, command: str, on_busy: Callable[[], NotReady] | None) -> Iterator[None]:
    with storage_errors(str(file)):
        file.parent.mkdir(parents=True, exist_ok=True)
        # Not truncated when it is opened: until the lock is had, the text is its holder's.
        handle = file.open("a+")
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if on_busy is not None:
                raise on_busy() from None
            log.info("waiting for %s", holder_of(Home(str(file.parent)), file.name) or "another command")
            fcntl.flock(handle, fcntl.LOCK_EX)
        _sign(handle, command)
        yield


def _sign(handle: TextIO, command: str) -> None:
    """Write down who holds the lock. On a full disk others do not learn it, and the lock holds all the same."""
    now = datetime.now(UTC).isoformat()
    holder = Holder(pid=os.getpid(), host=socket.gethostname(), command=command, since=now)
    with contextlib.suppress(OSError):
        handle.truncate(0)
        handle.write(json.dumps(asdict(holder)))
        handle.flush()
