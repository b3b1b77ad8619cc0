"""Runs SQL on a DuckDB file, which is made if it is not there: run_duckdb.py FILE SQL"""

import sys

import duckdb

with duckdb.connect(sys.argv[1]) as connection:
    connection.execute(sys.argv[2])
