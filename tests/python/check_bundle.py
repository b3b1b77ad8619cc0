"""Is every value of the source in the bundle, and nothing else? Usage: check_bundle.py [--postgres] ZIP SHOP EMAIL LOYALTY

Reads the source with sqlite3 and the bundle with zipfile, json, csv, pyarrow and duckdb; knows what the demo's settings ask for,
and nothing of how the daemon works. With --postgres the shop was copied into a server that has types for moments, truth values and
JSON; then the values are judged as these. Exits 1 at the first difference.
"""

import base64
import csv
import datetime
import hashlib
import html.parser
import io
import json
import posixpath
import sqlite3
import sys
import tempfile
import urllib.parse
import zipfile
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow.csv
import pyarrow.parquet

from shop import DATAPOINTS


def fail(words):
    sys.exit(f"check_bundle: {words}")


# What a server types and a file does not.
POSTGRES = {
    "customers": {"newsletter": bool, "created_at": datetime},
    "mailing_groups": {"from": datetime},
    "orders": {"created_at": datetime},
    "support_messages": {"created_at": datetime},
    "page_events": {"properties": json, "ts": datetime},
    "payments": {"created_at": datetime},
}


class Moment(str):
    """The text of a moment, which formats have a type for."""

    def datetime(self):
        return datetime.datetime.fromisoformat(self.replace("Z", "+00:00"))


class Json(str):
    """The text of a JSON value; blanks and the order of members are the server's."""

    def value(self):
        return json.loads(self, parse_float=Decimal)


def typed(value, kind):
    if value is None or kind is None:
        return value
    return {bool: bool, datetime: Moment, json: Json}[kind](value)


def number(value):
    """The decimal that a number was written as."""
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)


def same(source, found, encoding):
    """Compares one value; NULL, an empty string and 0 are three things."""
    if source is None or found is None:
        return source is None and found is None
    if isinstance(source, bytes):
        if encoding == "json":
            return isinstance(found, str) and base64.b64decode(found, validate=True) == source
        return isinstance(found, (bytes, bytearray)) and bytes(found) == source
    if isinstance(source, bool):
        return found is source
    if isinstance(source, Moment) and encoding != "json":
        return isinstance(found, datetime.datetime) and found == source.datetime()
    if isinstance(source, Json):
        return (found if encoding == "json" else json.loads(found, parse_float=Decimal)) == source.value()
    if isinstance(source, str):
        return isinstance(found, str) and found == source
    if isinstance(found, (bool, str, bytes)):
        return False
    return number(source) == number(found)


class Hashes:
    """Hashed values: 64 hexadecimal digits, equal exactly where the source's are equal, and no bare hash of them."""

    def __init__(self):
        self.by_source, self.by_hash = {}, {}

    def same(self, source, found):
        if source is None or found is None:
            return source is None and found is None
        if not isinstance(found, str) or len(found) != 64 or found != found.lower() or not set(found) <= set("0123456789abcdef"):
            return False
        if found == hashlib.sha256(str(source).encode()).hexdigest():
            return False
        return self.by_source.setdefault(source, found) == found and self.by_hash.setdefault(found, source) == source


def compare(name, columns, redact, source, found_columns, found_rows, encoding, hashes):
    kept = [(at, column) for at, column in enumerate(columns) if redact.get(column) != "drop"]
    if [column for _, column in kept] != list(found_columns):
        fail(f"{name} {encoding}: columns {list(found_columns)}, expected {[column for _, column in kept]}")
    if len(source) != len(found_rows):
        fail(f"{name} {encoding}: {len(found_rows)} rows, the source has {len(source)}")
    for row, (expected, found) in enumerate(zip(source, found_rows)):
        for (at, column), value in zip(kept, found):
            if redact.get(column) == "hash":
                good = hashes.setdefault(column, Hashes()).same(expected[at], value)
            else:
                good = same(expected[at], value, encoding)
            if not good:
                fail(f"{name} {encoding}: row {row}, column {column}: {value!r} is not {expected[at]!r}")


FORMULA = ("=", "+", "-", "@", "\t", "\r")


def defused(text):
    return "'" + text if text.startswith(FORMULA) else text


def csv_records(text):
    """Reads CSV by hand, because csv cannot tell NULL (None here) from the empty text: fields are (text, in quotes)."""
    records, at = [], 0
    while at < len(text):
        record = []
        while True:
            if text[at] == '"':
                end = text.index('"', at + 1)
                while text[end + 1] == '"':
                    end = text.index('"', end + 2)
                record.append((text[at + 1 : end].replace('""', '"'), True))
                at = end + 1
            else:
                end = at
                while text[end] not in ',\r\n"':
                    end += 1
                record.append((text[at:end] if end > at else None, False))
                at = end
            if text[at] != ",":
                break
            at += 1
        if text[at : at + 2] != "\r\n" or record == [(None, False)]:
            fail(f"CSV: a record that does not end in CRLF, or an empty line, at {at}")
        at += 2
        records.append(record)
    return records


