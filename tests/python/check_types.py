"""Do other people's readers find every value of every type in the four formats? Usage: check_types.py DIR

Reads nasty.json, nasty.ndjson, nasty.csv and nasty.parquet of DIR with json, csv, DuckDB and pyarrow, and compares every value with the
table stated here; knows nothing of how the daemon writes them. Exits 1 at the first difference.
"""

import base64
import csv
import io
import json
import math
import struct
import sys
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow
import pyarrow.csv
import pyarrow.parquet

ROWS = 24
DAY = 86_400_000_000
MOST = "9" * 38

TEXTS = [
    "plain", "", 'say "hi", she said; ok', "two\nlines\r\nthree\rfour", "\U0001f600 e\u0301 \u65e5\u672c \U0010ffff", "=1+1", "+1", "-1",
    "@x", "\ttab", "\rreturn", "'=1", "nul\0inside", "\x01\x1b\x7f\x85\u2028", "\ufeffmark", '\\N \\ \\"', "NULL", "null", " around ",
    '"', '""', "true", "infinity",
]  # fmt: skip
JSON = [
    '{"a":[1,2.50,null,true],"b":{}}', "null", '""', "-1", "9007199254740993", "1e400", '"=1+1"',
    '{"say":"\\"hi\\", \\n\\r\\n\\u0001","caf\\u00e9":"\U0001f600 \\ud83d\\ude00","":"\\/"}', '{"a":1,"a":2}', "[]", "{}",
    "0.10000000000000000000000000000000000001", "-0.0", "true", "[" * 100 + "]" * 100, '"a b"',
]  # fmt: skip
# Text and days since 1970-01-01; the last is what Parquet has for it.
DATES = [
    ("2024-02-29", 19_782), ("1970-01-01", 0), ("1969-12-31", -1), ("0001-01-01", -719_162), ("0000-12-31", -719_163),
    ("9999-12-31", 2_932_896), ("+10000-01-01", 2_932_897), ("-4713-11-24", -2_440_588), ("+5874897-12-31", 2_145_042_905),
    ("1900-02-28", -25_509), ("1900-03-01", -25_508), ("infinity", 2**31 - 1), ("-infinity", -(2**31) + 1),
]  # fmt: skip
TIMES = [
    ("12:34:56.789", 45_296_789_000), ("00:00:00", 0), ("23:59:59.999999", DAY - 1), ("00:00:00.000001", 1), ("01:00:00", 3_600_000_000),
    ("00:01:00", 60_000_000), ("00:00:00.1", 100_000),
]  # fmt: skip
TIMESTAMPS = [
    ("2024-02-29T23:59:59.5", 1_709_251_199_500_000), ("1970-01-01T00:00:00", 0), ("1969-12-31T23:59:59.999999", -1),
    ("0001-01-01T00:00:00", -62_135_596_800_000_000), ("0000-12-31T23:59:59.999999", -62_135_596_800_000_001),
    ("9999-12-31T23:59:59.999999", 253_402_300_799_999_999), ("+10000-01-01T00:00:00", 253_402_300_800_000_000),
    ("-4713-11-24T00:00:00", -210_866_803_200_000_000), ("+294247-01-10T04:00:54.775806", 2**63 - 2), ("1970-01-01T00:00:00.000001", 1),
    ("-0043-03-15T12:00:00.5", -63_517_780_799_500_000), ("infinity", 2**63 - 1), ("-infinity", -(2**63) + 1),
]  # fmt: skip


def single(text):
    """The 32-bit float that a text stands for."""
    return struct.unpack("f", struct.pack("f", float(text)))[0]


def zoned(moments):
    return [(text if text.endswith("infinity") else f"{text}Z", micros) for text, micros in moments]


def decimals(*texts):
    return [Decimal(text) for text in texts]


