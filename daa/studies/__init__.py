"""Arms x seeds on one data set, and what is read off the trained models."""

from daa.studies.analysis import MODALITIES, ambiguity, query_blind_parts, uncertainty
from daa.studies.arms import (
    blind_floors,
    gains,
    judges,
    load_embeddings,
    measurements_frame,
    run_arms,
    run_record,
    save_embeddings,
    summary,
)

__all__ = [
    "MODALITIES",
    "ambiguity",
    "blind_floors",
    "gains",
    "judges",
    "load_embeddings",
    "measurements_frame",
    "query_blind_parts",
    "run_arms",
    "run_record",
    "save_embeddings",
    "summary",
    "uncertainty",
]
