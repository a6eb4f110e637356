"""The forms of a response by the names that formulas have for them. A new form has a line here."""

from __future__ import annotations

from nutslite.formula.forms import censored, counts, proportion, shares, weighted
from nutslite.formula.forms.form import Form

FORMS: dict[str, Form] = {
    name: form
    for form in (proportion.FORM, counts.FORM, shares.FORM, weighted.FORM, censored.FORM)
    for name in form.names
}
