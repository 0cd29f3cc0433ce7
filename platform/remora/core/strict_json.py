"""JSON as RFC 8259 and RFC 7493 (I-JSON) have it: one value a name, and text that can be encoded."""

from __future__ import annotations

import json
import re
from typing import Any

MOST_MEMBERS = 256
"""Of one object: each unknown name costs a look, and the contract has a few names and 64 entries of context."""

MOST_VALUES = 2_048
"""Of a text: each becomes an object before anything can be said of it, and the contract has a thousand excluded ids."""

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')


def loads(body: bytes, most_values: int = MOST_VALUES) -> Any:
    """The value of the text, which may be of ``most_values``.

    Raises JSONDecodeError where the text has too many values, a name stands twice in an object, an object has too many
    members, text holds half a surrogate pair, or brackets are too deep.
    """
    try:
        text = body.decode()
        # Commas and brackets within strings are counted at first; only a text that may be too large is looked at
        # closely.
        if _most_values(text) > most_values and _most_values(_STRING.sub("", text)) > most_values:
            raise ValueError(f"it has more than {most_values:,} values")
        value = json.loads(text, object_pairs_hook=_members)
        # Half a surrogate pair can only come as an escape, since UTF-8 has none: other texts are spared the pass.
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeDecodeError as error:
        raise json.JSONDecodeError(f"it is not UTF-8 at byte {error.start}", "", error.start) from error
    except UnicodeEncodeError as error:
        raise json.JSONDecodeError("text holds half a surrogate pair", "", 0) from error
    except RecursionError as error:
        raise json.JSONDecodeError("brackets are too deep", "", 0) from error
    except json.JSONDecodeError:
        raise
    except ValueError as error:  # what the hooks below refuse, and integers of thousands of digits
        raise json.JSONDecodeError(str(error)[:200], "", 0) from error
    return value


def _most_values(text: str) -> int:
    """Of how many values the text may be: each but the first follows a comma or an opening bracket."""
    return 1 + text.count(",") + text.count("[") + text.count("{")


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > MOST_MEMBERS:
        raise ValueError(f"an object has {len(pairs):,} members, and may have {MOST_MEMBERS}")
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a name stands twice in an object")
    return members
