import pickle

import pytest
import torch

pytest.importorskip("torchmetrics", reason="torchmetrics is not installed")

from daa.metrics import average_semantic_precision, map_at_r, r_precision, recall_at_k
from daa.metrics.modules import AverageSemanticPrecision, MeanAveragePrecisionAtR, RecallAtK, RPrecision

SCORES = torch.randn(11, 7, generator=torch.Generator().manual_seed(0)).round(decimals=1)
RELEVANCE = torch.rand(11, 7, generator=torch.Generator().manual_seed(1))
POSITIVES = (torch.rand(11, 7, generator=torch.Generator().manual_seed(2)) < 0.3) & (torch.arange(11) != 4)[:, None]

CASES = [
    (AverageSemanticPrecision(), RELEVANCE, average_semantic_precision(SCORES, RELEVANCE)),
    (RecallAtK(2), POSITIVES, recall_at_k(SCORES, POSITIVES, 2)),
    (RPrecision(), POSITIVES, r_precision(SCORES, POSITIVES)),
    (MeanAveragePrecisionAtR(), POSITIVES, map_at_r(SCORES, POSITIVES)),
]


@pytest.mark.parametrize("size", [1, 3, 11])
@pytest.mark.parametrize(("metric", "judged_by", "expected"), CASES)
def test_batches_add_up_to_the_function_on_all_queries(metric, judged_by, expected, size):
    metric.reset()
    for scores, part in zip(SCORES.split(size), judged_by.split(size), strict=True):
        metric.update(scores, part)
    assert metric.compute().item() == pytest.approx(expected)


@pytest.mark.parametrize(("metric", "judged_by", "expected"), CASES)
def test_processes_add_up(metric, judged_by, expected):
    metric.reset()
    one, other = metric.clone(), metric.clone()
    one.update(SCORES[:4], judged_by[:4])
    other.update(SCORES[4:], judged_by[4:])
    one.merge_state(other)
    assert one.compute().item() == pytest.approx(expected)


def test_no_query_with_a_value_is_refused():
    metric = RecallAtK(1)
    metric.update(SCORES[:2], torch.zeros(2, 7, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"RecallAtK: expected a query with a value before compute"):
        metric.compute()
    assert pickle.dumps(metric.state_dict())
