"""The published privacy scripts as the peer of bench/privacy.ts.

Reads {"train": [...], "test": [...], "synthetic": [...]} on standard input; writes seconds and results as JSON.
With a folder of the HALO repository as argument, its own functions `find_hamming` and `calc_nnaar` are lifted out
of its untouched files and run (this needs numpy). Without it, the same pair loops in plain Python run instead;
they count the bits of an integer for the labels, so they are quicker than the scripts and the ratio is modest.
"""

import ast
import json
import pathlib
import sys
import time


def plain_nearest(patient, others, skip_zero=False):
    visits, labels = patient["visits"], patient["bits"]
    best = 10**10
    for other in others:
        theirs = other["visits"]
        distance = (labels ^ other["bits"]).bit_count() + (len(visits) != len(theirs))
        for position, visit in enumerate(visits):
            if position < len(theirs):
                distance += len(visit ^ theirs[position])
            else:
                distance += len(visit)
        if distance < best and not (skip_zero and distance == 0):
            best = distance
    return best


def plain_loss(train, test, synthetic):
    def distances(patients, others):
        return [plain_nearest(patient, others, True) for patient in patients]

    def share(other, own):
        return sum(a > b for a, b in zip(other, own)) / len(own)

    own = distances(synthetic, synthetic)
    accuracy_test = share(distances(test, synthetic), distances(test, test)) + share(distances(synthetic, test), own)
    accuracy_train = share(distances(train, synthetic), distances(train, train))
    accuracy_train += share(distances(synthetic, train), own)
    return (accuracy_test - accuracy_train) / 2


def lift(path, names, scope):
    """Executes only the named function definitions of a file."""
    tree = ast.parse(path.read_text())
    tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in names]
    exec(compile(tree, str(path), "exec"), scope)
    return scope


def timed(work):
    start = time.perf_counter()
    result = work()
    return {"seconds": time.perf_counter() - start, "result": result}


def main():
    cohorts = json.load(sys.stdin)
    for patients in cohorts.values():
        for patient in patients:
            patient["visits"] = [set(visit) for visit in patient["visits"]]
            patient["bits"] = int("0" + "".join(map(str, patient["labels"])), 2)
    train, test, synthetic = cohorts["train"], cohorts["test"], cohorts["synthetic"]
    loss, nearest, peer = plain_loss, plain_nearest, "the same loops in plain Python"
    if len(sys.argv) > 1:
        import numpy

        folder, peer = pathlib.Path(sys.argv[1]), "HALO's own functions"
        for patient in train + test + synthetic:
            patient["labels"] = numpy.array(patient["labels"], dtype=float)
        scope = {"tqdm": iter, "NUM_SAMPLES": len(train)}
        # The repository's main script fails on lists of codes; its twin for the baselines does not.
        script = folder / "baselines" / "evaluate_privacy_nearest.py"
        loss = lift(script, ["find_hamming", "calc_nnaar"], scope)["calc_nnaar"]
        nearest = lift(folder / "evaluate_privacy_membership.py", ["find_hamming"], {})["find_hamming"]
    # Members and non-members are a part of the cohort, as an attack takes them.
    attacked = train[: len(train) // 2] + test[: len(test) // 2]
    json.dump(
        {
            "peer": peer,
            "python": sys.version.split()[0],
            "nnaa": timed(lambda: float(loss(train, test, synthetic))),
            "membership": timed(lambda: [int(nearest(patient, synthetic)) for patient in attacked]),
        },
        sys.stdout,
    )


main()
