"""Distributions made of others, one a file with one record, `DISTRIBUTION`: with atoms, or moved.

`distribution` finds them beside those of `distributions`.
"""
