"""Small published data sets for examples and tests; sources and licences are in README.md beside this file."""

from nutslite.datasets.load import Dataset, datasets, load_data

__all__ = ["Dataset", "datasets", "load_data"]
