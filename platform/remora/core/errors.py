"""Every error that Remora raises on purpose, in one tree. The branch says who must act.

RemoraError
├── DataError            the data is wrong: fix the data or its configuration
│   ├── MissingInput        a file, column or table that was named does not exist
│   ├── UnreadableInput         a file that cannot be read: corrupt, truncated, empty
│   ├── WrongType           a column whose type cannot be what the contract needs
│   ├── Implausible         values that are surely read otherwise than they are meant
│   └── QuarantineLimitExceeded  more rows broke the contract than the limit allows
├── SettingsError        the settings are wrong: fix the configuration file
│   └── ComponentError       a component that they name cannot be used
├── NotReady             something needed is not there yet: build it, or retry
│   └── NotBuilt            an artifact that an earlier step makes
│       └── LostVersion        its pointer names a version that is not there
├── Refused              the request or the operation is refused: do not retry as it is
│   ├── BadRequest          a request that breaks the API's contract
│   ├── NotFound            an id that nothing has
│   ├── ChecksumMismatch            content whose hash differs from its manifest
│   ├── SignatureError           a bundle without the signature that is asked for, or with one that does not fit
│   ├── UnsupportedFormat       content in a format of another version of Remora
│   └── GatesFailed         a bundle that is not fit for production
└── StorageError         the store failed: disk full, permission, connection

Errors cross process borders: every argument goes to ``args``, so they pickle. No message shows a credential: what any
of them says is redacted here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

from remora.core.redaction import redacted


def _redacting(said: Callable[[Any], str]) -> Callable[[Any], str]:
    @wraps(said)
    def without_credentials(error: Any) -> str:
        return redacted(said(error))

    return without_credentials


class RemoraError(Exception):
    """Base of all deliberate errors; ``str()`` says what happened, with which values, and what to do.

    Credentials of URLs and connection strings are hidden in it, whatever a class puts into its message.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        """Redact what the class's own ``__str__`` says."""
        super().__init_subclass__(**options)
        if "__str__" in cls.__dict__:
            cls.__str__ = _redacting(cls.__str__)  # type: ignore[method-assign]

    def __str__(self) -> str:
        """The message, redacted."""
        return redacted(super().__str__())

    def __repr__(self) -> str:
        """The class and its arguments, redacted."""
        return redacted(super().__repr__())


class DataError(RemoraError):
    """The data is wrong: fix the data, or the configuration that describes it."""


class MissingInput(DataError):
    """A file, column or table that was named does not exist."""

    def __init__(self, what: str, name: str, known: Iterable[str] = (), hint: str = "") -> None:
        known = tuple(known)
        super().__init__(what, name, known, hint)
        self.what, self.name, self.known, self.hint = what, name, known, hint

    def __str__(self) -> str:
        """Name the missing thing, what there is instead, and the next step."""
        there = f" There is: {', '.join(self.known)}." if self.known else ""
        return f"No {self.what} '{self.name}'.{there}{' ' + self.hint if self.hint else ''}"


class UnreadableInput(DataError):
    """A file that cannot be read: corrupt, truncated or empty."""

    def __init__(self, path: str, why: str, hint: str = "Replace the file or take it out of the source.") -> None:
        super().__init__(path, why, hint)

    def __str__(self) -> str:
        """Name the file, the reader's reason, and the next step."""
        path, why, hint = self.args
        return f"Cannot read '{path}': {why}. {hint}"


class WrongType(DataError):
    """A column whose type cannot be what the contract needs."""

    def __init__(self, column: str, found: str, needed: str, where: str) -> None:
        super().__init__(column, found, needed, where)

    def __str__(self) -> str:
        """Name the column, both types and the file."""
        column, found, needed, where = self.args
        return f"Column '{column}' of {where} is {found}; {needed} is needed. Fix the file or the column mapping."


class Implausible(DataError):
    """Values that are surely read otherwise than they are meant; the lake stays as it was."""

    def __init__(self, findings: Iterable[str]) -> None:
        findings = tuple(findings)
        super().__init__(findings)
        self.findings = findings

    def __str__(self) -> str:
        """Give every finding: what was found, examples, and what to do."""
        listed = "".join(f"\n  {finding}" for finding in self.findings)
        return f"The data is not accepted, and the lake is unchanged:{listed}"


class QuarantineLimitExceeded(DataError):
    """More rows broke the contract than the limit allows; the lake stays as it was."""

    def __init__(
        self, table: str, rows: int, quarantined: int, limit: float, reasons: dict[str, int], hint: str = ""
    ) -> None:
        super().__init__(table, rows, quarantined, limit, reasons, hint)

    def __str__(self) -> str:
        """Give the share, the limit, the reasons by count, and what may be behind them."""
        table, rows, quarantined, limit, reasons, hint = self.args
        listed = "; ".join(f"{count:,} × {reason}" for reason, count in sorted(reasons.items(), key=lambda r: -r[1]))
        return (
            f"{quarantined:,} of {rows:,} {table} rows ({quarantined / max(rows, 1):.1%}) break the contract, over the "
            f"limit of {limit:.1%}: {listed}. The lake is unchanged. Fix the source, declare a filter, or raise "
            f"data.quarantine_limit.{' ' + hint if hint else ''}"
        )


