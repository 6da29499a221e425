"""How many threads TensorFlow may use."""

from __future__ import annotations

import tensorflow as tf

from toolkit.argument_checks import is_integer
from toolkit.errors import CallOrderError, InvalidValueError


def set_threads(n: int) -> None:
    """Lets TensorFlow use ``n`` threads for one operation, and ``n`` for operations side by side.

    By default TensorFlow takes every core. Fewer are right where several trainings share a machine, since threads
    that wait for each other cost more than they bring. Results can differ in the last bits between numbers of
    threads, never between runs with the same number.

    Args:
        n: at least 1.

    Raises:
        InvalidValueError: ``n`` is not a positive integer.
        CallOrderError: TensorFlow has already computed something with another number of threads.
    """
    if not is_integer(n) or n < 1:
        raise InvalidValueError("training.set_threads", "n as a positive integer", repr(n))
    threading = tf.config.threading
    try:
        threading.set_intra_op_parallelism_threads(n)
        threading.set_inter_op_parallelism_threads(n)
    except RuntimeError as error:
        now = threading.get_intra_op_parallelism_threads() or "as many threads as there are cores"
        raise CallOrderError(
            "training.set_threads",
            "a call before TensorFlow's first computation",
            f"a TensorFlow that already runs with {now}",
            "Call it at the top of the program, or restart the kernel.",
        ) from error
