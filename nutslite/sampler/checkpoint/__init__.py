"""A run on disk while it goes."""
