"""Each stage is a span of its request's trace."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests.pipeline.stages_of_rules import Asleep, ByTable, Everything, Forbidden, Listed

from remora.pipeline import Pipeline, recorder
from remora.pipeline.runner import named
from remora.serving.stage_pool import StagePool
from remora.testing.stages import some_query


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(recorder, "TRACER", provider.get_tracer("test"))
    yield exporter
    provider.shutdown()


def test_stages_are_spans_within_the_request_also_from_another_thread(spans: InMemorySpanExporter) -> None:
    pipeline = Pipeline(
        sources=named(Listed((1, 2, 3))), filters=named(Forbidden((1,))), scorer=Asleep(), backfill=Everything(10)
    )

    async def requested() -> None:
        with recorder.TRACER.start_as_current_span("request"):
            await StagePool(1).do(pipeline.run, some_query(n=5))

    asyncio.run(requested())
    finished = {span.name: span for span in spans.get_finished_spans()}
    request = finished.pop("request")
    assert finished.keys() == {"listed", "merge", "forbidden", "backfill", "asleep"}
    for name, span in finished.items():
        assert span.parent is not None
        assert span.parent.span_id == request.context.span_id
        assert span.attributes == {"stage": name}


def test_the_spans_are_what_is_timed(spans: InMemorySpanExporter) -> None:
    slate = Pipeline(sources=named(Listed((1, 2))), scorer=ByTable((0.0,) * 10)).run(some_query(n=2))
    assert [span.name for span in spans.get_finished_spans()] == list(slate.timings_ms)
