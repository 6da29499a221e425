"""What ``import toolkit, toolkit.scratch`` costs beyond NumPy: fresh interpreters taking turns, medians."""

from __future__ import annotations

import subprocess
import sys
import time
from statistics import median

STATEMENTS = {
    "import numpy": "import numpy",
    "import numpy, toolkit": "import numpy, toolkit",
    "import numpy, toolkit.scratch": "import numpy, toolkit, toolkit.scratch",
    "import toolkit.bridge (with TensorFlow)": "import toolkit.bridge",
}


def seconds(statement: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)
    return time.perf_counter() - started


def main() -> None:
    measured = {name: [] for name in STATEMENTS}
    for round_ in range(8):
        for name, statement in STATEMENTS.items():
            value = seconds(statement)
            if round_:  # the first round fills the file cache
                measured[name].append(value)
    base = median(measured["import numpy"])
    for name, values in measured.items():
        print(f"{name:<42} {median(values):6.3f} s   {median(values) - base:+6.3f} s beyond NumPy")


if __name__ == "__main__":
    main()
