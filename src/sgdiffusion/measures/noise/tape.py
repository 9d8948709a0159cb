"""What a module does to one batch, as the list of torch functions that it calls, however it is written."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves


@dataclass(frozen=True)
class Call:
    """One function: numbers of the tensors that go in and come out, names of the parameters among them."""

    place: int
    function: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    weights: tuple[str, ...]
    buffers: tuple[str, ...]
    options: tuple[Any, ...]  # arguments that are no tensors

    def __str__(self) -> str:
        return self.function.strip("_")


class Tape(TorchFunctionMode):
    """Records calls while it is entered; every tensor keeps its number until an operation in place."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.calls: list[Call] = []
        self.tensors: list[Tensor] = []
        self._weights = dict(model.named_parameters())
        self._names = {id(p): name for name, p in self._weights.items()}
        self._buffers = {id(b): name for name, b in model.named_buffers()}
        self._numbers: dict[int, int] = {}

    def number(self, tensor: Tensor) -> int:
        """The number of a tensor's present value."""
        if id(tensor) not in self._numbers:
            self._renumber(tensor)
        return self._numbers[id(tensor)]

    def weight(self, name: str) -> nn.Parameter:
        """The parameter of that name."""
        return self._weights[name]

    def _renumber(self, tensor: Tensor) -> int:
        self._numbers[id(tensor)] = len(self.tensors)
        self.tensors.append(tensor)  # kept, so that its id is not given to another
        return self._numbers[id(tensor)]

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        options = kwargs or {}
        leaves = tree_leaves((args, options))
        tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
        weights = tuple(self._names[id(t)] for t in tensors if id(t) in self._names)
        buffers = tuple(self._buffers[id(t)] for t in tensors if id(t) in self._buffers)
        fixed = {*self._names, *self._buffers}
        inputs = tuple(self.number(t) for t in tensors if id(t) not in fixed)
        result = func(*args, **options)
        outputs = tuple(self._renumber(t) for t in tree_leaves(result) if isinstance(t, Tensor))
        if outputs and (inputs or weights):
            others = tuple(leaf for leaf in leaves if not isinstance(leaf, Tensor))
            name = getattr(func, "__name__", str(func))
            place = len(self.calls)
            self.calls.append(Call(place, name, inputs, outputs, weights, buffers, others))
        return result


def recorded(model: nn.Module, run: Callable[[], Tensor]) -> tuple[Tape, int]:
    """The tape of ``run()``, and the number of the tensor that it returns."""
    tape = Tape(model)
    with torch.enable_grad(), tape:
        result = run()
    return tape, tape.number(result)
