"""From a source's values to the contract's types: what cannot be read becomes null, never an error."""

from __future__ import annotations

import polars as pl
import pyarrow as pa
import pyarrow.types as pat

from remora.core.tables import TIMESTAMP
from remora.settings import SourceSettings
from remora.settings.time_pattern import is_zoned, reader_pattern

MICROSECONDS = {"s": 1_000_000, "ms": 1_000, "us": 1}

TYPE_OF = {
    "string": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "list[string]": pa.list_(pa.string()),
}
"""The words of `types` in the settings."""

NAME_OF = {str(type): name for name, type in TYPE_OF.items()} | {str(TIMESTAMP): "time", str(pa.int32()): "integer"}
"""How a type is named to people."""

THOUSANDS_POINTS = r"^[+-]?[1-9]\d{0,2}(\.\d{3})+$"
"""Text of a number whose points may divide thousands: 1.000 and 12.500.000."""

DECIMAL_COMMA = r"^[+-]?(\d+|\d{1,3}(\.\d{3})+)?(,\d+)?$"
"""Text of a number whose fraction follows a comma: 1.234,56 and 12,5."""

_ISO_ZONED = ("%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M%#z")
_ISO_LOCAL = ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d")
_UTC_IN_WORDS = r"(?i) ?(z|utc|gmt)$"
_YEAR_9999_SECONDS = 253_402_300_799


def natural(type: pa.DataType) -> pa.DataType | None:
    """The lake's type for a further column of a source, None when the lake has no such type."""
    if pat.is_dictionary(type):
        return natural(type.value_type)
    if pat.is_list(type) or pat.is_large_list(type):
        return TYPE_OF["list[string]"] if _is_text(type.value_type) else None
    if pat.is_timestamp(type) or pat.is_date(type):
        return TIMESTAMP
    for test, name in (
        (_is_text, "string"),
        (pat.is_integer, "integer"),
        (_is_real, "number"),
        (pat.is_boolean, "boolean"),
    ):
        if test(type):
            return TYPE_OF[name]
    return None


def readable(found: pa.DataType, wanted: pa.DataType) -> bool:
    """Can values of the found type be what is wanted, at least some of them?"""
    if pat.is_dictionary(found):
        return readable(found.value_type, wanted)
    if _is_text(found):
        return True
    if pat.is_timestamp(wanted):
        return pat.is_timestamp(found) or pat.is_date(found) or pat.is_integer(found) or _is_real(found)
    if pat.is_list(wanted):
        return natural(found) == wanted
    if pat.is_boolean(wanted):
        return pat.is_boolean(found) or pat.is_integer(found)
    if pat.is_string(wanted):
        return pat.is_integer(found) or _is_real(found) or pat.is_boolean(found)
    return pat.is_integer(found) or _is_real(found) or pat.is_boolean(found)


def present(column: str, found: pl.DataType, source: SourceSettings) -> pl.Expr:
    """The raw value, null where the source says `no value`."""
    value = pl.col(column)
    if isinstance(found, pl.Categorical | pl.Enum):
        value, found = value.cast(pl.String), pl.String()
    if isinstance(found, pl.String) and source.null_values:
        return pl.when(value.is_in(source.null_values)).then(None).otherwise(value)
    return value.fill_nan(None) if found.is_float() else value


def read_as(wanted: pa.DataType, column: str, found: pl.DataType, source: SourceSettings) -> pl.Expr:
    """The value as the wanted type, null where it cannot be."""
    value = present(column, found, source)
    if isinstance(found, pl.Categorical | pl.Enum):
        found = pl.String()
    if source.decimal == "," and isinstance(found, pl.String) and (pat.is_floating(wanted) or pat.is_integer(wanted)):
        # Written with a point it has one meaning, so that 1,000 is a whole number here.
        value, found = _pointed(value).cast(pl.Float64, strict=False), pl.Float64()
    if pat.is_timestamp(wanted):
        return _time(value, found, source)
    if pat.is_list(wanted):
        return _strings(value, found, source)
    if pat.is_boolean(wanted):
        return _boolean(value, found)
    if pat.is_floating(wanted):
        return _finite(_number(value, found))
    if pat.is_integer(wanted):
        return _integer(_one_meaning(value, found), found).cast(
            pl.Int32 if wanted == pa.int32() else pl.Int64, strict=False
        )
    return _text(value, found)


def whole_number_text(value: pl.Expr) -> pl.Expr:
    """Text of a number that means a whole one: 17850.0 becomes 17850; other text stays."""
    number = _integer(value, pl.String())
    return pl.coalesce(number.cast(pl.String), value)


def _text(value: pl.Expr, found: pl.DataType) -> pl.Expr:
    """A whole number without its point: 12.00 is 12. A float beyond 2**53 has lost digits, and is no text."""
    if found.is_float():
        exact = pl.when(value.abs() < 2**53).then(value)
        return pl.coalesce(_integer(value, found).cast(pl.String), exact.cast(pl.String))
    if found.is_decimal():
        digits = value.cast(pl.String)
        shorter = digits.str.strip_chars_end("0").str.strip_chars_end(".")
        return pl.when(digits.str.contains(".", literal=True)).then(shorter).otherwise(digits)
    return value.cast(pl.String)


def _number(value: pl.Expr, found: pl.DataType) -> pl.Expr:
    return (value.str.strip_chars() if isinstance(found, pl.String) else value).cast(pl.Float64, strict=False)


