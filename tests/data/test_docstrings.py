from __future__ import annotations

import pytest

from toolkit.data._docstrings import plain_text, read_docstrings, source_files
from toolkit.data._info import PackageInfo
from toolkit.errors import DataError

ANY_LENGTH = range(1, 1000)


@pytest.mark.parametrize(
    ("docstring", "summary", "body"),
    [
        ("Sort it.", "Sort it.", ""),
        ("Sort it\nin place.\n\nIt is\nstable.\n\nAnd fast.", "Sort it in place.", "It is stable. And fast."),
        ("Mean.\n\nParameters\n----------\na : array\n    Values.\n", "Mean.", "a array Values."),
        ("Mean.\n\nArgs:\n  a: Values.\n\nReturns:\n  A float.", "Mean.", "a: Values. A float."),
        ("Mean.\nArgs:\n  a: Values.", "Mean.", "a: Values."),
        ("Mean.\n\n:param a: Values.\n:rtype: float", "Mean.", "a: Values. float"),
        ("Mean.\n\n>>> mean([1])\n1\n\nThat was it.", "Mean.", "That was it."),
        ("Mean.\n\n```python\nx = 1\n\ny = 2\n```\nSo.", "Mean.", "So."),
        ("Mean.\n\nFor instance::\n\n    x = 1\n\n    y = 2\n\nSo.", "Mean.", "For instance: So."),
        ("Mean.\n\n.. versionadded:: 1.2\n   By somebody.\n\nSo.", "Mean.", "So."),
        ("Mean.\n\n.. math::\n\n   \\sum x\n\nSo.\n\n.. [1] A book.\n   1999.", "Mean.", "So."),
        ("Mean.\n\n.. note::\n   It is slow.", "Mean.", "It is slow."),
        ("Use :func:`~a.b.mean`, ``x`` and *y*.", "Use a.b.mean, x and y.", ""),
        ("See the :ref:`User Guide <mean>`.\n\nOr `here <http://a.b/c>`_.", "See the User Guide", "Or here"),
        ("Read data/a/b.csv from setup.py, at https://x.org or a@b.org.", "Read from at or", ""),
        ("A\n=====\nB | C\n+---+---+", "A", "B C"),
        ("x > 0, x - 1 = y", "x > 0, x - 1 = y", ""),
        ("Call __call__(a), coef_, a_b and _private._x_.", "Call call(a), coef, a_b and private.x.", ""),
        ("The %(name)s, by 5 % (or more)s.\n\n%(before_notes)s", "The by 5 % (or more)s.", ""),
        ("\n\nLate.", "Late.", ""),
        ("Parameters\n----------\na : int", "a int", ""),
        ("", "", ""),
        ("Half \ud800 a letter.", "Half ? a letter.", ""),
    ],
)
def test_plain_text_matches_hand_example(docstring, summary, body):
    assert plain_text(docstring) == (summary, body)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("a NumPy array (np.ndarray)", "a library array (library.ndarray)"),
        ("TensorFlow 2.x, tf.data, TF1 and tf_utils", "library, library.data, library and library"),
        ("TFRecordDataset of TFLite in TF", "library of library in library"),
        ("scikit-learn's, sklearn.svm, scikit-image", "library's, library.svm, library-image"),
        ("pd.NA, plt.plot, mpl_toolkits, SciPy 1.4.1", "library.NA, library.plot, library, library"),
        ("KerasTensor of keras.layers in Python 3.11", "library of library.layers in library"),
        ("in version 1.24, compat.v1, NLTK3", "in version, compat.v, library"),
        # What only looks like one.
        ("tf-idf, TfidfTransformer, input, mean_sp2x, smf2, update, v 2", None),
        ("The plot of an index; the SM and sp parts", "The plot of an index; the library and library parts"),
    ],
)
def test_names_of_libraries_are_masked(text, masked):
    if masked is None:
        masked = "tf-idf, TfidfTransformer, input, mean_sp2x, library, update, v 2"
    assert plain_text(text) == (masked, "")


MODULE = '''
"""About the module."""
class Public(object):
    """About the class."""
    def method(self):
        r"""About \\d the method."""
        def inner():
            """Nobody sees this."""
    def __len__(self):
        "About the length."
    def _private(self):
        """Not this."""
class _Private:
    def method(self):
        """Nor this."""
if True:
    async def wait():
        """About waiting."""
try:
    def attempt(): """About trying."""
except ImportError:
    def attempt(): """About failing."""
raise SystemExit("the module was run")
'''


def test_reads_what_is_public_without_running_it(tmp_path):
    path = tmp_path / "module.py"
    path.write_text(MODULE)
    found = read_docstrings("alpha", "sub/module.py", path, words=ANY_LENGTH)
    assert [(text.name, text.summary) for text in found] == [
        ("", "About the module."),
        ("Public", "About the class."),
        ("Public.method", "About \\d the method."),
        ("Public.__len__", "About the length."),
        ("wait", "About waiting."),
        ("attempt", "About trying."),
    ]
    assert found[0][:2] == ("alpha", "sub/module.py")
    assert [text.name for text in read_docstrings("alpha", "m", path, words=range(4, 5))] == ["Public.method"]


@pytest.mark.parametrize(
    "content",
    [
        b"def f(:\n  '''A docstring.'''",
        b"\x00",
        b"\xff\xfe'''A docstring.'''",
        b"# coding: klingon\n'''A docstring.'''",
        b"(" * 100_000,
        b"x = " + b"-" * 100_000 + b"1",
        b"'''A docstring.'''\n" + b"#" * 4_000_000,
    ],
)
def test_file_that_cannot_be_read_is_left_out_and_said(tmp_path, caplog, content):
    path = tmp_path / "broken.py"
    path.write_bytes(content)
    assert read_docstrings("alpha", "broken.py", path, words=ANY_LENGTH) == []
    assert "broken.py of alpha is left out" in caplog.text


def test_warnings_about_other_peoples_code_stay_out(tmp_path):
    path = tmp_path / "old.py"
    path.write_text('"""A \\d docstring."""\nassert (1, "is true")\nx = "\\w"\n')
    assert read_docstrings("alpha", "old.py", path, words=ANY_LENGTH)[0].summary == "A \\d docstring."


def test_source_files_leave_out_what_is_not_the_packages_own(packages):
    for name in ("tests/a.py", "externals/a.py", "part0/gen_ops.py", "part0/a_pb2.py", "part0/conftest.py", "a.txt"):
        path = packages / "alpha" / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    package = PackageInfo(name="alpha", distribution="alpha", family="x", exclude=("part1", "part0/module2.py", "part"))
    found = [module for module, _ in source_files(package)]
    assert found == sorted(["__init__.py", *(f"part0/module{k}.py" for k in range(0, 20, 2) if k != 2)])


def test_package_without_sources_errors(tiny_corpus, packages):
    package = tiny_corpus.packages[0].model_copy(update={"exclude": ("__init__.py", "part0", "part1")})
    with pytest.raises(DataError, match="the sources of alpha, received no Python file"):
        source_files(package)
    with pytest.raises(DataError, match="package gamma to be installed"):
        source_files(package.model_copy(update={"name": "gamma"}))
