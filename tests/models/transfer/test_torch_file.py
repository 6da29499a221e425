from __future__ import annotations

import collections
import os
import pickle
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.errors import DataError
from toolkit.models.transfer._torch_file import read_tensors

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
KINDS = {"f4": "FloatStorage", "f8": "DoubleStorage", "i8": "LongStorage", "f2": "HalfStorage", "i4": "IntStorage"}


class Named:
    """Stands for a name of PyTorch's, so that pickle writes the name though there is no such module here."""

    def __init__(self, module, name):
        self.module, self.name = module, name


class Storage:
    def __init__(self, key, numbers, length=None):
        self.key, self.numbers, self.length = key, numbers, len(numbers) if length is None else length


class Tensor:
    def __init__(self, storage, offset, shape, strides):
        self.arguments = (storage, offset, shape, strides, False, collections.OrderedDict())


class Pickler(pickle._Pickler):
    """Writes what ``torch.save`` wrote before 1.6."""

    def persistent_id(self, thing):
        if isinstance(thing, Storage):
            kind = Named("torch", KINDS[thing.numbers.dtype.str[1:]])
            return ("storage", kind, thing.key, "cpu", thing.length, None)
        return None

    def save(self, thing, save_persistent_id=True):
        if isinstance(thing, Named):
            self.write(pickle.GLOBAL + f"{thing.module}\n{thing.name}\n".encode())
        elif isinstance(thing, Tensor):
            self.save(Named("torch._utils", "_rebuild_tensor_v2"))
            self.save(thing.arguments)
            self.write(pickle.REDUCE)
        else:
            super().save(thing, save_persistent_id)


@pytest.fixture
def saved(tmp_path):
    """Writes a file of tensors, which lie in the given storages."""

    def save(tensors, storages=(), keys=None, system=None, magic=MAGIC):
        path = tmp_path / "weights.pth"
        with path.open("wb") as stream:
            system = (
                {"protocol_version": PROTOCOL, "little_endian": True, "type_sizes": {}} if system is None else system
            )
            for part in (magic, PROTOCOL, system):
                pickle.dump(part, stream, protocol=2)
            Pickler(stream, protocol=2).dump(tensors)
            pickle.dump([s.key for s in storages] if keys is None else keys, stream, protocol=2)
            for storage in storages:
                stream.write(struct.pack("<q", storage.length) + storage.numbers.tobytes())
        return path

    return save


