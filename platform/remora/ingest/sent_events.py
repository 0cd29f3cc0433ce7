"""Events that were sent to the server, as one more source of the ingest: files that the log is brought to."""

from __future__ import annotations

from remora.core.home import Home
from remora.core.tables import EVENTS, EVENTS_OPTIONAL
from remora.settings import Settings, SourceSettings

FOLDER = "events/accepted"
"""Of the home: Parquet files by number, each of which is written once."""

CONTEXT = "context"
"""Their column with what else was sent of an event, a JSON object as text."""

SOURCE = SourceSettings(
    path=FOLDER,
    format="parquet",
    columns={name: name for name in (*EVENTS.names, *EVENTS_OPTIONAL.names)},
    extra_columns=(CONTEXT,),
)


def with_sent_events(settings: Settings) -> Settings:
    """The settings with that source behind those of the user, where there is such a file."""
    if not Home(settings.home).files(FOLDER):
        return settings
    data = settings.data.model_copy(update={"events": (*settings.data.events, SOURCE)})
    return settings.model_copy(update={"data": data})
