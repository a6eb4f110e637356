"""Gaussian models with coefficients and effects integrated out, and their exact draws."""
