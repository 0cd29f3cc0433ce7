"""The gRPC service, from the .proto file and its comments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import remora.serving
from docs.reference_pages.markdown import code, document, fence, sentence, table

PROTO = next(Path(remora.serving.__file__).parent.rglob("recommender.proto"))

INTRODUCTION = """\
The same requests and answers as over [HTTP](http_api.md), checked by the same models, on `serving.grpc_port`.
[Serve and call the endpoint](../how-to/serve.md#grpc) has an example. `optional` fields that are not set take the
defaults of the HTTP API."""

RPC = re.compile(r"rpc (\w+)\(([\w.]+)\) returns \(([\w.]+)\);")
FIELD = re.compile(r"(?:(optional|repeated) )?([\w.]+(?:<[\w., ]+>)?) (\w+) = (\d+);(?:\s*// (.*))?")
MESSAGE = re.compile(r"message (\w+) \{(.*?)\n\}", re.DOTALL)


def page() -> str:
    """The page."""
    text = PROTO.read_text()
    package = re.search(r"^package ([\w.]+);", text, re.MULTILINE)
    service = re.search(r"service (\w+) \{(.*?)\n\}", text, re.DOTALL)
    assert package is not None, PROTO
    assert service is not None, PROTO
    return document(
        "gRPC API",
        f"`{PROTO.name}`",
        INTRODUCTION,
        f"## Service {code(f'{package[1]}.{service[1]}')}",
        table(("call", "request", "answer", "meaning"), _calls(service[2])),
        "## Metadata and errors",
        _remarks(text),
        "## Messages",
        *(_message(name, body) for name, body in MESSAGE.findall(text)),
        "## The file",
        fence(text[text.index("syntax =") :], "protobuf"),
    )


def _calls(body: str) -> Iterator[tuple[str, str, str, str]]:
    said: list[str] = []
    for line in map(str.strip, body.splitlines()):
        if line.startswith("//"):
            said.append(line.removeprefix("//").strip())
        elif call := RPC.match(line):
            yield code(call[1]), _linked(call[2]), _linked(call[3]), " ".join(said)
            said = []


def _remarks(text: str) -> str:
    """The lines of the file's head that speak of metadata and errors."""
    head = [line.removeprefix("//").strip() for line in text[: text.index("syntax =")].splitlines()]
    return "\n".join(f"- {line}" for line in head if line.startswith(("Metadata:", "Errors:")))


def _message(name: str, body: str) -> str:
    rows = [
        (code(field), f"{rule} {_linked(kind)}".strip(), number, sentence(about))
        for rule, kind, field, number, about in FIELD.findall(body)
    ]
    return f"### {name}\n\n" + table(("field", "type", "number", "meaning"), rows)


def _linked(kind: str) -> str:
    return f"[{kind}](#{kind.lower()})" if kind[0].isupper() else code(kind)
