"""What a retrieval model minimises: one file a loss."""