def contiguous(array, key="0"):
    strides = tuple(s // array.itemsize for s in array.strides)
    storage = Storage(key, array.ravel())
    return Tensor(storage, 0, array.shape, strides), storage


def ordered(**tensors):
    result = collections.OrderedDict(tensors)
    result._metadata = collections.OrderedDict(version=1)  # as state_dict() has it
    return result


@pytest.mark.parametrize("kind", KINDS)
def test_tensors_of_every_kind(saved, kind):
    array = np.arange(6, dtype=f"<{kind}").reshape(2, 3)
    tensor, storage = contiguous(array)
    (found,) = read_tensors(saved(ordered(a=tensor), [storage])).values()
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


def test_offset_and_strides_match_hand_example(saved):
    storage = Storage("7", np.arange(10, dtype="<f4"))
    tensors = ordered(
        transposed=Tensor(storage, 1, (3, 2), (1, 3)),  # of [[1, 2, 3], [4, 5, 6]]
        every_other=Tensor(storage, 0, (5,), (2,)),
        number=Tensor(storage, 9, (), ()),
        empty=Tensor(storage, 10, (0, 3), (3, 1)),
    )
    found = read_tensors(saved(tensors, [storage]))
    assert found["transposed"].tolist() == [[1, 4], [2, 5], [3, 6]]
    assert found["every_other"].tolist() == [0, 2, 4, 6, 8]
    assert found["number"] == 9
    assert found["empty"].shape == (0, 3)


@given(
    shape=st.lists(st.integers(0, 4), max_size=3).map(tuple),
    strides=st.lists(st.integers(0, 6), max_size=3).map(tuple),
    offset=st.integers(0, 12),
)
def test_any_shape_and_strides_are_read_or_refused(tmp_path_factory, shape, strides, offset):
    """Never a number from outside of the storage: what is given is what the indices say."""
    numbers = np.arange(10, dtype="<f4")
    path = tmp_path_factory.mktemp("files") / "weights.pth"
    storage = Storage("0", numbers)
    with path.open("wb") as stream:
        for part in (MAGIC, PROTOCOL, {"little_endian": True}):
            pickle.dump(part, stream, protocol=2)
        Pickler(stream, protocol=2).dump({"t": Tensor(storage, offset, shape, strides)})
        pickle.dump(["0"], stream, protocol=2)
        stream.write(struct.pack("<q", 10) + numbers.tobytes())
    places = [offset + sum(i * s for i, s in zip(index, strides)) for index in np.ndindex(*shape)]
    fits = len(shape) == len(strides) and all(p < 10 for p in places) and len(places) <= 10 and offset <= 10
    if fits:
        np.testing.assert_array_equal(read_tensors(path)["t"].ravel(), numbers[places])
    else:
        with pytest.raises(DataError):
            read_tensors(path)


class Command:
    """What a hostile pickle does: any function with any arguments, called while it is read."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    ("function", "arguments", "name"),
    [
        (os.system, ("touch {marker}",), "system"),
        (eval, ("open({marker!r}, 'w')",), "eval"),
        (getattr, ("x", "__class__"), "getattr"),
        (exec, ("1",), "exec"),
    ],
)
def test_code_in_the_file_is_refused(saved, tmp_path, function, arguments, name):
    marker = tmp_path / "marker"
    arguments = [a.format(marker=str(marker)) for a in arguments]
    path = saved({"weight": Command(function, *arguments)})
    with pytest.raises(DataError, match=f"{name}', refused"):
        read_tensors(path)
    assert not marker.exists()
    pickle.loads(pickle.dumps(Command(os.system, f"touch {marker}")))  # the same is no empty threat to pickle
    assert marker.exists()


@pytest.mark.parametrize("position", ["magic", "system", "keys"])
def test_code_in_every_part_is_refused(saved, position):
    with pytest.raises(DataError, match="refused"):
        read_tensors(saved({}, **{position: Command(os.getcwd)}))


def test_names_of_pytorch_that_are_not_needed_are_refused(saved):
    class Wanted:
        def __reduce__(self):
            return collections.Counter, ()

    with pytest.raises(DataError, match=r"'collections Counter', refused.*torch\.load"):
        read_tensors(saved({"a": Wanted()}))


@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [
        (0, (2, 6), (6, 1)),
        (5, (6,), (1,)),
        (11, (), ()),
        (0, (2,), (10,)),
        (0, (1 << 40,), (0,)),  # a small file, a large array
        (0, (1 << 62, 1 << 62), (0, 0)),
        (-1, (2,), (1,)),
        (0, (2,), (-1,)),
        (0, (-2,), (1,)),
        (0, (2, 2), (1,)),
        (0, (True, 2), (1, 1)),
    ],
)
def test_views_beyond_their_storage_are_refused(saved, offset, shape, strides):
    storage = Storage("0", np.arange(10, dtype="<f4"))
    with pytest.raises(DataError, match="strides"):
        read_tensors(saved({"w": Tensor(storage, offset, shape, strides)}, [storage]))


def test_storage_of_another_length_is_refused(saved):
    storage = Storage("0", np.arange(10, dtype="<f4"))
    path = saved({"w": Tensor(storage, 0, (10,), (1,))}, [storage])
    content = path.read_bytes()
    at = content.rindex(struct.pack("<q", 10))
    path.write_bytes(content[:at] + struct.pack("<q", 1 << 60) + content[at + 8 :])
    with pytest.raises(DataError, match="10 numbers in storage 0"):
        read_tensors(path)


def test_truncated_anywhere_errors(saved):
    tensor, storage = contiguous(np.arange(12, dtype="<f4").reshape(3, 4))
    path = saved(ordered(a=tensor), [storage])
    content = path.read_bytes()
    for length in range(0, len(content), 7):
        path.write_bytes(content[:length])
        with pytest.raises(DataError):
            read_tensors(path)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("files") / "weights.pth"
    begin = b"".join(pickle.dumps(part, protocol=2) for part in (MAGIC, PROTOCOL, {"little_endian": True}))
    path.write_bytes(begin + content)
    with pytest.raises(DataError):
        read_tensors(path)


@pytest.mark.parametrize("place", ["key", "value", "called", "shape"])
def test_tuples_of_tuples_take_no_time(saved, place):
    """Sixty tuples, each of the one before it twice: to hash, compare or print the last would take for ever."""
    laughs = b")q\x00" + b"h\x00h\x00\x86q\x00" * 60
    name, rebuild = b"X\x01\x00\x00\x00a", b"ctorch._utils\n_rebuild_tensor_v2\n"
    storage = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x02NtQ"
    program = {
        "key": laughs + b"K\x01s",
        "value": name + laughs + b"s",
        "called": name + laughs + b")Rs",
        "shape": name + rebuild + b"(" + storage + b"K\x00" + laughs + b")\x89}tRs",
    }[place]
    path = saved({"here": 1})
    content = path.read_bytes().replace(pickle.dumps({"here": 1}, protocol=2), b"\x80\x02}" + program + b".")
    path.write_bytes(content)
    with pytest.raises(DataError):
        read_tensors(path)


def test_a_memo_of_large_numbers_takes_no_memory(tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(b"\x80\x02K\x01" + pickle.LONG_BINPUT + b"\xff\xff\xff\xff" + b".")
    with pytest.raises(DataError, match="magic"):
        read_tensors(path)


def test_newer_layout_errors(tmp_path):
    with zipfile.ZipFile(tmp_path / "new.pth", "w") as archive:
        archive.writestr("archive/data.pkl", b"")
    with pytest.raises(DataError, match=r"zip archive.*_use_new_zipfile_serialization=False"):
        read_tensors(tmp_path / "new.pth")


def test_missing_file_errors(tmp_path):
    with pytest.raises(DataError, match="a file that can be read"):
        read_tensors(tmp_path / "none.pth")
