"""Families of responses above zero, and of those that may be zero as well."""
