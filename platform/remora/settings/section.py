"""The base of every section of the settings tree."""

from __future__ import annotations

from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator


class Section(BaseModel):
    """Frozen; a misspelt name is an error rather than a default, and no number is infinite, NaN or a boolean."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, str_max_length=10_000)

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
