"""Writes a Parquet file of one row group: many small rows, and among them large ones side by side, each in pages of its own.

usage: wide_lake.py FILE EMAIL ROWS LARGE BYTES
"""

import sys

import pyarrow
import pyarrow.parquet


def main() -> None:
    path, email, rows, large, size = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
    schema = pyarrow.schema([("id", pyarrow.int64()), ("email", pyarrow.string()), ("doc", pyarrow.string())])
    first = rows // 2
    ids = list(range(1, rows + 1))
    docs = [f"{n:08}" * (size // 8) if first < n <= first + large else str(n) for n in ids]
    table = pyarrow.table([ids, [email] * rows, docs], schema=schema)
    pyarrow.parquet.write_table(
        table,
        path,
        row_group_size=rows,
        write_batch_size=1,
        use_dictionary=False,
        compression="zstd",
    )
    groups = pyarrow.parquet.ParquetFile(path).metadata
    print(groups.num_row_groups, "row group of", groups.row_group(0).total_byte_size, "bytes")


main()
