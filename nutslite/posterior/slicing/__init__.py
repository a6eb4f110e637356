"""Slice sampling of models of few rows: directions, chains, and how many updates make a draw."""