def same_csv(source, found):
    """Compares one field of CSV: text and base64 in quotes, numbers bare, NULL nothing at all."""
    text, quoted = found
    if source is None or text is None:
        return source is None and text is None
    if isinstance(source, bytes):
        return quoted and base64.b64decode(text, validate=True) == source
    if isinstance(source, bool):
        return not quoted and text == ("true" if source else "false")
    if isinstance(source, Moment):
        return not quoted and text == source
    if isinstance(source, Json):
        return quoted and json.loads(text, parse_float=Decimal) == source.value()
    if isinstance(source, str):
        return quoted and text == defused(source)
    return not quoted and number(source) == Decimal(text)


def check_csv(datapoint, data, columns, redact, source, hashes):
    """Judges a CSV file value by value, and that csv, pyarrow and DuckDB read as many records with the same fields."""
    text = data.decode()
    header, *records = csv_records(text)
    kept = [(at, column) for at, column in enumerate(columns) if redact.get(column) != "drop"]
    if len(kept) == 1:
        # A second column without a name keeps a record of one NULL from being an empty line.
        if any(len(record) != 2 or record[1] != (None, False) for record in [header, *records]):
            fail(f"{datapoint} csv: the one column has no empty one beside it")
        header, records = header[:1], [record[:1] for record in records]
    if header != [(defused(column), True) for _, column in kept]:
        fail(f"{datapoint} csv: header {header}")
    if len(records) != len(source):
        fail(f"{datapoint} csv: {len(records)} records, the source has {len(source)} rows")
    count = sum(name != column for (name, _), (_, column) in zip(header, kept))
    for row, (expected, found) in enumerate(zip(source, records)):
        if len(found) != len(kept):
            fail(f"{datapoint} csv: row {row} has {len(found)} fields")
        for (at, column), field in zip(kept, found):
            value = expected[at]
            if redact.get(column) == "hash":
                good = hashes.setdefault(column, Hashes()).same(value, field[0])
            else:
                good = same_csv(value, field)
                count += isinstance(value, str) and not isinstance(value, (Moment, Json)) and defused(value) != value
            if not good:
                fail(f"{datapoint} csv: row {row}, column {column}: {field!r} is not {value!r}")

    python = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    python = [record[: len(kept)] for record in python]
    if python != [[text or "" for text, _ in record] for record in [header, *records]]:
        fail(f"{datapoint} csv: Python's csv reads other fields")
    names = [name for name, _ in header]
    convert = pyarrow.csv.ConvertOptions(
        column_types={name: pyarrow.string() for name in names},
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
        null_values=[""],
    )
    parse = pyarrow.csv.ParseOptions(newlines_in_values=True)
    read = pyarrow.csv.ReadOptions(block_size=max(len(data), 1 << 20))
    table = pyarrow.csv.read_csv(io.BytesIO(data), read_options=read, parse_options=parse, convert_options=convert)
    found = list(zip(*[column.to_pylist() for column in table.columns[: len(kept)]]))
    if table.column_names[: len(kept)] != names or found != [tuple(text for text, _ in record) for record in records]:
        fail(f"{datapoint} csv: pyarrow reads other fields")
    return count


class NoOutside(html.parser.HTMLParser):
    """Fails on everything that would fetch something; links lead to other entries of the bundle."""

    def __init__(self, names):
        super().__init__()
        self.names = names

    def handle_starttag(self, tag, attrs):
        if tag in {"script", "link", "iframe", "object", "embed", "base", "img"}:
            fail(f"report: a <{tag}>")
        for name, value in attrs:
            if name == "href" and tag == "a":
                entry = posixpath.normpath(posixpath.join("report", value or ""))
                if not value.startswith("#") and urllib.parse.unquote(entry) not in self.names:
                    fail(f"report: a link to {value}, which is not in the bundle")
            elif name in {"src", "href", "srcset", "action", "data", "poster", "background"}:
                fail(f"report: {name}={value}")
            elif name == "style" or name.startswith("on"):
                fail(f"report: attribute {name}")

    def handle_data(self, data):
        if self.lasttag == "style" and ("url(" in data or "@import" in data):
            fail("report: a style sheet that fetches")


