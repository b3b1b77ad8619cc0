"""A folder or bucket of files as a source, and what an export of it has to be.

    files_lake.py make FOLDER              writes the files of two people, 42 and 43
    files_lake.py check ZIP FOLDER         compares every value of person 42 in a bundle with the files, in all four formats
    files_lake.py upload FOLDER URL BUCKET PREFIX KEY SECRET MORE
                                           puts the files into a bucket, and MORE small ones

The source is read by DuckDB and by Python's own json, never by what wrote it. Exits 1 at the first difference.
"""

import base64
import datetime
import gzip
import io
import json
import random
import sys
import zipfile
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow
import pyarrow.parquet

EMAIL = {42: "penelope.penumbra@example.org", 43: "canary.other@example.org"}
KEYS = {42: "2024/07/p e.png", 43: "2024/07/canary.png"}
UTC = datetime.timezone.utc

# What is compared: the section, and its columns by kind.
SECTIONS = {
    "people": {"id": "text", "email": "text", "avatar_key": "text"},
    "orders": {"id": "number", "customer_id": "text", "price": "number", "note": "text"},
    "clicks": {"id": "number", "customer_id": "number", "what": "text", "more": "json", "at": "text"},
    "profile": {"customer_id": "number", "name": "text", "tags": "json"},
    "events": {
        "id": "number",
        "customer_id": "number",
        "payload": "text",
        "amount": "number",
        "ts": "moment",
        "flag": "flag",
        "ratio": "real",
        "tags": "json",
        "blob": "bytes",
    },
}
ATTACHMENTS = {
    "faces": ["avatars/42.png"],
    "uploads": [f"uploads/{KEYS[42]}"],
    "letters": [f"letters/{EMAIL[42]}/{name}.pdf" for name in ("empty", "long", "short")],
}


def fail(words):
    sys.exit(f"files_lake: {words}")


def csv_cell(text):
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"\r\n') else text


