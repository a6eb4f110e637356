"""Cross-products of designs, and sums over the rows of levels."""
