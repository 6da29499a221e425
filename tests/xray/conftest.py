"""What the tests of traces share: small models, the generator of random ones, how thorough to be."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

import keras
import numpy as np
import pytest
from keras import layers

THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Random models and applications: a few by default, all with HYPOTHESIS_PROFILE=thorough."""
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", range(200 if THOROUGH else 36))
    if "wide_seed" in metafunc.fixturenames:
        metafunc.parametrize("wide_seed", range(1000, 1060 if THOROUGH else 1008))


@pytest.fixture(scope="session")
def thorough() -> bool:
    """Whether to run everything."""
    return THOROUGH


@pytest.fixture(scope="session")
def random_models() -> ModuleType:
    """The generator, tests/xray/random_models.py."""
    spec = importlib.util.spec_from_file_location("random_models", Path(__file__).with_name("random_models.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclass looks itself up there
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def rng() -> np.random.Generator:
    keras.utils.set_random_seed(5)
    return np.random.default_rng(5)


@pytest.fixture
def classifier(rng: np.random.Generator) -> keras.Model:
    """4 features → 3 classes, with all that a step might change: normalisation, dropout, a regulariser."""
    return keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(5, "relu", kernel_regularizer="l2", name="hidden"),
            layers.BatchNormalization(name="norm"),
            layers.Dropout(0.5, name="drop"),
            layers.Dense(3, "softmax", name="out"),
        ],
        name="classifier",
    )


@pytest.fixture
def batch(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return rng.standard_normal((6, 4)).astype("float32"), np.array([0, 1, 2, 0, 1, 2])
