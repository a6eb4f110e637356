"""Priors: what users write (`prior`), the densities behind it (`densities`), Bambi's weakly informative defaults."""
