"""Normal distributions that are fitted to a log density as a whole, not at its mode only."""
