"""Are the files of a table that was read in parts whole? Usage: check_parts.py ZIP ROWS

Reads each format of `shop/events` with a reader of its own (json, csv, pyarrow, duckdb): every row once, in the order of the key,
with the values that the story put into its table. Exits 1 at the first difference.
"""

import csv
import hashlib
import io
import json
import sys
import tempfile
import zipfile
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow.parquet


def fail(words):
    sys.exit(f"check_parts: {words}")


def same(name, found, expected):
    if found != expected:
        fail(f"{name}: {found!r} instead of {expected!r}")


def what(number):
    return None if number % 11 == 0 else "=" + hashlib.md5(str(number).encode()).hexdigest()


def main(path, rows):
    keys = sorted((f"r{number % 3}", number) for number in range(1, rows + 1))
    with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory() as scratch:
        archive.extractall(scratch, [f"shop/events.{end}" for end in ("json", "csv", "ndjson", "parquet")])
        place = Path(scratch) / "shop"
        whole = json.loads((place / "events.json").read_bytes(), parse_float=Decimal)
        same("JSON", [(row["region"], row["id"]) for row in whole], keys)
        for row in whole:
            same("JSON", (row["what"], row["amount"]), (what(row["id"]), Decimal(row["id"]) / 100))
        with open(place / "events.ndjson", "rb") as lines:
            for line, row in zip(lines, whole, strict=True):
                same("NDJSON", json.loads(line, parse_float=Decimal), row)
        del whole
        with open(place / "events.csv", newline="", encoding="utf-8") as text:
            found = csv.reader(text)
            same("CSV", next(found)[:2], ["region", "id"])
            same("CSV", [(row[0], int(row[1])) for row in found], keys)
        table = pyarrow.parquet.read_table(place / "events.parquet")
        same("pyarrow", list(zip(table["region"].to_pylist(), table["id"].to_pylist(), strict=True)), keys)
        for end, reader in (("parquet", "read_parquet('{}')"), ("json", "read_json('{}', maximum_object_size=1000000000)")):
            source = reader.format(place / f"events.{end}")
            asked = f"select count(*), count(distinct (region, id)), count(what), sum(amount)::decimal(20, 2) from {source}"
            expected = (rows, rows, rows - rows // 11, Decimal(rows * (rows + 1) // 2) / 100)
            same(f"duckdb, {end}", duckdb.sql(asked).fetchone(), expected)
    print(f"{rows} rows in each of four files, every key once and in order")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
