"""The forms of a response by the names that formulas have for them. A new form has a line here."""

from __future__ import annotations

from nutslite.formula.forms import censored, counts, known_error, proportion, rate, shares, truncated, weighted
from nutslite.formula.forms.form import Form

_ALL = (
    proportion.FORM,
    counts.FORM,
    shares.FORM,
    weighted.FORM,
    censored.FORM,
    truncated.TRUNCATED,
    truncated.CONSTRAINED,
    known_error.FORM,
    rate.FORM,
)
FORMS: dict[str, Form] = {name: form for form in _ALL for name in form.names}
