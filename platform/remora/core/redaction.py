"""Credentials in text: hidden wherever a message, a record or a page shows what holds them."""

from __future__ import annotations

import re

HIDDEN = "***"

_IN_URL = re.compile(
    r"""(?P<scheme>\b[a-zA-Z][a-zA-Z0-9+.-]*://)
    (?: [^\s/@:'"<>]* : (?!\d{1,5}[/?\#]) [^\s'"<>]* @  # user:password, where the password may hold '/' and '@'
      | [^\s/'"<>]* @ )                                  # a user or a token alone""",
    re.VERBOSE,
)
_NAME = r"[A-Za-z0-9_.-]*(?:passw(?:or)?d|passphrase|secret|token|access_?key|api_?key|credential)[A-Za-z0-9_.-]*="
_NAMED = re.compile(
    rf"""(?P<name>{_NAME})
    (?: (?!&[\w.-]+=) [^\s,'"] )+?                  # up to a space, a comma, a quote or a URL's next parameter,
    (?= [)\]}};.]* (?: [\s,'"] | &[\w.-]+= | $ ) )  # but for what a sentence or a value around it closes with""",
    re.VERBOSE | re.IGNORECASE,
)
_SECRET = re.compile(_NAME, re.IGNORECASE)


def redacted(text: str) -> str:
    """``text`` without the user and password of any URL in it, and without the values of passwords, secrets and keys.

    >>> redacted("No lake under s3://key:sec/ret@lake/shop?endpoint_override=store:9000.")
    'No lake under s3://***@lake/shop?endpoint_override=store:9000.'
    >>> redacted("redis:6379,password=hunter2,ssl=true")
    'redis:6379,password=***,ssl=true'
    >>> redacted("http://127.0.0.1:8000/v1/similar/a@b")
    'http://127.0.0.1:8000/v1/similar/a@b'
    """
    if "://" in text:
        text = _IN_URL.sub(rf"\g<scheme>{HIDDEN}@", text)
    return _NAMED.sub(rf"\g<name>{HIDDEN}", text) if "=" in text else text


def redacted_connection(connection: str) -> str:
    """A whole URL or connection string without its credentials, whichever characters those have: for what is kept.

    In doubt it hides more than :func:`redacted`, which has to find the end of a credential in other text.

    >>> redacted_connection("redis:6379,password=it's (mine),ssl=true")
    'redis:6379,password=***,ssl=true'
    >>> redacted_connection("s3://key:se?c ret@lake/shop?secret_key=a'b&scheme=http")
    's3://***@lake/shop?secret_key=***&scheme=http'
    >>> redacted_connection("redis:6379;ssl=true;password=sesame")
    'redis:6379;ssl=true;password=***'
    """
    scheme, colon, rest = connection.partition("://")
    if not colon:
        return ",".join(map(_redacted_parameter, connection.split(",")))
    credentials, at, place = rest.rpartition("@")
    del credentials
    path, question, query = place.partition("?")
    parameters = "&".join(map(_redacted_parameter, query.split("&")))
    return f"{scheme}://{HIDDEN + at if at else ''}{path}{question}{parameters}"


def without_credentials(url: str) -> str:
    """A URL as a place: without user, password and parameters. A path of the machine stays as it is.

    >>> without_credentials("s3://key:secret@lake/shop?endpoint_override=store:9000")
    's3://lake/shop'
    """
    if "://" not in url:
        return url
    return redacted(url).partition("?")[0].replace(f"{HIDDEN}@", "", 1)


def _redacted_parameter(text: str) -> str:
    named = _SECRET.search(text)  # wherever it stands: a string that is written wrongly has other separators
    return f"{text[: named.end()]}{HIDDEN}" if named else text
