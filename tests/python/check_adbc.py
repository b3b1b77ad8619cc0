"""Is an export through ADBC what its source holds? Usage: check_adbc.py ZIP SECTION SOURCE

SOURCE is a DuckDB file or a Parquet file with a table `nasty`, read by DuckDB or pyarrow; SECTION is such as `duck/nasty`. The rows of
person 42 must be there in all four formats, every value as docs/FORMATS.md says. Exits 1 at the first difference.
"""

import base64
import datetime
import io
import json
import sys
import zipfile
from decimal import Decimal

import duckdb
import pyarrow
import pyarrow.compute
import pyarrow.parquet

from check_bundle import csv_records
from check_postgres_types import kinds, plain

PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
EPOCH = datetime.datetime(1970, 1, 1)


def fail(words):
    sys.exit(f"check_adbc: {words}")


def source(path):
    if path.endswith(".parquet"):
        return pyarrow.parquet.read_table(path)
    db = duckdb.connect(path, read_only=True)
    found = db.sql("select * from nasty order by id").arrow()
    return found.read_all() if hasattr(found, "read_all") else found


def moment(number, unit, ending=""):
    whole, part = divmod(number, PER_SECOND[unit])
    digits = f"{part:0{len(str(PER_SECOND[unit])) - 1}d}".rstrip("0") if part else ""
    text = (EPOCH + datetime.timedelta(seconds=whole)).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}{'.' + digits if digits else ''}{ending}"


def as_json(scalar):
    """What a value is in JSON, with numbers as Decimal."""
    kind, types = scalar.type, pyarrow.types
    if types.is_dictionary(kind):
        return as_json(pyarrow.scalar(scalar.as_py(), kind.value_type))
    if not scalar.is_valid:
        return None
    if types.is_boolean(kind) or types.is_string(kind) or types.is_large_string(kind):
        return scalar.as_py()
    if types.is_uint64(kind):
        return str(scalar.as_py())
    if types.is_integer(kind):
        return scalar.as_py()
    if types.is_floating(kind):
        return Decimal(repr(scalar.as_py()))
    if types.is_decimal(kind):
        return scalar.as_py() if kind.precision <= 15 else f"{scalar.as_py():f}"
    if types.is_binary(kind):
        return base64.b64encode(scalar.as_py()).decode()
    if types.is_date(kind):
        return scalar.as_py().isoformat()
    if types.is_time(kind):
        return moment(scalar.value, kind.unit).split("T")[1]
    if types.is_timestamp(kind):
        return moment(scalar.value, kind.unit, "Z" if kind.tz else "")
    return nested(scalar)


def nested(scalar):
    """Inside of a list, a struct or a map all numbers are numbers."""
    kind, types = scalar.type, pyarrow.types
    if not scalar.is_valid:
        return None
    if types.is_map(kind):
        return [{"key": nested(entry["key"]), "value": nested(entry["value"])} for entry in scalar.values]
    if types.is_list(kind) or types.is_fixed_size_list(kind):
        return [nested(item) for item in scalar.values]
    if types.is_struct(kind):
        return {field.name: nested(scalar[field.name]) for field in kind}
    return scalar.as_py() if types.is_decimal(kind) else as_json(scalar)


def quoted(kind):
    """Texts, bytes and JSON stand in quotes in CSV; so does what is text because nothing else holds it."""
    types = pyarrow.types
    number = types.is_boolean(kind) or types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)
    moments = types.is_date(kind) or types.is_time(kind) or types.is_timestamp(kind) and kind.unit != "ns"
    return not (number or moments)


def in_csv(kind, value, scalar):
    if value is None:
        return None
    if pyarrow.types.is_decimal(kind):
        return f"{scalar.as_py():f}"
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else f"{value}"


def in_parquet(kind, value, scalar):
    """A day or a moment as its number, in microseconds; a decimal as its text."""
    types = pyarrow.types
    if value is None:
        return None
    if types.is_date(kind):
        return pyarrow.array([scalar.as_py()], pyarrow.date32()).cast(pyarrow.int32())[0].as_py()
    if types.is_timestamp(kind) and kind.unit != "ns":
        return scalar.value * 10**6 // PER_SECOND[kind.unit]
    if types.is_time(kind):
        return scalar.value
    if types.is_decimal(kind):
        return f"{scalar.as_py():f}"
    return float(value) if isinstance(value, Decimal) else value


def main(path, section, source_path):
    table = source(source_path)
    table = table.filter(pyarrow.compute.equal(table["person"], 42)).sort_by("id")
    bundle = zipfile.ZipFile(path)
    rows = json.loads(bundle.read(f"{section}.json"), parse_float=Decimal)
    lines = bundle.read(f"{section}.ndjson").decode().splitlines()
    lines = [json.loads(line, parse_float=Decimal) for line in lines]
    header, *records = csv_records(bundle.read(f"{section}.csv").decode())
    parquet = pyarrow.parquet.read_table(io.BytesIO(bundle.read(f"{section}.parquet")), use_threads=False, pre_buffer=False)
    if [name for name, _ in header] != table.column_names or parquet.column_names != table.column_names:
        fail(f"columns {header} are not {table.column_names}")
    if not table.num_rows == len(rows) == len(lines) == len(records) == parquet.num_rows == 2:
        fail(f"{len(rows)} rows, {table.num_rows} in the source")
    # Sections without a key are ordered by all their columns, of which `id` is the first.
    for at, name in enumerate(table.column_names):
        stored = plain(parquet[name])
        for row, scalar in enumerate(table[name]):
            kind = scalar.type
            value = as_json(scalar)
            for reader, found in [("json", rows[row][name]), ("ndjson", lines[row][name])]:
                if kinds(found) != kinds(value):
                    fail(f"{section}, {name} ({kind}), {reader}: {found!r} is not {value!r}")
            text, in_quotes = records[row][at]
            if isinstance(value, (list, dict)):
                if json.loads(text, parse_float=Decimal) != value or json.loads(stored[row], parse_float=Decimal) != value:
                    fail(f"{section}, {name} ({kind}): {text!r} or {stored[row]!r} is not {value!r}")
                continue
            expected = in_csv(kind, value, scalar)
            if text != expected or in_quotes != (value is not None and quoted(kind)):
                fail(f"{section}, {name} ({kind}), csv: {(text, in_quotes)!r} is not {expected!r}")
            if kinds(stored[row]) != kinds(in_parquet(kind, value, scalar)):
                fail(f"{section}, {name} ({kind}), parquet: {stored[row]!r} is not {in_parquet(kind, value, scalar)!r}")
    print(f"{section}: {len(table.column_names)} columns in 4 formats, as the source has them")


if __name__ == "__main__":
    main(*sys.argv[1:])
