"""Is an export of a REST service what the service gave? Usage: check_rest.py ZIP SECTION ITEMS

ITEMS is a JSON file with the list of items as they were sent; SECTION is such as `api/orders`. Every member of an item has to be in its
column or in `_more`, digit by digit, and nothing else may be there; a member that is null may be missing. Reads JSON and NDJSON with
json, Parquet with pyarrow. Exits 1 at the first difference.
"""

import io
import json
import sys
import zipfile
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet


def fail(words):
    sys.exit(f"check_rest: {words}")


def load(text):
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


def plain(value):
    """The item without members that are null."""
    return {name: part for name, part in value.items() if part is not None}


def members(row):
    """What a reader finds in a row."""
    more = row.pop("_more", None)
    found = plain(row)
    for name, part in plain(more or {}).items():
        if name in found:
            fail(f"{name} is in its column and in _more")
        found[name] = part
    return found


def main(path, section, items_path):
    items = [plain(item) for item in load(Path(items_path).read_text())]
    bundle = zipfile.ZipFile(path)
    formats = {
        "JSON": load(bundle.read(f"{section}.json")),
        "NDJSON": [load(line) for line in bundle.read(f"{section}.ndjson").decode().splitlines()],
    }
    for name, rows in formats.items():
        if len(rows) != len(items):
            fail(f"{len(rows)} rows of {name}, {len(items)} items")
        for at, (row, item) in enumerate(zip(rows, items)):
            if list(row)[-1] != "_more":
                fail(f"{name}: the last column is {list(row)[-1]}")
            if members(row) != item:
                fail(f"{name}, row {at}: {row!r} is not {item!r}")
    # Without reading ahead: the threads that do may abort a process that ends soon after.
    data = io.BytesIO(bundle.read(f"{section}.parquet"))
    table = pyarrow.parquet.read_table(data, use_threads=False, pre_buffer=False)
    more = [load(cell) if cell else {} for cell in table["_more"].to_pylist()]
    ids = [id if id is not None else rest.get("id") for id, rest in zip(table["id"].to_pylist(), more)]
    if ids != [item.get("id") for item in items]:
        fail("Parquet has other ids")
    print(f"{section}: {len(items)} items in 3 formats, {sum(map(bool, more))} of them with something in _more")


if __name__ == "__main__":
    main(*sys.argv[1:])
