"""How alike is caption c to the captions of image i: what semantic rankings are measured against."""

from daa.relevance.base import Relevance
from daa.relevance.cider import CiderRelevance
from daa.relevance.combined import CombinedRelevance
from daa.relevance.factory import relevance_by_name, relevance_names
from daa.relevance.meteor import MeteorRelevance
from daa.relevance.overlap import OverlapRelevance
from daa.relevance.sentence import SentenceRelevance
from daa.relevance.tfidf import TfidfRelevance
from daa.relevance.tokenize import ptb_like

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
    "relevance_names",
]
