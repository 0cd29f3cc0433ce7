"""Remora: an end-to-end recommender platform that rides on Ray."""

from remora.contracts.feast_import import without_folder

__version__ = "0.1.0"

without_folder()  # here, since Feast may be imported first by what a worker unpickles
