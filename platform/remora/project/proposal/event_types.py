"""What kinds of events there are, what each is worth, and which say that a user did not want the item."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from remora.project.proposal.columns import ColumnFacts
from remora.project.proposal.words import EVENT, QUANTITY, RATING, SESSION, VALUE, is_numbered, tokens

STRONG, MIDDLE, WEAK = 1.0, 0.5, 0.2
"""Three weights, so that there are at most three objectives to learn."""

MOST_TYPES = 200

MEANINGS: tuple[tuple[float, int, str, str], ...] = (
    (MIDDLE, -1, "takes something back", r"un(like|follow|save|favou?rite|subscribe)|remove|delete|entfernen"),
    (
        STRONG,
        -1,
        "undoes a purchase",
        r"return|refund|cancel(?:l?ed|lation)?|storn\w*|retoure?|chargeback|abort|erstattung",
    ),
    (
        STRONG,
        -1,
        "a rejection",
        r"dislike|thumbs?.?down|down.?vote|hide|block|report|not.?interested|dismiss|hate|reject",
    ),
    (MIDDLE, -1, "a weak rejection", r"skip"),
    (0.0, 0, "only shown", r"impression|shown?|displayed?|expos(ed|ure)|served|render(ed)?|viewable|delivered"),
    (
        0.0,
        0,
        "says nothing about an item",
        r"search|query|log.?in|log.?out|sign.?(up|in)|scroll|heartbeat|ping|session|first.?visit|page.?load|error|"
        r"(home|list|category|search|cart).?page|user.?engagement|category.?view",
    ),
    (
        MIDDLE,
        1,
        "an intention, or liking",
        r"(add.?to|into).?(cart|basket|bag)|cart|basket|warenkorb|begin.?checkout|wish.?list|favou?rite|fav|save|"
        r"bookmark|merk|like|love|upvote|thumbs?.?up|follow|share|heart|gefällt|collect|pin",
    ),
    (
        STRONG,
        1,
        "a purchase or the like",
        r"purchase|buy|bought|order|transaction|checkout|paid|pay(ment)?|sale|sold|kauf(en)?|gekauft|bestell\w*|"
        r"convert|conversion|book(ed|ing)?|install|rent(ed|al)?|subscribe|donate|achat|compra",
    ),
    (
        MIDDLE,
        1,
        "time or effort spent",
        r"completed?|finish(ed)?|watch(ed)?|play(ed)?|listen(ed)?|stream(ed)?|read|download(ed)?|rated?|review(ed)?|"
        r"comment(ed)?|reply|retweet|check.?in|apply|contact|lead",
    ),
    (
        WEAK,
        1,
        "a look",
        r"click(ed)?|klick|open(ed)?|tap|select|view(ed)?|view.?item|page.?view|visit(ed)?|detail|browse|pv|ansicht|"
        r"interaction|event",
    ),
)
"""Weight, sign and meaning of events by their words; the first that fits holds."""

OUTCOME = ("click", "clicked", "purchase", "purchased", "converted", "conversion", "bought", "liked", "like", "booked")
"""Columns of truth values that say what became of something that was shown."""

BY_FILE = (
    (r"order|purchase|sale|transaction|invoice|receipt|bestell|kauf|lines?\b|basket", "purchase"),
    (r"click", "click"),
    (r"play|listen|stream|watch", "play"),
    (r"check.?in", "checkin"),
    (r"like|favou?rite", "like"),
    (r"view|visit|page|log", "view"),
)


@dataclass(frozen=True)
class ProposedType:
    """One event type, with the reason for what it is worth."""

    weight: float
    sign: int
    why: str


@dataclass(frozen=True)
class EventKinds:
    """``setting`` is the source's `event_type` (None: ``column`` is mapped); ``labels`` the type of each row."""

    types: dict[str, ProposedType]
    labels: pl.Series
    why: str
    column: str | None = None
    setting: str | list[dict[str, str]] | None = None
    reads: tuple[str, ...] = ()
    doubts: tuple[tuple[str, str], ...] = field(default=())


def meaning(value: str) -> ProposedType | None:
    """What an event of this name is worth; None where no word of it is known.

    >>> [(t.weight, t.sign) for t in map(meaning, ("add_to_cart", "removeFromCart", "page-view", "Impression")) if t]
    [(0.5, 1), (0.5, -1), (0.2, 1), (0.0, 0)]
    """
    words = "_".join(tokens(value))
    for weight, sign, what, pattern in MEANINGS:
        if re.search(rf"(?:^|_)(?:{pattern})(?:s|ed|ing)?(?:_|$)", words):
            return ProposedType(weight, sign, what)
    return None


