"""The words by which people name columns and events, in English and a few languages beside it."""

from __future__ import annotations

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


USER = _words(
    """
    user customer client member visitor person people account buyer shopper reader viewer listener subscriber
    household patient player guest uid cust userid customerid kunde kunden kundennr kundennummer nutzer benutzer
    utilisateur usuario cliente fullvisitorid clientid visitorid memberid reviewerid author reviewer who
    """
)
ITEM = _words(
    """
    item product article sku movie film book song track video content listing offer isbn asin stockcode artikel
    artikelnr artikelnummer produkt produit producto course recipe game app news post show venue business hotel poi
    location iid pid thing title itemid productid movieid articleid parent asset goods merchandise place what stock
    variant podcast
    """
)
ID = _words("id ids no nr num number code key uuid guid nummer ref identifier pseudo hash")
TIME = _words(
    """
    time timestamp date datetime at ts when created datum zeit zeitpunkt zeitstempel fecha day moment occurred
    ordered purchased clicked viewed ms unix epoch utc instant
    """
)
EVENT = _words(
    """
    event type action kind behavior behaviour activity interaction verb aktion ereignis name op
    """
)
RATING = _words("rating rate stars score bewertung note overall grade vote")
VALUE = _words(
    """
    price amount value revenue total sum preis betrag umsatz prix precio cost gmv spend paid sales
    """
)
QUANTITY = _words("quantity qty count menge anzahl units pieces")
SESSION = _words(
    """
    session order invoice basket visit transaction bestellung bestellnr rechnung bestellnummer
    """
)

EVENT_TIME_FIRST = _words(
    """
    event order ordered purchase purchased click created occurred transaction invoice
    """
)
"""Words of a time that is the event's own."""

AFTERWARDS = _words(
    """
    delivered delivery shipped shipping updated modified returned refunded refund cancelled canceled closed resolved
    completed settled received ingested loaded inserted processed exported expires expired end ended
    """
)
"""Words of what is known only after an event."""

ARRIVAL = _words("received ingested loaded inserted processed arrived")
"""Words of the time at which an event was learned."""

TITLE = ("title", "titel", "name", "headline", "label", "bezeichnung", "titre", "titulo", "description", "beschreibung")
"""What a column that is shown to people is called, the best first."""

CATEGORY = (
    "category",
    "genre",
    "genres",
    "categories",
    "kategorie",
    "warengruppe",
    "department",
    "class",
    "section",
    "shelf",
    "topic",
    "taxonomy",
    "categorie",
    "rubrik",
    "group",
    "type",
    "tags",
    "brand",
)
"""What a category is called, the best first."""

AVAILABLE = _words("available availability active instock enabled visible lieferbar verfügbar published")
SEGMENT = ("country", "segment", "region", "gender", "land", "market", "language", "tier", "plan")
TEXTS = _words("description beschreibung summary abstract overview text content plot body synopsis")
PERSONAL = _words(
    """
    email mail phone telephone mobile address street firstname lastname surname password ip ssn birthdate dob zip
    zipcode postcode plz postal token
    """
)
"""Words of what says who a person is."""

OUTCOMES = _words(
    """
    sales sold sale purchases purchase orders order views view clicks click downloads plays streams popularity
    popular revenue turnover bestseller reviews votes likes favorites rating ratings stars ctr conversion
    conversions interactions events visits installs returns refunds lifetime ltv clv churn churned spent spend
    verkauft verkäufe umsatz basket
    """
)
COUNTED = _words(
    """
    total sum num number n count cnt avg average mean median max min last first latest recent days since rank score
    rate anzahl letzte gesamt lifetime ever 7d 30d 90d per
    """
)
"""With a word of OUTCOMES, a column that is computed from events."""

ALONE = _words("popularity bestseller ctr ltv clv churn churned lifetimevalue sold turnover plays streams")
"""Words of OUTCOMES that are computed from events by themselves."""


GLUED = USER | ITEM | SESSION | frozenset({"event", "row", "request"})
"""Words that are written together with what follows, as in userid."""


def tokens(name: str) -> tuple[str, ...]:
    """The words of a column's name, in small letters; what RecBole writes after a colon is its type and no word.

    >>> tokens("CustomerID"), tokens("user_id:token"), tokens("payload.itemId"), tokens("transactionid"), tokens("paid")
    (('customer', 'id'), ('user', 'id'), ('payload', 'item', 'id'), ('transaction', 'id'), ('paid',))
    """
    name = re.sub(r":(token|float|token_seq|float_seq)$", "", name)
    spaced = re.sub(r"(?<=[a-zäöüß0-9])(?=[A-ZÄÖÜ])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    found: list[str] = []
    for word in re.split(r"[^0-9a-zäöüßéèáíóñç]+", spaced.lower()):
        ending = next((end for end in ("id", "nr", "no") if word.endswith(end) and word.removesuffix(end) in GLUED), "")
        found += [part for part in (word.removesuffix(ending), ending) if part]
    return tuple(found)


def is_numbered(name: str) -> bool:
    """Is it a name that a file without a header was given?

    >>> is_numbered("column_3"), is_numbered("column_name")
    (True, False)
    """
    return re.fullmatch(r"column_\d+", name) is not None


def is_time_name(name: str) -> bool:
    """Does a name say that it is a time?

    >>> [is_time_name(name) for name in ("created_at", "Bestelldatum", "unixReviewTime", "price")]
    [True, True, True, False]
    """
    own = tokens(name)
    return bool(TIME & set(own)) or any(word.endswith(("datum", "date", "time", "zeit", "stamp")) for word in own)


def short_name(name: str) -> str:
    """What a column is called in the lake: without the objects around it, and without a type.

    >>> [short_name(name) for name in ("movie_title:token_seq", "payload.item.price", "Price (EUR)", "__a")]
    ['movie_title', 'price', 'Price (EUR)', 'a']
    """
    name = re.sub(r":(token|float|token_seq|float_seq)$", "", name)
    return (re.sub(r"^(?:\w+\.)+(?=\w)", "", name) if re.fullmatch(r"[\w.]+", name) else name).lstrip("_")


def likeness(name: str, words: frozenset[str]) -> int:
    """How much a name is that of an id of such words: 3 exactly that, 2 with another qualifier, 1 with more, 0 not.

    >>> [likeness(n, USER) for n in ("user_id", "CustomerNo", "customer", "user.id", "user_country", "price")]
    [3, 3, 3, 3, 1, 0]
    """
    own = tokens(name)
    if not words & set(own):
        return 0
    others = [word for word in own if word not in words and word not in ID]
    if own[-1] in words or own[-1] in ID:
        return 3 if not others else 2
    return 1
