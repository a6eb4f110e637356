"""Columns of the user's data, and their levels."""
