"""Scores and a corpus in, a report of every metric out."""

from daa.evaluation.report import Measurement, Report
from daa.evaluation.run import evaluate

__all__ = ["Measurement", "Report", "evaluate"]