def _pointed(value: pl.Expr) -> pl.Expr:
    """Text of a number with a decimal comma, with a point instead; null for text that is no such number."""
    text = value.str.strip_chars()
    plain = text.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
    return pl.when(text.str.contains(DECIMAL_COMMA)).then(plain)


def _finite(number: pl.Expr) -> pl.Expr:
    return pl.when(number.is_finite()).then(number)


def _one_meaning(value: pl.Expr, found: pl.DataType) -> pl.Expr:
    """Null for text such as 1.000, which is a thousand to some and one to others; 1.0 and 12.00 are whole numbers."""
    if not isinstance(found, pl.String):
        return value
    return pl.when(~value.str.strip_chars().str.contains(THOUSANDS_POINTS)).then(value)


def _integer(value: pl.Expr, found: pl.DataType) -> pl.Expr:
    if isinstance(found, pl.String):
        value = value.str.strip_chars()
    elif not (found.is_float() or found.is_decimal()):
        return value.cast(pl.Int64, strict=False)
    real = value.cast(pl.Float64, strict=False)
    # Beyond 2**53 a float cannot tell neighbouring whole numbers apart.
    whole = pl.when(real.is_finite() & (real == real.floor()) & (real.abs() < 2**53)).then(real)
    rounded = whole.cast(pl.Int64, strict=False)
    # The text itself first, which has all its digits; as a float it may have lost some.
    return pl.coalesce(value.cast(pl.Int64, strict=False), rounded) if isinstance(found, pl.String) else rounded


def _boolean(value: pl.Expr, found: pl.DataType) -> pl.Expr:
    if isinstance(found, pl.Boolean):
        return value
    words = value.cast(pl.String).str.strip_chars().str.to_lowercase()
    return (
        pl.when(words.is_in(["true", "t", "yes", "y", "1"]))
        .then(True)
        .when(words.is_in(["false", "f", "no", "n", "0"]))
        .then(False)
    )


def _strings(value: pl.Expr, found: pl.DataType, source: SourceSettings) -> pl.Expr:
    if isinstance(found, pl.List):
        return value.cast(pl.List(pl.String)).list.drop_nulls()
    members = value.str.split(source.list_separator)
    return members.list.eval(pl.element().filter(pl.element() != ""))


def _time(value: pl.Expr, found: pl.DataType, source: SourceSettings) -> pl.Expr:
    if isinstance(found, pl.Datetime):
        return _utc(value.dt.cast_time_unit("us"), found.time_zone, source)
    if isinstance(found, pl.Date):
        return _utc(value.cast(pl.Datetime("us")), None, source)
    if (pattern := source.time.pattern) is not None:
        texts = value if isinstance(found, pl.String) else _text(value, found)
        read = texts.str.to_datetime(reader_pattern(pattern), time_unit="us", strict=False)
        return _utc(read, "UTC" if is_zoned(pattern) else None, source)
    if not isinstance(found, pl.String):
        return _since_epoch(value, found, source)
    iso = value.str.strip_chars().str.replace(r"^(\d{4}-\d\d-\d\d)[ t]", "${1}T").str.replace(_UTC_IN_WORDS, "+00:00")
    zoned, local = (
        pl.coalesce(iso.str.to_datetime(pattern, time_unit="us", strict=False) for pattern in patterns)
        for patterns in (_ISO_ZONED, _ISO_LOCAL)
    )
    return pl.coalesce(_since_epoch(value, found, source), zoned, _utc(local, None, source))


def _since_epoch(value: pl.Expr, found: pl.DataType, source: SourceSettings) -> pl.Expr:
    """Numbers since the epoch; those beyond the year 9999 are held there, so that they stay readable as too late."""
    whole = _microseconds(value.cast(pl.Int64, strict=False), source.time.unit)
    if found.is_integer():
        return whole
    real = _microseconds(_number(value, found).fill_nan(None), source.time.unit)
    # Whole numbers first: as a float an instant in nanoseconds loses its last digits.
    return pl.coalesce(whole, real) if isinstance(found, pl.String) else real


def _microseconds(number: pl.Expr, unit: str) -> pl.Expr:
    if unit == "ns":
        return (number // 1000).cast(pl.Int64, strict=False).cast(pl.Datetime("us", "UTC"))
    factor = MICROSECONDS[unit]
    most = _YEAR_9999_SECONDS * 1_000_000 // factor
    # Held within bounds before it is multiplied, which could overflow.
    scaled = number.clip(-most, most) * factor
    return scaled.round().cast(pl.Int64, strict=False).cast(pl.Datetime("us", "UTC"))


def _utc(local: pl.Expr, zone: str | None, source: SourceSettings) -> pl.Expr:
    """An instant in UTC; a time without a zone is in the source's, the first of two where the clock was set back.

    Where the clock was set forward at midnight, the midnight by which a date is written is the day's first instant.
    """
    if zone is not None:
        return local.dt.convert_time_zone("UTC")
    if source.time.timezone == "UTC":
        return local.dt.replace_time_zone("UTC")
    begun = pl.when(local.dt.truncate("1d") == local).then(local + pl.duration(hours=1))
    placed = [
        time.dt.replace_time_zone(source.time.timezone, ambiguous="earliest", non_existent="null")
        for time in (local, begun)
    ]
    return pl.coalesce(placed).dt.convert_time_zone("UTC")


def _is_text(type: pa.DataType) -> bool:
    return pat.is_string(type) or pat.is_large_string(type) or pat.is_string_view(type) or pat.is_null(type)


def _is_real(type: pa.DataType) -> bool:
    return pat.is_floating(type) or pat.is_decimal(type)
