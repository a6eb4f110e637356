"""Families of categories, with and without an order."""
