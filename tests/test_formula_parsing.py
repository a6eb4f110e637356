"""The grammar: what formulas mean, and where the carets stand when they mean nothing."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from patsy.desc import ModelDesc

from nutslite.exceptions import FormulaError
from nutslite.formula.formula import Formula
from nutslite.formula.language.parsing import PredictorSpec, parse


def read(text: str, *more: str) -> PredictorSpec:
    formula = Formula(text, *more)
    return parse(formula.main, formula.additionals, ("mu", "sigma", "nu")).predictors[0]


def shown(text: str) -> str:
    """The right-hand side spelled out: intercept, terms, bars."""
    spec = read(text)
    parts = ["1" if spec.intercept else "0"] + [term.name for term in spec.terms]
    for group in spec.groups:
        inner = ["1" if group.intercept else "0"] + [term.name for term in group.terms]
        bar = f"|{group.id}|" if group.id else "|" if group.correlated else "||"
        parts.append(f"({' + '.join(inner)}{bar}{', '.join(term.name for term in group.factors)})")
    return " + ".join(parts + [offset.name for offset in spec.offsets])


ACCEPTED = {
    "y ~ (x|p|g)": "1 + (1 + x|p|g)",
    "y ~ x + (0 + x | id1 | a:b) + (1|2|a)": "1 + x + (0 + x|id1|a:b) + (1|2|a)",
    "y ~ (1|gr(g, cov = K))": "1 + (1|gr(g, cov=K))",
    "y ~ (x||gr(C(g),cov=K) + h)": "1 + (1 + x||gr(C(g), cov=K), h)",
    "y ~ 1": "1",
    "y ~ x": "1 + x",
    "y~x+z": "1 + x + z",
    "y ~ 0 + x": "0 + x",
    "y ~ x + 0": "0 + x",
    "y ~ x - 1": "0 + x",
    "y ~ -1 + x": "0 + x",
    "y ~ 1 + x": "1 + x",
    "y ~ a*b": "1 + a + b + a:b",
    "y ~ a:b": "1 + a:b",
    "y ~ a/b": "1 + a + a:b",
    "y ~ (a + b)/c": "1 + a + b + a:b:c",
    "y ~ a/(b + c)": "1 + a + a:b + a:c",
    "y ~ (a + b + c)**2": "1 + a + b + c + a:b + a:c + b:c",
    "y ~ (a + b + c)**3": "1 + a + b + c + a:b + a:c + b:c + a:b:c",
    "y ~ a*b*c": "1 + a + b + a:b + c + a:c + b:c + a:b:c",
    "y ~ a*b - a:b": "1 + a + b",
    "y ~ a*b - b:a": "1 + a + b",
    "y ~ a*b + a": "1 + a + b + a:b",
    "y ~ a + a*b": "1 + a + b + a:b",
    "y ~ b + a*b": "1 + b + a + a:b",
    "y ~ (a + b):c": "1 + a:c + b:c",
    "y ~ a + (((b)))": "1 + a + b",
    "y ~ np.log( x )": "1 + np.log(x)",
    "y ~ x == 1": "1 + x == 1",
    "y ~ {x+1}": "1 + I(x + 1)",
    "y ~ {x+1} + {x**2}": "1 + I(x + 1) + I(x ** 2)",
    "y ~ `my col`": "1 + my col",
    "y ~ Q('my col')": "1 + my col",
    "y ~ `my col`:x": "1 + my col:x",
    "y ~ np.log(`my col`)": "1 + np.log(`my col`)",
    "y ~ log(`ok`)": "1 + log(ok)",
    "y ~ `my\ncol` +\n x": "1 + my\ncol + x",
    "y ~ `my\tcol`:x": "1 + my\tcol:x",
    "y ~ `a + b` + x": "1 + a + b + x",
    "y ~ bs(x, df=4):g": "1 + bs(x, df=4):g",
    "y ~ x + offset(log(n))": "1 + x + offset(log(n))",
    "y ~ 0 + offset(log(n))": "0 + offset(log(n))",
    "y ~ offset(a) + offset(b)": "1 + offset(a) + offset(b)",
    "y ~ (1|g)": "1 + (1|g)",
    "y ~ 0 + (1|g)": "0 + (1|g)",
    "y ~ x + (x|g)": "1 + x + (1 + x|g)",
    "y ~ (1 + x|g)": "1 + (1 + x|g)",
    "y ~ (x + 1|g)": "1 + (1 + x|g)",
    "y ~ (0 + x|g)": "1 + (0 + x|g)",
    "y ~ (x - 1|g)": "1 + (0 + x|g)",
    "y ~ (x||g)": "1 + (1 + x||g)",
    "y ~ (x | | g)": "1 + (1 + x||g)",
    "y ~ (0 + x || g)": "1 + (0 + x||g)",
    "y ~ (x*z|g)": "1 + (1 + x + z + x:z|g)",
    "y ~ (x|g/h)": "1 + (1 + x|g, g:h)",
    "y ~ (x|g:h)": "1 + (1 + x|g:h)",
    "y ~ (x|g+h)": "1 + (1 + x|g, h)",
    "y ~ (x|g*h)": "1 + (1 + x|g, h, g:h)",
    "y ~ (1|(g/h))": "1 + (1|g, g:h)",
    "y ~ ((x|g))": "1 + (1 + x|g)",
    "y ~ (1|g) + (0 + x|g)": "1 + (1|g) + (0 + x|g)",
    "y ~ (1|g) + (1|h) + (x|g:h)": "1 + (1|g) + (1|h) + (1 + x|g:h)",
    "y ~ (1|`my group`)": "1 + (1|my group)",
    "y ~ (x) + (z|g)": "1 + x + (1 + z|g)",
    "y ~ (a + (1|g)) + b": "1 + a + b + (1|g)",
    "y ~ np.where(x|z, 1, 0)": "1 + np.where(x | z, 1, 0)",
    "y ~ C(g, levels=['a|b', 'c`d'])": "1 + C(g, levels=['a|b', 'c`d'])",
    "y ~ C(g, Treatment('~'))": "1 + C(g, Treatment('~'))",
    "  y ~\n   x +\n z ": "1 + x + z",
    "y ~ größe + 变量": "1 + größe + 变量",
}


@pytest.mark.parametrize("text", ACCEPTED)
def test_accepted(text: str) -> None:
    assert shown(text) == ACCEPTED[text]


# The text between ⟨ and ⟩ is what the carets must mark.
REJECTED = {
    "y ~ ⟨x|g⟩": "parentheses",
    "y ~ ⟨x + x|g⟩": "parentheses",
    "y ~ ⟨(x) + x|(g)⟩": "parentheses",
    "y ~ x:⟨(1|g)⟩": "interactions",
    "y ~ x*⟨(1|g)⟩": "interactions",
    "y ~ x - ⟨(1|g)⟩": "cannot be removed",
    "y ~ (x + ⟨(1|g)⟩):z": "is added",
    "y ~ (x|⟨(1|h)⟩)": "one '|'",
    "y ~ ⟨(1|p|q|g)⟩": "three parts",
    "y ~ ⟨(|p|g)⟩": "Nothing stands left",
    "y ~ ⟨(x||p|g)⟩": "independent ones",
    "y ~ ⟨(x|p||g)⟩": "independent ones",
    "y ~ (x|⟨p + q⟩|g)": "plain name",
    "y ~ (x|⟨'p'⟩|g)": "plain name",
    "y ~ (x|p|⟨g/h⟩)": "a bar for each",
    "y ~ ⟨((1|p)|g)⟩": "one .|.",
    "y ~ (1|⟨0⟩)": "groups the rows",
    "y ~ (1|⟨1 + g⟩)": "groups the rows",
    "y ~ (⟨0⟩|g)": "nothing but 0",
    "y ~ x ⟨%in%⟩ g": "a:b",
    "y ~ ⟨.⟩": "name the columns",
    "y ~ ⟨.⟩ - x": "name the columns",
    "y ~ ⟨x^2⟩": r"\*\*",
    "y ~ ⟨2⟩*x": "only 0 and 1",
    "y ~ x + ⟨3⟩": "only 0 and 1",
    "y ~ ⟨1.5⟩": "only 0 and 1",
    "y ~ ⟨'x'⟩": "constant",
    "y ~ ⟨True⟩": "constant",
    "y ~ offset(x) + ⟨offset(x)⟩": "twice",
    "y ~ ⟨x:x⟩": "itself",
    "y ~ ⟨x*x⟩": "itself",
    "y ~ ⟨x**2⟩": r"I\(x\*\*2\)",
    "y ~ (a + b)**⟨c⟩": "positive whole",
    "y ~ (a + b)**⟨1.5⟩": "positive whole",
    "y ~ a*⟨1⟩": "no part in interactions",
    "y ~ ⟨0⟩:a": "no part in interactions",
    "y ~ x - ⟨z⟩": "cannot be removed",
    "y ~ ⟨-x⟩": "nothing to subtract",
    "y ~ x:⟨offset(z)⟩": "is added",
    "y ~ (⟨offset(z)⟩|g)": "is added",
    "y ~ ⟨offset(x, z)⟩": "one argument",
    "y ~ x⟨ ⟩z": "cannot be read",
    "y ~ x +⟨⟩": "cannot be read",
    "y ~ (x⟨⟩": "cannot be read",
    "y ~ x⟨)⟩": "cannot be read",
    "y ~ x ⟨~⟩ z": "stands once",
    "⟨~⟩ x": "no response",
    "⟨x + z⟩": "no '~'",
    "y ⟨~⟩": "intercept alone",
    "⟨y | trials(n)⟩ ~ x": r"p\(y, n\)",
    "⟨y + z⟩ ~ x": "one response",
    "⟨y / n⟩ ~ x": "I\\(y / n\\)",
    "⟨1⟩ ~ x": "one expression",
    "y ~ x ⟨=⟩ z": "comparison",
    "y ~ ⟨`my col⟩": "never closed",
    "y ~ f(⟨'a)⟩": "never closed",
    "y ~ ⟨``⟩": "no name",
    "y ~ ⟨{x, z}⟩": "one expression",
    "y ~ ⟨(|g)⟩": None,
    "y ~ (1|⟨⟩)": None,
    "y ~ x ⟨# note⟩": None,
    "y ~ lambda x: x": None,
    "y ~ x; z": None,
    "y ~ x : ": None,
    "y ~ x +* z": None,
    "y ~ a ~~ b": None,
    "y ~ f(x": None,
    "y ~ x]": None,
    "y ~ 'abc": None,
    "y ~ |": None,
    "y ~ ()": None,
    "()~()": None,
    "y ~ x⟨\\⟩": "backslash",
    "y ~ $x": None,
    "y ~ x?": None,
    "y ~ if": None,
    "y ~ x!": None,
    "+ ⟨~⟩ x": "stands once",
    "| ⟨~⟩ x": "stands once",
    "y ^ ⟨~⟩ 2": "stands once",
    "": "empty",
    "   ": "empty",
}


@pytest.mark.parametrize("marked", REJECTED)
def test_rejected(marked: str) -> None:
    text = marked.replace("⟨", "").replace("⟩", "")
    with pytest.raises(FormulaError, match=REJECTED[marked]) as caught:
        read(text)
    if REJECTED[marked] is None or not text.strip():
        return
    start, end = marked.index("⟨"), marked.index("⟩") - 1
    span = caught.value.span
    assert span is not None
    if start == end or text[start:end].isspace() or "cannot be read" in REJECTED[marked]:
        return  # Python and Patsy choose the place themselves
    assert text[slice(*span)].strip() == text[start:end], f"carets under {text[slice(*span)]!r}"
    lines = str(caught.value).split("\n")
    assert lines[1].strip() == text
    assert lines[2].index("^") - 4 == start


def test_rejected_span_lines_up_after_wide_characters_and_back_quotes() -> None:
    with pytest.raises(FormulaError) as caught:
        read("größe ~ `my col` + x^2")
    start, end = caught.value.span or (0, 0)
    assert "größe ~ `my col` + x^2"[start:end] == "x^2"


class TestFurtherFormulas:
    def test_one_spec_per_parameter(self) -> None:
        parsed = parse("y ~ x", ["sigma ~ z + (1|g)", "nu ~ 1"], ("mu", "sigma", "nu"))
        assert [spec.parameter for spec in parsed.predictors] == ["mu", "sigma", "nu"]
        assert parsed.response.name == "y"

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("sgima ~ x", "Did you mean 'sigma'"),
            ("kappa ~ x", "not a parameter of this family"),
            ("mu ~ x", "main formula"),
            ("z", "no '~'"),
            ("~ z", "starts with its parameter"),
            ("log(sigma) ~ z", "not a parameter"),
            ("", "empty"),
        ],
    )
    def test_refused(self, text: str, message: str) -> None:
        with pytest.raises(FormulaError, match=message):
            read("y ~ x", text)

    def test_some_predictor_must_hold_something(self) -> None:
        with pytest.raises(FormulaError, match="neither terms"):
            parse("y ~ 0", (), ("mu",))
        with pytest.raises(FormulaError, match=r"neither terms .* for 'mu' and 'sigma'"):
            parse("y ~ 0", ("sigma ~ -1",), ("mu", "sigma"))
        assert parse("y ~ 0", (), ("mu", "sigma")).predictors[0].empty


TAKEN = {
    # what has one meaning is taken, and noted: the formula, what it means, words of the note
    "y ~ x + x": ("y ~ x", "'x' is there twice"),
    "y ~ x + z + x + x": ("y ~ x + z", "'x' is there twice"),
    "y ~ x:z + z:x": ("y ~ x:z", "'z:x' is there twice"),
    "y ~ np.log(x) + np.log( x )": ("y ~ np.log(x)", "'np.log(x)' is there twice"),
    "y ~ (x + x|g)": ("y ~ (x|g)", "'x' is there twice"),
    "y ~ (1|g + g)": ("y ~ (1|g)", "'g' is there twice"),
    "y ~ 0 + x + 1": ("y ~ x", "there is one"),
    "y ~ x - 1 + 1": ("y ~ x", "there is one"),
    "y ~ 1 + x + 0": ("y ~ 0 + x", "there is none"),
    "y ~ 1 + x - 1": ("y ~ 0 + x", "there is none"),
    "y ~ (0 + x + 1|g)": ("y ~ (x|g)", "there is one"),
    "y ~ -1": ("y ~ 0", "'mu' has neither terms"),
    "y ~ x - x - 1": ("y ~ 0", "'mu' has neither terms"),
    # products of sums, where a:a is a: nothing to note
    "y ~ (x + z)*(x + w)": ("y ~ x + z + w + x:w + z:x + z:w", ""),
    "y ~ (x + z):(x + w)": ("y ~ x + x:w + z:x + z:w", ""),
    "y ~ x/(x + z)": ("y ~ x + x:z", ""),
    "y ~ x*z*x": ("y ~ x*z", ""),
}


@pytest.mark.parametrize("text", TAKEN)
def test_what_has_one_meaning_is_taken_and_noted(text: str) -> None:
    def meaning(spec: PredictorSpec) -> tuple[object, ...]:
        groups = [(bar.intercept, {t.key for t in bar.terms}, {f.key for f in bar.factors}) for bar in spec.groups]
        return spec.intercept, [term.key for term in spec.terms], groups

    same, note = TAKEN[text]
    assert meaning(read(text)) == meaning(read(same))
    assert note in " ".join(read(text).notes)
    assert bool(note) == bool(read(text).notes)


@pytest.mark.parametrize(
    "text",
    [
        "y ~ (" + " + ".join(f"x{i}" for i in range(4000)) + ")**2",
        "y ~ (" + " + ".join(f"x{i}" for i in range(2500)) + "):(" + " + ".join(f"z{i}" for i in range(2500)) + ")",
        "y ~ (a*b*c*d*e*f*g*h*i*j*k*l):(a*b*c*d*e*f*g*h*i*j*k*l)",
    ],
    ids=lambda text: text[:20],
)
def test_products_are_counted_before_they_are_made(text: str) -> None:
    start = time.monotonic()
    with pytest.raises(FormulaError, match="terms"):
        read(text)
    assert time.monotonic() - start < 10.0


def test_hundreds_of_terms_do_not_exhaust_the_stack() -> None:
    names = [f"x{i}" for i in range(1500)]
    assert [term.name for term in read("y ~ " + " + ".join(names)).terms] == names


def test_deep_nesting_is_refused_not_crashed() -> None:
    with pytest.raises(FormulaError):
        read("y ~ I(" + "(" * 3000 + "x" + ")" * 3000 + ")")
    with pytest.raises(FormulaError):
        read("y ~ " + ":".join(f"x{i}" for i in range(3000)))


def test_explosion_of_terms_is_refused() -> None:
    with pytest.raises(FormulaError, match="more than"):
        read("y ~ " + "*".join(f"x{i}" for i in range(30)))


def test_formula_object() -> None:
    formula = Formula(" y ~ x\n", "sigma ~ z")
    assert formula.main == "y ~ x"
    assert formula.additionals == ("sigma ~ z",)
    assert formula == Formula("y ~ x", "sigma ~ z")
    assert formula.additionals_lhs == ["sigma"]
    assert formula.get_all_formulas() == ["y ~ x", "sigma ~ z"]
    assert Formula("y ~ x").get_all_formulas() == ["y ~ x"]
    with pytest.raises(FormulaError, match="a text"):
        Formula(3)  # type: ignore[arg-type]


_atoms = st.sampled_from(["a", "b", "c", "x", "z", "log(x)"])


@st.composite
def _right_hand_sides(draw: st.DrawFn) -> str:
    """Sums of distinct atoms and products: where this grammar and Patsy's mean the same."""
    parts = []
    for atoms in draw(st.lists(st.lists(_atoms, min_size=1, max_size=3, unique=True), min_size=1, max_size=4)):
        parts.append(draw(st.sampled_from([":", "*"])).join(atoms))
    return " + ".join([*draw(st.sampled_from([[], ["0"], ["1"]])), *parts])


@settings(max_examples=80, deadline=None)
@given(_right_hand_sides())
def test_algebra_agrees_with_patsy(right: str) -> None:
    expected = [frozenset(f.name() for f in term.factors) for term in ModelDesc.from_formula(right).rhs_termlist]
    written = [frozenset(re.split("[:*]", part)) for part in right.split(" + ") if "*" not in part]
    spec = read(f"y ~ {right}")
    assert bool(spec.notes) == (len(set(written)) < len(written))
    found = [frozenset[str]()] * spec.intercept + [term.key for term in spec.terms]
    assert found == expected


@settings(max_examples=120, deadline=None)
@given(st.text(alphabet="xyg01~+-*/:|()[]{}`'\",.=^% #\\", max_size=25))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No input may end in an error that is not ours."""
    try:
        read(text)
    except FormulaError as error:
        if error.span is not None:
            start, end = error.span
            assert 0 <= start <= end
