"""The weights that train in the inputs and blocks of a model: copied, put back, and frozen while the rest trains."""

from collections.abc import Iterable, Iterator, Mapping

import torch
from torch import Tensor, nn

from babelscope.models.parts import Parts
from babelscope.models.trainable import named_parts


class RestorableParts:
    """The parameters of the inputs (part 0) and of block i (part i + 1), so that part i makes layer i.

    A tensor that two parts share, as tied embeddings are, belongs to the first of them. What trains is asked anew each
    time, for it may begin later and end earlier, as in gradual unfreezing. With adapters, they are all that does.
    Holding a part does not touch `requires_grad`: DDP counts on a gradient for every parameter that had one at the
    start, and checkpoints hold what can have one. Its gradients are dropped instead.
    """

    def __init__(self, parts: Parts):
        self.model = parts.model
        stack = [modules for _, modules in named_parts(parts)][: len(parts.blocks) + 1]
        names = {id(parameter): name for name, parameter in parts.model.named_parameters()}
        seen: set[int] = set()
        self.modules: list[tuple[nn.Module, ...]] = [tuple(modules) for modules in stack]
        self.parameters: list[dict[str, nn.Parameter]] = []
        """Of each part, by name: all of them, whether they train or not."""
        for modules in self.modules:
            own = {id(p): p for module in modules for p in module.parameters() if id(p) not in seen}
            seen |= own.keys()
            self.parameters.append({names[key]: parameter for key, parameter in own.items()})

    def of(self, parts: Iterable[int]) -> Iterator[tuple[str, nn.Parameter]]:
        """Yield the named parameters of the given parts."""
        for part in parts:
            yield from self.parameters[part].items()

    def training(self, parts: Iterable[int]) -> dict[str, nn.Parameter]:
        """Return the parameters of the given parts that train now, by name."""
        return {name: parameter for name, parameter in self.of(parts) if parameter.requires_grad}

    def copy(self, parts: Iterable[int], into: dict[str, Tensor]) -> None:
        """Copy what trains in the given parts to tensors on the CPU, and remove all else from `into`."""
        chosen = self.training(parts)
        for name in into.keys() - chosen.keys():
            del into[name]
        for name, parameter in chosen.items():
            into.setdefault(name, torch.empty_like(parameter, device="cpu")).copy_(parameter.detach())

    def copy_new(self, parts: Iterable[int], into: dict[str, Tensor]) -> None:
        """Copy what has begun to train in the given parts since the last copy; to be called before its first step."""
        for name, parameter in self.training(parts).items():
            if name not in into:
                into[name] = parameter.detach().to("cpu", copy=True)

    def put_back(
        self, parts: Iterable[int], weights: Mapping[str, Tensor], optimizers: Iterable[torch.optim.Optimizer]
    ) -> None:
        """Put the copied weights back into the given parts, and drop their gradients and optimizer states."""
        for name, parameter in self.of(parts):
            if name not in weights:  # it has not trained
                continue
            parameter.data.copy_(weights[name])
            parameter.grad = None
            for optimizer in optimizers:
                optimizer.state.pop(parameter, None)

    def leaves_to_train(self, parts: Iterable[int]) -> bool:
        """Return whether anything trains outside of the given parts."""
        held = {id(parameter) for _, parameter in self.of(parts)}
        return any(p.requires_grad and id(p) not in held for p in self.model.parameters())

    def drop_gradients(self, parts: Iterable[int]) -> None:
        """Leave no gradient to clip or to step along: without one, AdamW applies no weight decay either."""
        for _, parameter in self.of(parts):
            parameter.grad = None

    def disable_dropout(self, parts: Iterable[int]) -> None:
        """Put the given parts in eval mode, as every frozen part is."""
        for part in parts:
            for module in self.modules[part]:
                module.eval()
