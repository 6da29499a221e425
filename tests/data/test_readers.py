from __future__ import annotations

import gzip
import io
import pickle
import tarfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.data._catalogue import info_of
from toolkit.data._readers import UNREADABLE, read_npz, read_published, stratified_split


def _idx(array):
    header = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return gzip.compress(header + array.tobytes(), mtime=0)


def _idx_contents(train=3, test=2):
    images = [np.arange(n * 20, dtype=np.uint8).reshape(n, 5, 4) for n in (train, test)]
    labels = [np.arange(n, dtype=np.uint8) % 2 for n in (train, test)]
    return {
        "train-images-idx3-ubyte.gz": _idx(images[0]),
        "train-labels-idx1-ubyte.gz": _idx(labels[0]),
        "t10k-images-idx3-ubyte.gz": _idx(images[1]),
        "t10k-labels-idx1-ubyte.gz": _idx(labels[1]),
    }


def _tar(members):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def _save(**arrays):
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def _arrays(**changes):
    arrays = {
        "x_train": np.zeros((4, 5, 4), np.uint8),
        "y_train": np.array([0, 1, 0, 1], np.uint8),
        "x_test": np.zeros((2, 5, 4), np.uint8),
        "y_test": np.array([0, 1], np.uint8),
    }
    arrays.update(changes)
    return arrays


def test_npz_that_is_sorted_by_class_is_shuffled_and_another_is_not(tiny):
    x = np.arange(40, dtype=np.uint8).repeat(20).reshape(40, 5, 4)
    for y, moves in ((np.arange(40) // 20, True), (np.arange(40) % 2, False)):
        arrays = read_npz(tiny, _save(x_train=x, y_train=y, x_test=x, y_test=y))
        order = arrays.x_train[:, 0, 0, 0]
        assert sorted(order) == list(range(40))
        assert (order.tolist() != list(range(40))) == moves
        np.testing.assert_array_equal(arrays.y_train, y[order])
        np.testing.assert_array_equal(arrays.x_test, arrays.x_train)


def test_idx_matches_hand_example(make_info):
    contents = _idx_contents()
    info = make_info(contents, reader="idx", train=3, test=2)
    arrays = read_published(info, list(contents.values()))
    assert arrays.x_train.shape == (3, 5, 4, 1)
    assert arrays.x_train[1, 0, :, 0].tolist() == [20, 21, 22, 23]
    assert arrays.y_train.tolist() == [0, 1, 0]
    assert arrays.y_train.dtype == np.int64
    arrays.x_train[0] = 7  # not read-only


def test_idx_of_wrong_type_errors(make_info):
    contents = _idx_contents()
    contents["train-labels-idx1-ubyte.gz"] = gzip.compress(b"\0\0\x0d\x01\0\0\0\x01\0\0\0\0")
    info = make_info(contents, reader="idx", train=3, test=2)
    with pytest.raises(ValueError, match="not an IDX file"):
        read_published(info, list(contents.values()))


def test_cifar_matches_hand_example(make_info):
    """A 1×2 image: label, red of both pixels, green of both, blue of both."""
    members = {
        "batches/batches.meta.txt": b"left\nright\n",
        "batches/test_batch.bin": bytes([1, 10, 11, 20, 21, 30, 31]),
        "batches/data_batch_2.bin": bytes([1, 60, 61, 70, 71, 80, 81]),
        "batches/data_batch_1.bin": bytes([0, 1, 2, 3, 4, 5, 6]),
    }
    content = _tar(members)
    info = make_info({"c.tar.gz": content}, reader="cifar", image_shape=(1, 2, 3), train=2, test=1)
    arrays = read_published(info, [content])
    assert arrays.x_train.tolist() == [[[[1, 3, 5], [2, 4, 6]]], [[[60, 70, 80], [61, 71, 81]]]]
    assert arrays.y_train.tolist() == [0, 1]
    assert arrays.x_test.tolist() == [[[[10, 20, 30], [11, 21, 31]]]]
    arrays.x_train[0] = 7  # not read-only


@pytest.mark.parametrize(
    "members",
    [
        {"batches/readme.html": b"no batches"},
        {"batches/data_batch_1.bin": bytes(7)},  # no test batch
        {"batches/data_batch_1.bin": bytes(8), "batches/test_batch.bin": bytes(7)},
        {"batches/data_batch_1.bin": bytes([2] * 7), "batches/test_batch.bin": bytes(7)},
    ],
)
def test_cifar_archive_errors(make_info, members):
    content = _tar(members)
    info = make_info({"c.tar.gz": content}, reader="cifar", image_shape=(1, 2, 3), train=1, test=1)
    with pytest.raises(UNREADABLE):
        read_published(info, [content])


def test_csv_matches_hand_example(make_info):
    rows = [[*range(k, k + 20), k % 2] for k in range(10)]
    content = gzip.compress("\n".join(",".join(map(str, row)) for row in rows).encode())
    info = make_info({"c.csv.gz": content}, reader="csv", train=6, test=4)
    arrays = read_published(info, [content])
    assert arrays.x_train.shape == (6, 5, 4, 1)
    firsts = np.concatenate([arrays.x_train[:, 0, 0, 0], arrays.x_test[:, 0, 0, 0]])
    assert sorted(firsts) == list(range(10))
    assert (arrays.x_train[:, 0, 0, 0] % 2 == arrays.y_train).all()


def test_published_counts_errors(tiny, npz_bytes):
    with pytest.raises(ValueError, match=r"\(5, 4\) training and test images instead of \(6, 4\)"):
        read_published(tiny, [npz_bytes(n_train=5)])


def test_npz_takes_channel_axis_and_label_column(tiny):
    content = _save(**_arrays(x_train=np.ones((4, 5, 4, 1), np.uint8), y_train=np.array([[0], [1], [0], [1]])))
    arrays = read_npz(tiny, content)
    assert arrays.x_train.shape == (4, 5, 4, 1)
    assert arrays.y_train.tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x_train": np.zeros((4, 4, 5), np.uint8)}, r"x_train has shape \(4, 4, 5\) instead of \(N, 5, 4, 1\)"),
        ({"x_train": np.zeros((0, 5, 4), np.uint8), "y_train": np.zeros(0, np.uint8)}, "x_train has shape"),
        ({"x_train": np.uint8(3)}, r"x_train has shape \(\)"),
        ({"x_test": np.zeros((2, 5, 4), np.float32)}, "x_test has dtype float32 instead of uint8"),
        ({"y_train": np.array([0, 1, 0], np.uint8)}, r"y_train has shape \(3,\) for 4 images"),
        ({"y_test": np.array([0.0, 1.0])}, "y_test has dtype float64"),
        ({"y_test": np.array([0, 2])}, "y_test holds labels from 0 to 2, outside 0 to 1"),
        ({"y_test": np.array([-1, 1])}, "y_test holds labels from -1 to 1"),
    ],
)
def test_npz_structure_errors(tiny, changes, message):
    with pytest.raises(ValueError, match=message):
        read_npz(tiny, _save(**_arrays(**changes)))


