"""The way back through a graph: which gradient each line makes of which, and where gradients add up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from toolkit.xray.derivations._graph import Line, Symbol


@dataclass(frozen=True, eq=False)
class Passage:
    """Backward through a line: from the gradients of its results to those of its inputs; None where there is none."""

    line: Line
    dresults: tuple[Symbol | None, ...]
    dinputs: tuple[Symbol | None, ...]


@dataclass(frozen=True, eq=False)
class Sum:
    """The gradient of a tensor that is used several times: the sum of what comes back from each use."""

    total: Symbol
    parts: tuple[Symbol, ...]


@dataclass(frozen=True, eq=False)
class Seed:
    """A gradient from outside: ``name`` is what it is called where it is all that reaches the tensor ``of``."""

    of: Symbol
    name: str
    latex: str


@dataclass(eq=False)
class Way:
    """All of the way back.

    Attributes:
        steps: in the order of the computation.
        gradient_of: for each tensor that the gradient reaches, the symbol of its (whole) gradient.
        seeds: the symbols of the gradients from outside, in the order of the seeds.
    """

    steps: list[Passage | Sum] = field(default_factory=list)
    gradient_of: dict[Symbol, Symbol] = field(default_factory=dict)
    seeds: list[Symbol] = field(default_factory=list)


def way_back(lines: Sequence[Line], seeds: Sequence[Seed]) -> Way:
    """The backward pass of ``lines`` from the gradients that come from outside.

    A tensor that is used once has one gradient, ``dW``. One that is used K times has the parts ``dW^(1)`` … ``dW^(K)``,
    in the order of the uses, and then their sum.
    """
    way = Way()
    active = _active(lines, seeds)
    parts = _parts(active, seeds, way.gradient_of)
    way.seeds = [parts[seed, 0] for seed in seeds]
    by_symbol: dict[Symbol, list[Symbol]] = {}
    for (user, place), part in parts.items():
        by_symbol.setdefault(user.of if isinstance(user, Seed) else user.inputs[place], []).append(part)

    def add_up(symbol: Symbol) -> None:
        if len(by_symbol.get(symbol, ())) > 1:
            way.steps.append(Sum(way.gradient_of[symbol], tuple(by_symbol[symbol])))

    for line in reversed(active):
        for result in line.results:
            add_up(result)
        dresults = tuple(way.gradient_of.get(result) for result in line.results)
        dinputs = tuple(parts.get((line, place)) for place in range(len(line.inputs)))
        way.steps.append(Passage(line, dresults, dinputs))
    made = {result for line in active for result in line.results}
    for symbol in by_symbol:
        if symbol not in made:
            add_up(symbol)
    return way


def _active(lines: Sequence[Line], seeds: Sequence[Seed]) -> list[Line]:
    """The lines that a gradient goes through, in their order."""
    reached = {seed.of for seed in seeds}
    active = []
    for line in reversed(lines):
        places = _differentiated(line)
        if places and not reached.isdisjoint(line.results):
            active.append(line)
            reached |= {line.inputs[place] for place in places}
    return active[::-1]


def _differentiated(line: Line) -> list[int]:
    formulas = line.operation.gradients
    return [k for k, x in enumerate(line.inputs) if x.has_gradient and formulas[k]]


def _parts(
    active: Sequence[Line], seeds: Sequence[Seed], gradient_of: dict[Symbol, Symbol]
) -> Mapping[tuple[Line | Seed, int], Symbol]:
    """For every use of a tensor the gradient that comes back from it; fills ``gradient_of``."""
    uses: dict[Symbol, list[tuple[Line | Seed, int]]] = {}
    for line in active:
        for place in _differentiated(line):
            uses.setdefault(line.inputs[place], []).append((line, place))
    for seed in seeds:
        uses.setdefault(seed.of, []).append((seed, 0))
    parts = {}
    for symbol, users in uses.items():
        whole = _gradient(symbol, users)
        gradient_of[symbol] = whole
        for k, use in enumerate(users, 1):
            name, latex = f"{whole.name}^({k})", f"{whole.latex}^{{({k})}}"
            parts[use] = whole if len(users) == 1 else replace(whole, name=name, latex=latex)
    return parts


def _gradient(symbol: Symbol, users: Sequence[tuple[Line | Seed, int]]) -> Symbol:
    """The symbol of a gradient; where it comes from outside alone, it has the name that it has there."""
    (user, _), *others = users
    from_outside = isinstance(user, Seed) and not others
    return Symbol(
        name=user.name if from_outside else f"d{symbol.name}",
        latex=user.latex if from_outside else f"d{symbol.latex}",
        axes=symbol.axes,
        role="upstream" if from_outside else "gradient",
    )
