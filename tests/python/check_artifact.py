"""Is a JSON artifact what it says? Usage: check_artifact.py FILE [SHOP EMAIL LOYALTY]

Recomputes `integritySha256` from the raw bytes of the file, in pieces however long it is. With a shop it also parses the artifact and
compares every item with the source. Exits 1 at the first difference.
"""

import hashlib
import json
import os
import sqlite3
import sys
from decimal import Decimal

from shop import DATAPOINTS

BEFORE, AFTER = b'"sections":', b',"integritySha256":"'
PIECE = 1 << 20


def fail(words):
    sys.exit(f"check_artifact: {words}")


def integrity(path):
    """The hash over the value of `sections` as it stands there, and the one that is said."""
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        head = file.read(PIECE)
        start = head.index(BEFORE) + len(BEFORE)
        # What comes after the sections is short; items may hold the same words, so the last place counts.
        file.seek(max(start, size - PIECE))
        tail_at, tail = file.tell(), file.read()
        end = tail_at + tail.rindex(AFTER)
        said = tail[end - tail_at + len(AFTER) :].split(b'"', 1)[0].decode()
        file.seek(start)
        sha256, left = hashlib.sha256(), end - start
        while left:
            piece = file.read(min(left, PIECE))
            sha256.update(piece)
            left -= len(piece)
    if sha256.hexdigest() != said:
        fail(f"integritySha256 says {said}; the bytes of sections have {sha256.hexdigest()}")
    return end - start


def compare(path, shop_path, email, loyalty):
    from check_bundle import Hashes, same

    with open(path, "rb") as file:
        document = json.load(file, parse_float=Decimal)
    if (document["ok"], document["contractVersion"]) != (True, "v1.0"):
        fail("not the contract's envelope")
    artifact = document["data"]["artifact"]
    expected = ["schemaVersion", "generatedAt", "jobId", "orgId", "scope", "sections", "integritySha256", "auditReport"]
    if list(artifact) != expected:
        fail(f"members {list(artifact)}")
    report = artifact["auditReport"]
    if report["sectionCounts"] != {section["name"]: section["count"] for section in artifact["sections"]}:
        fail("the audit report counts other sections")
    if report["totalRecords"] != sum(report["sectionCounts"].values()):
        fail("the audit report's total is no sum")
    shop = sqlite3.connect(f"file:{shop_path}?mode=ro", uri=True)
    if {section["name"] for section in artifact["sections"]} != {f"shop/{name}" for name in DATAPOINTS}:
        fail("the sections are not the settings' datapoints")
    values = 0
    for section in artifact["sections"]:
        sql, redact = DATAPOINTS[section["name"].removeprefix("shop/")]
        cursor = shop.execute(sql, {"email": email, "loyalty": loyalty})
        columns = [column[0] for column in cursor.description]
        source = cursor.fetchall()
        counts = (section["count"], section["totalBeforeFilter"], len(section["items"]))
        if counts != (len(source),) * 3:
            fail(f"{section['name']}: counts {counts}, the source has {len(source)} rows")
        hashes = {}
        for row, (expected, item) in enumerate(zip(source, section["items"])):
            kept = {column: value for column, value in zip(columns, expected) if redact.get(column) != "drop"}
            if list(item) != list(kept):
                fail(f"{section['name']}: row {row} has members {list(item)}")
            for column, value in kept.items():
                if redact.get(column) == "hash":
                    good = hashes.setdefault(column, Hashes()).same(value, item[column])
                else:
                    good = same(value, item[column], "json")
                if not good:
                    fail(f"{section['name']}: row {row}, column {column}: {item[column]!r} is not {value!r}")
                values += 1
    return values


def main(path, *shop):
    length = integrity(path)
    values = compare(path, *shop) if shop else 0
    print(f"{length} bytes of sections have the hash that is said; {values} values are the source's")


if __name__ == "__main__":
    main(*sys.argv[1:])
