"""What chance does to numbers: standard errors of scores, and what a calibrated forecaster would get."""
