"""Families of zeros and ones, of successes among trials, and of shares between 0 and 1."""
