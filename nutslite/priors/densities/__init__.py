"""The closed set of prior densities: catalogue, formulas, draws."""
