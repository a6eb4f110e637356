"""From design, family, links and priors to these records."""
