"""Other people's code reads exports of `understudy export`, unmodified. Prints counts, no patient.

A virtual environment of its own, Python 3.12:

    python -m venv readers && readers/bin/pip install pyhealth==2.1.0 meds==0.4.1
    readers/bin/python bench/export-readers.py --mimic-iii DIR --meds DIR --omop DIR --benchmark CHECKOUT

Every option may be left out, then its readers are. `--benchmark` is a checkout of YerevaNN/mimic3-benchmarks (tested:
ea0314c7); it reads the tables of `--mimic-iii`. The README of each data set is read too: its lines of Python are run in
the folder as they stand. Of `meds`, 0.3.3 has the schemas as plain pyarrow; put it into a second environment.
"""

import argparse
import contextlib
import gzip
import io
import json
import logging
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import warnings

benchmark_tables = ["PATIENTS", "ADMISSIONS", "ICUSTAYS", "DIAGNOSES_ICD", "D_ICD_DIAGNOSES", "LABEVENTS"]


def report(reader, **facts):
    print(f"{reader}: " + ", ".join(f"{name} {value}" for name, value in facts.items()), flush=True)


def read_readme(folder):
    """Runs the lines of Python of a data set's README and prints what they print."""
    code = re.search(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.S).group(1)
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"README of {folder.name}: {done.stderr}")
    print(f"README of {folder.name}, {len(code.splitlines())} lines of pandas:\n{done.stdout}", flush=True)


def pyhealth_tasks(folder, tables, tasks):
    """Counts of MIMIC3Dataset, and the samples of each task; PyHealth's own progress is dropped."""
    from pyhealth.datasets import MIMIC3Dataset

    results = {}
    with tempfile.TemporaryDirectory() as cache, contextlib.redirect_stdout(io.StringIO()) as progress:
        dataset = MIMIC3Dataset(root=str(folder), tables=tables, cache_dir=cache, num_workers=1)
        dataset.stats()
        patients, events = re.findall(r"Number of (?:patients|events): (\d+)", progress.getvalue())
        for task in tasks:
            try:
                results[task.task_name] = f"{len(dataset.set_task(task, num_workers=1))} samples"
            except ValueError as error:
                results[task.task_name] = f"no sample ({error})"
    return patients, events, results


def read_with_pyhealth(folder):
    """
    MIMIC3Dataset with every table of the export, and the tasks for MIMIC-III that need no notes. Two of them count only
    drugs with an NDC, which no generator samples; they are run again with the name of the drug in its place.
    """
    import pandas
    from pyhealth.tasks import LengthOfStayPredictionMIMIC3, MortalityPredictionMIMIC3, ReadmissionPredictionMIMIC3

    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    tables = ["diagnoses_icd", "procedures_icd", "prescriptions", "labevents"]
    by_ndc = [ReadmissionPredictionMIMIC3(), MortalityPredictionMIMIC3()]
    patients, events, results = pyhealth_tasks(folder, tables, [LengthOfStayPredictionMIMIC3(), *by_ndc])
    report("PyHealth's MIMIC3Dataset", patients=patients, events=events)
    for name, result in results.items():
        report(f"  task {name}", result=result)
    with tempfile.TemporaryDirectory() as copy:
        shutil.copytree(folder, copy, dirs_exist_ok=True)
        path = pathlib.Path(copy, "PRESCRIPTIONS.csv.gz")
        drugs = pandas.read_csv(path)
        drugs["NDC"] = drugs["DRUG"]
        drugs.to_csv(path, index=False)
        _, _, results = pyhealth_tasks(copy, tables[:3], by_ndc)
    for name, result in results.items():
        report(f"  task {name}, NDC = DRUG", result=result)


def read_with_meds(folder):
    """Every file against the schemas of the package `meds`; they raise where a file is not of its schema."""
    import meds
    import pyarrow.parquet as parquet

    with (folder / "metadata/dataset.json").open() as file:
        about = json.load(file)
    data = [parquet.read_table(file) for file in sorted(folder.glob("data/**/*.parquet"))]
    codes = parquet.read_table(folder / meds.code_metadata_filepath)
    splits = parquet.read_table(folder / meds.subject_splits_filepath)
    labels = [parquet.read_table(file) for file in sorted(folder.glob("labels/*.parquet"))]
    if hasattr(meds, "DataSchema"):
        for table in data:
            meds.DataSchema.validate(table)
        meds.CodeMetadataSchema.validate(codes)
        meds.SubjectSplitSchema.validate(splits)
        for table in labels:
            meds.LabelSchema.validate(table)
        meds.DatasetMetadataSchema.validate(about)
    else:
        for table in data:
            expected = meds.data_schema()
            assert table.select(expected.names).schema.equals(expected), table.schema
        codes.cast(meds.code_metadata_schema())
        assert splits.schema.equals(meds.subject_split_schema), splits.schema
        for table in labels:
            assert set(table.column_names) <= set(meds.label_schema.names), table.schema
    undescribed = set(data[0]["code"].unique().to_pylist()) - set(codes["code"].to_pylist())
    assert not undescribed, f"{len(undescribed)} codes are not in codes.parquet"
    report(
        f"meds {meds.__version__}",
        events=sum(table.num_rows for table in data),
        codes=codes.num_rows,
        subjects=splits.num_rows,
        labels=len(labels),
        result="valid",
    )


def read_with_benchmark(folder, checkout):
    """`extract_subjects`, the script that makes the phenotype labels; it wants plain CSV."""
    import pandas

    with tempfile.TemporaryDirectory() as work:
        source, out = pathlib.Path(work, "tables"), pathlib.Path(work, "subjects")
        source.mkdir()
        for table in benchmark_tables:
            with gzip.open(folder / f"{table}.csv.gz") as packed, (source / f"{table}.csv").open("wb") as plain:
                shutil.copyfileobj(packed, plain)
        command = [sys.executable, "-m", "mimic3benchmark.scripts.extract_subjects", source, out, "-e", "LABEVENTS"]
        done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, env={**os.environ, "PYTHONWARNINGS": "ignore"})
        if done.returncode != 0:
            raise SystemExit(f"the benchmark failed: {done.stderr[-2000:]}")
        labels = pandas.read_csv(out / "phenotype_labels.csv")
        stays = pandas.read_csv(out / "all_stays.csv")
        report(
            "MIMIC-III benchmark, extract_subjects",
            subjects=stays["SUBJECT_ID"].nunique(),
            stays=len(stays),
            phenotypes=labels.shape[1],
            labels_per_stay=round(float(labels.sum(axis=1).mean()), 2),
            phenotypes_that_occur=int((labels.sum() > 0).sum()),
        )


def main():
    parser = argparse.ArgumentParser()
    for name in ("mimic-iii", "meds", "omop", "fhir", "long", "benchmark"):
        parser.add_argument(f"--{name}", type=pathlib.Path)
    given = {name: path.resolve() for name, path in vars(parser.parse_args()).items() if path is not None}
    checkout = given.pop("benchmark", None)
    if "meds" in given:
        read_with_meds(given["meds"])
    if "mimic_iii" in given:
        if checkout is not None:
            read_with_benchmark(given["mimic_iii"], checkout)
        read_with_pyhealth(given["mimic_iii"])
    for folder in given.values():
        read_readme(folder)


if __name__ == "__main__":
    main()
