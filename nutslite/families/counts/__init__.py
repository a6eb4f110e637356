"""Families of counts: 0, 1, 2, ..."""
