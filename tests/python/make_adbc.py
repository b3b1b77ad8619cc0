"""Makes what the story of the `adbc` silo reads. Usage: make_adbc.py DIR URI

Writes DIR/shop.duckdb with DuckDB, DIR/people.parquet and DIR/nasty.parquet with pyarrow, and makes tables of the Parquet files in the Flight
SQL server at URI, waiting for it. The first row of `nasty` belongs to person 42 and holds values, the second NULLs; the third is
somebody else's. Prints the path of the Flight SQL driver.
"""

import datetime
import sys
import time
from decimal import Decimal
from pathlib import Path

import adbc_driver_flightsql
import adbc_driver_manager.dbapi
import duckdb
import pyarrow
import pyarrow.parquet

EMAIL, LOYALTY = "penelope.penumbra@example.org", "AP-000042"

DUCK = [
    ("boolean", "true"),
    ("tinyint", "-128"),
    ("ubigint", "18446744073709551615"),
    ("hugeint", "99999999999999999999999999999999999999"),
    ("decimal(12,2)", "-12.5"),
    ("decimal(38,10)", "1234567890123456789012345678.0123456789"),
    ("float", "0.5"),
    ("double", "0.1"),
    ("text", "'it''s \U0001f642, \"q\" \\ canary'"),
    ("blob", "'\\x00\\xFF'::blob"),
    ("date", "'0001-01-01'"),
    ("time", "'23:59:59.5'"),
    ("timestamp", "'2024-02-29 23:59:59.5'"),
    ("timestamp_s", "'1969-12-31 23:59:59'"),
    ("timestamp_ms", "'1969-12-31 23:59:59.999'"),
    ("timestamp_ns", "'2024-02-29 00:00:00.000000001'"),
    ("timestamptz", "'2024-03-01 00:59:59.5+01'"),
    ("enum('sad', 'happy')", "'happy'"),
    ("uuid", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"),
    ("int[]", "[1, null]"),
    ("struct(a int, b text[])", "{'a': 1, 'b': ['x', null]}"),
    ("map(text, decimal(4,2))", "map {'k': 1.5}"),
]


def duck(path):
    db = duckdb.connect(str(path))
    columns = "".join(f", c{at} {kind}" for at, (kind, _) in enumerate(DUCK))
    values = "".join(f", {value}" for _, value in DUCK)
    nulls = ", null" * len(DUCK)
    db.execute("create table people (id integer primary key, email text not null, loyalty text not null)")
    db.execute(f"insert into people values (42, '{EMAIL}', '{LOYALTY}'), (43, 'x@example.org', 'AP-000043')")
    db.execute(f"create table nasty (id integer primary key, person integer{columns})")
    db.execute(f"insert into nasty values (1, 42{values}), (2, 42{nulls}), (3, 43{values})")
    db.close()


def lake(directory):
    day, zone = datetime.date(2024, 2, 29), datetime.timezone.utc
    cases = [
        (pyarrow.bool_(), True),
        (pyarrow.int8(), -128),
        (pyarrow.uint32(), 2**32 - 1),
        (pyarrow.uint64(), 2**64 - 1),
        (pyarrow.float32(), 0.5),
        (pyarrow.float64(), 0.1),
        (pyarrow.decimal128(38, 3), Decimal("-12345678901234567890123456789012345.678")),
        (pyarrow.string(), "it's \U0001f642, \"q\" \\ canary"),
        (pyarrow.binary(), b"\x00\xff"),
        (pyarrow.date32(), day),
        (pyarrow.timestamp("us"), datetime.datetime(1969, 12, 31, 23, 59, 59, 999999)),
        (pyarrow.timestamp("us", "UTC"), datetime.datetime(2024, 2, 29, 23, 59, 59, 500000, zone)),
        (pyarrow.timestamp("ns"), 1_709_164_800_000_000_001),
        (pyarrow.list_(pyarrow.int32()), [1, None]),
        (pyarrow.struct([("a", pyarrow.int64()), ("b", pyarrow.list_(pyarrow.string()))]), {"a": 1, "b": ["x"]}),
        (pyarrow.map_(pyarrow.string(), pyarrow.int64()), [("k", 1)]),
    ]
    columns = {"id": pyarrow.array([1, 2, 3], pyarrow.int32()), "person": pyarrow.array([42, 42, 43], pyarrow.int64())}
    for at, (kind, value) in enumerate(cases):
        columns[f"c{at}"] = pyarrow.array([value, None, value], kind)
    pyarrow.parquet.write_table(pyarrow.table(columns), directory / "nasty.parquet")
    people = {"id": [42, 43], "email": [EMAIL, "x@example.org"], "loyalty": [LOYALTY, "AP-000043"]}
    pyarrow.parquet.write_table(pyarrow.table(people), directory / "people.parquet")


def main(directory, uri):
    directory = Path(directory)
    duck(directory / "shop.duckdb")
    lake(directory)
    driver = adbc_driver_flightsql._driver_path()
    for left in reversed(range(300)):
        try:
            connection = adbc_driver_manager.dbapi.connect(driver=driver, db_kwargs={"uri": uri}, autocommit=True)
            with connection, connection.cursor() as cursor:
                cursor.execute("select 1")
                cursor.fetchall()
                for name in ["people", "nasty"]:
                    cursor.execute(f"create table {name} using parquet location '{directory}/{name}.parquet'")
                    cursor.fetchall()
            break
        except adbc_driver_manager.dbapi.OperationalError:
            if left == 0:
                raise
            time.sleep(0.1)
    print(driver)


if __name__ == "__main__":
    main(*sys.argv[1:])
