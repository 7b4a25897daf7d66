"""Scores and a corpus in, a report of every metric out."""

from daa.evaluation.evaluate import evaluate
from daa.evaluation.report import Comparison, Report, compare
from daa.evaluation.tables import Measurement
from daa.similarity.matrices import EmbeddingScores, EnsembleScores

__all__ = [
    "Comparison",
    "EmbeddingScores",
    "EnsembleScores",
    "Measurement",
    "Report",
    "compare",
    "evaluate",
]
