"""Executes one notebook in this environment's kernel, and watches its time and memory."""

from __future__ import annotations

import asyncio
import atexit
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import psutil
import zmq
from jupyter_client import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbclient.output_widget import OutputWidget
from nbformat import NotebookNode
from rich.text import Text

from toolkit.lessons import kernel

_SAMPLES_A_SECOND = 20


@dataclass(frozen=True)
class CellFailure:
    """The cell at which a lesson stopped.

    Attributes:
        cell: its position in the notebook, from 0, markdown cells counted.
        message: the error in one line.
        source: the cell's code.
        traceback: Python's traceback, without colours.
    """

    cell: int
    message: str
    source: str
    traceback: str


@dataclass
class Execution:
    """What came of executing one notebook."""

    page: NotebookNode
    seconds: float = 0.0
    peak_bytes: int = 0
    failure: CellFailure | None = None
    out_of_time: bool = False


@dataclass
class Kernels:
    """The kernel processes under way, so that all of them can be stopped at once.

    Attributes:
        side_by_side: how many there may be at a time; each gets its share of the processor's cores.
        stopped: whether `stop` was called.
    """

    side_by_side: int = 1
    stopped: bool = False
    _processes: set[psutil.Process] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, process: psutil.Process) -> None:
        """Take note of a kernel; one that comes after `stop` is ended at once."""
        with self._lock:
            self._processes.add(process)
        if self.stopped:
            _kill_tree(process)

    def discard(self, process: psutil.Process) -> None:
        """Forget a kernel that has ended."""
        with self._lock:
            self._processes.discard(process)

    def stop(self) -> None:
        """End every kernel with its children."""
        self.stopped = True
        with self._lock:
            for process in self._processes:
                _kill_tree(process)


def execute(
    page: NotebookNode,
    folder: Path,
    *,
    stop_after: float,
    kernels: Kernels | None = None,
    variables: Mapping[str, str] | None = None,
) -> Execution:
    """Execute all cells of ``page`` in place, in a fresh kernel whose working folder is ``folder``.

    A failing cell ends the execution and is reported; it raises nothing here. Not to be called from
    a thread that runs an event loop, such as a notebook's.

    Args:
        page: the notebook; its outputs are replaced.
        folder: the kernel's working folder.
        stop_after: seconds after which the kernel is killed.
        kernels: where to note the kernel while it lives.
        variables: for the kernel's environment, besides those of this process.
    """
    execution = Execution(page)
    position = 0

    def remember(cell: NotebookNode, cell_index: int) -> None:
        nonlocal position
        position = cell_index

    kernels = kernels or Kernels()
    begin = time.perf_counter()
    with _own_kernel(kernels.side_by_side) as (manager, own, log):
        client = NotebookClient(page, km=manager, timeout=None, record_timing=False, on_cell_start=remember)
        client.owns_km = True  # it is to end the kernel
        client.widget_registry["@jupyter-widgets/output"]["OutputModel"] = _OutputWidget
        watch = _Watch(manager, begin + stop_after, kernels)
        try:
            with watch:
                asyncio.run(
                    client.async_execute(cwd=str(folder), env=own | dict(variables or {}), stdout=log, stderr=log)
                )
        except CellExecutionError as error:
            execution.failure = _failure(page, position, error)
        except RuntimeError as error:
            # Killed before it could answer at all, the kernel is not "dead" to nbclient: it never started.
            if not (isinstance(error, DeadKernelError) or watch.out_of_time):
                error.add_note(_last_lines(log))
                raise
            atexit.unregister(client._cleanup_kernel)  # which would trip over the kernel that never started
            execution.out_of_time = watch.out_of_time
            message = "stopped here" if watch.out_of_time else "the kernel died (out of memory?)"
            execution.failure = CellFailure(position, message, page.cells[position].source, _last_lines(log))
    execution.seconds = time.perf_counter() - begin
    execution.peak_bytes = watch.peak_bytes
    return execution


