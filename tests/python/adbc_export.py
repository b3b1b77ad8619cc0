"""Exports one query's rows as CSV or Parquet through ADBC and pyarrow, batch by batch: a yardstick of `bench export`.

    adbc_export.py URL QUERY csv|parquet FILE
"""

import sys

import pyarrow
import pyarrow.csv
import pyarrow.parquet
from adbc_driver_postgresql import dbapi


def plain(column: pyarrow.Array) -> pyarrow.Array:
    """The driver marks `numeric` as a type that no writer knows; below it is text."""
    return column.storage if isinstance(column.type, pyarrow.BaseExtensionType) else column


def main() -> None:
    url, query, kind, path = sys.argv[1:]
    with dbapi.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        batches = cursor.fetch_record_batch()
        fields = [(field.name, getattr(field.type, "storage_type", field.type)) for field in batches.schema]
        schema = pyarrow.schema(fields)
        if kind == "csv":
            writer = pyarrow.csv.CSVWriter(path, schema)
        else:
            writer = pyarrow.parquet.ParquetWriter(path, schema, compression="zstd", compression_level=1)
        rows = 0
        with writer:
            for batch in batches:
                columns = [plain(column) for column in batch.columns]
                writer.write_batch(pyarrow.RecordBatch.from_arrays(columns, schema=schema))
                rows += batch.num_rows
        print(rows)


main()
