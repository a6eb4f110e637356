"""The packed parameter vector and its log densities.

Reading order: `model_data` (what kernels see), `transforms`, `head`, `effects`, `predictor`, `joint`, then the Python
side: `layout` (names) and `assembly` (from a design, a family and priors to numbers).
"""
