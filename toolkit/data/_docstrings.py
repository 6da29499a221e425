"""Docstrings of installed packages as plain texts, read from their sources without importing them.

A text must not give away which library it comes from, and layout would: one library writes ``Args:``, another
underlines ``Parameters``. So code, headings, field names, cross-reference roles, version notes, addresses and
file names go, and every name or alias of a library becomes the word "library".
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import inspect
import logging
import os
import re
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from toolkit.data._info import PackageInfo
from toolkit.errors import DataError

_log = logging.getLogger(__name__)

STANDARD_LIBRARY = "python"
MASK = "library"

# Tests, code of other packages carried along, and code that a program wrote.
_OTHER_FOLDERS = {"__pycache__", "_testing", "_vendored", "externals", "site-packages", "dist-packages"}
_OTHER_FOLDERS |= {"test", "testing", "tests", "vendored"}
_OTHER_FILES = re.compile(r"test_.*|.*_test\.py|conftest\.py|gen_.*|.*_pb2\.py")
_MOST_BYTES = 4_000_000  # no handwritten module is longer


class Docstring(NamedTuple):
    """One docstring: where it stands, its summary line and all that follows, both as plain text."""

    package: str
    module: str
    name: str
    summary: str
    body: str

    @property
    def text(self) -> str:
        """Summary and body as one text."""
        return f"{self.summary} {self.body}"


def source_files(package: PackageInfo) -> list[tuple[str, Path]]:
    """The modules of a package: their paths inside it, with ``/``, in alphabetical order, and on the disk.

    Raises:
        DataError: if the package is not installed, or without its sources.
    """
    root = _root(package)
    found = []
    for folder, folders, names in os.walk(root):
        inside = Path(folder).relative_to(root)
        folders[:] = [name for name in folders if name not in _OTHER_FOLDERS]
        for name in names:
            module = (inside / name).as_posix()
            excluded = any(f"{module}/".startswith(f"{start}/") for start in package.exclude)
            if name.endswith(".py") and not excluded and not _OTHER_FILES.fullmatch(name):
                found.append((module, Path(folder, name)))
    if not found:
        raise DataError(
            "data set 'docstrings'",
            f"the sources of {package.name}",
            f"no Python file in {root}",
            "Install the package with its .py files.",
        )
    return sorted(found)


def _root(package: PackageInfo) -> Path:
    if package.name == STANDARD_LIBRARY:
        return Path(sysconfig.get_path("stdlib"))
    spec = importlib.util.find_spec(package.name)  # of a top-level package, this runs none of its code
    if spec is None or not spec.submodule_search_locations:
        raise DataError(
            "data set 'docstrings'",
            f"the package {package.name} to be installed: its docstrings are part of it",
            "none",
            "`toolkit doctor` says what else is missing.",
        )
    return Path(spec.submodule_search_locations[0])


def read_docstrings(package: str, module: str, path: Path, *, words: range) -> list[Docstring]:
    """The docstrings of a module and of all that is public in it, in the order of the file.

    The file is parsed, never run. One that cannot be parsed is left out with a line in the log.

    Args:
        package: name of the package.
        module: path of the module inside the package.
        path: the file.
        words: how many words a text may have; others are left out.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError(f"it has more than {_MOST_BYTES:,} bytes")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about escape sequences in other people's code
            tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError) as error:
        _log.warning("%s of %s is left out: %s", module, package, error)
        return []
    found = []
    for name, docstring in _public(tree, ""):
        if len(docstring.split()) >= words.start:  # cleaning takes words away and adds none
            text = Docstring(package, module, name, *plain_text(inspect.cleandoc(docstring)))
            if text.summary and len(text.text.split()) in words:
                found.append(text)
    return found


