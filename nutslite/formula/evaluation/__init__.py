"""Expressions of formulas: what they may be, and what they come to."""
