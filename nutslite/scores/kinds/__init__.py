"""Kinds of predictions, one a file: what each can say, and why not where it cannot."""