@contextmanager
def _own_kernel(side_by_side: int) -> Iterator[tuple[AsyncKernelManager, dict[str, str], BinaryIO]]:
    """A manager for this environment's kernel, with all of the kernel's files in a temporary folder.

    So neither the user's start-up scripts take part nor is anything left in the user's folders. What the
    process itself writes goes to a file there, to be shown if the kernel dies: a cell's output is in the page.
    """
    with tempfile.TemporaryDirectory(prefix="lesson-", ignore_cleanup_errors=True) as folder:
        manager = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=kernel.specs())
        manager.connection_file = str(Path(folder) / "kernel.json")
        start_up = Path(folder) / "profile_default" / "startup"
        start_up.mkdir(parents=True)
        shutil.copy(Path(__file__).parent / "startup" / "wait_for_output.py", start_up)
        if os.name == "posix":
            # Sockets in the folder: no port that two kernels could race for, and no network needed.
            manager.transport = "ipc"
        # NumPy's OpenBLAS takes all cores and waits by spinning: two kernels that both do so took eight
        # times as long as two that share the cores. TensorFlow's own threads are left as they are.
        share = max(1, (os.cpu_count() or 1) // side_by_side)
        variables = {"OPENBLAS_NUM_THREADS": str(share)} | kernel.environment() | {"IPYTHONDIR": folder}
        with (Path(folder) / "kernel.log").open("w+b") as log:
            yield manager, variables, log


class _OutputWidget(OutputWidget):
    """nbclient's stand-in for the browser's Output widget, mended so that no reply is missed.

    A message is sent past the asynchronous socket, on its synchronous shadow. If the kernel's reply to
    the cell arrives in that moment, sending uses up the sign of it and the execution waits for ever
    (once in about a hundred sliders; nbclient's issue 312). Asking for the socket's events brings the sign back.
    """

    def send(self, *arguments: object, **options: object) -> None:
        super().send(*arguments, **options)
        self.kernel_client.shell_channel.socket.get(zmq.EVENTS)


class _Watch:
    """Follows a kernel from a thread: its peak memory, and the moment when its time is up."""

    def __init__(self, manager: AsyncKernelManager, deadline: float, kernels: Kernels) -> None:
        self.peak_bytes = 0
        self.out_of_time = False
        self._manager = manager
        self._deadline = deadline
        self._kernels = kernels
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> _Watch:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self._thread.join()

    def _follow(self) -> None:
        process = self._wait_for_kernel()
        if process is None:
            return
        self._kernels.add(process)
        while not self._over.wait(1 / _SAMPLES_A_SECOND):
            self.peak_bytes = max(self.peak_bytes, _resident_bytes(process))
            if time.perf_counter() > self._deadline and not self.out_of_time:
                self.out_of_time = True
                _kill_tree(process)
        self._kernels.discard(process)

    def _wait_for_kernel(self) -> psutil.Process | None:
        while not self._over.wait(1 / _SAMPLES_A_SECOND):
            provisioner = self._manager.provisioner
            pid = getattr(provisioner, "pid", None)
            if pid is not None and psutil.pid_exists(pid):
                return psutil.Process(pid)
        return None


def _resident_bytes(process: psutil.Process) -> int:
    total = 0
    try:
        for member in [process, *process.children(recursive=True)]:
            total += member.memory_info().rss
    except psutil.Error:  # a process that has just ended holds nothing
        return total
    return total


def _kill_tree(process: psutil.Process) -> None:
    try:
        members = [*process.children(recursive=True), process]
    except psutil.NoSuchProcess:
        return
    for member in members:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue


def _last_lines(log: BinaryIO, count: int = 20) -> str:
    log.seek(0)
    text = log.read().decode(errors="replace").replace("\0", "")  # the marks of startup/wait_for_output.py
    return "\n".join(text.splitlines()[-count:])


def _failure(page: NotebookNode, position: int, error: CellExecutionError) -> CellFailure:
    plain = Text.from_ansi(str(error.traceback)).plain
    message = " ".join(f"{error.ename}: {error.evalue}".split())
    return CellFailure(position, message, page.cells[position].source, plain)
