"""Feature rows in a record of the log: numbers as the model read them, bit by bit, in text."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np

from remora.core.errors import DataError
from remora.pipeline import FeatureRows

MAX_BYTES = 512 << 10
"""Of a record's numbers: in base64 they still fit into a message of Kafka, which has 1 MB."""

LITTLE_ENDIAN = np.dtype("<f4")


def encode_rows(rows: FeatureRows) -> dict[str, Any]:
    """As JSON has it: the numbers in base64, and how many rows and columns they are.

    Of rows that have more than :data:`MAX_BYTES` the first ones, as many as fit.
    """
    width = rows.values.shape[1]
    values = rows.values[: MAX_BYTES // max(1, width * LITTLE_ENDIAN.itemsize)]
    return {
        "schema": rows.schema,
        "instant": rows.instant.isoformat(timespec="microseconds"),
        "shape": [len(values), width],
        "float32": base64.b64encode(values.astype(LITTLE_ENDIAN).tobytes()).decode(),
    }


def decode_rows(record: Mapping[str, Any]) -> FeatureRows:
    """What :func:`encode_rows` wrote; DataError for numbers that are no base64, and for more or fewer than its shape
    has."""
    shape = tuple(record["shape"])
    try:
        content = base64.b64decode(record["float32"], validate=True)
    except ValueError as error:
        raise DataError(f"the features of a served slate are no base64: {error}") from error
    if len(shape) != 2 or min(shape) < 0 or len(content) != math.prod(shape) * LITTLE_ENDIAN.itemsize:
        raise DataError(f"the features of a served slate have {len(content):,} bytes, which are not of shape {shape}")
    values = np.frombuffer(content, LITTLE_ENDIAN).astype(np.float32).reshape(shape)
    return FeatureRows(schema=record["schema"], instant=datetime.fromisoformat(record["instant"]), values=values)