def _public(node: ast.AST, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        docstring = ast.get_docstring(node, clean=False)
        if docstring:
            yield name, docstring
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if not child.name.startswith("_") or child.name.endswith("__"):
                yield from _public(child, f"{name}.{child.name}".lstrip("."))
        elif isinstance(child, ast.If | ast.Try | ast.With):
            yield from _public(child, name)


_HEADING = re.compile(
    r"(?:other |call |keyword |optional )?(?:args?|arguments?|params?|parameters?|kwargs|returns?|return value|raises?"
    r"|yields?|receives?|warns?|warnings?|examples?|usage|references?|notes?|see also|attributes?|properties|methods?"
    r"|inputs?|outputs?|input shapes?|output shapes?|todo)\s*:?|[-=~^*#+_|]{3,}",
    re.IGNORECASE,
)
_LONGEST_HEADING = 25
_FIELD = re.compile(r"[:@](?:param(?:eter)?|type|arg|keyword|returns?|rtype|raises?|ivar|cvar|vartype|see|note)\b\s*:?")
_PROSE_DIRECTIVES = re.compile(r"\.\. (?:note|warning|caution|important|tip|hint|seealso|attention)::")


def plain_text(docstring: str) -> tuple[str, str]:
    """Summary line and body of a docstring, without code, layout and names of libraries.

    Args:
        docstring: as ``inspect.cleandoc`` gives it: its indentation removed.
    """
    summary: list[str] = []
    body: list[str] = []
    part = summary
    block: int | None = None  # inside an indented block that goes, the indentation of the line that opened it
    fence = doctest = False
    for line in docstring.encode("utf-8", "replace").decode("utf-8").splitlines():
        words = line.strip()
        indent = len(line) - len(line.lstrip())
        if words.startswith(("```", "~~~")):
            fence = not fence
        elif fence or (block is not None and (not words or indent > block)):
            continue
        elif not words:
            doctest = False
            part = body if summary else summary
        elif doctest or words.startswith(">>>"):
            doctest = True
        elif words.startswith(".. "):
            block = None if _PROSE_DIRECTIVES.match(words) else indent
        elif _is_heading(words):
            block, part = None, body if summary else summary
        else:
            block = indent if words.endswith("::") else None
            part.append(_FIELD.sub("", words) if words[0] in ":@" else words)
    return _plain(summary), _plain(body)


def _is_heading(words: str) -> bool:
    return (len(words) <= _LONGEST_HEADING and _HEADING.fullmatch(words) is not None) or not words.strip("-=~^*#+_|")


# A word is masked if it contains one of the first, or if a part of it between underscores is one of the second.
_NAMES = re.compile(
    r"tensorflow|keras|numpy|scipy|pandas|sklearn|scikit|matplotlib|pyplot|pylab|statsmodels|nltk|python|stdlib"
)
_ALIASES = frozenset({"tf", "np", "pd", "sp", "plt", "mpl", "sm", "smf", "tsa", "jnp", "skl"})
# Addresses, where a cross-reference leads, places to fill in, and what is left of layout within a line.
_DROPPED = re.compile(r"\w+://|www\.|mailto:|\S@\w+\.|>`_{0,2}\W*$|%\(\w+\)s|version(?:added|changed)|>>>")
_FILE = re.compile(r"\W*[\w./\\-]*\w\.(?:py|pyx|pyi|c|cc|cpp|h|txt|rst|md|csv|json|ya?ml|html?|ipynb|proto|so|dll)\W*")
_ROLE = re.compile(r":[A-Za-z]+(?::[A-Za-z]+)*:(?=`)")
_MARKUP = re.compile(r"[`*|~]+_{0,2}|(?<!\w)_+(?=\w)|(?<=[^\W_])_+(?!\w)")
_WORD = re.compile(r"tf-?idf\w*|\w+", re.IGNORECASE)
_VERSION = re.compile(rf"\b({MASK}|versions?|v(?=\d))\s?\d+(?:\.(?:\d+|x))*", re.IGNORECASE)


def _plain(lines: list[str]) -> str:
    words = filter(None, map(_plain_word, " ".join(lines).split()))
    return _VERSION.sub(r"\1", " ".join(words))


@functools.lru_cache(maxsize=1 << 19)
def _plain_word(word: str) -> str:
    """One word between blanks, without mark-up; empty if nothing of it is left."""
    if not word.isalpha():
        if _DROPPED.search(word) or _FILE.fullmatch(word) or word.count("/") > 1:
            return ""
        word = _ROLE.sub("", word).replace("scikit-learn", "sklearn").replace("::", ":")
        word = _MARKUP.sub("", word)
        if not word.strip("-=~^#+_:") and word not in ("-", "+", "="):  # what is left of lines and tables
            return ""
        word = word.lstrip(".") if _WORD.search(word) else word
    return _WORD.sub(_masked, word)


def _masked(match: re.Match[str]) -> str:
    name = match[0]
    lower = name.lower()
    if _NAMES.search(lower) or (name.startswith("TF") and not name[2:3].islower()):
        return MASK
    aliased = any(part.strip("0123456789") in _ALIASES for part in lower.split("_"))
    return MASK if aliased else name
