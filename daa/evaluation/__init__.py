"""Scores and a corpus in, a report of every metric out."""

from daa.evaluation.comparison import Comparison, compare
from daa.evaluation.engine import DaskEngine
from daa.evaluation.report import Report
from daa.evaluation.run import evaluate
from daa.evaluation.sources import EmbeddingScores, EnsembleScores
from daa.evaluation.tables import Measurement

__all__ = [
    "Comparison",
    "DaskEngine",
    "EmbeddingScores",
    "EnsembleScores",
    "Measurement",
    "Report",
    "compare",
    "evaluate",
]