class SettingsError(RemoraError):
    """The settings are wrong: fix the configuration file."""


class ComponentError(SettingsError):
    """A component that the settings name is not installed, does not import, or is not of its kind."""

    def __init__(self, kind: str, name: str, why: str) -> None:
        super().__init__(kind, name, why)

    def __str__(self) -> str:
        """Name the component, what is wrong with it, and the next step."""
        kind, name, why = self.args
        return f"The {kind} '{name}' cannot be used: {why}."


class NotReady(RemoraError):
    """Something needed is not there yet: build it, or retry."""


class NotBuilt(NotReady):
    """An artifact that an earlier step makes does not exist yet."""

    def __init__(self, artifact: str, home: str, command: str) -> None:
        super().__init__(artifact, home, command)

    def __str__(self) -> str:
        """Name the artifact and the command that makes it."""
        artifact, home, command = self.args
        return f"No {artifact} under {home}. Run `{command}` first."


class LostVersion(NotBuilt):
    """The pointer of an artifact names a version that is not there."""

    def __init__(self, artifact: str, home: str, command: str, pointer: str, version: str) -> None:
        super().__init__(artifact, home, command)
        # All of them, as Ray's workers send errors by pickle, which calls the class with `args`.
        self.args = (artifact, home, command, pointer, version)

    def __str__(self) -> str:
        """Name the pointer's file, what it names, and the command that makes a version."""
        _, _, command, pointer, version = self.args
        return (
            f"'{pointer}' names the version {version!r}, which is not there: the file was damaged, or the version "
            f"removed. Run `{command}` again."
        )


class Refused(RemoraError):
    """The request or the operation is refused: do not retry it as it is."""


class BadRequest(Refused):
    """A request that breaks the API's contract."""


class NotFound(Refused):
    """An id that nothing has."""

    def __init__(self, what: str, name: str, hint: str = "") -> None:
        super().__init__(what, name, hint)

    def __str__(self) -> str:
        """Name what was looked for."""
        what, name, hint = self.args
        return f"There is no {what} '{name}'.{' ' + hint if hint else ''}"


class GatesFailed(Refused):
    """A bundle that is not fit for production; what was there serves on."""

    def __init__(self, bundle: str, failures: Iterable[str], momentary: Iterable[str] = ()) -> None:
        failures, momentary = tuple(failures), tuple(momentary)
        super().__init__(bundle, failures, momentary)
        self.bundle, self.failures, self.momentary = bundle, failures, momentary

    def __str__(self) -> str:
        """Name each gate that failed and by how much, which may pass at another time, and the next step."""
        gates = " and ".join(self.momentary)
        again = f"What else the machine does has a part in {gates}: the same command measures again.\n" if gates else ""
        listed = "".join(f"\n  {failure}" for failure in self.failures)
        return (
            f"Bundle {self.bundle} does not come into production, which is as it was. Failed:{listed}\n"
            f"{again}`remora gate {self.bundle}` shows every gate. To promote it all the same, say why: "
            f"`remora bundle promote {self.bundle} --force --why REASON`."
        )


class ChecksumMismatch(Refused):
    """Content whose hash differs from its manifest."""

    def __init__(self, path: str, expected: str, found: str, hint: str) -> None:
        super().__init__(path, expected, found, hint)

    def __str__(self) -> str:
        """Name the file, both hashes, and the next step."""
        path, expected, found, hint = self.args
        return f"'{path}' has SHA-256 {found}, its manifest says {expected}. It was changed or damaged. {hint}"


class SignatureError(Refused):
    """A bundle without the signature that the settings ask for, or with one that does not fit it."""

    def __init__(self, bundle: str, why: str) -> None:
        super().__init__(bundle, why)

    def __str__(self) -> str:
        """Name the bundle, what is wrong with its signature, and the next step."""
        bundle, why = self.args
        return f"Bundle {bundle} is not trusted: {why}"


class UnsupportedFormat(Refused):
    """A home, a bundle or a file in a format of another version of Remora."""

    def __init__(self, path: str, found: object, known: object) -> None:
        super().__init__(path, found, known)

    def __str__(self) -> str:
        """Name the file, both formats, and the next step."""
        path, found, known = self.args
        return (
            f"'{path}' is of format {found!r}; this version of Remora reads format {known!r}. Use the version "
            f"that made it, or remove it and build it again with this one."
        )


class StorageError(RemoraError):
    """The store failed: disk full, permission denied, connection lost. What was there before is intact."""
