"""The packed parameter vector, its log densities, and how they are sampled.

Each wing imports those before it, and a fit goes through them in this order: `record` (what kernels see, and names),
`assembly` (from a design, a family and priors to these), `density` (the joint log density), `products` and `marginal`
(Gaussian models, much of them integrated out), `pilot` (mode and coordinates), `targets` (what is sampled), `points`
(by the names that users know), `methods` (NUTS, independence Metropolis, slices), `run` (settings in, draws out).
"""
