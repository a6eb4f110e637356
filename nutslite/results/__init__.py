"""From draws to answers: ArviZ containers, diagnostics, summaries, reports, predictions, pictures.

Nothing here imports ArviZ before a container has to be built or read, because that import takes longer than many fits.
The wings are `container`, `diagnostics`, `predictions`, `pictures` and `storage`; `fit` and `added_groups` put results
together from them.
"""
