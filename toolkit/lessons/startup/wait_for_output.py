"""Start-up file of the kernels that execute lessons: a cell ends when all of its output has arrived.

What C++ or a child process writes to descriptors 1 and 2 reaches the page through a pipe that a thread
of ipykernel reads. A cell may end before that thread gets its turn, and its last lines are then lost.
So each cell sends a mark down both pipes after its last line and waits for it to come out again.

IPython runs this file in the learner's namespace; it leaves no name behind.
"""


def _wait_for_descriptors_after_each_cell() -> None:
    import os
    import sys
    import threading

    mark = "\0"  # no program prints it as text, and a terminal shows nothing of it

    def expect(stream: object) -> threading.Event:
        arrived = threading.Event()
        write = stream.write

        def write_without_mark(text: str) -> int:
            if mark in text:
                write(text.replace(mark, ""))
                arrived.set()
                return len(text)
            return write(text)

        stream.write = write_without_mark
        return arrived

    # Under pytest, or on Windows, ipykernel reads no pipe, and no mark would come back.
    piped = [
        (descriptor, expect(stream))
        for descriptor, stream in ((1, sys.stdout), (2, sys.stderr))
        if getattr(stream, "_should_watch", False)
    ]

    def wait() -> None:
        for descriptor, arrived in piped:
            arrived.clear()
            os.write(descriptor, mark.encode())
            arrived.wait(timeout=5)  # if a cell has closed or redirected its descriptor, no mark comes

    get_ipython().events.register("post_run_cell", lambda result: wait())  # noqa: F821 - IPython's own


_wait_for_descriptors_after_each_cell()
del _wait_for_descriptors_after_each_cell
