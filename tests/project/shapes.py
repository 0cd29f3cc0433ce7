"""Tables of one small world, written as different programs and countries write them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

USERS, ITEMS, DAYS, EVENTS = 120, 80, 70, 5_000
START = datetime(2025, 3, 1, tzinfo=UTC)
CATEGORIES = ("garden", "kitchen", "music", "sport", "toys")
KINDS = ("view", "add_to_cart", "purchase")
COUNTRIES = ("NO", "DE", "FR", "UK")


@dataclass(frozen=True)
class World:
    """Who did what to which item when; the same in every shape."""

    user: np.ndarray
    item: np.ndarray
    at: list[datetime]
    kind: list[str]
    price: np.ndarray

    def __iter__(self) -> Iterator[tuple[int, int, datetime, str, float]]:
        yield from zip(self.user.tolist(), self.item.tolist(), self.at, self.kind, self.price.tolist(), strict=True)


def world(events: int = EVENTS, seed: int = 5) -> World:
    """Users with a taste for one category; prices belong to the items."""
    draw = np.random.default_rng(seed)
    user = draw.integers(0, USERS, events)
    appeal = draw.pareto(1.2, ITEMS) + 0.2
    taste = np.where(np.arange(ITEMS)[None, :] % 5 == np.arange(USERS)[:, None] % 5, 6.0, 1.0) * appeal
    item = np.array([draw.choice(ITEMS, p=taste[u] / taste[u].sum()) for u in user])
    seconds = np.sort(draw.uniform(0, DAYS * 86_400, events))
    at = [START + timedelta(seconds=float(round(s, 3))) for s in seconds]
    kind = draw.choice(KINDS, events, p=(0.7, 0.2, 0.1)).tolist()
    return World(user, item, at, kind, np.round(3 + draw.uniform(1, 400, ITEMS), 2)[item])


Tables = dict[str, str]
"""Table -> path."""


def clickstream(folder: Path) -> Tables:
    """JSON lines of a tracker: nested objects, milliseconds, event names, columns that nothing needs."""
    with (folder / "events.jsonl").open("w") as out:
        for n, (user, item, at, kind, price) in enumerate(world()):
            event = {
                "id": f"{n:08x}",
                "event": {"name": {"view": "page_view"}.get(kind, kind), "ts": int(at.timestamp() * 1000)},
                "visitor": {"id": f"v-{user}", "device": ("ios", "web")[user % 2]},
                "payload": {"product": {"sku": f"SKU{item:04d}", "price": price}, "referrer": None},
                "schema": 3,
            }
            out.write(json.dumps(event) + "\n")
    with (folder / "products.jsonl").open("w") as out:
        for item in range(ITEMS):
            product = {
                "sku": f"SKU{item:04d}",
                "name": f"{CATEGORIES[item % 5].title()} thing no {item}",
                "tags": [CATEGORIES[item % 5], ("new", "classic")[item % 2]],
                "listPrice": 10 + item,
                "inStock": item % 9 != 0,
            }
            out.write(json.dumps(product) + "\n")
    return {"events": str(folder / "events.jsonl"), "items": str(folder / "products.jsonl")}


def ratings(folder: Path) -> Tables:
    """MovieLens as it was published first: two colons between columns, no header, Latin-1, genres between bars."""
    draw = np.random.default_rng(3)
    with (folder / "ratings.dat").open("w") as out:
        seen = set()
        for user, item, at, _, _ in world():
            if (user, item) not in seen:
                seen.add((user, item))
                rating = draw.choice(5, p=(0.06, 0.11, 0.26, 0.34, 0.23)) + 1
                out.write(f"{user + 1}::{item + 1}::{rating}::{int(at.timestamp())}\n")
    with (folder / "movies.dat").open("w", encoding="latin-1") as out:
        for item in range(ITEMS):
            genres = "|".join(sorted({CATEGORIES[item % 5].title(), CATEGORIES[item % 3].title()}))
            out.write(f"{item + 1}::Café {item}, The ({1950 + item % 50})::{genres}\n")
    with (folder / "users.dat").open("w") as out:
        for user in range(USERS):
            out.write(
                f"{user + 1}::{'FM'[user % 2]}::{(18, 25, 35, 50)[user % 4]}::{user % 20}::{10_000 + 37 * user}\n"
            )
    return {
        "events": str(folder / "ratings.dat"),
        "items": str(folder / "movies.dat"),
        "users": str(folder / "users.dat"),
    }


def german(folder: Path) -> Tables:
    """A German shop's invoice lines: semicolons, decimal commas, days first, returns as negative amounts."""
    draw = np.random.default_rng(3)
    with (folder / "bestellungen.csv").open("w", encoding="cp1252") as out:
        out.write("Bestellnr;Kundennr;Artikelnr;Bezeichnung;Warengruppe;Menge;Preis;Bestelldatum\r\n")
        for n, (user, item, at, _, price) in enumerate(world()):
            amount = -1 if draw.random() < 0.03 else int(draw.integers(1, 5))
            text = f"{price * 10:,.2f}".replace(",", "_").replace(".", ",").replace("_", ".")
            customer = "" if draw.random() < 0.12 else f"{100_000 + user}"
            out.write(
                f"B{n // 3:06d};{customer};{item + 4000:06d};Schöner Artikel Nr. {item};{CATEGORIES[item % 5]};"
                f"{amount};{text};{at:%d.%m.%Y %H:%M}\r\n"
            )
    return {"events": str(folder / "bestellungen.csv")}


