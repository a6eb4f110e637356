"""`Model.prior_table`: every prior in a row, and where it comes from."""

from __future__ import annotations

import nutslite as nl

SLEEP = nl.load_data("sleepstudy")


def test_every_prior_has_a_row():
    priors = {"Days": nl.Prior("Normal", mu=0, sigma=5), "sigma": 20.0}
    model = nl.Model("Reaction ~ Days + (Days|Subject)", SLEEP, priors=priors, correlated=True)
    table = model.prior_table().set_index(["parameter", "term"])
    assert table["kind"].to_dict() == {
        ("mu", "Intercept"): "intercept",
        ("mu", "Days"): "common",
        ("mu", "1|Subject"): "group-specific",
        ("mu", "Days|Subject"): "group-specific",
        ("sigma", ""): "parameter",
        ("", "Subject"): "correlations",
    }
    given = table.index[table["source"] == "given"].tolist()
    assert given == [("mu", "Days"), ("sigma", "")]
    assert table.loc[("mu", "Days"), "prior"] == "Normal(mu: 0, sigma: 5)"
    assert table.loc[("sigma", ""), "prior"] == "20.0"
    assert table.loc[("mu", "1|Subject"), "prior"] == str(model.priors.terms["mu"]["1|Subject"])
    assert table.loc[("", "Subject"), "prior"].startswith("LKJ")


def test_priors_of_further_parameters():
    model = nl.Model(
        nl.Formula("Reaction ~ Days", "sigma ~ Days"), SLEEP, priors={"sigma": {"Days": nl.Prior("Laplace", mu=0, b=1)}}
    )
    table = model.prior_table()
    assert table.loc[table["source"] == "given", ["parameter", "term"]].to_numpy().tolist() == [["sigma", "Days"]]
