"""Predictions and pointwise log likelihoods."""