def event_kinds(columns: Mapping[str, ColumnFacts], chosen: str | None, path: str, rows: int) -> EventKinds:
    """By a column of types, else by a rating, an outcome or a negative quantity, else one type for all ``rows``."""
    column = columns[chosen] if chosen else _type_column(columns)
    if column is not None:
        return _by_column(column)
    for rule in (_by_rating, _by_outcome, _by_returns):
        if (found := rule(columns, path)) is not None:
            return found
    name = _constant(columns, path)
    known = meaning(name) or ProposedType(STRONG, 1, "the only type")
    return EventKinds(
        types={name: ProposedType(STRONG, 1, known.why)},
        labels=pl.repeat(name, rows, eager=True),
        why="no column says what kind of event a row is, so all are one",
        setting=name,
        doubts=((f"No column says what kind of event a row is: all are called '{name}'", "Give them the right name."),),
    )


def quoted(name: str) -> str:
    """A column in a condition: in quotes, as a name may be a word of SQL.

    >>> quoted("rating:float")
    '"rating:float"'
    """
    return '"' + name.replace('"', '""') + '"'


def _type_column(columns: Mapping[str, ColumnFacts]) -> ColumnFacts | None:
    scored = []
    for place, column in enumerate(columns.values()):
        if column.kind not in ("text", "integer") or not 1 <= column.distinct <= MOST_TYPES or column.null_share > 0.5:
            continue
        own = tokens(column.name)
        named = 2 if set(own) <= EVENT else 1 if EVENT & set(own) else 0
        values = column.ids.drop_nulls().unique().to_list()
        known = sum(meaning(value) is not None for value in values) / len(values) if column.kind == "text" else 0.0
        if column.kind == "integer" and column.distinct > 20:
            continue
        score = named + (3 if known >= 0.5 else 1 if known > 0 else 0)
        if score >= 2 and (column.distinct < 0.2 * column.rows or known >= 0.5):
            scored.append((score, -place, column))
    return max(scored, key=lambda found: found[:2])[2] if scored else None


def _by_column(column: ColumnFacts) -> EventKinds:
    counted = column.ids.drop_nulls().value_counts(sort=True)
    counts: dict[str, int] = dict(sorted(counted.iter_rows(), key=lambda found: (-found[1], found[0]))[:MOST_TYPES])
    rows = sum(counts.values())
    known = {name: meaning(name) for name in counts}
    by_rarity = _by_rarity([name for name in counts if known[name] is None], alone=not any(known.values()))
    types, unknown = {}, []
    for name, count in counts.items():
        share = f"{count / rows:.1%} of events"
        found = known[name] or by_rarity[name]
        unknown += [] if known[name] else [name]
        types[name] = ProposedType(found.weight, found.sign, f"{share}; {found.why}")
    doubts = []
    if unknown:
        some = ", ".join(repr(name) for name in unknown[:6]) + (", …" if len(unknown) > 6 else "")
        doubts.append(
            (f"What the event types {some} say about taste", "Set weight and sign of each (0: says nothing).")
        )
    if not any(one.sign > 0 for one in types.values()):
        first = next(iter(types))
        types[first] = ProposedType(STRONG, 1, types[first].why)
        doubts.append((f"No event type is surely positive; '{first}' is taken", "Set sign 1 for what users want."))
    labels = column.ids
    return EventKinds(
        types, labels, f"{len(counts)} values, such as {column.examples(4)}", column.name, doubts=tuple(doubts)
    )


