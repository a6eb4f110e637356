"""`fit(until="converged")`: a run that goes on where it falls short, within a budget, and says what it did."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from nutslite._log import log
from nutslite.posterior.methods.fit import Fit
from nutslite.posterior.methods.settings import TARGET_ACCEPT, Settings
from nutslite.posterior.run.run import run
from nutslite.posterior.targets.plan import Plan
from nutslite.results.diagnostics.measured import higher_target_accept
from nutslite.results.verdict import Verdict, verdict_on
from nutslite.sampler.interrupts import Interrupts, careful_interrupts, ended_by

FEWEST, MOST = 1.25, 2.0
"""Times the draws that there are: how far a run goes on before it is judged again. Few draws judge badly."""
MARGIN = 1.1
"""Times the draws that would just do: effective sizes are estimates."""


def run_until(
    plan: Plan, settings: Settings, budget: float, before_sampling: Callable[[], Any] | None = None, warns: bool = True
) -> Fit:
    """Run a plan, and go on until its draws will do or the budget is spent.

    Where R-hat or effective sizes fall short, chains go on from where they ended (`Fit.longer`). Where transitions
    diverged, more draws would not help: the plan is run anew, with a higher target_accept. Ctrl-C, or an error, leaves
    the draws that there are.

    Parameters
    ----------
    budget : float
        Times `settings.draws`: how many draws of each chain may be made, those of runs that were replaced among them.
    warns : bool
        Whether the line at the end is a warning where the draws fall short.

    Returns
    -------
    Fit
        Its attributes have ``converged``, and in ``until`` what was done.
    """
    with careful_interrupts() as interrupts:
        first = run(plan, settings, before_sampling)
        interrupts.hold()
        steps = _Steps(plan, settings, budget, interrupts, first)
        reason = steps.taken()
    fit, verdict = steps.fit, steps.verdict
    converged = verdict is not None and verdict.converged
    measured = "" if verdict is None else f" ({verdict.in_words})"
    sentence = f"{', '.join(steps.done)}: {'converged' if converged else f'not converged, {reason}'}{measured}."
    (log.warning if warns and not converged else log.info)("%s", sentence)
    return replace(fit, attributes={**fit.attributes, "converged": converged, "until": sentence})


@dataclass
class _Steps:
    """A run that goes on: its draws, what they are worth, what is left of the budget, what was done."""

    plan: Plan
    settings: Settings
    budget: float
    interrupts: Interrupts
    fit: Fit
    verdict: Verdict | None = None
    done: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.left = int(self.budget * self.settings.draws) - self.settings.draws
        self.done.append(f"{self.draws} draws of each chain")

    @property
    def draws(self) -> int:
        """Of each chain."""
        return int(self.fit.values.shape[1])

    def taken(self) -> str:
        """Go on until no step is left that would help; return why the last one was the last."""
        while True:
            self.verdict = _verdict(self.fit)
            if self.fit.interrupted:
                return "interrupted"
            if self.verdict is None or self.verdict.hopeless:
                return self.verdict.hopeless if self.verdict else "which could not be judged"
            if self.verdict.converged:
                return ""
            if self.interrupts.pressed:  # while draws were put together
                self.fit = replace(self.fit, interrupted=True)
                return "interrupted"
            step, reason = self._anew() if self.verdict.divergences else self._longer(self.verdict)
            if step is None:
                return reason
            if reason := self._take(step):
                return reason

    def _longer(self, verdict: Verdict) -> tuple[Callable[[], Fit] | None, str]:
        """Chains that go on to about as many draws as are wanted, at most twice as many as there are."""
        go_on, draws = self.fit.longer, self.draws
        wanted = min(max(MARGIN * verdict.measured.draws_wanted, FEWEST * draws), MOST * draws)
        total = min(math.ceil(wanted), draws + self.left)
        if go_on is None or total <= draws:
            return None, self._spent
        self.left -= total - draws
        again = self.done[-1].startswith(("went on", "to "))
        line = "Not converged after %d draws of each chain (%s): going on to %d."
        self._say(f"to {total}" if again else f"went on to {total}", line, total)
        return lambda: go_on(total), ""

    def _anew(self) -> tuple[Callable[[], Fit] | None, str]:
        """Another run with smaller steps, of the draws that were asked for."""
        accept = self.fit.settings.target_accept or TARGET_ACCEPT
        higher = higher_target_accept(accept)
        if higher is None:
            return None, f"transitions diverge with target_accept={accept:g} too, and more draws do not help"
        if self.settings.checkpoint is not None:
            return None, (
                f"transitions diverged, and the checkpoint is of target_accept={accept:g}: give another file, and "
                f"target_accept={higher:g}"
            )
        if self.left < self.settings.draws:
            return None, self._spent
        self.left -= self.settings.draws
        self.settings = replace(self.settings, target_accept=higher)
        self._say(
            f"anew with target_accept={higher:g} because transitions diverged",
            "After %d draws of each chain: %s. More would not help: sampling anew with target_accept=%g.",
            higher,
        )
        return lambda: run(self.plan, self.settings), ""

    @property
    def _spent(self) -> str:
        return f"the budget of {self.budget:g} times the draws asked for is spent"

    def _say(self, done: str, line: str, number: float) -> None:
        self.done.append(done)
        if self.settings.progressbar and self.verdict is not None:
            log.info(line, self.draws, self.verdict.in_words, number)

    def _take(self, step: Callable[[], Fit]) -> str:
        """Take a step, during which Ctrl-C is heard; return why there is nothing new, if so. What there was is kept."""
        self.interrupts.release()
        new, reason = None, ""
        try:
            new = step()
        except (Exception, KeyboardInterrupt) as error:
            ended_by(error, drawn=True)
            reason = "interrupted" if isinstance(error, KeyboardInterrupt) else "ended by an error"
        finally:
            self.interrupts.hold()
        anew = self.done[-1].startswith("anew")
        if new is not None and not (anew and new.interrupted):
            self.fit = new
            if new.interrupted:
                self.done[-1] = f"went on to {self.draws}"
            return ""
        self.done.pop()
        log.warning("Kept the %d draws of each chain that were there before.", self.draws)
        self.fit = replace(self.fit, interrupted=True)
        return reason or "interrupted"


def _verdict(fit: Fit) -> Verdict | None:
    """What the draws are worth; None, with a warning, where that cannot be told."""
    try:
        return verdict_on(fit)
    except Exception as error:
        log.warning("Whether the fit has converged cannot be told (%s: %s).", type(error).__name__, error)
        return None
