"""Tensors and distributions of PyTorch itself, where it is installed."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from nutslite import scores
from nutslite.scores import Prediction

torch = pytest.importorskip("torch", reason="PyTorch is an optional extra")
D = torch.distributions

LEAF = torch.tensor([0.5, 1.5, 3.0], requires_grad=True)
A = LEAF * 1.0  # a part of a graph, as what a network returns
B = torch.tensor([1.0, 2.0, 0.5], requires_grad=True)
Y = np.array([0.3, 2.0, 1.0])
COUNTS = np.array([0.0, 2.0, 1.0])
NUMPY = (A.detach().numpy(), B.detach().numpy())


@pytest.mark.parametrize(
    ("theirs", "y"),
    [
        (D.Normal(A, B), Y),
        (D.LogNormal(A, B), Y),
        (D.Laplace(A, B), Y),
        (D.StudentT(A + 2, A, B), Y),
        (D.Gamma(A, B), Y),
        (D.Exponential(A), Y),
        (D.Beta(A, B), np.array([0.2, 0.5, 0.9])),
        (D.Weibull(A, B), Y),
        (D.InverseGaussian(A, B), Y) if hasattr(D, "InverseGaussian") else (D.Normal(B, A), Y),
        (D.Poisson(A), COUNTS),
        (D.NegativeBinomial(A, logits=B), COUNTS),
        (D.Binomial(5, torch.sigmoid(A)), COUNTS),
        (D.Bernoulli(logits=A), np.array([0.0, 1.0, 1.0])),
        (D.Gumbel(A, B, validate_args=False), Y),  # its own check refuses what its float32 rounds to 1
    ],
    ids=lambda each: type(each).__name__,
)
def test_distributions(theirs, y):
    P = Prediction.from_distribution(theirs)
    expected = theirs.log_prob(torch.tensor(y, dtype=torch.float32)).detach().numpy()
    np.testing.assert_allclose(P.log_density(y), expected, rtol=2e-5, atol=2e-5)
    np.testing.assert_allclose(P.mean(), theirs.mean.detach().numpy(), rtol=2e-5)
    report = scores.evaluate(y, P, simulations=10)
    assert np.isfinite(report.table.estimate.drop(["miscalibration"], errors="ignore")).any()


def test_a_mixture_and_classes():
    parts = D.Normal(torch.stack([A, B], 1), torch.ones(3, 2))
    mixed = D.MixtureSameFamily(D.Categorical(torch.tensor([0.3, 0.7]).expand(3, 2)), parts)
    y = torch.tensor(Y, dtype=torch.float32)
    np.testing.assert_allclose(
        Prediction.from_distribution(mixed).log_density(Y), mixed.log_prob(y).detach().numpy(), rtol=1e-5
    )
    classes = D.Categorical(logits=torch.stack([A, B, A], 1))
    np.testing.assert_allclose(
        Prediction.from_distribution(classes).log_density([0, 1, 2]),
        classes.log_prob(torch.tensor([0, 1, 2])).detach().numpy(),
        rtol=1e-5,
    )
    head = D.Dirichlet(torch.stack([A, B, A], 1))
    np.testing.assert_allclose(
        Prediction.from_distribution(head).probabilities(), head.mean.detach().numpy(), rtol=1e-6
    )


def test_tensors_that_remember_gradients():
    a, b = NUMPY
    alike = [
        (Prediction.from_normal(A, B), Prediction.from_normal(a, b)),
        (Prediction.from_draws(torch.stack([A, B])), Prediction.from_draws(np.stack([a, b]))),
        (Prediction.from_mixture(mu=torch.stack([A, B]), sigma=torch.stack([B, B]), weights=torch.tensor([0.3, 0.7])),
         Prediction.from_mixture(mu=np.stack([a, b]), sigma=np.stack([b, b]), weights=np.float32([0.3, 0.7]))),
        (
            Prediction.from_distribution("gamma", mu=A, alpha=B.half()),
            Prediction.from_distribution("gamma", mu=a, alpha=b),
        ),
        (Prediction.from_quantiles(torch.stack([A, A + B], 1), torch.tensor([0.1, 0.9])),
         Prediction.from_quantiles(np.stack([a, a + b], 1), np.float32([0.1, 0.9]))),
        (Prediction.from_interval(A, A + B, 0.9), Prediction.from_interval(a, a + b, 0.9)),
    ]  # fmt: skip
    for theirs, ours in alike:
        mine, others = (
            scores.evaluate(y, P, levels=(0.2,), simulations=0) for y, P in ((Y, ours), (torch.tensor(Y), theirs))
        )
        np.testing.assert_array_equal(others.table.estimate, mine.table.estimate)
    p = torch.softmax(torch.stack([A, B], 1), 1)
    dirichlet = Prediction.from_dirichlet(torch.stack([A, B], 1))
    codes = torch.tensor([0, 1, 1])
    for P in (Prediction.from_probabilities(p), Prediction.from_probabilities(p[:, 1]), dirichlet):
        assert np.isfinite(scores.evaluate(codes, P, simulations=0).table.loc["log_loss", "estimate"])
    np.testing.assert_array_equal(scores.crps(torch.tensor(Y), torch.stack([A, B])), scores.crps(Y, np.stack([a, b])))


def test_nothing_of_ours_imports_it():
    import subprocess

    code = "import sys; from nutslite.scores import Prediction, evaluate; print('torch' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"
