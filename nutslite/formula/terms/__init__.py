"""Kinds of terms that one call of a formula makes, such as ``s(x, k=10)``: a file each, and `register.py`."""
