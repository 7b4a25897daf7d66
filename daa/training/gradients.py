"""Loss and gradients of one batch, embedded at once, in parts, or by several processes: the same numbers.

The objective ranks within the whole batch, so a batch cannot be cut into smaller ones. But it sees embeddings only, and
the gradient of the encoders' weights is a sum over the batch's items of each item's own: once the gradient with respect
to the embeddings is known, it can be carried back item by item. So, where a batch is embedded in parts:

1. each part is embedded, and its values are put in place in the embeddings of the whole batch;
2. similarity and objective are computed on those, and their gradient stops there;
3. each part is embedded once more, with the same dropout, and its rows of that gradient are carried on to the weights.

Several processes do the same: each embeds its share, all exchange values, and every process computes the same loss on
the whole batch. It carries back the rows of its own share only, so the encoders' gradients are summed over processes;
those of the similarity and of the objective are the same everywhere, and are averaged. No gradient passes through the
exchange itself. This is why the model is not wrapped in DistributedDataParallel: it averages the gradients of all
parameters over processes, which is right where each process has a loss of its own, and with a gathered batch divides
the encoders' by the number of processes (or, behind a gather with gradient that sums, leaves them too large).

What looks across items within an encoder, such as a batch normalisation in training mode, sees a part or a share.
"""

from __future__ import annotations

from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from daa.embeddings import Embedding, LocalFeatures, concatenate, full_precision
from daa.encoders.model import Model
from daa.training.batches import Batch, split
from daa.training.seeds import seed_everything, torch_generator

MODALITIES = ("images", "captions")


class GradCache:
    """Fills the gradients of a model and its objective for a batch.

    Args:
        model: both encoders and the similarity, on the accelerator's device.
        objective: see `daa.training.objective.Objective`.
        accelerator: for the precision, and to know the other processes.
        seed: of the run; everything random is a function of it, the step, and the part of the batch.
        chunks: parts in which this process embeds its share.
    """

    def __init__(
        self, model: Model, objective: nn.Module, accelerator: Accelerator, seed: int, chunks: int = 1
    ) -> None:
        self.model, self.objective, self.accelerator = model, objective, accelerator
        self.seed, self.chunks = seed, chunks
        self.process, self.processes = accelerator.process_index, accelerator.num_processes

    def __call__(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor, Any, Any]:
        """Add the gradients of a batch to the parameters' `grad`.

        Returns:
            (parts of the loss, scores, images' embeddings, captions' embeddings), all of the whole batch.
        """
        if self.chunks == self.processes == 1:
            seed_everything(self.seed, "step", batch.step)
            with self.accelerator.autocast():
                embeddings = [full(e) for e in self.model(batch.images, batch.tokens)]
            return *self._loss(batch, *embeddings), *embeddings
        # Only where nothing is embedded twice does a graph have to be kept.
        with torch.set_grad_enabled(self.chunks == 1), _BuffersKept(self.model, self.chunks > 1):
            own = [
                [self._embed(batch, modality, part) for part in self._parts(batch, modality)] for modality in MODALITIES
            ]
        whole = [gathered(concatenate([part.map(Tensor.detach) for part in parts]), self.accelerator) for parts in own]
        leaves = [e.map(lambda t: t.requires_grad_() if t.is_floating_point() else t) for e in whole]
        parts, scores = self._loss(batch, *leaves)
        for modality, embedded, leaf in zip(MODALITIES, own, leaves, strict=True):
            self._carry_back(batch, modality, embedded, leaf)
        self._sum_over_processes()
        return parts, scores, *whole

    def _parts(self, batch: Batch, modality: str) -> list[slice]:
        """Rows of this process's share that are embedded together."""
        n = len(batch.images) if modality == "images" else len(next(iter(batch.tokens.values())))
        chunks = max(1, min(self.chunks, n))
        return [split(n, chunk, chunks) for chunk in range(chunks)]

    def _embed(self, batch: Batch, modality: str, rows: slice) -> Embedding:
        seed_everything(self.seed, f"{modality} {self.process} {rows.start}", batch.step)
        with self.accelerator.autocast():
            if modality == "images":
                return full(self.model.image_encoder(batch.images[rows]))
            return full(self.model.text_encoder(**{name: tokens[rows] for name, tokens in batch.tokens.items()}))

    def _loss(self, batch: Batch, images: Any, captions: Any) -> tuple[dict[str, Tensor], Tensor]:
        seed_everything(self.seed, "similarity", batch.step)
        generator = torch_generator(self.seed, "samples", batch.step, self.accelerator.device)
        if any(True for _ in self.model.similarity.parameters()):
            with self.accelerator.autocast():
                scores = self.model.similarity(images, captions)
        else:
            scores = self.model.similarity(images, captions)  # ranks hang on the last digits of a cosine
        parts = self.objective(images, captions, scores, batch.positives, batch.relevance, generator)
        self.accelerator.backward(parts["loss"])
        return parts, scores.detach()

    def _carry_back(self, batch: Batch, modality: str, embedded: list[Embedding], whole: Embedding) -> None:
        """Carry the gradient of this process's rows of the whole on to the weights, part by part."""
        encoder = self.model.image_encoder if modality == "images" else self.model.text_encoder
        share = split(len(whole), self.process, self.processes)
        gradients = {name: t.grad[share] for name, t in whole.tensors().items() if t.grad is not None}
        if not gradients or not any(p.requires_grad for p in encoder.parameters()):
            return
        for rows, part in zip(self._parts(batch, modality), embedded, strict=True):
            tensors = (self._embed(batch, modality, rows) if self.chunks > 1 else part).tensors()
            pairs = [
                # others' local features may be longer; behind the end of these is nothing
                (tensors[name], gradient[rows, : tensors[name].shape[1]])
                for name, gradient in gradients.items()
                if tensors[name].requires_grad
            ]
            if pairs:
                torch.autograd.backward([tensor for tensor, _ in pairs], [gradient for _, gradient in pairs])

    def _sum_over_processes(self) -> None:
        """Sum the encoders' gradients over processes and average all others, in one exchange."""
        if self.processes == 1:
            return
        everywhere = [*self.model.similarity.parameters(), *self.objective.parameters()]
        encoders = [*self.model.image_encoder.parameters(), *self.model.text_encoder.parameters()]
        for p in everywhere:
            if p.grad is not None:
                p.grad /= self.processes
        parameters = [p for p in (*encoders, *everywhere) if p.requires_grad]
        flat = [torch.zeros_like(p).flatten() if p.grad is None else p.grad.flatten() for p in parameters]
        # a parameter without a gradient anywhere stays without one, which is not the same as 0 to an optimizer
        present = torch.tensor([float(p.grad is not None) for p in parameters], device=flat[0].device)
        summed = torch.cat([*flat, present])
        torch.distributed.all_reduce(summed)
        pieces = summed[: -len(parameters)].split([p.numel() for p in parameters])
        for p, piece, holders in zip(parameters, pieces, summed[-len(parameters) :].tolist(), strict=True):
            if holders:
                p.grad = torch.empty_like(p) if p.grad is None else p.grad
                p.grad.copy_(piece.view_as(p))


