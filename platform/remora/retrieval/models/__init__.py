"""Models that are learned of events for sources to read: components that ``retrieval.models`` names."""
