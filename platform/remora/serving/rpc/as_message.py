"""The API's models as gRPC messages."""

from __future__ import annotations

from typing import TypeVar

from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message
from pydantic import BaseModel

Filled = TypeVar("Filled", bound=Message)


def as_message(model: BaseModel, message: Filled) -> Filled:
    """``message`` filled with the model's fields, which have the same names."""
    return ParseDict(model.model_dump(mode="json"), message)