def gathered(embedding: Any, accelerator: Accelerator) -> Any:
    """The embeddings of all processes in their order, of which each has the rows `split` gives it; without gradient."""
    if accelerator.num_processes == 1:
        return embedding
    places = embedding.features.shape[1] if isinstance(embedding, LocalFeatures) else 0
    sizes = _exchanged(torch.tensor([[len(embedding), places]], device=accelerator.device)).tolist()
    if places:
        embedding = embedding.padded(max(places for _, places in sizes))
    most = max(rows for rows, _ in sizes)

    def gather(tensor: Tensor) -> Tensor:
        sent = tensor.new_zeros((most, *tensor.shape[1:]), dtype=torch.uint8 if tensor.dtype == torch.bool else None)
        sent[: len(tensor)] = tensor
        received = _exchanged(sent).unflatten(0, (len(sizes), most))
        rows = [one[:n] for one, (n, _) in zip(received, sizes, strict=True)]
        return torch.cat(rows).to(tensor.dtype)

    return embedding.map(gather)


def full(embedding: Any) -> Any:
    """The embedding in float32 at least, since scores and losses hang on the last digits."""
    return embedding.map(lambda t: full_precision(t)[0])


def _exchanged(tensor: Tensor) -> Tensor:
    """The tensors of one shape of all processes, one below the other."""
    received = [torch.empty_like(tensor) for _ in range(torch.distributed.get_world_size())]
    torch.distributed.all_gather(received, tensor.contiguous())
    return torch.cat(received)


class _BuffersKept:
    """Running averages of the encoders as they were before, where a part will be embedded once more."""

    def __init__(self, model: Model, keep: bool) -> None:
        self.buffers = [*model.image_encoder.buffers(), *model.text_encoder.buffers()] if keep else []

    def __enter__(self) -> None:
        self.kept = [buffer.clone() for buffer in self.buffers]

    def __exit__(self, *exc: object) -> None:
        for buffer, kept in zip(self.buffers, self.kept, strict=True):
            buffer.copy_(kept)
