"""How fast is the plain way for one person in sixty tables? Usage: plain_small.py URL PEOPLE DIRECTORY

A yardstick, not a product: one connection of psycopg (libpq), one query after the other, prepared by the driver once they were
sent often enough; a plain JSON file for each table. Prints how long each person took as one JSON object.

What it leaves out: everything but reading and writing.
"""

import json
import pathlib
import sys
import time

import psycopg

TABLES = [f"table_{number:02}" for number in range(1, 60)]


def write(cursor, path):
    names = [column.name for column in cursor.description]
    with open(path, "w", encoding="utf-8") as file:
        json.dump([dict(zip(names, row)) for row in cursor], file, ensure_ascii=False, default=str)


def person(connection, number, directory):
    cursor = connection.execute("select * from people where email = %s order by id", (f"person{number}@example.org",))
    identifier = connection.execute("select id from people where email = %s", (f"person{number}@example.org",)).fetchone()[0]
    write(cursor, directory / "people.json")
    for table in TABLES:
        cursor = connection.execute(f"select * from {table} where person = %s order by id", (identifier,))
        write(cursor, directory / f"{table}.json")


def main(url, people, directory):
    took = []
    with psycopg.connect(url) as connection:
        for number in range(1, int(people) + 1):
            place = pathlib.Path(directory) / str(number)
            place.mkdir()
            start = time.perf_counter()
            person(connection, number, place)
            took.append((time.perf_counter() - start) * 1000)
    print(json.dumps({"milliseconds": took}))


if __name__ == "__main__":
    main(*sys.argv[1:])
