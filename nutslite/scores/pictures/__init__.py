"""Pictures of forecasts beside what came: matplotlib's Axes in, Axes out. Matplotlib is imported when one is drawn."""
