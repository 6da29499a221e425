"""Where the layers of a network are drawn: columns by depth, as few crossings as a few sweeps can reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_WIDTH, _HEIGHT = 132, 44  # of a node, in pixels
_GAP_X, _GAP_Y = 36, 18
_SWEEPS = 8


def lay_out(network: Mapping[str, Any]) -> dict[str, Any]:
    """Places the nodes.

    Args:
        network: ``{"nodes": [{"id", "name", "kind", "shape"}], "edges": [(from id, to id)]}``, nodes in the order of
            their calls, so that every edge leads to a later node.

    Returns:
        ``width``, ``height``, the nodes with ``x, y`` (upper left corner), the edges as they were.
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

    tallest = max(map(len, columns), default=0)
    height = tallest * (_HEIGHT + _GAP_Y) - _GAP_Y + 2 * _GAP_Y
    placed = []
    for node in nodes:
        here = columns[column[node["id"]]]
        top = (height - len(here) * (_HEIGHT + _GAP_Y) + _GAP_Y) / 2
        x = _GAP_X / 2 + column[node["id"]] * (_WIDTH + _GAP_X)
        y = top + here.index(node["id"]) * (_HEIGHT + _GAP_Y)
        placed.append({**node, "x": x, "y": y, "width": _WIDTH, "height": _HEIGHT})
    return {
        "width": len(columns) * (_WIDTH + _GAP_X),
        "height": height,
        "nodes": placed,
        "edges": [list(edge) for edge in edges],
    }


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
