"""More ways out of a formula, and ways to keep it busy for ever: all refused, and soon."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest

from nutslite.exceptions import DataError, FormulaError, NutsliteError
from nutslite.formula.design import build_design
from nutslite.formula.formula import Formula

SECONDS = 10.0  # on a busy machine; most take milliseconds, the slowest a second


def frame() -> pd.DataFrame:
    x = np.linspace(-1.0, 1.0, 12)
    columns = {name: np.roll(x, shift) ** 2 + x for shift, name in enumerate("abcdefghijklmnopqrst")}
    return pd.DataFrame({"y": x**3, "x": x, "text": list("uvw") * 4, **columns})


REACHING = [
    # towards the interpreter
    "x.__class__.__mro__[1].__subclasses__()",
    "(1).__class__.__base__",
    "''.__class__.__mro__",
    "x.__reduce__()",
    "x.__array_interface__",
    "x.__globals__",
    "center.__globals__",
    "log.__self__.__dict__",
    "np.log.__class__",
    "np.__dict__['load']",
    "np.__getattr__('load')",
    "I.__globals__",
    "C.__init__.__globals__",
    "Treatment.__init__.__globals__",
    "C(text, Treatment.__class__)",
    "vars(np)",
    "getattr(np, 'lo' + 'ad')",
    "np.core.multiarray.fromfile",
    "np.ctypeslib.load_library('libc', '/')",
    "np.distutils.exec_command.exec_command('true')",
    "np.testing.runstring('1', {})",
    "np.lib.npyio.load('f')",
    "np.lib.format.open_memmap('f')",
    "np.loadtxt.__globals__",
    "np.save('f', x)",
    "np.savetxt('f', x)",
    "np.tofile('f')",
    "x.tofile('f')",
    "x.dump('f')",
    "x.ctypes.data",
    "x.setflags(write=True)",
    "x.query('@x')",
    "pd.eval('1')",
    "pd.read_csv('/etc/passwd')",
    "df.eval('x')",
    "df.query('x')",
    "data.to_pickle('f')",
    "builtins.open('f')",
    "importlib.import_module('os')",
    "__loader__.load_module('os')",
    "__spec__",
    "__name__",
    "__file__",
    "__debug__",
    "self.memory",
    "evaluator.columns",
    "functions.NUMPY",
    # through texts and formats
    "'{0.__class__}'.format(x)",
    "'%(x)s' % {'x': x}",
    "f'{__import__(\"os\")}'",
    'f"{x!r:{y}}"',
    "I(str.format('{}', x))",
    "I('a'.join(['b']))",
    "Q('x.__class__')",
    "Q('__import__')",
    "Q(\"x') + open('f\")",
    "Q(f'{x}')",
    "Q('x' + '')",
    "Q(name='x')",
    "`x.__class__`",
    "`__builtins__`",
    "`np`.load('f')",
    # through syntax
    "I((lambda: 1)())",
    "(lambda f: f(f))(lambda f: f(f))",
    "I((y := 1))",
    "I([c for c in ().__class__.__base__.__subclasses__()])",
    "I({k: v for k, v in {}.items()})",
    "I(next(i for i in [1]))",
    "I(*[x])",
    "I(**{'x': 1})",
    "log(*(x,))",
    "C(text, **{'levels': ['u']})",
    "I(x if __import__('os') else x)",
    "I(x and __import__('os'))",
    "I(not __import__('os'))",
    "I(x[__import__('os')])",
    "I(x < __import__('os') < x)",
    "bs(x, df=__import__('os'))",
    "bs(x, knots=[__import__('os')])",
    "bs(x, knots={'a': open('f')})",
    "C(text, levels=(open('f'),))",
    "C(text, [[open('f')]])",
    "C(text, {1: eval})",
    "poly(x, degree=exec('1'))",
    "np.where(x > 0, open, x)",
    "np.where(x > 0, open('f'), x)",
    "np.log(x)(x)",
    "np.log(x).__class__",
    "(x, open('f'))",
    "(yield x)",
    "I(await x)",
    "@x",
    "x @ open('f')",
    "print(x, file=open('f', 'w'))",
    "exec(compile('1', 'f', 'exec'))",
    "x; import os",
    "x\nimport os",
    "x # comment\nimport os",
    # letters that Python takes for others
    "\uff4f\uff50\uff45\uff4e('f')",
    "\uff45\uff56\uff41\uff4c('1')",
    "\u212f\U0001d4ca\U0001d4b6\U0001d4c1('1')",
    "\uff3f\uff3fimport\uff3f\uff3f('os')",
    "__\U0001d4be\U0001d4c2port__('os')",
    "\uff58",
    "\U0001d4cd",
    "\uff4c\uff4f\uff47(x)",
    "x\u200b",
    "x\u2024__class__",
    "x\uff0e__class__",
    "\u202eevil(x)",
    "x\x00",
    "\ufeffx",
]


@pytest.mark.parametrize("code", REACHING)
def test_nothing_is_reached(code: str, tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    data = frame()
    before = data.copy()
    monkeypatch.chdir(str(tmp_path))
    start = time.monotonic()
    for text in (f"y ~ {code}", f"y ~ a + exp({code})", f"y ~ (1|{code})", f"y ~ ({code}|text)", f"p({code}, a) ~ x"):
        with pytest.raises((FormulaError, DataError)):
            build_design(text, data)
    with pytest.raises((FormulaError, DataError)):
        build_design(Formula("y ~ x", f"sigma ~ {code}"), data)
    assert time.monotonic() - start < SECONDS
    pd.testing.assert_frame_equal(data, before)


LETTERS = "abcdefghijklmnopqrst"
BUSY = {
    "huge power of a term": "y ~ x**99999999999",
    "huge power of a sum": f"y ~ ({' + '.join(LETTERS)})**99999999999",
    "all interactions": f"y ~ {'*'.join(LETTERS)}",
    "powers of powers": f"y ~ (({' + '.join(LETTERS[:7])})**9 + ({' + '.join(LETTERS[7:])})**9)**9",
    "all interactions of a group": f"y ~ ({'*'.join(LETTERS)}|text)",
    "all nestings": f"y ~ (1|{'*'.join(LETTERS)})",
    "huge power of a number": "y ~ x + I(9**9**9**9**9)",
    "huge power of a column": "y ~ I((x + 3)**9**9**9)",
    "huge shift": "y ~ I(1 << 10**10)",
    "huge text": "y ~ I('a' * 10**10)",
    "huge list": "y ~ bs(x, knots=[0.0] * 10**10)",
    "huge degree": "y ~ poly(x, 10**9)",
    "huge raw degree": "y ~ poly(x, 10**9, raw=True)",
    "huge df": "y ~ bs(x, df=10**9)",
    "huge tensor": "y ~ te(cr(x, df=12), cr(a, df=12), cr(b, df=12))",
    "huge round": "y ~ np.round(x, 10**30)",
    "huge number": f"y ~ I({'9' * 5000} * x)",
    "huge name": f"y ~ {'x' * 45_000}",
    "huge quoted name": f"y ~ `{'x' * 45_000}`",
    "huge level": f"y ~ I(text == '{'u' * 45_000}')",
    "far too long": "y ~ " + "x + " * 1_000_000 + "q",
    "many open parentheses": "y ~ " + "(" * 45_000,
    "many parentheses": "y ~ " + "(" * 5_000 + "x" + ")" * 5_000,
    "many calls": "y ~ " + "exp(" * 5_000 + "x" + ")" * 5_000,
    "many brackets": "y ~ " + "[" * 5_000 + "]" * 5_000,
    "many braces": "y ~ " + "{" * 5_000 + "x" + "}" * 5_000,
    "many signs": "y ~ I(" + "-" * 45_000 + "x)",
    "many tildes": "y " + "~" * 45_000 + " x",
    "many bars": "y ~ (x" + "|" * 5_000 + "g)",
    "many nots": "y ~ I(" + "not " * 12_000 + "x)",
    "many comparisons": "y ~ I(" + "x < " * 12_000 + "q)",
    "many sums": "y ~ I(" + "x + " * 12_000 + "q)",
    "many unknown terms": "y ~ " + " + ".join(f"v{i}" for i in range(3_000)),
    "many equal terms": "y ~ " + " + ".join(["x"] * 3_000) + " + v9",
    "many products": "y ~ " + ":".join(["x"] * 3_000),
    "many powers": "y ~ " + "**".join(["x"] * 3_000),
    "many strings": "y ~ " + "'a'" * 15_000,
    "many quotes": "y ~ " + "'" * 20_001,
    "many blanks": "y ~ x" + " " * 45_000 + "z",
    "many escapes": "y ~ '" + "\\'" * 22_000,
    "many pairs of responses": " + ".join(["y"] * 3_000) + " ~ x",
    "many minus": "y ~ x " + "- z " * 3_000,
}


@pytest.mark.parametrize("name", BUSY)
def test_nothing_keeps_it_busy(name: str) -> None:
    start = time.monotonic()
    with pytest.raises(NutsliteError):
        build_design(BUSY[name], frame())
    assert time.monotonic() - start < SECONDS


def test_there_are_enough() -> None:
    assert len(set(REACHING)) == len(REACHING) >= 100
    assert len(set(BUSY.values())) == len(BUSY) >= 40


def test_a_name_is_the_one_that_was_typed() -> None:
    """Python would read both spellings as one name, and silently use one column for the other."""
    spellings = {"x": "x", "\uff58": "a", "fi": "b", "\ufb01": "c", "`gro\u0308\u00dfe`": "d", "gr\u00f6\u00dfe": "e"}
    data = frame()
    for typed, column in spellings.items():
        data[typed.strip("`")] = data[column]
    for typed, column in spellings.items():
        (found,) = build_design(f"y ~ {typed}", data).predictors["mu"].matrix
        np.testing.assert_array_equal(found, data[column])
