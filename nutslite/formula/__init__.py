"""From a formula and a data frame to numbers: the only room that knows Patsy and pandas.

`nutslite.formula.design.build_design` is its door; `nutslite.formula.records` are the records that come out of it. Its
wings: `language` (formulas as text), `columns` (of the data), `evaluation` (of expressions), `terms` (kinds of terms
that one call makes).
"""
