"""InfoNCE on frozen features of Flickr8k, judged by annotation and by people; write results/flickr8k-infonce.json.

daa data features flickr8k-infonce --to FEATURES
python tools/measure_flickr8k.py FEATURES [SEEDS] [CONFIG]      a minute or so a seed on one idle core, 10 by default

CONFIG, by default flickr8k-infonce, was chosen on the validation split; the test split is looked at once a run. A run
takes one thread. Beside the metrics of every truth, with bootstrap intervals over images, there is what becomes of
those captions that people (crowd or experts) found to fit further photos: how often their own photo comes first, and
how often one that people accept; and what a random ranking has of all that, in closed form. Finished runs are kept in
runs/measure-flickr8k; the file is written after each.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import stats

from daa.corpus import CaptionCorpus
from daa.encoders.embed import score_dataset
from daa.evaluation import evaluate
from daa.files import provenance, write_json
from daa.training.config import Config, load_config
from daa.training.data import load_data, load_split
from daa.training.loop import load_run, train

ROOT = Path(__file__).resolve().parent.parent
CHANNELS = {"features": 1280}  # of EfficientNet-Lite0
METRICS = ("R@1", "R@5", "R@10", "mAP@R", "rsum", "ASP")
CAVEAT = (
    "Crowd and expert pairs were pooled from retrieval systems of 2013, one caption (#2) of each photo: lexically "
    "close pairs are over-represented, and no pair was judged because a model of today ranks it first."
)


def config_of(features: str, name: str) -> Config:
    """A shipped configuration on features that are kept already."""
    config = load_config(name, ["train.device=cpu"])
    head = {k: v for k, v in config.encoders.image_options.items() if k not in ("weights", "frozen", "pool")}
    return config.with_(
        data={"name": "precomputed", "root": features}, encoders={"image": "features", "image_options": head | CHANNELS}
    )


def accepted_photos(corpus: CaptionCorpus) -> np.ndarray:
    """Boolean [images, captions]: a caption's own photo, and those that the crowd or the experts accept for it."""
    return corpus.truths["crowd"].i2t.toarray() | corpus.truths["expert"].i2t.toarray()


def by_people(scores: np.ndarray, corpus: CaptionCorpus) -> dict[str, Any]:
    """Of the captions that people found to fit further photos: which photo comes first."""
    own, accepted = corpus.annotated.toarray(), accepted_photos(corpus)
    captions = np.flatnonzero(accepted.sum(axis=0) > 1)
    first = scores[:, captions].argmax(axis=0)
    shares = {"own photo first": own[first, captions], "an accepted photo first": accepted[first, captions]}
    return {"captions": len(captions)} | {name: float(hits.mean()) for name, hits in shares.items()}


def measure(config: Config, folder: Path, data: Any, test: Any) -> dict[str, Any]:
    """One run: trained if it is not there yet, and judged."""
    fresh, began = not (folder / "run.json").exists(), time.process_time()
    record = train(config, folder, data=data, quiet=True)
    if fresh:
        write_json(folder / "cpu.json", {"seconds": time.process_time() - began})
    model, _ = load_run(folder)
    scores = score_dataset(model, test)
    report = evaluate(scores, test.corpus, graded=False).with_intervals()
    trained = json.loads((folder / "run.json").read_text(encoding="utf-8"))["provenance"]
    cpu = json.loads((folder / "cpu.json").read_text(encoding="utf-8")) if (folder / "cpu.json").exists() else {}
    keep = ("metric", "truth", "direction", "value", "low", "high", "n_queries")
    return {
        "seed": config.train.seed,
        "cpu_seconds": cpu.get("seconds"),
        "validation": record["best"],
        "trained": {key: trained.get(key) for key in ("commit", "hardware")},
        "by_people": by_people(np.asarray(scores), test.corpus),
        "measurements": [
            {key: getattr(one, key) for key in keep} for one in report.measurements if one.metric in METRICS
        ],
    }


def random_ranking(corpus: CaptionCorpus) -> dict[str, Any]:
    """What the mean over all rankings has: scores that are all equal, whose ties count by their expectation."""
    report = evaluate(np.zeros((corpus.n_images, corpus.n_captions), np.float32), corpus, graded=False)
    numbers = [one for one in report.measurements if one.metric in METRICS]
    keep = ("metric", "truth", "direction", "value")
    several = accepted_photos(corpus).sum(axis=0)
    first = {
        "own photo first": 1 / corpus.n_images,
        "an accepted photo first": several[several > 1].mean() / corpus.n_images,
    }
    return {"by_people": first, "measurements": [{key: getattr(one, key) for key in keep} for one in numbers]}


def over_seeds(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Mean of each number with a 95 % interval by Student's t, over the seeds; the test split is the same in all."""
    values: dict[tuple[str, ...], list[float]] = {}
    for run in runs:
        for one in run["measurements"]:
            values.setdefault((one["metric"], one["truth"], one["direction"]), []).append(one["value"])
        for name in ("own photo first", "an accepted photo first"):
            values.setdefault((name, "crowd or expert", "t2i"), []).append(run["by_people"][name])
    result = []
    for (metric, truth, direction), of_seeds in values.items():
        n, mean = len(of_seeds), float(np.mean(of_seeds))
        half = float(stats.t.ppf(0.975, n - 1) * stats.sem(of_seeds)) if n > 1 else None
        interval = {} if half is None else {"low": mean - half, "high": mean + half}
        result.append({"metric": metric, "truth": truth, "direction": direction, "mean": mean, **interval, "n": n})
    return result


def main(features: str, n_seeds: int = 10, name: str = "flickr8k-infonce") -> None:
    torch.set_num_threads(1)
    first = config_of(features, name)
    data, test = load_data(first), load_split(first.data, first.data.test)
    if "crowd" not in test.corpus.truths:
        sys.exit(f"{features}: expected features with the judgements beside them; make them again\n\n{__doc__}")
    runs: list[dict[str, Any]] = []
    random = random_ranking(test.corpus)
    for seed in range(n_seeds):
        config = first.with_(train={"seed": seed})
        runs.append(measure(config, ROOT / "runs" / "measure-flickr8k" / name / f"seed-{seed}", data, test))
        cpu = [run["cpu_seconds"] for run in runs if run["cpu_seconds"] is not None]
        result = {
            "what": "test split of Flickr8k (Hodosh, Young and Hockenmaier, JAIR 47, 2013): 1,000 photos",
            "caveat": CAVEAT,
            "over_seeds": over_seeds(runs),
            "random": random,
            "cpu_seconds": {"mean": float(np.mean(cpu)), "threads": 1, "n": len(cpu)} if cpu else None,
            "runs": runs,
            "config": {**first.to_dict(), "data": first.to_dict()["data"] | {"root": "FEATURES"}},
            "provenance": provenance(),
        }
        write_json(ROOT / "results" / f"{name}.json", result)
        print(name, seed, runs[-1]["by_people"], runs[-1]["cpu_seconds"], flush=True)


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 4:
        sys.exit(__doc__)
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 10, *sys.argv[3:])
