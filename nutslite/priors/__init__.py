"""Priors: what users write, the densities behind it, and Bambi's weakly informative defaults."""
