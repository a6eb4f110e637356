"""Families of responses that may be any number."""
