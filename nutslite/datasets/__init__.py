"""Small published data sets for examples and tests; sources and licences are in README.md beside this file."""

from nutslite.datasets.load import Dataset, clear_data_home, datasets, load_data

__all__ = ["Dataset", "clear_data_home", "datasets", "load_data"]
