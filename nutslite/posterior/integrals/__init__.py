"""The effects of one grouping factor, integrated out level by level.

Given all else, the levels are independent, and each has one effect: an integral over one number. So what is left to
propose has few dimensions, and the effects are drawn beside it, one by one.

`grids`
    Where each level's integrand is looked at.
`pieces`
    A density of straight pieces through these points: its integral, and draws of it.
`level_integrals`
    The log density of many positions, with or without draws of the effects.
"""
