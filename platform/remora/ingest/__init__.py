"""From a user's files to the lake: read, map, validate, quarantine, write."""