# name: (type, its values; a NULL stands behind the first, and NULLs fill the column up)
COLUMNS = {
    "boolean": ("boolean", [True, False]),
    "integer": ("integer", [7, 0, -(2**63), 2**63 - 1, 9_007_199_254_740_993, -1]),
    "single": (
        "single",
        [*map(single, ("0.1", "0", "-0.0", "3.4028235e38", "-3.4028235e38", "1.17549435e-38", "1e-45", "16777216", "-1.5e-7"))]
        + [math.nan, math.inf, -math.inf],
    ),
    "real": (
        "real",
        [0.1, 0.0, -0.0, sys.float_info.max, -sys.float_info.max, sys.float_info.min, 5e-324, 2.0**53, -1.5e-7, math.nan, math.inf, -math.inf],
    ),
    "whole": ("decimal", decimals("7", "0", "99999", "-99999")),
    "money": ("decimal", decimals("19.99", "0.00", "9999999999999.99", "-9999999999999.99", "-0.01")),
    "sixteen": ("long decimal", decimals("19.99", "0.00", "99999999999999.99", "-0.01")),
    "digits": ("long decimal", decimals("7", "0", MOST, f"-{MOST}")),
    "wide": (
        "long decimal",
        decimals("1234.5000000000", "0.0000000000", f"{MOST[:28]}.{MOST[28:]}", f"-{MOST[:28]}.{MOST[28:]}", "0.0000000001", "-0.0000000001"),
    ),
    "fraction": ("long decimal", decimals(f"0.{MOST}", f"0.{'0' * 38}", f"-0.{MOST}", f"0.{'0' * 37}1")),
    "text": ("text", TEXTS),
    "bytes": ("bytes", [b"\x00\xff", b"", b'"', b"\xf8\x00\x00", b"=1+1", b"\r\n", bytes(range(256))]),
    "json": ("json", JSON),
    "date": ("moment", DATES),
    "time": ("moment", TIMES),
    "timestamp": ("moment", TIMESTAMPS),
    "timestamptz": ("moment", zoned(TIMESTAMPS)),
}
NAMES = ["id", *COLUMNS]
MICROS = {"date": "int32", "time": "int64", "timestamp": "int64", "timestamptz": "int64"}
SQL_TYPES = {
    "boolean": "BOOLEAN", "integer": "BIGINT", "single": "FLOAT", "real": "DOUBLE", "whole": "DECIMAL(5,0)", "money": "DECIMAL(15,2)",
    "sixteen": "DECIMAL(16,2)", "digits": "DECIMAL(38,0)", "wide": "DECIMAL(38,10)", "fraction": "DECIMAL(38,38)", "text": "VARCHAR",
    "bytes": "BLOB", "json": "VARCHAR", "date": "DATE", "time": "TIME", "timestamp": "TIMESTAMP", "timestamptz": "TIMESTAMP WITH TIME ZONE",
}  # fmt: skip
compared = 0


def fail(words):
    sys.exit(f"check_types: {words}")


def column(name):
    """The values of a column, row by row."""
    values = list(COLUMNS[name][1]) if name != "id" else list(range(2, ROWS + 1))
    values.insert(1, None)
    if name == "id":
        return list(range(1, ROWS + 1))
    return values + [None] * (ROWS - len(values))


def kind(name):
    return "integer" if name == "id" else COLUMNS[name][0]


def like(found, expected):
    """Equal, of one type, NaN like NaN and zero of one sign."""
    if isinstance(expected, float):
        if not isinstance(found, float):
            return False
        if math.isnan(expected):
            return math.isnan(found)
        return found == expected and math.copysign(1, found) == math.copysign(1, expected)
    if isinstance(expected, Decimal):
        return isinstance(found, Decimal) and found == expected and found.as_tuple().exponent == expected.as_tuple().exponent
    return type(found) is type(expected) and found == expected


def compare(reader, name, found, expected):
    """Compares a column as a reader found it with what it should have found."""
    global compared
    found = list(found)
    if len(found) != ROWS:
        fail(f"{reader}: {name} has {len(found)} rows")
    for row, (value, wanted) in enumerate(zip(found, expected), 1):
        if not like(value, wanted):
            fail(f"{reader}: row {row}, column {name}: {value!r} instead of {wanted!r}")
        compared += 1


def from_words(name, value):
    """A float or decimal that a reader gives as a number where it is one, else as a text."""
    if kind(name) in {"single", "real"} and value is not None:
        if isinstance(value, str) and value not in {"NaN", "Infinity", "-Infinity"}:
            fail(f"{name}: the text {value!r} for a number")
        return single(value) if kind(name) == "single" else float(value)
    return value


def check_objects(reader, rows):
    """Objects as pairs, numbers with a point or exponent as Decimal."""
    for row in rows:
        if [name for name, _ in row] != NAMES:
            fail(f"{reader}: members {[name for name, _ in row]}")
    for at, name in enumerate(NAMES):
        found = [row[at][1] for row in rows]
        expected = column(name)
        match kind(name):
            case "single" | "real":
                found = [from_words(name, value) for value in found]
            case "decimal":
                if any(isinstance(value, str) for value in found):
                    fail(f"{reader}: {name} holds texts")
                found = [Decimal(value) if isinstance(value, int) else value for value in found]
            case "long decimal":
                if not all(value is None or isinstance(value, str) for value in found):
                    fail(f"{reader}: {name} holds numbers")
                found = [None if value is None else Decimal(value) for value in found]
            case "bytes":
                found = [None if value is None else base64.b64decode(value, validate=True) for value in found]
            case "moment":
                expected = [value and value[0] for value in expected]
            case "json":
                # Pairs keep what is there twice; NULL and JSON's null are one thing here.
                expected = [None if value is None else parse(value) for value in expected]
        compare(reader, name, found, expected)


