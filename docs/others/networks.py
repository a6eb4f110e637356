"""Networks that say how unsure they are, in PyTorch: two heads, a deep ensemble, dropout passes, a Dirichlet head.

``python docs/others/networks.py`` stores their predictions in networks.npz, for pages that are built without PyTorch.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from split import householders, houses
from torch import distributions, nn
from torch.nn import functional

FLOOR = 0.05  # of sigma, in the units of the response
STEPS = 400
MEMBERS = 5
PASSES = 50


class Heads(nn.Module):
    """A normal distribution for each row: its mean, and a standard deviation that is never below FLOOR."""

    def __init__(self, columns: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(columns, 32),
            nn.BatchNorm1d(32),
            nn.Tanh(),
            nn.Dropout(dropout),
            nn.Linear(32, 32),
            nn.Tanh(),
            nn.Dropout(dropout),
        )
        self.heads = nn.Linear(32, 2)

    def forward(self, x: torch.Tensor) -> distributions.Normal:
        mean, spread = self.heads(self.body(x)).unbind(-1)
        return distributions.Normal(mean, FLOOR + functional.softplus(spread))


def trained(x, y, seed: int, dropout: float = 0.0, steps: int = STEPS) -> Heads:
    """A network that was fitted by its negative log likelihood, in evaluation mode."""
    torch.manual_seed(seed)
    network = Heads(x.shape[1], dropout)
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.01, weight_decay=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = -network(x).log_prob(y).mean()
        loss.backward()
        optimizer.step()
    return network.eval()


def dropout_only(network: nn.Module) -> nn.Module:
    """Dropout on, and all else, such as batch normalisation, as when one predicts."""
    network.eval()
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.train()
    return network


@torch.no_grad()
def passes(network: nn.Module, x, count: int = PASSES) -> tuple[torch.Tensor, torch.Tensor]:
    """Means and standard deviations of several predictions, each of shape (count, rows)."""
    torch.manual_seed(0)
    made = [network(x) for _ in range(count)]
    return torch.stack([each.mean for each in made]), torch.stack([each.stddev for each in made])


def of_houses() -> dict[str, torch.Tensor]:
    """Predictions of radon in houses that were held out."""
    train, test = houses()
    y = torch.tensor(train["log_radon"].to_numpy(), dtype=torch.float32)
    x, new = (_floats(rows[["floor", "log_uranium"]]) for rows in (train, test))
    one = trained(x, y, seed=1)
    members = [trained(x, y, seed) for seed in range(MEMBERS)]
    loose = trained(x, y, seed=1, dropout=0.2)
    found = {}
    with torch.no_grad():
        found["heads_mu"], found["heads_sigma"] = one(new).mean, one(new).stddev
        each = [member(new) for member in members]
        found["ensemble_mu"] = torch.stack([prediction.mean for prediction in each])
        found["ensemble_sigma"] = torch.stack([prediction.stddev for prediction in each])
        off = loose.eval()(new)
        found["off_mu"], found["off_sigma"] = off.mean, off.stddev
        counties = pd.get_dummies(pd.concat([train, test])["county"])
        full, full_new = (torch.cat([a, _floats(counties.loc[b.index])], 1) for a, b in ((x, train), (new, test)))
        with torch.enable_grad():
            free = trained(full, y, seed=1)
        found["counties_mu"], found["counties_sigma"] = free(full_new).mean, free(full_new).stddev
    found["dropout_mu"], found["dropout_sigma"] = passes(dropout_only(loose), new)
    found["training_mu"], found["training_sigma"] = passes(loose.train(), new)  # what not to do
    return found


class Dirichlet(nn.Module):
    """Concentrations of a Dirichlet distribution of the classes' probabilities, one set for each row."""

    def __init__(self, columns: int, classes: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(columns, 32), nn.Tanh(), nn.Linear(32, classes))

    def forward(self, x: torch.Tensor) -> distributions.Dirichlet:
        return distributions.Dirichlet(1e-3 + functional.softplus(self.layers(x)))


def of_householders() -> dict[str, torch.Tensor]:
    """Concentrations for the satisfaction of householders who were held out."""
    train, test = householders()
    codes = torch.tensor(train["Sat"].cat.codes.to_numpy(), dtype=torch.long)
    x, new = (_floats(pd.get_dummies(rows[["Infl", "Type", "Cont"]])) for rows in (train, test))
    torch.manual_seed(1)
    network = Dirichlet(x.shape[1], 3)
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.01, weight_decay=0.01)
    for _ in range(STEPS):
        optimizer.zero_grad()
        predicted = network(x)
        alpha = predicted.concentration
        surprise = torch.digamma(alpha.sum(-1)) - torch.digamma(alpha.gather(1, codes[:, None])[:, 0])
        # the expected log loss alone would make concentrations ever larger (Charpentier et al., 2020, eq. 8)
        loss = (surprise - 0.01 * predicted.entropy()).mean()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        return {"alpha": network(new).concentration}


def predictions() -> dict[str, torch.Tensor]:
    """Everything, by name."""
    torch.set_num_threads(1)
    return of_houses() | of_householders()


def _floats(table: pd.DataFrame) -> torch.Tensor:
    return torch.tensor(table.to_numpy(dtype=np.float32))


if __name__ == "__main__":
    np.savez_compressed(
        Path(__file__).with_suffix(".npz"),
        torch=torch.__version__,
        **{name: value.numpy() for name, value in predictions().items()},
    )
