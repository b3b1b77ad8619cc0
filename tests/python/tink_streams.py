"""Google's Tink seals and opens streams. Usage: tink_streams.py seal|open KEYSET LIST FOLDER

KEYSET is a cleartext keyset in Tink's JSON form. LIST has a JSON object a line, as `antumbra keys export-tinkey --objects` writes it: `path`,
below FOLDER, and `associatedData` in base64. `seal` reads the plaintext from the path and writes the stream beside it, with `.sealed` behind
its name. `open` reads the stream and prints a JSON line: `path`, `length` and `sha256` of the plaintext, or `refused` with Tink's words.

Exits 1 if KEYSET is not what Tink itself would write for that key.
"""

import base64
import hashlib
import json
import os
import sys

import tink
from tink import secret_key_access, streaming_aead

PIECE = 1 << 20
TOKEN = secret_key_access.TOKEN


def primitive(path):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    handle = tink.json_proto_keyset_format.parse(text, TOKEN)
    again = tink.json_proto_keyset_format.serialize(handle, TOKEN)
    if json.loads(again) != json.loads(text):
        sys.exit("tink_streams: Tink would write another keyset for this key")
    return handle.primitive(streaming_aead.StreamingAead)


def seal(aead, path, associated_data):
    with open(path, "rb") as plain, open(path + ".sealed", "wb") as sealed:
        with aead.new_encrypting_stream(sealed, associated_data) as stream:
            while piece := plain.read(PIECE):
                stream.write(piece)


def opened(aead, path, associated_data):
    sha256, length = hashlib.sha256(), 0
    try:
        with open(path, "rb") as sealed, aead.new_decrypting_stream(sealed, associated_data) as stream:
            while piece := stream.read(PIECE):
                sha256.update(piece)
                length += len(piece)
    except tink.TinkError as error:
        return {"refused": str(error)}
    return {"length": length, "sha256": sha256.hexdigest()}


def main(command, keyset, listed, folder):
    streaming_aead.register()
    aead = primitive(keyset)
    with open(listed, encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    for line in lines:
        path = os.path.join(folder, line["path"])
        associated_data = base64.b64decode(line["associatedData"], validate=True)
        if command == "seal":
            seal(aead, path, associated_data)
        else:
            print(json.dumps({"path": line["path"], **opened(aead, path, associated_data)}))


if __name__ == "__main__":
    if len(sys.argv) != 5 or sys.argv[1] not in ("seal", "open"):
        sys.exit(__doc__)
    main(*sys.argv[1:])
