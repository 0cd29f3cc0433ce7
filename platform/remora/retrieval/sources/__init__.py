"""Candidate sources: each answers which items this user may want, best first."""
