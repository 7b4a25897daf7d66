"""The names that `import daa` hands on; `daa/__init__.py` reads them here."""

from .corpus import CaptionCorpus as CaptionCorpus
from .corpus import Truth as Truth
from .datasets import load_corpus as load_corpus
from .datasets import load_dataset as load_dataset
from .embeddings import Gaussian as Gaussian
from .evaluation import Report as Report
from .evaluation import compare as compare
from .evaluation import evaluate as evaluate
from .losses import DAALoss as DAALoss
from .losses import InfoNCELoss as InfoNCELoss
from .losses import SmoothAPLoss as SmoothAPLoss
from .losses import SoftContrastiveLoss as SoftContrastiveLoss
from .losses import TripletLoss as TripletLoss
from .losses import daa_loss as daa_loss
from .metrics import average_semantic_precision as average_semantic_precision
from .metrics import map_at_r as map_at_r
from .metrics import plausible_match_r_precision as plausible_match_r_precision
from .metrics import r_precision as r_precision
from .metrics import recall_at_k as recall_at_k
from .ranks import soft_ranks as soft_ranks
from .relevance import CiderRelevance as CiderRelevance
from .relevance import OverlapRelevance as OverlapRelevance
from .relevance import SentenceRelevance as SentenceRelevance
from .relevance import TfidfRelevance as TfidfRelevance
from .relevance import relevance_by_name as relevance_by_name
from .training.config import load_config as load_config

__version__: str