def test_npz_missing_key_errors(tiny):
    arrays = _arrays()
    del arrays["y_test"]
    with pytest.raises(ValueError, match="the keys y_test are missing"):
        read_npz(tiny, _save(**arrays))


def test_pixels_above_the_brightest_errors(make_info, payload):
    info = make_info({"tiny.npz": payload}, max_value=16)
    with pytest.raises(ValueError, match="above 16"):
        read_npz(info, payload)


class _Bomb:
    exploded = False

    def __reduce__(self):
        return _explode, ()


def _explode():
    _Bomb.exploded = True


def test_pickle_inside_npz_is_refused_and_never_run(tiny):
    bombs = np.empty(4, dtype=object)
    bombs[:] = [_Bomb() for _ in range(4)]
    with pytest.raises(ValueError, match="allow_pickle=False"):
        read_npz(tiny, _save(**_arrays(y_train=bombs)))
    with pytest.raises(UNREADABLE):
        read_npz(tiny, pickle.dumps(_Bomb()))
    assert not _Bomb.exploded


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damaged_npz_never_reads_as_something_else(data):
    """Any one damaged byte or any cut: an error, or (in bytes that carry nothing) the same arrays."""
    content = _save(**_arrays(x_train=np.arange(80, dtype=np.uint8).reshape(4, 5, 4)))
    info = info_of("mnist").model_copy(update={"image_shape": (5, 4, 1)})
    whole = read_npz(info, content)
    position = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        damaged = content[:position]
    else:
        flipped = content[position] ^ data.draw(st.integers(1, 255))
        damaged = content[:position] + bytes([flipped]) + content[position + 1 :]
    try:
        arrays = read_npz(info, damaged)
    except UNREADABLE:
        return
    for before, after in zip(whole, arrays, strict=True):
        np.testing.assert_array_equal(before, after)


@settings(max_examples=100, deadline=None)
@given(
    counts=st.lists(st.integers(1, 60), min_size=2, max_size=8),
    fraction=st.floats(0.05, 0.6),
    seed=st.integers(0, 100),
)
def test_split_is_disjoint_complete_and_stratified(counts, fraction, seed):
    labels = np.random.RandomState(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    n_test = int(fraction * len(labels))
    train, test = stratified_split(labels, n_test)
    assert len(test) == n_test
    assert sorted([*train, *test]) == list(range(len(labels)))
    for label, count in enumerate(counts):
        assert abs((labels[test] == label).sum() - count * n_test / len(labels)) < 1
    again = stratified_split(labels, n_test)
    assert (again[0] == train).all()
    assert (again[1] == test).all()


def test_split_matches_hand_example():
    """5 + 3 + 2 samples, 4 for the test: shares 2, 1.2 and 0.8, so the left-over place is the third's."""
    labels = np.repeat([0, 1, 2], [5, 3, 2])
    _, test = stratified_split(labels, 4)
    assert np.bincount(labels[test]).tolist() == [2, 1, 1]
