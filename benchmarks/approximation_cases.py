"""The models that approximations are judged on: every reference posterior, and families that none of these has."""

from __future__ import annotations

from typing import Any

from reference_cases import CASES as REFERENCES
from reference_cases import Case

# Default priors; the posterior is known by a long run of our own, which references of other programs have checked on
# their models.
OWN: dict[str, Case] = {
    case.name: case
    for case in (
        Case("epil", "epil.csv", "y ~ lbase*trt + lage + V4 + (1|subject)", {}, "poisson",
             {"categorical": ["subject"]}, "1|subject"),
        Case("roaches", "roaches.csv", "y ~ roach1 + treatment + senior + offset(log(exposure2))", {},
             "negativebinomial", {}),
        Case("bacteria", "bacteria.csv", "y ~ trt + week + (1|ID)", {}, "bernoulli", {}, "1|ID"),
        Case("salamanders", "Salamanders.csv", "count ~ mined + (1|site)", {}, "zero_inflated_poisson", {}, "1|site"),
        Case("sleepstudy_t", "sleepstudy.csv", "Reaction ~ Days + (1|Subject)", {}, "t",
             {"categorical": ["Subject"]}, "1|Subject"),
        Case("inhaler", "inhaler.csv", "rating ~ treat + period + carry", {}, "cumulative",
             {"categorical": ["rating"]}),
    )
}  # fmt: skip

CASES = {**REFERENCES, **OWN}

PEERS = ("admit_bambi_priors", "cbpp", "sleepstudy_nocor", "epil")
"""What peers are run on by default: a family or a difficulty each, of the models that Bambi can state."""


def for_bambi(case: Case) -> dict[str, Any]:
    """The model as plain data that another program's process can read.

    Raises
    ------
    ValueError
        If Bambi has no such model.
    """
    options = {name: value for name, value in case.options.items() if value is not None}
    if not isinstance(case.formula, str) or "priors_cor" in options:
        raise ValueError(f"{case.name}: Bambi has no such model")
    priors = {}
    for names, prior in case.priors.items():
        for name in (names,) if isinstance(names, str) else names:
            priors[name] = _plain(prior)
    return {"formula": case.formula, "family": case.family, "priors": priors, "options": options}


def _plain(prior: Any) -> Any:
    """A prior, and those within it, as dictionaries."""
    if not hasattr(prior, "args"):
        return prior
    return {"name": prior.name, "args": {name: _plain(value) for name, value in prior.args.items()}}
