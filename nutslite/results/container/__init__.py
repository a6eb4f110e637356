"""The container of results: InferenceData or DataTree, its dimensions, its rows, its origin."""
