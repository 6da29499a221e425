"""Tensors out of a file that ``torch.save`` wrote, without PyTorch and without unpickling.

A pickle is a program for a small stack machine, and Python's ``pickle`` runs whatever it says: a file of weights can
start any command. Here the program is *read* by a machine that knows the twenty instructions and three names that a
dictionary of tensors is made of. Whatever else comes is refused. Nothing is imported and nothing is called.

The layout is PyTorch's older one (before 1.6): magic number, protocol, system, the dictionary, the list of storages,
and then for each storage its length and its numbers.
"""

from __future__ import annotations

import io
import math
import os
import pickletools
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from toolkit.errors import DataError

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_LARGEST_FILE = 1 << 30
_MOST_INSTRUCTIONS = 1_000_000
_DTYPES = {
    "torch FloatStorage": np.dtype("<f4"),
    "torch DoubleStorage": np.dtype("<f8"),
    "torch HalfStorage": np.dtype("<f2"),
    "torch LongStorage": np.dtype("<i8"),
    "torch IntStorage": np.dtype("<i4"),
}
_NAMES = {"collections OrderedDict", "torch._utils _rebuild_tensor_v2", *_DTYPES}
_READABLE = (ValueError, TypeError, KeyError, IndexError, AttributeError, struct.error)


def read_tensors(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """The tensors in a file of ``torch.save(model.state_dict(), path)``, by name.

    Strides and offsets into the storage are honoured; views that overlap are fine, views beyond their storage are not.

    Returns:
        Name → array of the dtype in the file, read-only: a view of the file's content.

    Raises:
        DataError: the file cannot be read, is of another layout, is cut off, asks for anything but tensors, or has a
            tensor that does not lie in its storage.
    """
    path = Path(path)
    where = f"tensors in {path.name}"
    try:
        if path.stat().st_size > _LARGEST_FILE:
            _refuse(where, f"a file of at most {_LARGEST_FILE:,} bytes", f"{path.stat().st_size:,}")
        content = path.read_bytes()
    except OSError as error:
        raise DataError(where, "a file that can be read", error.strerror or str(error)) from error
    if content[:4] == b"PK\x03\x04":
        remedy = "Save it with torch.save(state_dict, path, _use_new_zipfile_serialization=False)."
        raise DataError(where, "PyTorch's layout from before 1.6", "the one in a zip archive", remedy)
    stream = io.BytesIO(content)
    try:
        return _read(stream, where)
    except _READABLE as error:
        raise DataError(
            where,
            "a whole file of torch.save with a dictionary of tensors",
            f"something else, or one that is cut off (at byte {stream.tell():,}: {type(error).__name__})",
        ) from error


@dataclass(frozen=True, eq=False)
class _Storage:
    """A flat row of numbers that tensors look into."""

    key: str
    dtype: np.dtype
    length: int


@dataclass(frozen=True, eq=False)
class _View:
    """Where in its storage a tensor's numbers lie; offset and strides are counted in numbers."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _read(stream: io.BytesIO, where: str) -> dict[str, np.ndarray]:
    if _Machine(stream, where).run() != _MAGIC:
        _refuse(where, "PyTorch's magic number at the beginning", "another")
    if _Machine(stream, where).run() != _PROTOCOL:
        _refuse(where, f"PyTorch's protocol {_PROTOCOL}", "another")
    if _Machine(stream, where).run().get("little_endian") is not True:
        _refuse(where, "little-endian numbers", "others")
    machine = _Machine(stream, where)
    views = machine.run()
    keys = _Machine(stream, where).run()
    if not isinstance(views, dict) or not all(isinstance(view, _View) for view in views.values()):
        _refuse(where, "a dictionary of tensors alone", "other things in it", "Save model.state_dict().")
    if not all(type(key) is str for key in keys) or sorted(keys) != sorted(machine.storages):
        _refuse(where, "the storages that the tensors name", "a list of others")
    numbers = {key: _numbers(stream, machine.storages[key], where) for key in keys}
    return {name: _tensor(name, view, numbers[view.storage.key], where) for name, view in views.items()}


def _numbers(stream: io.BytesIO, storage: _Storage, where: str) -> np.ndarray:
    (length,) = struct.unpack("<q", stream.read(8))
    if length != storage.length:
        _refuse(where, f"{storage.length} numbers in storage {storage.key}", f"{length}")
    content = stream.read(length * storage.dtype.itemsize)
    return np.frombuffer(content, storage.dtype, count=length)  # raises if the file ends before


def _tensor(name: str, view: _View, numbers: np.ndarray, where: str) -> np.ndarray:
    shape, strides = view.shape, view.strides
    counts = all(type(n) is int and n >= 0 for n in (view.offset, *shape, *strides))
    if not counts or len(shape) != len(strides) or len(shape) > 32:
        _refuse(where, f"{name!r} to have as many strides as axes, all whole numbers from 0", "others")
    size = math.prod(shape)
    last = view.offset + sum((n - 1) * s for n, s in zip(shape, strides)) if size else view.offset - 1
    # Strides of 0 repeat a number: a small file must not become a large array. Nothing is copied either.
    if last >= len(numbers) or size > len(numbers):
        _refuse(
            where,
            f"{name!r} to lie in its storage of {len(numbers)} numbers",
            f"offset {view.offset}, shape {shape}, strides {strides}",
        )
    steps = tuple(s * numbers.itemsize for s in strides)
    return np.lib.stride_tricks.as_strided(numbers[view.offset :], shape, steps, writeable=False)


class _Machine:
    """The stack machine: runs one pickle from where the stream stands to its STOP, and returns what it leaves."""

    def __init__(self, stream: io.BytesIO, where: str) -> None:
        self.stream, self.where = stream, where
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []  # the stacks that MARKs have put aside
        self.memo: dict[int, Any] = {}
        self.storages: dict[str, _Storage] = {}

    def run(self) -> Any:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(self.stream)):
            if count > _MOST_INSTRUCTIONS:
                _refuse(self.where, f"at most {_MOST_INSTRUCTIONS:,} instructions", "more")
            self._execute(opcode.name, argument)
        (result,) = self.stack
        return result

    def _execute(self, name: str, argument: Any) -> None:
        stack = self.stack
        match name:
            case "PROTO" | "STOP":
                pass
            case "NONE" | "NEWTRUE" | "NEWFALSE":
                stack.append({"NONE": None, "NEWTRUE": True, "NEWFALSE": False}[name])
            case "BININT" | "BININT1" | "BININT2" | "LONG1" | "BINUNICODE":
                stack.append(argument)
            case "EMPTY_TUPLE" | "EMPTY_DICT" | "EMPTY_LIST":
                stack.append({"EMPTY_TUPLE": tuple, "EMPTY_DICT": dict, "EMPTY_LIST": list}[name]())
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                count = int(name[-1])
                stack[-count:] = [tuple(stack[-count:])]
            case "MARK":
                self.below.append(stack)
                self.stack = []
            case "TUPLE":
                self._back().append(tuple(stack))
            case "APPEND":
                stack[-2].append(stack.pop())
            case "APPENDS":
                self._back()[-1].extend(stack)
            case "SETITEM":
                key, value = stack.pop(-2), stack.pop()
                self._set(stack[-1], [(key, value)])
            case "SETITEMS":
                self._set(self._back()[-1], zip(stack[::2], stack[1::2], strict=True))
            case "BINPUT" | "LONG_BINPUT":
                self.memo[argument] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(self.memo[argument])
            case "GLOBAL":
                stack.append(self._name(argument))
            case "REDUCE":
                arguments, called = stack.pop(), stack.pop()
                stack.append(self._build(called, arguments))
            case "BINPERSID":
                stack.append(self._storage(stack.pop()))
            case "BUILD":
                stack.pop()  # the version notes that state_dict() hangs on its dictionary
            case _:
                _refuse(self.where, "the instructions that a dictionary of tensors needs", f"{name}, refused")

    def _back(self) -> list[Any]:
        self.stack = self.below.pop()
        return self.stack

    def _set(self, dictionary: dict, items: Iterable[tuple[Any, Any]]) -> None:
        for key, value in items:
            # Tuples of the same tuple, many deep, take for ever to hash, to compare or to print: none is.
            if type(key) is not str:
                _refuse(self.where, "names as keys", f"a key of type {type(key).__name__}, refused")
            dictionary[key] = value

    def _name(self, name: str) -> _Name:
        if name not in _NAMES:
            remedy = "Weights need no such thing: do not open this file with torch.load or pickle either."
            _refuse(self.where, f"names out of {', '.join(sorted(_NAMES))}", f"{name!r}, refused", remedy)
        return _Name(name)

    def _build(self, called: Any, arguments: Any) -> Any:
        """What calling a name would give, for the two names that are called."""
        match called, arguments:
            case _Name("collections OrderedDict"), ():
                return {}
            case (
                _Name("torch._utils _rebuild_tensor_v2"),
                (_Storage() as storage, int() as offset, tuple() as shape, tuple() as strides, _, dict()),
            ):
                return _View(storage, offset, shape, strides)
        what = called.name if isinstance(called, _Name) else f"a {type(called).__name__}"
        _refuse(self.where, "a dictionary or a tensor to be built", f"a call of {what} with other arguments, refused")

    def _storage(self, description: Any) -> _Storage:
        match description:
            case ("storage", _Name(kind), str() as key, "cpu" | "cuda:0", int() as length, None) if (
                kind in _DTYPES and length >= 0
            ):
                storage = self.storages.setdefault(key, _Storage(key, _DTYPES[kind], length))
                if (storage.dtype, storage.length) == (_DTYPES[kind], length):
                    return storage
        _refuse(self.where, "a storage of numbers of a known kind", "another, refused")


@dataclass(frozen=True)
class _Name:
    """A name in the pickle; never looked up."""

    name: str


def _refuse(where: str, expected: str, received: str, remedy: str = "") -> NoReturn:
    raise DataError(where, expected, received, remedy)
