"""Hydrators: what is known of a request's user."""
