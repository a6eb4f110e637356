"""What scores need of numbers: checks of what users give, functions that keep their digits, sums, quadrature."""
