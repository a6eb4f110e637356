"""Wall times of lme4 and MixedModels.jl as others have published them, for the report of `peers.py`.

Facts only, each with its source. Both programs find a point estimate by maximum likelihood; a posterior is more work
and says more, and the machines are others. So no ratios are formed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

TIMINGS = "https://github.com/Stat990-033/Timings"
REPORT = (
    "https://github.com/JuliaStats/MixedModels.jl/blob/1aff9ae840791bafdfd589f615af21954b701921/docs/src/benchmarks.md"
)
SLIDES = "https://github.com/bbolker/mm_iowa2024/blob/8d8013e1684f4700322355ba30859c8909c7e81c/talk/timecomp.R"
SOURCES = {
    "T": (
        f"D. Bates and C. Longhurst, *Timings*, <{TIMINGS}>, `inst/JSON` (commits d3a2a3a for sleepstudy, 0437b15 for "
        "Chem97 and InstEval, 03da3c1 for the others): lme4 1.1-8 or newer on R 3.2, Julia 0.4; of several optimizers "
        "here `bobyqa` of lme4 and `LN_BOBYQA` of MixedModels.jl"
    ),
    "M": f"MixedModels.jl, benchmark report of 2 October 2018, <{REPORT}>: Julia 1.0, after compilation",
    "V": (
        "J. van Paridon, *Using MixedModels.jl in R*, 21 November 2022, "
        "<https://github.com/jvparidon/mixedmodels-in-r>: Julia 1.8.3, called from R on macOS"
    ),
    "B": f"B. Bolker, slides of 2024, <{SLIDES}>, where rstanarm takes 34 s for the same model",
    "I": "B. Bolker, comment of 20 February 2025, <https://github.com/lme4/lme4/issues/820>: `glmer`, script included",
}
I5_3570 = "i5-3570, 3.4 GHz"
I5_5200U = "i5-5200U, 2.2 GHz"
UNSTATED = "not stated"


@dataclass(frozen=True)
class Published:
    """Seconds of one model; None where the source has none.

    Attributes
    ----------
    case : str or None
        Ours with the same data and (nearly) the same model.
    """

    data: str
    rows: int
    model: str
    lme4: float | None
    mixed_models: float | None
    machine: str
    source: str
    case: str | None = None


_SLEEP = "2 coefficients, `(Days\\|Subject)` of 18 subjects"
_RATINGS = "2 coefficients, `(1\\|s) + (1\\|d) + (1\\|dept)`: 2,972 x 1,128 x 14 crossed"
_MAXIMAL = "8 coefficients, all of them by 56 subjects x 32 items, correlated"

PUBLISHED = (
    Published("sleepstudy", 180, _SLEEP, 0.020, 0.00794, I5_5200U, "T", case="M1"),
    Published("sleepstudy", 180, "the same", None, 0.00483, I5_3570, "M", case="M1"),
    Published("sleepstudy", 180, "the same", 0.03, None, UNSTATED, "B", case="M1"),
    Published("ScotsSec", 3_435, "4 coefficients, intercepts of 148 x 19 crossed", 0.071, 0.00945, I5_3570, "T"),
    Published("Hsb82", 7_185, "5 coefficients, intercepts of 160 schools", 0.076, 0.00965, I5_3570, "T"),
    Published(
        "Chem97", 31_022, "2 coefficients, intercepts of 2,410 schools and 131 areas", 0.541, 0.0625, I5_3570, "T"
    ),
    Published("InstEval", 73_421, _RATINGS, 6.51, 2.95, I5_3570, "T", case="InstEval"),
    Published("InstEval", 73_421, "the same", None, 2.00, I5_3570, "M", case="InstEval"),
    Published("kb07", 1_790, _MAXIMAL, 277, 11.7, I5_3570, "T"),
    Published("kb07", 1_789, "the same", 113, 14.1, UNSTATED, "V"),
    Published("simulated, logistic", 3_000, "23 coefficients, intercepts of 100 groups", 21, None, UNSTATED, "I"),
)


def section(ours: Mapping[str, float]) -> str:
    """The Markdown section.

    Parameters
    ----------
    ours : mapping of str to float
        Our seconds of sampling by case, for those that have been run.
    """
    lines = [
        "## Published times of lme4, for context",
        "",
        "Point estimates by maximum likelihood (for the logistic model by its Laplace approximation), on other "
        "machines and versions, as their sources say. Nothing of this was measured here, and no ratios are "
        "formed: a posterior is more work and says more. Ours is the sampling time of this report's case on the "
        "same data, for all draws of all chains; its InstEval model has `(1|dept:service)`, 28 levels, in place "
        "of `(1|dept)`. No published times were found for cbpp and radon; Hsb82 and ScotsSec are of radon's kind.",
        "",
        "| data | rows | model | lme4 s | MixedModels.jl s | their machine | source | ours s |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        *(_row(found, ours) for found in PUBLISHED),
        "",
        *(f"- {letter}: {source}." for letter, source in SOURCES.items()),
    ]
    return "\n".join(lines)


def _row(found: Published, ours: Mapping[str, float]) -> str:
    own = ours.get(found.case) if found.case else None
    cells = [found.data, f"{found.rows:,}", found.model, _seconds(found.lme4), _seconds(found.mixed_models)]
    cells += [found.machine, found.source, "–" if own is None else f"{own:.2f} ({found.case})"]
    return f"| {' | '.join(cells)} |"


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:,.3g}"
