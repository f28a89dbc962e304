# SPDX-License-Identifier: GPL-3.0-or-later
"""Records of runs as Markdown tables, medians over seeds.

Of simulated maps there is one table for each figure and dose, methods in rows and maps in
columns; of real maps one for each map, figures in columns; and one of costs.
"""

import numpy as np

from tests.benchmarks.rivals.methods import METHODS

OF_MAPS = {  # simulated ones: heading, format
    "angles": ("Angle between true and found spectrum of each phase, degrees", ".1f"),
    "at_percent": ("Largest error of an element in each phase, at%", ".0f"),
    "lines": ("Relative error of maps of lines", ".3f"),
    "reconstruction": ("Relative error of the expected counts", ".3f"),
}
OF_REAL = {
    "correlation": ("correlation", ".3f"),
    "nats": ("nats", ".1f"),
    "core_iron": ("core, at% Fe", ".0f"),
}
COSTS = {"ratio": ("time", ".2g"), "gigabytes": ("memory, GB", ".1f")}
REFERENCE = "psnmf_lines"  # times are ratios to its, nats are above its
NOTHING = "–"


def relative(records: list[dict]) -> list[dict]:
    """Return records with times and nats relative to those of PSNMF on the same map."""
    of_map = {_key(r): r for r in records if r["method"] == REFERENCE and "failure" not in r}
    return [r | _relative(r, of_map.get(_key(r), {})) for r in records]


def _key(record):
    return record["map"], record["counts"], record["seed"]


def _relative(record, reference):
    found = {}
    if "seconds" in record and "seconds" in reference:
        found["ratio"] = record["seconds"] / reference["seconds"]
    if "nats" in record and "nats" in reference:
        found["nats"] = record["nats"] - reference["nats"]
    return found


def tables(records: list[dict]) -> str:
    """Return all tables; a failure is named in its cell."""
    records = relative(records)
    simulated = [record for record in records if record["phases"]]
    real = [record for record in records if not record["phases"]]
    found = [
        _table_of_figure(figure, counts, [r for r in simulated if r["counts"] == counts])
        for figure in OF_MAPS
        for counts in _in_order(r["counts"] for r in simulated)
    ]
    for name in _in_order(record["map"] for record in real):
        found.append(_table_of_map(name, [record for record in real if record["map"] == name]))
    return "\n\n".join([*found, _table_of_costs(records)])


def _table_of_figure(figure, counts, records):
    heading, form = OF_MAPS[figure]
    maps = _in_order(record["map"] for record in records)
    rows = {
        method: [
            _cell([r for r in records if (r["method"], r["map"]) == (method, name)], figure, form)
            for name in maps
        ]
        for method in _in_order(record["method"] for record in records)
    }
    return f"{heading}, {counts:g} counts per pixel:\n\n" + _markdown(maps, rows)


def _table_of_map(name, records):
    used = {f: OF_REAL[f] for f in OF_REAL if any(f in record for record in records)}
    doses = _in_order(record["counts"] for record in records)
    rows = {
        method: [_cell([r for r in records if r["method"] == method], f, used[f][1]) for f in used]
        for method in _in_order(record["method"] for record in records)
    }
    title = f"{name}, {', '.join(f'{dose:g}' for dose in doses)} counts per pixel"
    return f"{title}:\n\n" + _markdown([heading for heading, _ in used.values()], rows)


def _table_of_costs(records):
    rows = {
        method: [
            _cell([r for r in records if r["method"] == method], f, COSTS[f][1]) for f in COSTS
        ]
        for method in _in_order(record["method"] for record in records)
    }
    return "Costs, medians over maps:\n\n" + _markdown([h for h, _ in COSTS.values()], rows)


def _markdown(headings, rows):
    """Return a table of the rows that hold anything."""
    lines = ["| " + " | ".join(["method", *headings]) + " |", "|---" * (len(headings) + 1) + "|"]
    for method, cells in rows.items():
        if any(cell != NOTHING for cell in cells):
            lines.append("| " + " | ".join([METHODS[method].title, *cells]) + " |")
    return "\n".join(lines)


def _in_order(values):
    return list(dict.fromkeys(values))


def _cell(records, figure, form) -> str:
    """Return medians over records of a figure, or of each phase's; else why there are none."""
    values = [np.atleast_1d(record[figure]) for record in records if figure in record]
    if values:
        return ", ".join(format(value, form) for value in np.nanmedian(values, axis=0))
    return "; ".join(_in_order(r["failure"] for r in records if "failure" in r)) or NOTHING
