"""Opens the parts below folders with DuckDB and pyarrow, and answers questions about them.

Reads one JSON object from standard input: folders, and questions of dataset, column, op, text and millis.
Prints one JSON list: for each folder and engine the columns of each dataset and the answers.
"""

import glob
import json
import sys

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

asked = json.load(sys.stdin)
datasets = ("mapped", "unmapped", "refresh_from")


def path(folder, dataset):
    return f"{folder}/{dataset}/run=*/part-*.parquet"


def with_duckdb(folder):
    db = duckdb.connect()
    db.execute("set timezone = 'UTC'")
    columns = {}
    for dataset in datasets:
        types = db.execute(f"describe select * from read_parquet('{path(folder, dataset)}', hive_partitioning = false)").fetchall()
        schema = db.execute(f"select distinct name, repetition_type from parquet_schema('{path(folder, dataset)}')").fetchall()
        nulls = {name: "null" if repetition == "OPTIONAL" else "not null" for name, repetition in schema}
        # Before version 2, DuckDB knew only one type with a time zone.
        columns[dataset] = [[t[0], t[1].replace("TIMESTAMPTZ_NS", "TIMESTAMP WITH TIME ZONE"), nulls[t[0]]] for t in types]
    counts = []
    for q in asked["questions"]:
        value = q["text"] if q["op"] == "=" else q["millis"]
        place = "?" if q["op"] == "=" else "make_timestamptz(? * 1000)"
        # The folder's run=... is a column to engines that know about such folders.
        query = f"""select count(*) from read_parquet('{path(folder, q["dataset"])}', hive_partitioning = true)
                    where {q["column"]} {q["op"]} {place} and run = 'r1'"""
        counts.append(db.execute(query, [value]).fetchone()[0])
    return {"folder": folder, "engine": "duckdb", "columns": columns, "counts": counts}


def with_pyarrow(folder):
    columns = {}
    for dataset in datasets:
        schema = pq.read_schema(sorted(glob.glob(path(folder, dataset)))[0])
        columns[dataset] = [[f.name, str(f.type), "null" if f.nullable else "not null"] for f in schema]
    counts = []
    for q in asked["questions"]:
        value = q["text"] if q["op"] == "=" else pa.scalar(q["millis"], pa.timestamp("ms", tz="UTC"))
        filters = [(q["column"], "==" if q["op"] == "=" else "<", value)]
        counts.append(pq.read_table(f"{folder}/{q['dataset']}", columns=[q["column"]], filters=filters).num_rows)
    return {"folder": folder, "engine": "pyarrow", "columns": columns, "counts": counts}


def check_same_values(folder):
    """Both engines have to find the same values in every column."""
    db = duckdb.connect()
    db.execute("set timezone = 'UTC'")
    for dataset in datasets:
        for name in sorted(glob.glob(path(folder, dataset))):
            mine = pq.read_table(name, partitioning=None)
            theirs = db.execute(f"select * from read_parquet('{name}', hive_partitioning = false)").to_arrow_table()
            for column in mine.column_names:
                a, b = mine[column], theirs[column]
                if a.combine_chunks() != b.cast(a.type).combine_chunks():
                    raise SystemExit(f"{name}: {column}: DuckDB and pyarrow read different values")
            # A file is valid only if all of its texts are.
            mine.validate(full=True)


answers = []
for folder in asked["folders"]:
    check_same_values(folder)
    answers += [with_duckdb(folder), with_pyarrow(folder)]
json.dump(answers, sys.stdout)
