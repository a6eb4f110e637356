"""A model and its draws, drawn and described."""
