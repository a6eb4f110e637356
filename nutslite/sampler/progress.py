"""A progress bar over all chains, on tqdm, which is imported only when a bar is shown.

Nothing is worth less than a bar: where standard error is missing (services, windows without a console), closed or
breaks on the way, the bar is dropped and the run goes on.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any, Self

from nutslite._columns import columns_of
from nutslite._log import log
from nutslite.sampler.worker import ChainProgress

REFRESH_SECONDS = 0.1
REFRESH_SECONDS_ELSEWHERE = 1.0
"""In notebooks and files, some of which show every state of a bar in a line of its own."""
FORMAT = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}{postfix}]"
OTHERS = len("100%|####| / [00:00<00:00, ]: ")
"""Columns of a short bar and the times, without the numbers of draws and the text behind."""


class Bar:
    """tqdm's bar as far as it can be written; a context manager that closes it.

    `unit` is what it counts, ``"draw"`` of so many chains, or another noun, of `total` such.
    """

    def __init__(self, total: int, chains: int, unit: str = "draw") -> None:
        self._bar: Any = None
        number, noun = (chains, "chain") if unit == "draw" else (total, unit)
        name = f"{number:,} {noun}{'s' if number > 1 else ''}"
        self._others = len(name) + OTHERS + 2 * len(str(total))
        with self._dropping():
            from tqdm import tqdm

            self._bar = tqdm(
                total=total,
                unit=unit,
                desc=name,
                bar_format=FORMAT,
                mininterval=REFRESH_SECONDS if sys.stderr.isatty() else REFRESH_SECONDS_ELSEWHERE,
                dynamic_ncols=True,
            )

    def move(self, steps: int, text: str) -> None:
        """Move the bar on, with a text behind it, of which a narrow terminal shows the first parts."""
        with self._dropping():
            if self._bar is not None:
                columns = columns_of(sys.stderr)
                while columns is not None and ", " in text and len(text) > columns - self._others:
                    text = text.rpartition(", ")[0]
                self._bar.set_postfix_str(text, refresh=False)
                self._bar.update(steps)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        with self._dropping():
            if self._bar is not None:
                self._bar.close()

    @contextlib.contextmanager
    def _dropping(self) -> Iterator[None]:
        """Drop the bar where it cannot be shown."""
        try:
            yield
        except Exception as error:  # whatever stands in the place of standard error may raise anything
            bar, self._bar = self._bar, None
            if bar is not None:
                with contextlib.suppress(Exception):
                    bar.close()  # takes it from the list that tqdm's own thread refreshes
            log.debug("The progress bar is dropped: %s", error)


class ProgressBar(Bar):
    """One bar for all chains: time left, divergences, how many chains sample, step size, leapfrog steps.

    An instance is a callback for `sample`.
    """

    def __init__(self, chains: int, transitions: int) -> None:
        super().__init__(chains * transitions, chains)
        self._latest: dict[int, ChainProgress] = {}
        self._chains = chains

    def __call__(self, report: ChainProgress) -> None:
        """Move the bar on."""
        before = self._latest.get(report.chain)
        self._latest[report.chain] = report
        self.move(report.done - (before.done if before else 0), self.summary())

    def summary(self) -> str:
        """What stands behind the bar, for example ``3 divergences, sampling 2/4, step 0.41, 7 leapfrogs``."""
        reports = self._latest.values()
        sampling = sum(report.phase == "sampling" for report in reports)
        phase = f"sampling {sampling}/{self._chains}" if sampling else "warm-up"
        divergences = sum(report.divergences for report in reports)
        step_size = sum(report.step_size for report in reports) / len(reports)
        n_steps = sum(report.n_steps for report in reports) / len(reports)
        noun = "divergence" if divergences == 1 else "divergences"
        return f"{divergences} {noun}, {phase}, step {step_size:.2g}, {n_steps:.0f} leapfrogs"


@contextlib.contextmanager
def counting_bar(total: int, unit: str, shown: bool) -> Iterator[Callable[[int, str], None]]:
    """A bar over so many things of one kind: call it with how many more are done, and a text behind the bar."""
    if not shown:
        yield lambda steps, text: None
        return
    with Bar(total, 1, unit) as bar:
        yield bar.move


@contextlib.contextmanager
def transition_bar(chains: int, draws: int, shown: bool) -> Iterator[Callable[[int, int, float], None]]:
    """A plainer bar for samplers without steps: call it with the chain, its draws so far, and its acceptance rate."""
    if not shown:
        yield lambda chain, done, acceptance: None
        return
    with Bar(chains * draws, chains) as bar:
        finished: dict[int, int] = {}

        def report(chain: int, done: int, acceptance: float) -> None:
            steps = done - finished.get(chain, 0)
            finished[chain] = done
            bar.move(steps, f"acceptance {acceptance:.2f}, chain {chain + 1}/{chains}")

        yield report
