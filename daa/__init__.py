"""Average Semantic Precision (ASP) and its differentiable approximation (DAA) for image-text retrieval.

The names that most people use; each is imported at its first use. `daa.ranks` is the package of exact and soft ranks.
"""

from typing import Any

import lazy_loader

_names, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["ranks"],
    submod_attrs={
        "corpus": ["CaptionCorpus", "Truth"],
        "datasets": ["load_corpus", "load_dataset"],
        "encoders": ["Gaussian"],
        "evaluation": ["Report", "compare", "evaluate"],
        "losses": ["DAALoss", "InfoNCELoss", "SmoothAPLoss", "SoftContrastiveLoss", "TripletLoss", "daa_loss"],
        "metrics": [
            "average_semantic_precision",
            "map_at_r",
            "plausible_match_r_precision",
            "r_precision",
            "recall_at_k",
        ],
        "ranks": ["soft_ranks"],
        "relevance": [
            "CiderRelevance",
            "OverlapRelevance",
            "SentenceRelevance",
            "TfidfRelevance",
            "relevance_by_name",
        ],
    },
)
__all__ = sorted([*__all__, "__version__"])


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("daa-book")
        except PackageNotFoundError:  # a checkout that is not installed
            return "0+unknown"
    return _names(name)
