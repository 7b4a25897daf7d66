"""Count what every run of the paper's tables takes; write results/reproduction-plans.json.

python tools/measure_plans.py      some minutes on two cores; no data, no weights, no GPU
"""

from __future__ import annotations

from pathlib import Path

from rich.progress import track

from daa.files import provenance, write_json
from daa.reproduce.facts import GPUS
from daa.reproduce.plan import make_plan
from daa.reproduce.run import full_job, needed_of
from daa.reproduce.tables import load_tables

OUT = Path(__file__).resolve().parent.parent / "results" / "reproduction-plans.json"


def main() -> None:
    plans: dict[str, dict] = {}
    needed: dict[str, list] = {}
    jobs = [(table, row) for table in load_tables().values() for row in table.rows.values()]
    for table, row in track(jobs):
        job = full_job(table, row, Path("data"), Path("runs"))
        needed[f"{table.name}/{row.name}"] = [one._asdict() for one in needed_of(job)]
        for name, config in job.configs.items():
            if f"{table.name}/{name}" not in plans:
                plans[f"{table.name}/{name}"] = make_plan(config, table.protocol).to_dict()
    content = {
        "what": "parameters, memory, steps and operations of every run of the paper's tables, counted on shapes",
        "gpus": [one._asdict() for one in GPUS],
        "plans": plans,
        "needed": needed,
        "provenance": provenance(),
    }
    write_json(OUT, content)


if __name__ == "__main__":
    main()
