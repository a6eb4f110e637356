"""Data that stay where they are: tables of any length, read block by block, and what passes over them find out.

`sources` are the engines that hold rows. A pass hands every block of rows to a function and joins what it returns.
"""
