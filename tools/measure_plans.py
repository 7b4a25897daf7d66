"""Count what every run of the paper's tables takes; write results/reproduction-plans.json.

python tools/measure_plans.py      some minutes on two cores; no data, no weights, no GPU
"""

from __future__ import annotations

from pathlib import Path

from rich.progress import track

from daa.files import provenance, write_json
from daa.reproduce import load_tables
from daa.reproduce.cost import GPUS, make_plan
from daa.reproduce.reproduction import full_size, needed_by

OUT = Path(__file__).resolve().parent.parent / "results" / "reproduction-plans.json"


def main() -> None:
    plans: dict[str, dict] = {}
    needed: dict[str, list] = {}
    rows = [(table, row) for table in load_tables().values() for row in table.rows.values()]
    for table, row in track(rows):
        full = full_size(table, row, Path("data"), Path("runs"))
        needed[f"{table.name}/{row.name}"] = [one._asdict() for one in needed_by(full)]
        for name, config in full.configs.items():
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
