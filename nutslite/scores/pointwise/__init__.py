"""Scores as plain functions of arrays: observations first, one number a row, lower is better."""
