"""Remora: an end-to-end recommender platform that rides on Ray."""

from remora.core.feast_import import prepare_feast_import

__version__ = "0.1.0"

prepare_feast_import()  # here, since Feast may be imported first by what a worker unpickles