def main(zip_path, shop_path, email, loyalty, types):
    bundle = zipfile.ZipFile(zip_path)
    broken = bundle.testzip()
    if broken:
        fail(f"zipfile: {broken} is broken")
    names = bundle.namelist()
    if len(names) != len({name.casefold() for name in names}):
        fail("names are not unique after case folding")
    manifest = json.loads(bundle.read("manifest.json"))
    content = manifest["content"]
    files = {entry["name"]: entry for entry in content["files"]}
    if set(names) != set(files) | {"report/index.html", "manifest.json", "manifest.jws"}:
        fail(f"entries {sorted(names)} are not those of the manifest")
    if names[-3:] != ["report/index.html", "manifest.json", "manifest.jws"]:
        fail("report, manifest and signature are not last")
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
    if hashlib.sha256(canonical).hexdigest() != manifest["contentSha256"]:
        fail("contentSha256 is not that of the content")
    for name, entry in files.items():
        data = bundle.read(name)
        if len(data) != entry["bytes"] or hashlib.sha256(data).hexdigest() != entry["sha256"]:
            fail(f"{name}: length or SHA-256 is not the manifest's")
    report = bundle.read("report/index.html").decode()
    NoOutside(names).feed(report)

    shop = sqlite3.connect(f"file:{shop_path}?mode=ro", uri=True)
    if {section["datapoint"] for section in content["sections"]} != set(DATAPOINTS):
        fail("the sections are not the settings' datapoints")
    values = 0
    with tempfile.TemporaryDirectory() as scratch:
        for section in content["sections"]:
            datapoint = section["datapoint"]
            sql, redact = DATAPOINTS[datapoint]
            cursor = shop.execute(sql, {"email": email, "loyalty": loyalty})
            columns = [column[0] for column in cursor.description]
            kinds = [types.get(datapoint, {}).get(column) for column in columns]
            source = [tuple(map(typed, row, kinds)) for row in cursor.fetchall()]
            if section["rows"] != len(source) or section["outcome"] != ("complete" if source else "empty"):
                fail(f"{datapoint}: the manifest says {section['rows']} rows, {section['outcome']}; the source has {len(source)}")
            if datapoint not in report:
                fail(f"report: does not name {datapoint}")
            hashes = {}

            rows = json.loads(bundle.read(f"shop/{datapoint}.json"), parse_float=Decimal)
            for row in rows:
                if list(row) != list(rows[0]):
                    fail(f"{datapoint}: a row has other members than the first")
            header = rows[0].keys() if rows else [c for c in columns if redact.get(c) != "drop"]
            compare(datapoint, columns, redact, source, header, [list(row.values()) for row in rows], "json", hashes)

            lines = bundle.read(f"shop/{datapoint}.ndjson").decode().split("\n")
            if lines.pop() != "":
                fail(f"{datapoint}: the last line of the NDJSON file has no end")
            if [list(json.loads(line, parse_float=Decimal).items()) for line in lines] != [list(row.items()) for row in rows]:
                fail(f"{datapoint}: NDJSON and JSON are not the same rows")

            cells = check_csv(datapoint, bundle.read(f"shop/{datapoint}.csv"), columns, redact, source, hashes)
            said = [note for note in section.get("notes", []) if "apostrophe" in note]
            if (len(said), cells > 0) not in {(0, False), (1, True)} or not all(note.startswith(f"{cells} cell") for note in said):
                fail(f"{datapoint}: {cells} cells of the CSV file were defused, the manifest says {said}")

            name = f"shop/{datapoint}.parquet"
            data = bundle.read(name)
            table = pyarrow.parquet.read_table(io.BytesIO(data))
            if table.num_rows != files[name]["rows"]:
                fail(f"{name}: pyarrow reads {table.num_rows} rows, the manifest says {files[name]['rows']}")
            columnar = [column.to_pylist() for column in table.columns]
            compare(datapoint, columns, redact, source, table.column_names, list(zip(*columnar)), "pyarrow", hashes)

            path = Path(scratch) / f"{datapoint}.parquet"
            path.write_bytes(data)
            relation = duckdb.sql(f"select * from read_parquet('{path}')")
            found = relation.arrow()
            found = found.read_all() if hasattr(found, "read_all") else found
            found = list(zip(*[column.to_pylist() for column in found.columns]))
            if len(found) != files[name]["rows"]:
                fail(f"{name}: DuckDB reads {len(found)} rows, the manifest says {files[name]['rows']}")
            compare(datapoint, columns, redact, source, relation.columns, found, "duckdb", hashes)
            values += 5 * len(source) * len(columns)
    print(f"{len(files)} files, {values} values compared: all equal")


if __name__ == "__main__":
    arguments = sys.argv[1:]
    postgres = arguments[:1] == ["--postgres"]
    main(*arguments[postgres:], POSTGRES if postgres else {})
