"""SAF and SGR as a loop over captions, images, regions and words, written from the formulas."""

from __future__ import annotations

import torch

from daa.embeddings import LocalFeatures
from daa.similarity.cross_attention import CrossAttention
from daa.similarity.sgraf import SAF


def unit(x: torch.Tensor) -> torch.Tensor:
    return x / x.norm().clamp_min(1e-8)


def slow_whole(
    attention: torch.nn.Module, local: torch.Tensor, places: torch.Tensor, mean: torch.Tensor
) -> torch.Tensor:
    """The weighted sum of one item's places, given what the two branches before the product said of them."""
    logits = torch.stack([attention.logit(place * mean).squeeze() for place in places])
    return unit(sum(weight * x for weight, x in zip(logits.softmax(0), local, strict=True)))


def slow_scores(network: CrossAttention, images: LocalFeatures, captions: LocalFeatures) -> torch.Tensor:
    """One caption after the other, and each image by itself but for batch normalisation."""
    visual, textual = network.image_whole, network.caption_whole
    places, means = visual.local(images.features), visual.mean(images.features.mean(1))
    image_wholes = [slow_whole(visual, *x) for x in zip(images.features, places, means, strict=True)]
    columns = []
    for features, mask in zip(captions.features, captions.mask, strict=True):
        words = features[mask]
        mean = textual.mean(words.mean(0))
        caption_whole = slow_whole(textual, words, textual.local(words), mean)
        nodes = torch.stack(
            [
                torch.stack([unit(network.compare_whole((whole - caption_whole) ** 2)), *slow_words(network, v, words)])
                for v, whole in zip(images.features, image_wholes, strict=True)
            ]
        )
        if isinstance(network, SAF):
            gates = network.norm(network.gate(nodes).transpose(1, 2)).sigmoid().squeeze(1)
            vectors = [unit((g / g.sum()) @ x) for g, x in zip(gates, nodes, strict=True)]
        else:
            vectors = [slow_graph(network, x) for x in nodes]
        columns.append(torch.stack([network.score(vector).sigmoid().squeeze() for vector in vectors]))
    return torch.stack(columns, dim=1)


def slow_words(network: CrossAttention, regions: torch.Tensor, words: torch.Tensor) -> list[torch.Tensor]:
    likeness = [torch.stack([region @ word for word in words]) for region in regions]
    e = torch.stack([unit(torch.where(row > 0, row, 0.1 * row)) for row in likeness])
    attended = [unit((network.smooth * e[:, j]).softmax(0) @ regions) for j in range(len(words))]
    return [unit(network.compare_local((v - t) ** 2)) for v, t in zip(attended, words, strict=True)]


def slow_graph(network: CrossAttention, nodes: torch.Tensor) -> torch.Tensor:
    for step in network.steps:
        edges = (step.query(nodes) @ step.key(nodes).T).softmax(-1)
        nodes = torch.relu(step.update(edges @ nodes))
    return nodes[0]
