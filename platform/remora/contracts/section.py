"""The base of every section of the settings tree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

from remora.contracts.credentials import WITHOUT_CREDENTIALS
from remora.contracts.redaction import redacted


class Section(BaseModel):
    """Frozen; a misspelt name is an error rather than a default, and no number is infinite, NaN or a boolean."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, str_max_length=10_000, hide_input_in_errors=True
    )

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """What a print of the settings shows: texts without credentials."""
        for name, value in super().__repr_args__():
            yield name, redacted(value) if isinstance(value, str) else value

    def inputs(self, *, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        """The values for a fingerprint, as JSON: without credentials. What is chosen is named as in ``model_dump``.

        KeyError for a name that no field has.
        """
        # Pydantic passes over such a name in silence: the fingerprint would not change with the setting that is meant.
        if unknown := {*(include or ()), *(exclude or ())} - type(self).model_fields.keys():
            raise KeyError(f"{type(self).__name__} has no field {', '.join(sorted(unknown))}")
        return self.model_dump(mode="json", include=include, exclude=exclude, context=WITHOUT_CREDENTIALS)

    @field_validator("*", mode="before")
    @classmethod
    def _booleans_are_no_numbers(cls, value: Any, info: ValidationInfo) -> Any:
        if _is_numeric(cls.model_fields[str(info.field_name)].annotation):
            for one in value if isinstance(value, list | tuple) else (value,):
                if isinstance(one, bool):
                    raise ValueError(f"a number is needed, not {str(one).lower()}")
        return value


def _is_numeric(kind: Any) -> bool:
    return kind in (int, float) or any(_is_numeric(part) for part in get_args(kind))
