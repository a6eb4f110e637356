"""Values and gradients of users' functions: by Numba, by dual numbers, by arrays."""
