"""The joint log density, and its special cases, at one position or many."""
