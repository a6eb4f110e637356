"""What a calibration finds: ranks by parameter, tests of their uniformity, tables and pictures."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nutslite._calls import public
from nutslite.results.diagnostics.labels import choose_names, element_labels
from nutslite.scores.calibration.bands import ecdf_test
from nutslite.scores.calibration.uniformity import chi_squared_test

if TYPE_CHECKING:
    import pandas as pd

CountArray = NDArray[np.int64]

CORRELATED_SHARE = 0.7  # of the draws that ranks are among; a smaller effective size is worth a word


@public
@dataclass(frozen=True)
class Calibration:
    """Ranks of simulated parameters among their posterior draws.

    Attributes
    ----------
    ranks : dict of ndarray of int, shape (simulations, ...)
        By variable, from 0 to `draws`; ``"log_likelihood"`` is that of the whole response.
    draws : int
        Posterior draws that ranks are among.
    dims, coords : mappings
        Names of the elements, as in the results of a fit.
    thin, ess, divergences : ndarray, shape (simulations,)
        Transitions per draw, smallest effective size, and divergences of each simulation's fit.
    rejected : int
        Simulated responses that were impossible, or not accepted, and were drawn anew.
    failures : tuple of str
        Why fits failed; they have no ranks.
    random_seed : int or sequence of int
        Reproduces the study.
    """

    ranks: Mapping[str, CountArray]
    draws: int
    dims: Mapping[str, Sequence[str]]
    coords: Mapping[str, Sequence[Any]]
    thin: CountArray
    ess: NDArray[np.float64]
    divergences: CountArray
    rejected: int
    failures: tuple[str, ...]
    random_seed: Any

    @property
    def simulations(self) -> int:
        """Number of fits that ranks are from."""
        return int(self.thin.size)

    @property
    def correlated(self) -> NDArray[np.bool_]:
        """Simulations whose draws are far from independent even after thinning."""
        return self.ess < CORRELATED_SHARE * self.draws

    @cached_property
    def columns(self) -> dict[str, CountArray]:
        """Ranks of every single element by its label, shape (simulations,)."""
        out: dict[str, CountArray] = {}
        for name, ranks in self.ranks.items():
            labels = element_labels(name, ranks.shape[1:], self.dims, self.coords)
            out |= dict(zip(labels, ranks.reshape(self.simulations, -1).T, strict=True))
        return out

    def table(self, var_names: str | Sequence[str] | None = None) -> pd.DataFrame:
        """One row per element.

        Parameters
        ----------
        var_names : str or list of str, optional
            Variables to show; a name that begins with ``~`` is left out instead.

        Returns
        -------
        pandas.DataFrame
            ``mean_rank`` is 0.5 where the posterior is not biased (above: draws are too low); ``spread`` is the root
            mean square distance of ranks from their middle over that of uniform ones (above 1: posteriors too narrow,
            or draws correlated; below 1: too wide); ``p_chi2`` and ``p_ecdf`` are p-values of uniformity
            (`nutslite.scores.calibration`), the former nan where there are too few simulations for it.
        """
        import pandas as pd

        names = choose_names(list(self.ranks), var_names)
        chosen = {
            label: self.columns[label]
            for name in names
            for label in element_labels(name, self.ranks[name].shape[1:], self.dims, self.coords)
        }
        values = self.draws + 1
        uniform_sd = np.sqrt((values**2 - 1) / 12)
        rows = {
            label: (
                ranks.mean() / self.draws,
                np.sqrt(np.mean((ranks - self.draws / 2) ** 2)) / uniform_sd,
                chi_squared_test(ranks, values)[1],
                ecdf_test(ranks, values),
            )
            for label, ranks in chosen.items()
        }
        return pd.DataFrame.from_dict(rows, orient="index", columns=["mean_rank", "spread", "p_chi2", "p_ecdf"])

    @cached_property
    def p_value(self) -> float:
        """Of all ranks being uniform: the smallest `p_ecdf` times the number of quantities (Bonferroni), at most 1.

        Valid whatever the quantities' dependence, and so cautious where group effects are many.
        """
        smallest = min(ecdf_test(ranks, self.draws + 1) for ranks in self.columns.values())
        return min(1.0, smallest * len(self.columns))

    def plot(
        self, path: str | os.PathLike[str], var_names: str | Sequence[str] | None = None, max_rows: int = 8
    ) -> Path:
        """Save a picture, one row per element: histogram of ranks, and difference of ECDFs with a 95 % band.

        Raises
        ------
        PlotsMissingError
            If matplotlib is not installed.
        DataError
            For an unknown variable, or a folder that does not exist.
        """
        from nutslite.calibration.pictures import plot_ranks

        names = choose_names(list(self.ranks), var_names)
        labels = [
            label
            for name in names
            for label in element_labels(name, self.ranks[name].shape[1:], self.dims, self.coords)
        ]
        return plot_ranks({label: self.columns[label] for label in labels}, self.draws + 1, path, max_rows=max_rows)

    def __str__(self) -> str:
        worst = min(self.columns, key=lambda label: ecdf_test(self.columns[label], self.draws + 1))
        sentences = [
            f"{self.simulations} simulations, {len(self.columns)} quantities ranked among {self.draws} draws: "
            f"p = {self.p_value:.3g} that all ranks are uniform; the least uniform is {worst}."
        ]
        if self.rejected:
            sentences.append(f"{self.rejected} simulated responses were rejected.")
        if self.failures:
            sentences.append(f"{len(self.failures)} fits failed.")
        return " ".join(sentences)
