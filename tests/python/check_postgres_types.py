"""Is every type of a PostgreSQL server in every format what docs/FORMATS.md says? Usage: check_postgres_types.py ZIP [CASES]

The table `nasty` has a column for each case of postgres_types.json: the first row holds the case's value, the second NULL. `csv` is
what stands there without quotes, `text` in quotes; Parquet holds the JSON value, or `parquet`: days, microseconds, decimals as text, bytes in
base64. Reads with json, csv (by hand, for the quotes), pyarrow and DuckDB. Exits 1 at the first difference.
"""

import base64
import io
import json
import sys
import tempfile
import zipfile
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow
import pyarrow.parquet

from check_bundle import csv_records

HERE = Path(__file__).parent


def fail(words):
    sys.exit(f"check_postgres_types: {words}")


def plain(column):
    """An Arrow column as numbers, texts and truth values: no reader's own idea of a calendar comes between."""
    kind = column.type
    if pyarrow.types.is_date32(kind):
        return column.cast(pyarrow.int32()).to_pylist()
    if pyarrow.types.is_time(kind) or pyarrow.types.is_timestamp(kind):
        return column.cast(pyarrow.int64()).to_pylist()
    values = column.to_pylist()
    if pyarrow.types.is_decimal(kind):
        return [None if value is None else f"{value:f}" for value in values]
    if pyarrow.types.is_binary(kind) or pyarrow.types.is_large_binary(kind):
        return [None if value is None else base64.b64encode(value).decode() for value in values]
    if pyarrow.types.is_floating(kind):
        words = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
        return [words.get(str(value), value) for value in values]
    return values


def kinds(value):
    """The value with its kind: 1, 1.0 and true are three things."""
    if isinstance(value, list):
        return [kinds(part) for part in value]
    if isinstance(value, dict):
        return {name: kinds(part) for name, part in value.items()}
    return (type(value).__name__, value)


def main(zip_path, of="postgres_types.json"):
    text = (HERE / of).read_text()
    cases, exact = json.loads(text), json.loads(text, parse_float=Decimal)
    bundle = zipfile.ZipFile(zip_path)

    def expect(reader, column, found, expected):
        case = cases[column]
        if kinds(found) != kinds(expected):
            fail(f"{case['type']} {case['sql']}, {reader}: {found!r} is not {expected!r}")

    rows = json.loads(bundle.read("shop/nasty.json"), parse_float=Decimal)
    lines = [json.loads(line, parse_float=Decimal) for line in bundle.read("shop/nasty.ndjson").decode().splitlines()]
    if lines != rows or len(rows) != 2 or len(rows[0]) != len(cases) + 2:
        fail(f"{len(rows)} rows of {len(rows[0])} columns; NDJSON and JSON {'differ' if lines != rows else 'agree'}")
    header, *records = csv_records(bundle.read("shop/nasty.csv").decode())
    data = bundle.read("shop/nasty.parquet")
    arrow = pyarrow.parquet.read_table(io.BytesIO(data))
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "nasty.parquet"
        path.write_bytes(data)
        duck = duckdb.sql(f"select * from read_parquet('{path}') order by id").arrow()
        duck = duck.read_all() if hasattr(duck, "read_all") else duck
    names = ["id", "person", *[f"c{at}" for at in range(len(cases))]]
    if [name for name, _ in header] != names or arrow.column_names != names or duck.column_names != names:
        fail(f"columns {header}")
    tables = {"pyarrow": [plain(column) for column in arrow.columns], "duckdb": [plain(column) for column in duck.columns]}
    for at, case in enumerate(cases):
        name = f"c{at}"
        expect("json", at, rows[0][name], exact[at]["json"])
        expect("json, NULL", at, rows[1][name], None)
        expect("csv", at, records[0][at + 2], (case["text"], True) if "text" in case else (case["csv"], False))
        expect("csv, NULL", at, records[1][at + 2], (None, False))
        stored = case.get("parquet", case.get("text", case["json"]) if isinstance(case["json"], (dict, list)) else case["json"])
        for reader, columns in tables.items():
            expect(reader, at, columns[at + 2][0], stored)
            expect(f"{reader}, NULL", at, columns[at + 2][1], None)
    print(f"{len(cases)} cases of {len({case['type'] for case in cases})} types in 4 formats: as documented")


if __name__ == "__main__":
    main(*sys.argv[1:])
