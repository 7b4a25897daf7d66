"""How alike is caption c to the captions of image i: what semantic rankings are measured against."""

from daa.relevance.base import Relevance
from daa.relevance.combined import CombinedRelevance, relevance_by_name
from daa.relevance.ngrams import ptb_like
from daa.relevance.overlap import MeteorRelevance, OverlapRelevance
from daa.relevance.sentence import SentenceRelevance
from daa.relevance.tfidf import CiderRelevance, TfidfRelevance

__all__ = [
    "CiderRelevance",
    "CombinedRelevance",
    "MeteorRelevance",
    "OverlapRelevance",
    "Relevance",
    "SentenceRelevance",
    "TfidfRelevance",
    "ptb_like",
    "relevance_by_name",
]
