"""The LKJ prior on Cholesky factors: constant, gradient, draws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate
from small_models import assembled_of, grouped_data

from nutslite import Formula, Model
from nutslite.priors.correlations import lkj_cholesky_gradient, lkj_cholesky_logdensity, sample_lkj_cholesky
from nutslite.sampler.constraints.cholesky import cholesky_constrain, cholesky_pull_back


def factor_of(u, size):
    out = np.empty((size, size))
    return out, cholesky_constrain(np.asarray(u, dtype=float), out)


@pytest.mark.parametrize("eta", [0.5, 1.0, 2.0, 7.5])
def test_integrates_to_one_for_one_correlation(eta):
    def density(u):
        factor, log_jacobian = factor_of([u], 2)
        return math.exp(lkj_cholesky_logdensity(factor, eta) + log_jacobian)

    assert integrate.quad(density, -20.0, 20.0)[0] == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("eta", [1.0, 3.0])
def test_integrates_to_one_for_three_correlations(eta):
    """Gauss-Legendre over canonical partial correlations tanh(u), whose Jacobian the transform knows."""
    nodes, weights = np.polynomial.legendre.leggauss(24)
    total = 0.0
    for z0, w0 in zip(nodes, weights, strict=True):
        for z1, w1 in zip(nodes, weights, strict=True):
            for z2, w2 in zip(nodes, weights, strict=True):
                z = np.array([z0, z1, z2])
                factor, log_jacobian = factor_of(np.arctanh(z), 3)
                to_z = -np.sum(np.log1p(-(z**2)))
                total += w0 * w1 * w2 * math.exp(lkj_cholesky_logdensity(factor, eta) + log_jacobian + to_z)
    assert total == pytest.approx(1.0, abs=2e-3)


def test_density_ratio_is_a_power_of_the_determinant():
    """p(R | eta) is proportional to det(R)**(eta - 1), so eta only enters through the determinant."""
    rng = np.random.default_rng(5)
    first, second = (factor_of(rng.normal(size=6), 4)[0] for _ in range(2))
    ratio = [lkj_cholesky_logdensity(first, eta) - lkj_cholesky_logdensity(second, eta) for eta in (1.0, 3.5)]
    log_det = 2.0 * (np.log(np.diag(first)).sum() - np.log(np.diag(second)).sum())
    assert ratio[1] - ratio[0] == pytest.approx(2.5 * log_det, rel=1e-10)


@pytest.mark.parametrize("size", [2, 3, 5])
def test_gradients_by_central_differences(size):
    rng = np.random.default_rng(size)
    u = rng.normal(size=size * (size - 1) // 2)
    eta = 2.3

    def value(u, eta=eta):
        factor, log_jacobian = factor_of(u, size)
        return lkj_cholesky_logdensity(factor, eta) + log_jacobian

    factor, _ = factor_of(u, size)
    adjoint = np.full((size, size), np.nan)
    d_eta = lkj_cholesky_gradient(factor, eta, adjoint)
    assert d_eta == pytest.approx((value(u, eta + 1e-5) - value(u, eta - 1e-5)) / 2e-5, rel=1e-6)
    gradient = np.zeros_like(u)
    cholesky_pull_back(u, factor, adjoint, gradient)
    for i in range(len(u)):
        up, down = u.copy(), u.copy()
        up[i] += 1e-5
        down[i] -= 1e-5
        assert gradient[i] == pytest.approx((value(up) - value(down)) / 2e-5, rel=1e-6, abs=1e-7)


@pytest.mark.parametrize(("size", "eta"), [(2, 1.0), (3, 1.0), (4, 2.0), (5, 0.7)])
def test_draws_have_the_marginal_correlations_of_the_distribution(size, eta):
    """Every correlation is 2 Beta(a, a) - 1 with a = eta + (q - 2) / 2 (Lewandowski et al. 2009): variance 1/(2a+1)."""
    draws = sample_lkj_cholesky(np.random.default_rng(11), size, eta, 20000)
    matrices = draws @ draws.transpose(0, 2, 1)
    np.testing.assert_allclose(np.einsum("dii->di", matrices), 1.0, rtol=1e-12)
    a = eta + 0.5 * (size - 2)
    for i in range(size):
        for j in range(i):
            correlations = matrices[:, i, j]
            assert abs(correlations.mean()) < 4.5 * math.sqrt(1 / (2 * a + 1) / 20000)
            assert correlations.var() == pytest.approx(1 / (2 * a + 1), rel=0.05)


def test_impossible_values():
    assert lkj_cholesky_logdensity(np.eye(3), -1.0) == -math.inf
    assert lkj_cholesky_logdensity(np.diag([1.0, 0.0]), 1.0) == -math.inf
    assert lkj_cholesky_logdensity(np.eye(1), 2.0) == 0.0


@pytest.mark.parametrize("style", ["modern", "classic"])
def test_a_model_in_words_has_the_priors_of_correlations(style):
    """By the names of the results, for blocks that have correlations only."""
    formula = Formula("y ~ x + (x|g) + (0 + z|g) + (1|h)", "sigma ~ (c|h)")
    model = Model(formula, grouped_data(), priors_cor={"g": 1, "h": 2.5})
    lines = [line.strip() for line in model.describe(style).splitlines() if "LKJ" in line]
    assert lines == ["1+x|g_corr ~ LKJ(eta: 1.0)", "sigma_1+c|h_corr ~ LKJ(eta: 2.5)"]
    sampled = {variable.name for variable in assembled_of(model).layout.variables}
    assert {line.split(" ~ ")[0] for line in lines} == {name for name in sampled if name.endswith("_corr")}
    assert model._repr_html_().count("LKJ") == 2
    model.set_alias({"1+x|g_corr": "together"})
    assert "together ~ LKJ(eta: 1.0)" in model.describe(style)
    assert "LKJ" not in str(Model(formula, grouped_data()))
