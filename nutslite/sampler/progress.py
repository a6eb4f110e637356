"""A progress bar over all chains, on tqdm, which is imported only when a bar is shown."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from nutslite.sampler.worker import ChainProgress

REFRESH_SECONDS = 0.1


class ProgressBar:
    """One bar for all chains: transitions per second, time left, divergences, step size, leapfrog steps.

    An instance is a callback for `sample`; it is a context manager that closes the bar.
    """

    def __init__(self, chains: int, transitions: int) -> None:
        from tqdm import tqdm

        self._latest: dict[int, ChainProgress] = {}
        self._chains = chains
        self._bar = tqdm(
            total=chains * transitions,
            unit="draw",
            desc=f"{chains} chain{'s' if chains > 1 else ''}",
            mininterval=REFRESH_SECONDS,
            dynamic_ncols=True,
        )

    def __call__(self, report: ChainProgress) -> None:
        """Move the bar on."""
        before = self._latest.get(report.chain)
        self._latest[report.chain] = report
        self._bar.set_postfix_str(self.summary(), refresh=False)
        self._bar.update(report.done - (before.done if before else 0))

    def summary(self) -> str:
        """What stands behind the bar, for example ``sampling 2/4 chains, 3 divergences, step 0.41, 7 leapfrogs``."""
        reports = self._latest.values()
        sampling = sum(report.phase == "sampling" for report in reports)
        phase = f"sampling {sampling}/{self._chains} chains" if sampling else "warm-up"
        divergences = sum(report.divergences for report in reports)
        step_size = sum(report.step_size for report in reports) / len(reports)
        n_steps = sum(report.n_steps for report in reports) / len(reports)
        noun = "divergence" if divergences == 1 else "divergences"
        return f"{phase}, {divergences} {noun}, step {step_size:.2g}, {n_steps:.0f} leapfrogs"

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.close()


@contextlib.contextmanager
def transition_bar(chains: int, draws: int, shown: bool) -> Iterator[Callable[[int, int, float], None]]:
    """A plainer bar for samplers without steps: call it with the chain, its draws so far, and its acceptance rate."""
    if not shown:
        yield lambda chain, done, acceptance: None
        return
    from tqdm import tqdm

    with tqdm(total=chains * draws, unit="draw", desc=f"{chains} chains", mininterval=REFRESH_SECONDS) as bar:
        finished: dict[int, int] = {}

        def report(chain: int, done: int, acceptance: float) -> None:
            finished[chain] = done
            bar.set_postfix_str(f"chain {chain + 1}/{chains}, acceptance {acceptance:.2f}", refresh=False)
            bar.update(sum(finished.values()) - bar.n)

        yield report
