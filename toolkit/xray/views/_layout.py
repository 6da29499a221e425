"""Where the layers of a network are drawn: columns by depth, as few crossings as a few sweeps can reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_WIDTH, _HEIGHT = 132, 44  # of a node, in pixels
_GAP_X, _GAP_Y = 36, 18
_LANE = 12  # between edges that go above the nodes
_SWEEPS = 8


def lay_out(network: Mapping[str, Any]) -> dict[str, Any]:
    """Places the nodes.

    Args:
        network: ``{"nodes": [{"id", "name", "kind", "shape"}], "edges": [(from id, to id)]}``, nodes in the order of
            their calls, so that every edge leads to a later node.

    Returns:
        ``width``, ``height``, the nodes with ``x, y`` (upper left corner), and the edges ``[from, to, lane]``: one that
        passes by a column goes above all nodes, at the height ``lane``; of the others it is None.
    """
    nodes: Sequence[Mapping[str, Any]] = network["nodes"]
    ids = [node["id"] for node in nodes]
    place = {node_id: k for k, node_id in enumerate(ids)}
    edges = [(a, b) for a, b in network["edges"] if a in place and b in place and place[a] < place[b]]
    before: dict[Any, list] = {node_id: [] for node_id in ids}
    after: dict[Any, list] = {node_id: [] for node_id in ids}
    for a, b in edges:
        before[b].append(a)
        after[a].append(b)

    column: dict[Any, int] = {}
    for node_id in ids:
        column[node_id] = max((column[a] + 1 for a in before[node_id]), default=0)
    columns: list[list] = [[] for _ in range(max(column.values(), default=-1) + 1)]
    for node_id in ids:
        columns[column[node_id]].append(node_id)
    _order(columns, before, after)

    lanes = _lanes({(a, b): (column[a], column[b]) for a, b in edges if column[b] - column[a] > 1})
    above = _LANE * (max(lanes.values(), default=-1) + 1)
    tallest = max(map(len, columns), default=0)
    height = above + tallest * (_HEIGHT + _GAP_Y) - _GAP_Y + 2 * _GAP_Y
    placed = []
    for node in nodes:
        here = columns[column[node["id"]]]
        top = above + (height - above - len(here) * (_HEIGHT + _GAP_Y) + _GAP_Y) / 2
        x = _GAP_X / 2 + column[node["id"]] * (_WIDTH + _GAP_X)
        y = top + here.index(node["id"]) * (_HEIGHT + _GAP_Y)
        placed.append({**node, "x": x, "y": y, "width": _WIDTH, "height": _HEIGHT})
    return {
        "width": len(columns) * (_WIDTH + _GAP_X),
        "height": height,
        "nodes": placed,
        "edges": [[*edge, above - _LANE * lanes[edge] if edge in lanes else None] for edge in edges],
    }


def _lanes(spans: Mapping[tuple, tuple[int, int]]) -> dict[tuple, int]:
    """A lane for each edge, so that no two lie on each other; the shorter an edge, the nearer to the nodes."""
    lanes: dict[tuple, int] = {}
    taken: list[list[tuple[int, int]]] = []
    for edge, (a, b) in sorted(spans.items(), key=lambda item: item[1][1] - item[1][0]):
        free = (k for k, others in enumerate(taken) if all(b <= c or d <= a for c, d in others))
        lane = next(free, len(taken))
        if lane == len(taken):
            taken.append([])
        taken[lane].append((a, b))
        lanes[edge] = lane
    return lanes


def _order(columns: list[list], before: Mapping[Any, list], after: Mapping[Any, list]) -> None:
    """Sorts each column by the mean place of its neighbours, forth and back (Sugiyama, Tagawa and Toda 1981)."""
    for sweep in range(_SWEEPS):
        forth = sweep % 2 == 0
        neighbours = before if forth else after
        for here in columns if forth else reversed(columns):
            rank = {node_id: k for column in columns for k, node_id in enumerate(column)}
            mean = {
                node_id: sum(rank[n] for n in neighbours[node_id]) / len(neighbours[node_id])
                if neighbours[node_id]
                else rank[node_id]
                for node_id in here
            }
            here.sort(key=mean.__getitem__)