def orders(at):
    notes = ["plain", 'a "quoted" one', "two\nlines", "a, comma", "", "ünïcode 🙂", " spaces ", "\r\n"]
    rows = [["id", "customer_id", "price", "note"]]
    for number in range(at * 400, at * 400 + 400):
        rows.append([str(number), str(42 + number % 2), f"{number}.{number % 100:02}", notes[number // 2 % len(notes)]])
    # The second file begins with a byte order mark and has the line ends of another system.
    end, mark = ("\r\n", "\ufeff") if at else ("\n", "")
    return (mark + "".join(",".join(map(csv_cell, row)) + end for row in rows)).encode()


def clicks():
    for number in range(3000):
        more = [number, {"deep": [1.50, None, "é"]}] if number % 5 else None
        item = {"id": number, "customer_id": 42 + number % 3 // 2, "what": f"w{number}\u2028", "more": more}
        if number % 7:
            item["at"] = f"2024-01-{number % 28 + 1:02}T00:00:00Z"
        yield json.dumps(item, ensure_ascii=bool(number % 2))


def events(at):
    rows = range(at * 5000, at * 5000 + 5000)
    start = datetime.datetime(2024, 1, 1, tzinfo=UTC)
    return pyarrow.table(
        {
            "id": pyarrow.array([n + (1 << 60) for n in rows], pyarrow.int64()),
            "customer_id": pyarrow.array([42 + n % 5 // 4 for n in rows], pyarrow.int64()),
            "payload": [f"p{n}-" + "x" * (n % 300) for n in rows],
            "amount": pyarrow.array([Decimal(n) / 100 - 7 for n in rows], pyarrow.decimal128(12, 2)),
            "ts": pyarrow.array(
                [None if n % 11 == 0 else start + datetime.timedelta(seconds=n, microseconds=n) for n in rows],
                pyarrow.timestamp("us", "UTC"),
            ),
            "flag": pyarrow.array([None if n % 13 == 0 else n % 2 == 0 for n in rows]),
            "ratio": pyarrow.array([n / 7 for n in rows], pyarrow.float64()),
            "tags": pyarrow.array([[f"t{n % 3}", None] if n % 4 else [] for n in rows], pyarrow.list_(pyarrow.string())),
            "blob": pyarrow.array([n.to_bytes(4, "big") for n in rows], pyarrow.binary()),
        }
    )


def noise(seed, size):
    return random.Random(seed).randbytes(size)


def make(folder):
    root = Path(folder)

    def write(name, data):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    people = "id,email,avatar_key\n" + "".join(f"{id},{EMAIL[id]},{KEYS[id]}\n" for id in EMAIL)
    write("people.csv", people.encode())
    for at in (0, 1):
        write(f"orders/{at}.csv.gz", gzip.compress(orders(at)))
        table = events(at)
        (root / "events").mkdir(exist_ok=True)
        path = root / f"events/{at}.parquet"
        pyarrow.parquet.write_table(table, path, row_group_size=1000, write_page_index=bool(at), compression="zstd")
    write("clicks/0.ndjson.zst", pyarrow.compress("\n".join(clicks()).encode(), "zstd", asbytes=True))
    profiles = [{"customer_id": id, "name": f"n {id} \u00fc", "tags": ["a", id, None]} for id in EMAIL]
    write("profile.json", json.dumps({"meta": {"data": 1}, "data": profiles}).encode())
    for id in EMAIL:
        png = b"\x89PNG\r\n\x1a\n"
        write(f"avatars/{id}.png", png + noise(id, 70_000))
        write(f"uploads/{KEYS[id]}", png + noise(id + 100, 3_000))
        write(f"letters/{EMAIL[id]}/short.pdf", b"%PDF-1.7\n" + noise(id + 200, 10))
        write(f"letters/{EMAIL[id]}/long.pdf", b"%PDF-1.7\n" + b"canary other " * 300_000)
        write(f"letters/{EMAIL[id]}/empty.pdf", b"")
        write(f"letters/{EMAIL[id]}/other.txt", b"no letter")


def source(folder, section):
    """The rows of person 42, as others read them."""
    root = Path(folder)
    if section == "profile":
        return [item for item in load((root / "profile.json").read_text())["data"] if item["customer_id"] == 42]
    if section == "clicks":
        text = pyarrow.CompressedInputStream(pyarrow.OSFile(str(root / "clicks/0.ndjson.zst")), "zstd").read()
        return [item for item in map(load, text.decode().split("\n")) if item["customer_id"] == 42]
    duck = duckdb.connect()
    duck.execute("set threads = 1; set timezone = 'UTC'")
    rows = []
    for path in [root / "people.csv"] if section == "people" else sorted((root / section).iterdir()):
        if section == "events":
            table = duck.execute("select * replace (epoch_us(ts) as ts) from read_parquet(?) where customer_id = 42", [str(path)])
        else:
            column, value = ("email", EMAIL[42]) if section == "people" else ("customer_id", "42")
            query = f"select * from read_csv(?, all_varchar = true, header = true, quote = '\"', escape = '\"', delim = ',') where {column} = ?"
            table = duck.execute(query, [str(path), value])
        names = [column[0] for column in table.description]
        rows += [dict(zip(names, row)) for row in table.fetchall()]
    return rows


def load(text):
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


def norm(kind, value):
    """A value in one form, whichever format had it."""
    if value is None:
        return None
    if kind == "number":
        return Decimal(str(value)).normalize()
    if kind == "real":
        return float(value)
    if kind == "flag":
        return str(value).lower()
    if kind == "moment":
        if isinstance(value, int):
            value = datetime.datetime(1970, 1, 1, tzinfo=UTC) + datetime.timedelta(microseconds=value)
        if not isinstance(value, datetime.datetime):
            value = datetime.datetime.fromisoformat(value.replace("Z", "+00:00"))
        return value.astimezone(UTC)
    if kind == "json":
        return load(value) if isinstance(value, str) else load(json.dumps(value, default=float))
    if kind == "bytes":
        return base64.b64decode(value) if isinstance(value, str) else bytes(value)
    return value


def exported(bundle, section):
    """The rows of each format. In CSV, NULL and an empty text are the same to most readers."""
    name = f"lake/{section}"
    data = io.BytesIO(bundle.read(f"{name}.parquet"))
    duck = duckdb.connect()
    path = Path("/dev/shm" if Path("/dev/shm").is_dir() else "/tmp") / f"files-lake-{random.randrange(1 << 40)}.csv"
    path.write_bytes(bundle.read(f"{name}.csv"))
    try:
        query = "select * from read_csv(?, all_varchar = true, header = true, quote = '\"', escape = '\"', delim = ',', strict_mode = true)"
        table = duck.execute(query, [str(path)])
        names = [column[0] for column in table.description]
        csv = [dict(zip(names, row)) for row in table.fetchall()]
    finally:
        path.unlink()
    return {
        "JSON": load(bundle.read(f"{name}.json")),
        "NDJSON": [load(line) for line in bundle.read(f"{name}.ndjson").decode().split("\n") if line],
        "CSV": csv,
        "PARQUET": pyarrow.parquet.read_table(data, use_threads=False, pre_buffer=False).to_pylist(),
    }


def check(path, folder):
    bundle = zipfile.ZipFile(path)
    for section, kinds in SECTIONS.items():
        wanted = source(folder, section)
        if not wanted:
            fail(f"{section}: nothing to compare with")
        for format, rows in exported(bundle, section).items():
            if len(rows) != len(wanted):
                fail(f"{section}, {format}: {len(rows)} rows and not {len(wanted)}")
            for at, (row, item) in enumerate(zip(rows, wanted)):
                if set(row) - {"_more"} != set(kinds) or row.get("_more") is not None:
                    fail(f"{section}, {format}, row {at}: columns {sorted(row)}, _more {row.get('_more')!r}")
                for column, kind in kinds.items():
                    found, right = (norm(kind, value) for value in (row[column], item.get(column)))
                    # A cell that a spreadsheet would take for a formula has an apostrophe before it.
                    if format == "CSV" and kind == "text" and right and right[0] in "=+-@\t\r":
                        found = found.removeprefix("'")
                    if (None if found == "" else found) != (None if right == "" else right):
                        fail(f"{section}, {format}, row {at}, {column}: {found!r} is not {right!r}")
        print(f"{section}: {len(wanted)} rows in 4 formats")
    manifest = json.loads(bundle.read("manifest.json"))["content"]
    originals = {}
    for part in manifest["sections"]:
        for attached in part.get("attachments") or []:
            originals.setdefault(part["datapoint"], {})[attached["originalName"]] = attached["name"]
    for section, names in ATTACHMENTS.items():
        if sorted(originals.get(section, {})) != sorted(names):
            fail(f"{section}: attachments {sorted(originals.get(section, {}))}")
        for name in names:
            if bundle.read(originals[section][name]) != (Path(folder) / name).read_bytes():
                fail(f"{section}: {name} has other bytes")
    files = [name for name in bundle.namelist() if name.startswith("lake/")]
    if len(files) != 4 * len(SECTIONS) + sum(map(len, ATTACHMENTS.values())):
        fail(f"files {files}")
    for name in bundle.namelist():
        if b"canary.other" in bundle.read(name):
            fail(f"{name} holds another person's data")
    print(f"{sum(map(len, ATTACHMENTS.values()))} attachments, byte for byte")


def upload(folder, url, bucket, prefix, key, secret, more):
    import boto3

    s3 = boto3.client(
        "s3", endpoint_url=url, region_name="eu-central-1", aws_access_key_id=key, aws_secret_access_key=secret
    )
    location = {"LocationConstraint": "eu-central-1"}
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration=location)
    root = Path(folder)
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        s3.put_object(Bucket=bucket, Key=f"{prefix}/{path.relative_to(root)}", Body=path.read_bytes())
    # What a console makes for a folder, and what lies beside the prefix.
    s3.put_object(Bucket=bucket, Key=f"{prefix}/letters/{EMAIL[42]}/archive.pdf/", Body=b"")
    s3.put_object(Bucket=bucket, Key=f"{prefix}-other/people.csv", Body=b"id,email,avatar_key\n")
    for number in range(int(more)):
        row = f"id,customer_id\n{number},{42 + number % 2}\n"
        s3.put_object(Bucket=bucket, Key=f"{prefix}/many/{number:05}.csv", Body=row.encode())


if __name__ == "__main__":
    {"make": make, "check": check, "upload": upload}[sys.argv[1]](*sys.argv[2:])
