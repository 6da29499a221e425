"""Where the layers are drawn."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from toolkit.xray.views._layout import lay_out


def network(edges, count):
    return {"nodes": [{"id": k, "name": f"{k}", "kind": "Dense", "shape": ""} for k in range(count)], "edges": edges}


@given(
    st.integers(1, 12).flatmap(
        lambda n: st.tuples(st.just(n), st.sets(st.sampled_from([*combinations(range(n), 2), (0, 0)])))
    )
)
def test_no_two_layers_overlap_and_edges_lead_to_the_right(case):
    count, edges = case
    placed = lay_out(network(sorted(edges), count))
    at = {node["id"]: node for node in placed["nodes"]}
    lanes = []
    for a, b, lane in placed["edges"]:
        start, end = at[a]["x"] + at[a]["width"], at[b]["x"]
        assert start <= end
        # Only an edge to the next column goes straight; every other one passes above all nodes, and by itself.
        between = [node for node in at.values() if start < node["x"] and node["x"] + node["width"] < end]
        assert lane is not None or not between
        if lane is not None:
            assert 0 < lane < min(node["y"] for node in at.values())
            assert all(end <= c or d <= start for other, c, d in lanes if other == lane)
            lanes.append((lane, start, end))
    for a, b in combinations(at.values(), 2):
        assert (
            a["x"] + a["width"] <= b["x"]
            or b["x"] + b["width"] <= a["x"]
            or a["y"] + a["height"] <= b["y"]
            or b["y"] + b["height"] <= a["y"]
        )
    for node in at.values():
        assert node["x"] >= 0
        assert node["x"] + node["width"] <= placed["width"]
        assert node["y"] >= 0
        assert node["y"] + node["height"] <= placed["height"]


def test_branches_stand_below_each_other_matches_hand_example():
    placed = lay_out(network([(0, 1), (0, 2), (1, 3), (2, 3)], 4))
    columns = [round(node["x"]) for node in placed["nodes"]]
    assert columns[1] == columns[2]
    assert columns[0] < columns[1] < columns[3]


def test_empty_network_is_no_error():
    assert lay_out(network([], 0))["nodes"] == []
