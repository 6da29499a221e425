from __future__ import annotations

import subprocess
import sys

import pytest

from toolkit import models


def test_a_builder_alone_loads_no_preprocessing():
    code = "import sys, toolkit.models as m; m.mlp(4, (3,), 2); print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(result.stdout.split())
    assert "toolkit.models.mlp" in loaded
    assert not {"nltk", "toolkit.text", "toolkit.images", "toolkit.training", "toolkit.models.classifiers"} & loaded


@pytest.mark.parametrize("name", models.__all__)
def test_every_public_name_is_there(name):
    assert name in dir(models)
    assert getattr(models, name).__doc__


def test_unknown_name_errors():
    with pytest.raises(AttributeError, match="it has ImageClassifier"):
        _ = models.RandomForest
