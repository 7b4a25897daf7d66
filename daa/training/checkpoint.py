"""A checkpoint is one file: tensors, and all else as JSON in its header; the old one or the new one, never a part."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from daa.files import atomic_write

HEADER = "daa"


def save_checkpoint(path: str | Path, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
    """Write tensors and JSON state to one safetensors file, aside, then put it in place by one rename."""
    held = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with atomic_write(path) as aside:
        save_file(held, aside, metadata={HEADER: json.dumps(state)})


def load_checkpoint(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and state of a checkpoint.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a checkpoint of this package.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"checkpoint: expected a file, but there is no {path}")
    try:
        with safe_open(path, framework="pt") as file:
            header = (file.metadata() or {}).get(HEADER)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except SafetensorError as error:
        raise ValueError(f"{path}: expected a safetensors file, got {error}") from None
    if header is None:
        raise ValueError(f"{path}: expected a checkpoint written by daa train, got another safetensors file")
    return tensors, json.loads(header)


def part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names start with `prefix.`, without it."""
    return {name.removeprefix(f"{prefix}."): t for name, t in tensors.items() if name.startswith(f"{prefix}.")}


def with_prefix(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The same tensors, named `prefix.name`."""
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """What an optimizer remembers, by `number of the parameter.name`; all else follows from the configuration."""
    return {
        f"{number}.{name}": torch.as_tensor(value)
        for number, remembered in optimizer.state_dict()["state"].items()
        for name, value in remembered.items()
        if value is not None
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Give an optimizer its memory back, each tensor in the memory layout of its parameter.

    The layout matters: the same numbers in another order of storage can round differently in a fused kernel.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    remembered: dict[int, dict[str, Any]] = {}
    for key, tensor in tensors.items():
        number, name = key.split(".", 1)
        like = parameters[int(number)]
        value: Any = tensor
        if tensor.dim() == 0 and not tensor.is_floating_point():
            value = tensor.item()  # AdamP counts in an int; powers of a tensor would be rounded to float32
        elif name != "step" and tensor.shape == like.shape:
            value = torch.empty_like(like, dtype=tensor.dtype, requires_grad=False).copy_(tensor)
        remembered.setdefault(int(number), {})[name] = value
    state = optimizer.state_dict()
    optimizer.load_state_dict({"state": remembered, "param_groups": state["param_groups"]})


def module_tensors(model: nn.Module, objective: nn.Module) -> dict[str, Tensor]:
    """Weights and buffers of the encoders and of the loss."""
    return with_prefix(model.state_dict(), "model") | with_prefix(objective.state_dict(), "objective")
