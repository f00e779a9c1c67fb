"""The published statistics as the peer of bench/similarity.ts.

Arguments: a folder of the HALO repository, a file {"train": [...], "synthetic": [...]} of patients. Lines 42 to 147 of
its evaluate_datasets.py (`generate_statistics`, `generate_plots`) are run as they stand; the names they take from the
rest of the file are given here, and plotting does nothing. Writes processor seconds, the greatest memory and the R² as
JSON. Needs numpy and scikit-learn.
"""

import contextlib
import io
import json
import pathlib
import resource
import sys
import types

import numpy
from sklearn.metrics import r2_score


class Silent:
    def __getattr__(self, _name):
        return lambda *_args, **_more: None


def processor_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main():
    folder, file = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    cohorts = json.loads(file.read_text())
    labels = len(cohorts["train"][0]["labels"])
    import itertools

    scope = {
        "config": types.SimpleNamespace(label_vocab_size=labels),
        "label_mapping": [str(label) for label in range(labels)] + ["Overall"],
        "itertools": itertools,
        "np": numpy,
        "plt": Silent(),
        "r2_score": r2_score,
        "tqdm": iter,
    }
    path = folder / "evaluate_datasets.py"
    lines = path.read_text().splitlines()[41:147]
    exec(compile("\n".join(lines), str(path), "exec"), scope)

    start = processor_seconds()
    # The script leaves out synthetic patients without a visit before it counts (lines 17 to 27).
    synthetic = [patient for patient in cohorts["synthetic"] if len(patient["visits"]) > 0]
    real_statistics = scope["generate_statistics"](cohorts["train"])
    synthetic_statistics = scope["generate_statistics"](synthetic)
    counted = processor_seconds()
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        scope["generate_plots"](real_statistics, synthetic_statistics, "real", "synthetic")
    compared = processor_seconds()
    agreement = dict(line.rsplit(": ", 1) for line in printed.getvalue().splitlines() if ": " in line)
    json.dump(
        {
            "python": sys.version.split()[0],
            "count": counted - start,
            "compare": compared - counted,
            "gibibytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
            "r2": {name: float(value) for name, value in agreement.items()},
        },
        sys.stdout,
    )


main()
