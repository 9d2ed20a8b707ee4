"""What trains and what does not, part by part."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from torch import nn

from babelscope.models.parts import Parts


@dataclass(frozen=True)
class TrainablePart:
    """One row of the map: a part, its parameters and how many of them train."""

    part: str
    parameters: int
    trainable: int

    @property
    def share(self) -> float:
        """Trainable parameters divided by parameters; 0 for a part without parameters of its own."""
        return self.trainable / self.parameters if self.parameters else 0.0


@dataclass(frozen=True)
class TrainableMap:
    """What trains, part by part; a tensor shared by two parts is counted in the first one."""

    rows: tuple[TrainablePart, ...]

    @property
    def total(self) -> TrainablePart:
        """The sum of all rows."""
        return TrainablePart("all", sum(r.parameters for r in self.rows), sum(r.trainable for r in self.rows))

    def to_rows(self) -> list[dict[str, str | int | float]]:
        """Plain rows with the columns part, parameters, trainable and share."""
        return [{**vars(row), "share": row.share} for row in self.rows]

    def __str__(self) -> str:
        lines = [f"{r.part:<12}{r.parameters:>16,}{r.trainable:>16,}{r.share:>8.1%}" for r in (*self.rows, self.total)]
        return "\n".join([f"{'part':<12}{'parameters':>16}{'trainable':>16}{'share':>8}", *lines])


def trainable_map(parts: Parts) -> TrainableMap:
    """Count what trains at this moment."""
    seen: set[int] = set()
    rows = []
    for name, modules in named_parts(parts):
        own = {id(p): p for module in modules for p in module.parameters() if id(p) not in seen}
        seen |= own.keys()
        sizes = [(p.numel(), p.requires_grad) for p in own.values()]
        rows.append(TrainablePart(name, sum(n for n, _ in sizes), sum(n for n, trains in sizes if trains)))
    return TrainableMap(tuple(rows))


def named_parts(parts: Parts) -> Iterator[tuple[str, Iterable[nn.Module]]]:
    """Yield the parts in the order in which shared tensors are counted."""
    yield "inputs", parts.inputs
    for i, block in enumerate(parts.blocks):
        yield f"block {i}", (block,)
    if parts.final_norm is not None:
        yield "final_norm", (parts.final_norm,)
    if parts.decoder is not None:
        yield "decoder", (parts.decoder,)
    if rest := (*parts.rest, *_stand_in(parts.rest_held)):
        yield "rest", rest
    if head := (*parts.head, *_stand_in(parts.head_held)):
        yield "head" if parts.lm_head is None else "lm_head", head


def _stand_in(held: Iterable[nn.Parameter]) -> Iterator[nn.Module]:
    """Yield a stand-in module with only these parameters, because the module that holds them holds other parts too."""
    if parameters := list(held):
        yield nn.ParameterList(parameters)