def parse(text):
    return json.loads(text, parse_float=Decimal, object_pairs_hook=list)


def check_json(data, lines):
    check_objects("json reads JSON", parse(data.decode()))
    lines = lines.decode().split("\n")
    if lines.pop() != "":
        fail("the last line of the NDJSON file has no end")
    check_objects("json reads NDJSON", [parse(line) for line in lines])


def check_duckdb_json(folder):
    """Types as they are, but base64 and moments (years of five digits) as texts, and the numbers in JSON as DuckDB's doubles."""
    types = {"id": "BIGINT", **SQL_TYPES, **dict.fromkeys(["bytes", *MICROS], "VARCHAR"), "json": "JSON"}
    columns = ", ".join(f"'{name}': '{sql_type}'" for name, sql_type in types.items())
    for suffix, shape in (("json", "array"), ("ndjson", "newline_delimited")):
        reader = f"DuckDB reads {suffix}"
        relation = duckdb.sql(f"select * from read_json('{folder}/nasty.{suffix}', format = '{shape}', columns = {{{columns}}})")
        rows = relation.fetchall()
        for at, name in enumerate(NAMES):
            found, expected = [row[at] for row in rows], column(name)
            match kind(name):
                case "bytes":
                    found = [None if value is None else base64.b64decode(value, validate=True) for value in found]
                case "moment":
                    expected = [value and value[0] for value in expected]
                case "json":
                    # NULL and JSON's null are one thing here.
                    found = [None if value is None else json.loads(value, object_pairs_hook=list) for value in found]
                    expected = [None if value is None else json.loads(value, object_pairs_hook=list) for value in expected]
            compare(reader, name, found, expected)


def pieces(text):
    """The fields of a CSV file, and whether each was in quotes."""
    records, record, field, quoted, inside, at = [], [], [], False, False, 0
    while at < len(text):
        char = text[at]
        if inside:
            if char != '"':
                field.append(char)
            elif text[at + 1 : at + 2] == '"':
                field.append('"')
                at += 1
            else:
                inside = False
        elif char == '"' and not field and not quoted:
            inside = quoted = True
        elif char == "," or text.startswith("\r\n", at):
            record.append(("".join(field), quoted))
            field, quoted = [], False
            if char == "\r":
                records.append(record)
                record = []
                at += 1
        elif quoted or char in '\r\n"':
            fail(f"csv: {char!r} outside a field at character {at}")
        else:
            field.append(char)
        at += 1
    if inside or record or field:
        fail("csv: the last record has no end")
    return records


def check_cells(reader, header, rows):
    """Rows of texts, None where a cell is NULL."""
    if header != NAMES:
        fail(f"{reader}: columns {header}")
    for at, name in enumerate(NAMES):
        found = [row[at] for row in rows]
        expected = column(name)
        match kind(name):
            case "boolean":
                words = {None: None, "true": True, "false": False}
                found = [words.get(value, value) for value in found]
            case "integer":
                found = [None if value is None else int(value) for value in found]
            case "single" | "real":
                number = single if kind(name) == "single" else float
                found = [None if value is None else number(value) for value in found]
            case "decimal" | "long decimal":
                found = [None if value is None else Decimal(value) for value in found]
            case "text":
                # What a spreadsheet would run as a formula has an apostrophe in front.
                expected = [f"'{value}" if value and value[0] in "=+-@\t\r" else value for value in expected]
            case "bytes":
                found = [None if value is None else base64.b64decode(value, validate=True) for value in found]
            case "moment":
                expected = [value and value[0] for value in expected]
        compare(reader, name, found, expected)


def check_csv(data, folder):
    header, *records = pieces(data.decode())
    if not all(quoted for _, quoted in header):
        fail("csv: a name without quotes")
    for record in records:
        for name, (text, quoted) in zip(NAMES, record):
            if quoted != (kind(name) in {"text", "bytes", "json"}) and (quoted or text):
                fail(f"csv: quotes of {name}: {text!r}")
    rows = [[text if quoted or text else None for text, quoted in record] for record in records]
    check_cells("a reader that sees quotes reads CSV", [name for name, _ in header], rows)

    # Python's csv does not see quotes: NULL is the empty text.
    python = list(csv.reader(io.StringIO(data.decode(), newline=""), strict=True))
    if python != [[text for text, _ in record] for record in [header, *records]]:
        fail("csv: Python's csv reads other fields")
    table = pyarrow.csv.read_csv(
        io.BytesIO(data),
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types={name: pyarrow.string() for name in NAMES},
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            null_values=[""],
        ),
    )
    check_cells("pyarrow reads CSV", table.column_names, list(zip(*[column.to_pylist() for column in table.columns])))

    rows = duckdb.sql(
        f"select * from read_csv('{folder}/nasty.csv', header = true, all_varchar = true, delim = ',', quote = '\"', escape = '\"',"
        " nullstr = '', allow_quoted_nulls = false, strict_mode = true)"
    )
    check_cells("DuckDB reads CSV", rows.columns, rows.fetchall())


