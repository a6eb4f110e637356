"""Families of responses that have several columns: counts of several outcomes, shares of a whole."""
