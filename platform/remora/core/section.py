"""The base of every section of the settings tree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

from remora.core.credentials import WITHOUT_CREDENTIALS
from remora.core.redaction import redacted


class UndeclaredSetting(Exception):
    """Code reads a setting that its step does not declare: a bug, for what it makes would not change with the setting.

    No AttributeError, which `getattr` with a default would hide.
    """

    def __str__(self) -> str:
        """Say what to do."""
        return (
            f"The setting {self.args[0]} is read by a step that does not declare it. Name it in the step's `settings` "
            f"(remora.steps.path), or in `also_reads` if nothing that the step makes depends on it."
        )


class Section(BaseModel):
    """Frozen; a misspelt name is an error rather than a default, and no number is infinite, NaN or a boolean."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, str_max_length=10_000, hide_input_in_errors=True
    )

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """What a print of the settings shows: texts without credentials."""
        for name, value in super().__repr_args__():
            yield name, redacted(value) if isinstance(value, str) else value

    if not TYPE_CHECKING:  # a checker takes it for a promise of any attribute

        def __getattr__(self, name: str) -> Any:
            """Reached for what a step's view of the settings lacks."""
            if name in type(self).model_fields:
                raise UndeclaredSetting(f"{type(self).__name__}.{name}")
            return super().__getattr__(name)

    def inputs(self) -> dict[str, Any]:
        """The values for a fingerprint, as JSON: without credentials."""
        return self.model_dump(mode="json", context=WITHOUT_CREDENTIALS)

    @field_validator("*", mode="before")
    @classmethod
    def _booleans_are_no_numbers(cls, value: Any, info: ValidationInfo) -> Any:
        if _is_numeric(cls.model_fields[str(info.field_name)].annotation):
            several = (
                value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else (value,)
            )
            for one in several:
                if isinstance(one, bool):
                    raise ValueError(f"a number is needed, not {str(one).lower()}")
        return value


def _is_numeric(kind: Any) -> bool:
    return kind in (int, float) or any(_is_numeric(part) for part in get_args(kind))