def warehouse(folder: Path) -> Tables:
    """Parquet of a warehouse: decimals, naive timestamps, a folder of files, users and items that know the future."""
    rows = list(world())
    events = pl.DataFrame(
        {
            "CUSTOMER_ID": [float(user) for user, *_ in rows],
            "PRODUCT_ID": [item + 500 for _, item, *_ in rows],
            "EVENT_TYPE": [kind.upper() for _, _, _, kind, _ in rows],
            "CREATED_AT": pl.Series([at.replace(tzinfo=None) for _, _, at, _, _ in rows], dtype=pl.Datetime("us")),
            "UPDATED_AT": pl.Series([(at + timedelta(days=9)).replace(tzinfo=None) for _, _, at, _, _ in rows]),
            "AMOUNT": [price for *_, price in rows],
        }
    )
    counts = np.bincount([item for _, item, *_ in rows], minlength=ITEMS)
    (folder / "fact_events").mkdir()
    for n, part in enumerate(events.iter_slices(2_000)):
        part.write_parquet(folder / "fact_events" / f"part-{n:05d}.parquet")
    pl.DataFrame(
        {
            "PRODUCT_ID": [item + 500 for item in range(ITEMS)],
            "PRODUCT_NAME": [f"{CATEGORIES[item % 5].title()} thing {item}" for item in range(ITEMS)],
            "CATEGORY_ID": [item % 5 + 70 for item in range(ITEMS)],
            "LIST_PRICE": [float(item) + 0.5 for item in range(ITEMS)],
            "TOTAL_SALES": counts.tolist(),
            "POP_INDEX": (counts * 1.5 + 3).tolist(),
            "LAST_PURCHASE_DATE": [START + timedelta(days=DAYS)] * ITEMS,
            "UPDATED_AT": [START + timedelta(days=DAYS + item / 50) for item in range(ITEMS)],
            "IS_ACTIVE": [item % 11 != 0 for item in range(ITEMS)],
        }
    ).write_parquet(folder / "dim_product.parquet")
    pl.DataFrame(
        {
            "CUSTOMER_ID": list(range(USERS)),
            "EMAIL": [f"user{user}@example.org" for user in range(USERS)],
            "COUNTRY": [COUNTRIES[user % 4] for user in range(USERS)],
            "AGE": [18 + user % 60 for user in range(USERS)],
            "LIFETIME_VALUE": [float(user % 17) for user in range(USERS)],
        }
    ).write_parquet(folder / "dim_customer.parquet")
    return {
        "events": str(folder / "fact_events"),
        "items": str(folder / "dim_product.parquet"),
        "users": str(folder / "dim_customer.parquet"),
    }


def american(folder: Path) -> Tables:
    """A spreadsheet: month first, AM and PM, pandas' index column, NULL for guests, a column of behavior codes."""
    with (folder / "log.csv").open("w") as out:
        out.write(",user_id,item_id,behavior_type,time\n")
        for n, (user, item, at, kind, _) in enumerate(world()):
            who = "NULL" if n % 50 == 0 else str(user)
            out.write(f"{n},{who},{item},{KINDS.index(kind) + 1},{at:%m/%d/%Y %I:%M:%S %p}\n")
    return {"events": str(folder / "log.csv")}


def daily(folder: Path) -> Tables:
    """Listening logs by the day: YYYYMMDD as a number, several equal rows on one day, ids without a name for them."""
    with (folder / "listens.tsv").open("w") as out:
        out.write("msno\tsong_id\tdate\n")
        for user, item, at, _, _ in world():
            out.write(f"m{user}\ts{item % 12}\t{at:%Y%m%d}\n")
    return {"events": str(folder / "listens.tsv")}


def recbole(folder: Path) -> Tables:
    """RecBole's atomic files: typed headers, tabs."""
    draw = np.random.default_rng(3)
    with (folder / "ml.inter").open("w") as out:
        out.write("user_id:token\titem_id:token\trating:float\ttimestamp:float\n")
        for user, item, at, _, _ in world():
            out.write(f"{user}\t{item}\t{float(draw.integers(1, 6))}\t{at.timestamp():.1f}\n")
    with (folder / "ml.item").open("w") as out:
        out.write("item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n")
        for item in range(ITEMS):
            out.write(
                f'{item}\tThe "best" film {item}\t{1950 + item % 40}\t{CATEGORIES[item % 5]} {CATEGORIES[item % 3]}\n'
            )
    with (folder / "ml.user").open("w") as out:
        out.write("user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token\n")
        for user in range(USERS):
            job = ("artist", "doctor", "student")[user % 3]
            out.write(f"{user}\t{18 + user % 50}\t{'MF'[user % 2]}\t{job}\t{90000 + user}\n")
    return {"events": str(folder / "ml.inter"), "items": str(folder / "ml.item"), "users": str(folder / "ml.user")}


def shown(folder: Path) -> Tables:
    """Impressions with their position and what became of them."""
    draw = np.random.default_rng(3)
    with (folder / "impressions.csv").open("w") as out:
        out.write("request_id,user_hash,item_id,position,propensity_score,clicked,timestamp,received_at\n")
        for n, (user, item, at, _, _) in enumerate(world()):
            clicked = "true" if draw.random() < 0.3 else "false"
            late = (at + timedelta(seconds=30)).isoformat()
            out.write(f"r{n // 3},h{user:x},{item},{n % 3 + 1},0.05,{clicked},{at.isoformat()},{late}\n")
    return {"events": str(folder / "impressions.csv")}


SHAPES: dict[str, Callable[[Path], Tables]] = {
    shape.__name__: shape for shape in (clickstream, ratings, german, warehouse, american, daily, recbole, shown)
}
