"""Families: one file per family, each a kernel and a record; see docs/adding_a_family.md."""
