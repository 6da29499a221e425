"""The kernel that executes lessons: this environment's own Python, whatever kernels the user has.

Jupyter looks a kernel up by name, and ``python3`` may mean another Python: one registered by the
user, or one on ``JUPYTER_PATH``. The environment's own folder is therefore put first.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from jupyter_client.kernelspec import KernelSpecManager

_DATA = Path(sys.prefix) / "share" / "jupyter"


def environment() -> dict[str, str]:
    """Return the process environment in which Jupyter finds this environment's kernel first."""
    variables = dict(os.environ)
    others = [path for path in variables.get("JUPYTER_PATH", "").split(os.pathsep) if path]
    variables["JUPYTER_PATH"] = os.pathsep.join([str(_DATA), *others])
    # The news of JupyterLab asks a question at the first start and calls the network.
    others = [path for path in variables.get("JUPYTER_CONFIG_PATH", "").split(os.pathsep) if path]
    variables["JUPYTER_CONFIG_PATH"] = os.pathsep.join([str(Path(__file__).parent / "jupyter"), *others])
    # Notebooks import the toolkit that started them, also from a checkout that is not installed.
    checkout = Path(__file__).parents[2]
    if (checkout / "pyproject.toml").is_file():
        searched = [path for path in variables.get("PYTHONPATH", "").split(os.pathsep) if path]
        variables["PYTHONPATH"] = os.pathsep.join([str(checkout), *searched])
    # Another backend in the user's shell would keep the figures out of the page; and under pytest
    # the kernel would leave what C++ writes to descriptor 2 out of the page that a learner sees it in.
    for name in ("MPLBACKEND", "PYTEST_CURRENT_TEST"):
        variables.pop(name, None)
    variables["COLUMNS"] = "100"  # tables of text are as wide as a page, whatever the user's terminal
    return variables


def specs() -> KernelSpecManager:
    """Return a manager that knows this environment's kernels and no others."""
    return KernelSpecManager(kernel_dirs=[str(_DATA / "kernels")])


def python() -> str:
    """Return the Python that the kernel ``python3`` runs, as it stands in its description."""
    command = specs().get_kernel_spec("python3").argv[0]
    # Jupyter itself replaces a bare name by the running interpreter.
    return command if Path(command).is_absolute() else sys.executable