def _by_rarity(names: list[str], *, alone: bool) -> dict[str, ProposedType]:
    """Types of unknown meaning, the most frequent first: what is rare commonly costs more."""
    if not alone or len(names) == 1:
        weight = STRONG if alone else WEAK
        return {name: ProposedType(weight, 1, "not known what it means") for name in names}
    levels = (WEAK, MIDDLE, STRONG)
    return {
        name: ProposedType(levels[min(2, place * 3 // len(names))], 1, "not known what it means; rarer weighs more")
        for place, name in enumerate(names)
    }


def rating_column(columns: Mapping[str, ColumnFacts]) -> ColumnFacts | None:
    """Numbers of a small scale under a name for ratings; in a file without names, one whose values look like them."""
    for column in columns.values():
        named = RATING & set(tokens(column.name)) or is_numbered(column.name)
        if not named or column.kind not in ("integer", "number") or not 2 <= column.distinct <= 21:
            continue
        low, high = column.numbers.min(), column.numbers.max()
        if isinstance(low, float) and isinstance(high, float) and low >= 0 and 1 <= high <= 10:
            return column
    return None


def _by_rating(columns: Mapping[str, ColumnFacts], path: str) -> EventKinds | None:
    column = rating_column(columns)
    if column is None:
        return None
    numbers = column.numbers
    low, high = float(numbers.min()), float(numbers.max())  # type: ignore[arg-type]
    name = quoted(column.name)
    liked = _step(numbers, low + 0.7 * (high - low))
    neutral = _step(numbers, low + 0.45 * (high - low))
    rules = [{"when": f"{name} >= {liked:g}", "type": "like"}]
    types = {"like": ProposedType(STRONG, 1, f"{liked:g} or more of {high:g}")}
    if low < neutral < liked:
        rules.append({"when": f"{name} >= {neutral:g}", "type": "neutral"})
        types["neutral"] = ProposedType(MIDDLE, 1, f"from {neutral:g}: chosen, and not disliked")
    rules.append({"when": "true", "type": "dislike"})
    types["dislike"] = ProposedType(STRONG, -1, f"below {min(neutral, liked) if low < neutral else liked:g}")
    labels = pl.select(
        pl.when(numbers >= liked)
        .then(pl.lit("like"))
        .when(pl.lit("neutral" in types) & (numbers >= neutral))
        .then(pl.lit("neutral"))
        .otherwise(pl.lit("dislike"))
    ).to_series()
    shares = {label: share / column.rows for label, share in labels.value_counts().iter_rows()}
    types = {
        label: ProposedType(one.weight, one.sign, f"{shares.get(label, 0):.1%} of events; {one.why}")
        for label, one in types.items()
        if shares.get(label)
    }
    rules = [rule for rule in rules if rule["type"] in types]
    rules[-1]["when"] = "true"
    return EventKinds(
        types,
        labels,
        f"'{column.name}' has ratings from {low:g} to {high:g}",
        setting=rules,
        reads=(column.name,),
        doubts=((f"From which rating on a user liked an item ({liked:g} here)", "Change `event_type` to your scale."),),
    )


def _step(numbers: pl.Series, bound: float) -> float:
    """The least value at or above a bound."""
    return float(numbers.filter(numbers >= bound - 1e-9).min())  # type: ignore[arg-type]


def _by_outcome(columns: Mapping[str, ColumnFacts], path: str) -> EventKinds | None:
    for column in columns.values():
        name = next((word for word in tokens(column.name) if word in OUTCOME), None)
        zero_one = column.kind == "integer" and set(column.ids.drop_nulls().unique()) <= {"0", "1"}
        if name is None or not (column.kind == "boolean" or zero_one) or column.distinct < 2:
            continue
        positive = column.ids.str.to_lowercase().is_in(["1", "true", "t", "yes", "y"])
        share = float(positive.mean() or 0.0)  # type: ignore[arg-type]
        condition = f"{quoted(column.name)} = 1" if zero_one else quoted(column.name)
        return EventKinds(
            types={
                name: ProposedType(STRONG, 1, f"{share:.1%} of events"),
                "impression": ProposedType(0.0, 0, f"{1 - share:.1%} of events; shown and not taken"),
            },
            labels=pl.select(pl.when(positive).then(pl.lit(name)).otherwise(pl.lit("impression"))).to_series(),
            why=f"'{column.name}' says what became of what was shown",
            setting=[{"when": condition, "type": name}, {"when": "true", "type": "impression"}],
            reads=(column.name,),
        )
    return None


def _by_returns(columns: Mapping[str, ColumnFacts], path: str) -> EventKinds | None:
    """Negative quantities or amounts are returns, where they are few."""
    for words in (QUANTITY, VALUE):
        for column in columns.values():
            if not words & set(tokens(column.name)) or column.kind not in ("integer", "number"):
                continue
            share = float((column.numbers < 0).mean() or 0.0)  # type: ignore[arg-type]
            if 0 < share < 0.4:
                name = _constant(columns, path)
                name = name if name != "interaction" else "purchase"
                return EventKinds(
                    types={
                        name: ProposedType(STRONG, 1, f"{1 - share:.1%} of events"),
                        "return": ProposedType(STRONG, -1, f"{share:.1%} of events; '{column.name}' is negative"),
                    },
                    labels=pl.select(
                        pl.when(column.numbers < 0).then(pl.lit("return")).otherwise(pl.lit(name))
                    ).to_series(),
                    why=f"'{column.name}' is negative in {share:.1%} of the rows: returns",
                    setting=[{"when": f"{quoted(column.name)} < 0", "type": "return"}, {"when": "true", "type": name}],
                    reads=(column.name,),
                )
    return None


def _constant(columns: Mapping[str, ColumnFacts], path: str) -> str:
    file = path.rstrip("/").rpartition("/")[2].lower()
    for pattern, name in BY_FILE:
        if re.search(pattern, file):
            return name
    words = {word for name in columns for word in tokens(name)}
    return "purchase" if words & (QUANTITY | VALUE) or words & (SESSION - {"session", "visit"}) else "interaction"
