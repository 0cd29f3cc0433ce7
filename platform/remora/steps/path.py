"""Every step of Remora's path: what it reads, and the settings that its result depends on.

A setting that is named nowhere here makes nothing again. A step that reads one which neither it nor a step before it
names fails: see :meth:`remora.steps.step.Step.view`.
"""

from __future__ import annotations

from dataclasses import replace

from remora.settings import Settings
from remora.settings.features import FeatureDefinitions
from remora.settings.retrieval import RetrievalDefinitions
from remora.steps.graph import checked
from remora.steps.step import Step


def _fields(section: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{section}.{name}" for name in names)


DOWNLOAD = Step(name="download", command="remora data download", settings=("data.dataset",))

INGEST = Step(
    name="ingest",
    command="remora data ingest",
    artifact="lake",
    settings=(
        *_fields("data", "events", "users", "items", "event_types.*.sign", "impression", "earliest"),
        *_fields("data", "max_clock_skew_seconds", "quarantine_limit", "duplicates", "unknown_items"),
        *_fields("data", "category", "available"),  # findings are about them
    ),
    also_reads=_fields("data", "title", "user_columns", "item_columns", "text_columns"),  # are they there?
)

REPORT = Step(name="quality report", command="remora data report", reads=(INGEST,))

FEATURES = Step(
    name="feature build",
    command="remora features build",
    artifact="features",
    reads=(INGEST,),
    settings=(
        *_fields("data", "event_types", "title", "category", "available"),
        *_fields("data", "user_columns", "item_columns", "text_columns"),
        *_fields("features", *FeatureDefinitions.model_fields, "partitions"),
    ),
)

APPLY = Step(
    name="feast apply",
    command="remora features apply",
    reads=(FEATURES,),
    settings=("features.registry", "features.redis"),
)

MATERIALIZE = Step(
    name="materialize",
    command="remora features materialize",
    reads=(FEATURES,),
    settings=("features.redis",),
)

_TOWERS = (
    "split",
    *_fields("data", "event_types", "category", "user_columns", "item_columns", "text_columns"),
    *_fields("features", "history_length", "partitions"),
    "ranked_surface.hide_seen",
    *_fields("retrieval", "dimension", "epochs", "batch_size", "learning_rate", "loss", "temperature", "seed"),
    *_fields("retrieval", "history_encoder", "uniform_negatives", "id_dropout", "text_hash_buckets"),
    *_fields("retrieval", "validation_user_fraction", "workers", "shuffle_buffer_rows"),
)

RETRIEVAL = Step(
    name="train retrieval",
    command="remora train retrieval",
    artifact="retrieval",
    reads=(INGEST,),
    settings=(*_TOWERS, *_fields("retrieval", "min_index_recall", "index_build_seconds", "index_memory_mib")),
    also_reads=("retrieval.max_failures",),
)

MODELS = Step(
    name="train models",
    command="remora train models",
    artifact="models",
    reads=(INGEST,),
    settings=("split", "data.event_types.*.sign", "ranked_surface.hide_seen", "trained_models"),
    # Any number of workers computes the gradient of the whole batch, and partitions are put together again.
    also_reads=("retrieval.workers", "retrieval.max_failures", "features.partitions"),
)

TUNE_RETRIEVAL = Step(
    name="tune retrieval",
    command="remora tune retrieval",
    artifact="tuning",
    reads=(INGEST,),
    settings=(*_TOWERS, "tuning"),
)

_SOURCES = (
    "retrieval.models",
    *_fields("ranked_surface", "hydrators", "sources", "filters", "pipeline", "hide_seen"),
)
"""What finds candidates, and how many: of them the ranker learns, so another limit makes other rows."""

SLATES = Step(
    name="ranking rows",
    command="remora train ranking",
    artifact="slates",
    reads=(RETRIEVAL, MODELS, FEATURES),
    settings=(
        "split",
        *_SOURCES,
        *_fields("evaluation", "events_between_queries", "queries_per_user", "horizon_days", "max_snapshots"),
        "evaluation.attribution",
        *_fields("objectives.*", "events", "label"),
        *_fields("ranking", "candidates", "negatives_per_query", "easy_negatives_per_query", "train_queries"),
        *_fields("ranking", "validation_negatives", "validation_queries", "seed"),
    ),
    also_reads=("ranked_surface",),  # the whole surface is made, and only its candidates are taken
)

RANKING = Step(
    name="train ranking",
    command="remora train ranking",
    artifact="ranking",
    reads=(RETRIEVAL, SLATES),
    settings=(
        *_fields("objectives.*", "events", "label", "loss", "calibration"),
        *_fields("ranking", "models", "refit", "workers", "seed", "leakage_allowlist"),
        "evaluation.new_user_events",  # whose probabilities are calibrated apart
    ),
    also_reads=(
        "ranking.max_failures",
        *("objectives.*.weight", "evaluation.heavy_user_events"),  # which only its report repeats
    ),
)

TUNE_RANKING = Step(
    name="tune ranking",
    command="remora tune ranking",
    artifact="tuning_ranking",
    reads=(RETRIEVAL, SLATES),
    settings=(
        *_fields("objectives.*", "events", "label", "loss", "calibration"),
        *_fields("ranking", "models", "refit", "workers", "seed"),
        "tuning",
    ),
)

MERGE = Step(
    name="merge weights",
    command="remora train merge",
    artifact="merge_weights",
    reads=(RETRIEVAL, MODELS, FEATURES),
    settings=(
        *("split", "retrieval.models"),
        *_fields(
            "surfaces.*", "hydrators", "sources", "source_weights", "filters", "pipeline", "hide_seen", "needs_item"
        ),
        *_fields("evaluation", "events_between_queries", "queries_per_user", "horizon_days", "max_snapshots"),
        *_fields("evaluation", "cutoffs", "new_user_events", "seed"),
    ),
    also_reads=("surfaces", "ranking.surface"),  # whole surfaces are made, and only their candidates are taken
)

EVALUATE = Step(
    name="evaluate",
    command="remora evaluate",
    artifact="evaluation",
    reads=(INGEST, RETRIEVAL, MODELS, RANKING, MERGE),
    settings=("evaluation", "surfaces", "objectives.*.weight", "ranking.surface"),
)

ABLATE = Step(
    name="ablations",
    command="remora evaluate --ablations",
    artifact="ablations",
    reads=EVALUATE.reads,
    settings=EVALUATE.settings,
)

COLD_START = Step(
    name="cold start",
    command="remora evaluate",
    artifact="cold_start",
    reads=(INGEST,),
    settings=(
        *_TOWERS,
        *_fields("evaluation", "cold_start_holdout_fraction", "cold_start_epochs", "cold_start_quota"),
        *_fields("evaluation", "bootstrap_samples", "seed"),
    ),
    also_reads=RETRIEVAL.also_reads,
)

BUNDLE = Step(
    name="bundle",
    command="remora bundle build",
    artifact="built",
    reads=(INGEST, FEATURES, RETRIEVAL, MODELS, RANKING, MERGE, EVALUATE),
    settings=(
        "surfaces",
        *_fields("retrieval", *RetrievalDefinitions.model_fields),
        *_fields("features", *FeatureDefinitions.model_fields),
        *("objectives", "ranking.models", "ranking.surface"),
    ),
    with_commit=True,
)

GATES = Step(
    name="gates",
    command="remora gate",
    reads=(INGEST, BUNDLE),
    settings=("gates", "evaluation", "split", "data", "serving.timeout_ms"),
)

PROMOTE = Step(name="promote", command="remora bundle promote", reads=(BUNDLE,))

ROLLOUT = Step(name="rollout", command="remora rollout start --bundle candidate", reads=(BUNDLE,))

RUN = (
    *(DOWNLOAD, INGEST, REPORT, FEATURES, APPLY, MATERIALIZE, RETRIEVAL, MODELS, SLATES, RANKING, MERGE, EVALUATE),
    *(BUNDLE, GATES, PROMOTE, ROLLOUT),
)
"""Those of a run, in order."""

STEPS = checked((*RUN, COLD_START, ABLATE, TUNE_RETRIEVAL, TUNE_RANKING))
"""And those that are commands of their own."""


def steps_of_run(settings: Settings, *, since_last: bool = False) -> tuple[Step, ...]:
    """The steps of a run in order, without serving.

    With ``since_last`` only new files are read, and the last step is the one that `retraining.on_success` names.
    """
    policy = settings.retraining.policy if since_last else PROMOTE.name
    left_out = {DOWNLOAD.name} if not settings.data.dataset else set()
    left_out |= {last.name for last in (PROMOTE, ROLLOUT) if last.name != policy}
    commands = {ROLLOUT.name: f"{ROLLOUT.command} --plan {settings.retraining.plan}"}
    if since_last:
        commands[INGEST.name] = f"{INGEST.command} --since last"
    return tuple(
        replace(step, command=commands.get(step.name, step.command)) for step in RUN if step.name not in left_out
    )
