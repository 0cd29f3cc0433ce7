"""The kinds of components there are, each with its group of entry points."""

from __future__ import annotations

from remora.extensions.component import Kind

METRIC = Kind("metric", "remora.metrics", ("at", "of"))

TRAIN = "train"
"""The method of a retrieval model that a step trains once; another is learned wherever it is needed."""

LINEAR_MODEL = Kind("linear model", "remora.linear_models", ("learn", "step_decay"))

RETRIEVAL_MODEL = Kind("retrieval model", "remora.retrieval_models", ("save", "load"), one_of=("learn", TRAIN))

STATES, SUMMARY = "states", "summary"
"""The method of a history encoder says what its network gives: a state after each item, or one vector of them all."""

HISTORY_ENCODER = Kind("history encoder", "remora.history_encoders", (), one_of=(STATES, SUMMARY))

LOSS = Kind("loss", "remora.losses", ("from_config", "of", "of_table"))

HYDRATOR = Kind("hydrator", "remora.hydrators", ("from_config", "hydrate"))

RANKING_MODEL = Kind("ranking model", "remora.ranking_models", ("learn", "save", "load", "margins"))

SOURCE = Kind("source", "remora.sources", ("from_config", "find"))

FILTER = Kind("filter", "remora.filters", ("from_config", "allowed"))

SCORER = Kind("scorer", "remora.scorers", ("from_config", "score"))

RERANKER = Kind("reranker", "remora.rerankers", ("from_config", "rerank"))

BACKFILL = Kind("backfill", "remora.backfills", ("from_config", "page"))

SURFACE = Kind("surface", "remora.surfaces", ("from_config",), functions=True)

TRANSFORM = Kind("transform", "remora.transforms", ("applies", "transform"))

KINDS = (
    *(METRIC, LINEAR_MODEL, RETRIEVAL_MODEL, HISTORY_ENCODER, LOSS, RANKING_MODEL),
    *(HYDRATOR, SOURCE, FILTER, SCORER, RERANKER, BACKFILL, SURFACE, TRANSFORM),
)
