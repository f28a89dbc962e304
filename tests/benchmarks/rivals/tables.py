# SPDX-License-Identifier: GPL-3.0-or-later
"""Records of runs as Markdown tables: one per map and dose, a row for each method."""

from collections import defaultdict

import numpy as np

from tests.benchmarks.rivals.methods import METHODS

# Figure, heading, format.
COLUMNS = (
    ("angles", "angles, degrees", ".1f"),
    ("at_percent", "errors, at%", ".1f"),
    ("reconstruction", "reconstruction", ".3f"),
    ("lines", "line maps", ".3f"),
    ("correlation", "correlation", ".3f"),
    ("nats", "nats", ".1f"),
    ("core_iron", "core, at% Fe", ".0f"),
    ("ratio", "time", ".2g"),
    ("gigabytes", "memory, GB", ".1f"),
)
REFERENCE = "psnmf_lines"  # times are ratios to its


def with_ratios(records: list[dict]) -> list[dict]:
    """Return records with times as ratios to PSNMF's on the same map."""
    reference = {_map(r): r["seconds"] for r in records
                 if r["method"] == REFERENCE and "seconds" in r}  # fmt: skip
    return [
        r | {"ratio": r["seconds"] / reference[_map(r)]}
        if "seconds" in r and _map(r) in reference
        else r
        for r in records
    ]


def _map(record):
    return record["map"], record["counts"], record["seed"]


def tables(records: list[dict]) -> str:
    """Return all tables; figures are medians over seeds, a failure is named."""
    grouped = defaultdict(lambda: defaultdict(list))
    for record in with_ratios(records):
        grouped[record["map"], record["counts"]][record["method"]].append(record)
    return "\n\n".join(_table(*key, by_method) for key, by_method in grouped.items())


def _table(name, counts, by_method):
    runs = [record for records in by_method.values() for record in records]
    used = [column for column in COLUMNS if any(column[0] in record for record in runs)]
    seeds = sorted({record["seed"] for record in runs})
    phases = f" ({', '.join(runs[0]['phases'])})" if runs[0]["phases"] else ""
    lines = [f"**{name}**{phases}, {counts:g} counts per pixel, seeds {seeds}", ""]
    lines.append("| method | " + " | ".join(heading for _, heading, _ in used) + " |")
    lines.append("|---" * (len(used) + 1) + "|")
    for method, records in by_method.items():
        done = [record for record in records if "failure" not in record]
        failed = {record["failure"] for record in records if "failure" in record}
        notes = [f"{len(done)} of {len(records)} runs"] if failed and done else []
        title = METHODS[method].title + "".join(f" ({note})" for note in [*notes, *sorted(failed)])
        cells = [_median(done, figure, form) for figure, _, form in used]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _median(records, figure, form) -> str:
    """Return medians over runs of a figure, or of each phase's, as text."""
    values = [np.atleast_1d(record[figure]) for record in records if figure in record]
    if not values:
        return "–"
    return ", ".join(format(value, form) for value in np.nanmedian(values, axis=0))