def check_pyarrow(path):
    table = pyarrow.parquet.read_table(path)
    types = {
        "id": pyarrow.int64(), "boolean": pyarrow.bool_(), "integer": pyarrow.int64(), "single": pyarrow.float32(), "real": pyarrow.float64(),
        "whole": pyarrow.decimal128(5, 0), "money": pyarrow.decimal128(15, 2), "sixteen": pyarrow.decimal128(16, 2),
        "digits": pyarrow.decimal128(38, 0), "wide": pyarrow.decimal128(38, 10), "fraction": pyarrow.decimal128(38, 38),
        "text": pyarrow.string(), "bytes": pyarrow.binary(), "json": pyarrow.json_(), "date": pyarrow.date32(), "time": pyarrow.time64("us"),
        "timestamp": pyarrow.timestamp("us"), "timestamptz": pyarrow.timestamp("us", "UTC"),
    }  # fmt: skip
    found = dict(zip(table.column_names, table.schema.types))
    if found != types or table.column_names != NAMES:
        fail(f"pyarrow reads Parquet: types {found}")
    if pyarrow.parquet.ParquetFile(path).num_row_groups != 2:
        fail("Parquet: not two row groups")
    for name in NAMES:
        values = table[name]
        expected = column(name)
        if kind(name) == "moment":
            # As numbers: Python's own dates end where these do not.
            values = values.cast(MICROS[name])
            expected = [value and value[1] for value in expected]
        compare("pyarrow reads Parquet", name, values.to_pylist(), expected)


def in_era(text, name):
    """How DuckDB writes a moment."""
    if text.endswith("infinity"):
        return text
    text, zone = (text[:-1], "+00") if text.endswith("Z") else (text, "")
    day, _, time = text.partition("T") if name != "time" else ("", "", text)
    sign = day[:1] if day[:1] in {"+", "-"} else ""
    if day:
        year, month, dom = day.removeprefix(sign).split("-")
        before = sign == "-" or year == "0000"
        year = f"{int(year) + 1:04}" if before else year
        day = f"{year}-{month}-{dom}" + (" (BC)" if before else "")
    return " ".join(part for part in (day, time) if part) + zone


def check_duckdb(path):
    duckdb.sql("set timezone = 'UTC'")
    relation = duckdb.sql(f"select * from read_parquet('{path}')")
    types = dict(zip(relation.columns, map(str, relation.types)))
    if relation.columns != NAMES or types != {"id": "BIGINT", **SQL_TYPES}:
        fail(f"DuckDB reads Parquet: types {types}")
    for name in NAMES:
        reader = "DuckDB reads Parquet"
        shown = f"{name}::varchar" if kind(name) == "moment" else name
        values = [row[0] for row in duckdb.sql(f"select {shown} from read_parquet('{path}') order by id").fetchall()]
        expected = column(name)
        if kind(name) == "moment":
            expected = [value and in_era(value[0], name) for value in expected]
            if name == "timestamptz":
                # The last moment of all, as this version of DuckDB writes it: a millisecond late. Its number is compared below.
                late = "294247-01-10 04:00:54.77"
                values = [late + "5806+00" if value == late + "6806+00" else value for value in values]
        compare(reader, name, values, expected)
        if name in {"timestamp", "timestamptz"}:
            number = f"case when isfinite({name}) then epoch_us({name}) end"
            values = [row[0] for row in duckdb.sql(f"select {number} from read_parquet('{path}') order by id").fetchall()]
            finite = [value and (None if value[0].endswith("infinity") else value[1]) for value in column(name)]
            compare(reader, name, values, finite)


def main(folder):
    folder = Path(folder)
    data = {suffix: (folder / f"nasty.{suffix}").read_bytes() for suffix in ("json", "ndjson", "csv")}
    check_json(data["json"], data["ndjson"])
    check_duckdb_json(folder)
    check_csv(data["csv"], folder)
    check_pyarrow(folder / "nasty.parquet")
    check_duckdb(folder / "nasty.parquet")
    print(f"4 files, {compared} values compared: all equal")


if __name__ == "__main__":
    main(*sys.argv[1:])
