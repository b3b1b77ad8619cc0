"""How fast is the plain way? Usage: plain_export.py SHOP EMAIL LOYALTY ZIP

A yardstick, not a product: what a person would write in an afternoon. sqlite3 → json, csv, and Parquet where pyarrow is there → zipfile,
deflate level 1, one pass over the source for each file, rows never kept. Prints what it wrote as one JSON object.

What it leaves out: no sealing, no keys, no manifest, hashes or signature, no report, no resuming, no range, no HTTP, no audit, no
cuts that are alike whoever makes them. What it writes is in clear on the disk.
"""

import base64
import csv
import hmac
import io
import json
import sqlite3
import sys
import zipfile

from shop import DATAPOINTS

try:
    import pyarrow
    import pyarrow.parquet
except ImportError:
    pyarrow = None

ROWS = 65_536


def shown(value):
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def hashed(value):
    return None if value is None else hmac.digest(b"yardstick", str(value).encode(), "sha256").hex()


class Section:
    """One datapoint's rows, read anew for each file."""

    def __init__(self, shop, name, email, loyalty):
        self.shop, self.values = shop, {"email": email, "loyalty": loyalty}
        self.sql, self.redact = DATAPOINTS[name]

    def __enter__(self):
        self.cursor = self.shop.execute(self.sql, self.values)
        names = [column[0] for column in self.cursor.description]
        kept = [(at, name) for at, name in enumerate(names) if self.redact.get(name) != "drop"]
        self.columns = [name for _, name in kept]
        self.picks = [(at, self.redact.get(name) == "hash") for at, name in kept]
        return self

    def __exit__(self, *_):
        self.cursor.close()

    def __iter__(self):
        if not self.redact:
            return iter(self.cursor)
        return ([hashed(row[at]) if hash else row[at] for at, hash in self.picks] for row in self.cursor)


def as_json(section, out):
    count = 0
    out.write("[")
    for row in section:
        out.write(("," if count else "") + "\n" + json.dumps(dict(zip(section.columns, map(shown, row))), ensure_ascii=False))
        count += 1
    out.write("\n]\n")
    return count


def as_ndjson(section, out):
    count = 0
    for row in section:
        out.write(json.dumps(dict(zip(section.columns, map(shown, row))), ensure_ascii=False) + "\n")
        count += 1
    return count


def as_csv(section, out):
    writer = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(section.columns)
    count = 0
    for row in section:
        writer.writerow(list(map(shown, row)))
        count += 1
    return count


def as_parquet(section, out):
    """Types are those of the first rows; a column of numbers of both kinds is one of floating point."""
    count, writer, rows = 0, None, []

    def flush():
        nonlocal writer, count
        columns = list(zip(*rows)) or [[] for _ in section.columns]
        columns = [
            [float(value) if value is not None else None for value in column] if any(isinstance(value, float) for value in column) else column
            for column in columns
        ]
        schema = writer.schema if writer else None
        types = [field.type for field in schema] if schema else [None] * len(columns)
        arrays = [pyarrow.array(column, type=kind) for column, kind in zip(columns, types)]
        table = pyarrow.table(arrays, schema=schema) if schema else pyarrow.table(arrays, names=section.columns)
        writer = writer or pyarrow.parquet.ParquetWriter(out, table.schema, compression="zstd", compression_level=1)
        writer.write_table(table)
        count += len(rows)
        rows.clear()

    for row in section:
        rows.append(tuple(row))
        if len(rows) == ROWS:
            flush()
    if rows or not writer:
        flush()
    writer.close()
    return count


def main(shop_path, email, loyalty, zip_path):
    shop = sqlite3.connect(f"file:{shop_path}?mode=ro", uri=True)
    formats = {"json": as_json, "csv": as_csv, "ndjson": as_ndjson}
    if pyarrow:
        formats["parquet"] = as_parquet
    total = 0
    with zipfile.ZipFile(zip_path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as bundle:
        for name in DATAPOINTS:
            for format, write in formats.items():
                entry = f"shop/{name}.{format}"
                # A ZipInfo of its own is stored: Parquet has its own compression.
                entry = zipfile.ZipInfo(entry) if format == "parquet" else entry
                with Section(shop, name, email, loyalty) as section, bundle.open(entry, "w", force_zip64=True) as raw:
                    if format == "parquet":
                        rows = write(section, raw)
                    else:
                        text = io.TextIOWrapper(raw, "utf-8", newline="")
                        rows = write(section, text)
                        text.flush()
                        text.detach()
            total += rows
    plain = sum(entry.file_size for entry in zipfile.ZipFile(zip_path).infolist())
    print(json.dumps({"formats": [format.upper() for format in formats], "rows": total, "plainBytes": plain}))


if __name__ == "__main__":
    main(*sys.argv[1:])
