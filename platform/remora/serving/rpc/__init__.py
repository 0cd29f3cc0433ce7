"""The contract of the HTTP API as a gRPC service; ``recommender.proto`` is its definition, for any language."""
