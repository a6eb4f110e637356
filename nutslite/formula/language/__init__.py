"""Formulas as text: grammar, terms, names."""
