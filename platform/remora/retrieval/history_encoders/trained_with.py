"""Are weights those of the encoder that the settings choose?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from remora.core.errors import DataError
from remora.core.printable import one_line
from remora.extensions import FROM_A_BUNDLE
from remora.settings.components import HistoryEncoderChoice


def check_trained_with(written: Any, chosen: HistoryEncoderChoice, *, where: str, command: str) -> None:
    """DataError where ``written``, the choice in the file ``where`` beside weights, is another than that of the
    settings.

    What is written builds nothing: it may come from a stranger, so the network is always that of the settings.
    """
    if not _is(written, chosen):
        raise DataError(
            f"The model of '{where}' was trained with the history encoder {one_line(str(written))}, and the settings "
            f"say {chosen.model_dump(mode='json')}. Run `{command}` again."
        )


def _is(written: Any, chosen: HistoryEncoderChoice) -> bool:
    if not isinstance(written, Mapping) or written.get("type") != chosen.type:
        return False
    own = {name: value for name, value in written.items() if name != "type"}
    try:
        # A setting that is not written has its default; a component that the text may not import stays a text.
        found = type(chosen.config).model_validate(own, context=FROM_A_BUNDLE)
    except ValidationError:
        return False
    return found.model_dump(mode="json") == chosen.config.model_dump(mode="json")
