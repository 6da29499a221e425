"""Columns scaled to mean 0 and deviation 1, and what JSON keeps of that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.preprocessing import StandardScaler


def scaler_to_json(scaler: StandardScaler) -> dict[str, list[float]]:
    """The mean and the deviation of each column."""
    return {"mean": scaler.mean_.tolist(), "scale": scaler.scale_.tolist()}


def scaler_from_json(state: Mapping[str, Any], columns: int) -> StandardScaler:
    """The scaler that ``scaler_to_json`` described. Raises ValueError if it does not fit ``columns`` columns."""
    scaler = StandardScaler()
    scaler.mean_, scaler.scale_ = (np.array(state[name], np.float64) for name in ("mean", "scale"))
    scaler.var_, scaler.n_features_in_ = scaler.scale_**2, columns
    right_shapes = scaler.mean_.shape == scaler.scale_.shape == (columns,)
    if not (right_shapes and np.isfinite([scaler.mean_, scaler.scale_]).all() and (scaler.scale_ > 0).all()):
        raise ValueError(f"a mean and a positive deviation that do not fit {columns} columns")
    return scaler
