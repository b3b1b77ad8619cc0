//! What is every column declared to be, and why may a plain one be plain?

use super::shapes::Shape::{
    self, Actor, Code, Count, Digest, Envelope, Event, Facts, Flag, Flushes, Id, IdText, KeyId,
    MediaType, Note, Path, Slug, Time, Word, Words, Worker,
};

/// What a column holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// A value that opens with the field cipher, sealed as a cell of that name.
    Sealed(&'static str),
    /// A keyed hash of a normalised value.
    Keyed,
    /// A shape without room for a person's data, and why there is none.
    Plain(Shape, &'static str),
    /// Depends on the row's name.
    Meta,
}

impl Kind {
    /// What the column holds in the row of that name.
    pub(super) fn of(self, name: &str) -> Self {
        match (self, name) {
            (Self::Meta, "writer") => Plain(Id, "names the file"),
            (Self::Meta, "proof") => Self::Sealed("proof of keys"),
            (Self::Meta, "audit-head") => Self::Sealed("audit head"),
            (kind, _) => kind,
        }
    }
}

use Kind::{Keyed, Meta, Plain, Sealed};

/// A table, what names its rows (numbers as four bytes, in the order of the cell), and its columns.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) key: &'static [&'static str],
    pub(super) columns: &'static [(&'static str, Kind)],
}

pub(super) const ACTIONS: &[&str] = &["ACCESS"];
pub(super) const FAMILIES: &[&str] = &["sombra", "compliance"];
pub(super) const SCOPES: &[&str] = &["DATA_SUBJECT", "TENANT_FULL", "TENANT_SLICE"];
pub(super) const KEY_SCOPES: &[&str] =
    &["request:submit", "request:read", "compilation:read", "audit:read"];
const FORMATS: &[&str] = &["CSV", "HTML", "JSON", "NDJSON", "PARQUET", "RAW"];
const STATES: &[&str] = &[
    "REQUESTED",
    "COLLECTING",
    "PACKAGING",
    "READY",
    "DELIVERED",
    "EXPIRED",
    "FAILED",
    "CANCELLED",
];
const STATUSES: &[&str] = &[
    "REQUEST_MADE",
    "ENRICHING",
    "COMPILING",
    "APPROVING",
    "DOWNLOADABLE",
    "COMPLETED",
    "CANCELED",
    "ARCHIVED",
];

const ID: Kind = Plain(Id, "random");
const WHEN: Kind = Plain(Time, "a time of ours");
const MANY: Kind = Plain(Count, "a number of ours");
const TENANT: Kind = Plain(Slug, "the organisation, named in the settings");
const SILO: Kind = Plain(Slug, "named in the settings");
const ENTRY: Kind = Plain(Path, "made of names in the settings and a format");
const WHO: Kind = Plain(Actor, "names no person");
const WORKER: Kind = Plain(Worker, "random");

pub(super) const TABLES: &[Table] = &[
    Table {
        name: "meta",
        key: &["name"],
        columns: &[
            ("name", Plain(Word(&["writer", "proof", "audit-head"]), "fixed")),
            ("value", Meta),
        ],
    },
    Table {
        name: "requests",
        key: &["id"],
        columns: &[
            ("id", ID),
            ("tenant", TENANT),
            ("family", Plain(Word(FAMILIES), "fixed")),
            ("action", Plain(Word(ACTIONS), "fixed; the gateway takes no other")),
            ("subject_type", Plain(Slug, "a kind of person; the gateway takes slugs only")),
            ("scope", Plain(Word(SCOPES), "fixed")),
            ("formats", Plain(Words(FORMATS), "fixed; the gateway takes no others")),
            ("is_test", Plain(Flag, "fixed")),
            ("is_silent", Plain(Flag, "fixed")),
            ("details", Sealed("details")),
            ("subject_lookup", Keyed),
            ("subject_pseudonym", Keyed),
            ("status", Plain(Word(STATUSES), "fixed")),
            ("created_at", WHEN),
            ("updated_at", WHEN),
            ("job_state", Plain(Word(STATES), "fixed")),
            ("forgotten_at", WHEN),
        ],
    },
    Table {
        name: "jobs",
        key: &["id"],
        columns: &[
            ("id", ID),
            ("request", ID),
            ("tenant", TENANT),
            ("attempt", MANY),
            ("state", Plain(Word(STATES), "fixed")),
            ("wrapped_key", Plain(Envelope, "wrapped by the ring")),
            ("created_at", WHEN),
            ("updated_at", WHEN),
            ("fence", MANY),
            ("reached", MANY),
            ("fruitless", MANY),
            ("lease_worker", WORKER),
            ("lease_until", WHEN),
            ("worker", WORKER),
            ("heartbeat_at", WHEN),
            ("rows_collected", MANY),
            ("rows_expected", MANY),
            ("bytes_packaged", MANY),
            ("sections_done", MANY),
            ("sections_total", MANY),
            ("failure_code", Plain(Code, "an error's fixed word")),
            ("failure_message", Sealed("failure_message")),
            ("failure_worker", WORKER),
            ("failed_at", WHEN),
            ("held", Plain(Flag, "fixed")),
            ("due_at", WHEN),
            ("forgotten_at", WHEN),
            ("key_id", Plain(KeyId, "random")),
        ],
    },
    Table {
        name: "timeline",
        key: &["number"],
        columns: &[
            ("number", MANY),
            ("job", ID),
            ("at", WHEN),
            ("actor", WHO),
            (
                "notes",
                Plain(Note, "sentences of the store's own, with numbers, ids and fixed words"),
            ),
        ],
    },
    Table { name: "plans", key: &["job"], columns: &[("job", ID), ("plan", Sealed("plan"))] },
    Table {
        name: "sections",
        key: &["job", "ordinal"],
        columns: &[
            ("job", ID),
            ("ordinal", MANY),
            ("silo", SILO),
            ("datapoint", SILO),
            ("state", Plain(Word(&["OPEN", "DONE", "FAILED"]), "fixed")),
            ("rows", MANY),
            ("outcome", Sealed("outcome")),
        ],
    },
    Table {
        name: "slices",
        key: &["job", "section", "ordinal"],
        columns: &[
            ("job", ID),
            ("section", MANY),
            ("ordinal", MANY),
            ("rows", MANY),
            ("cursor", Sealed("cursor")),
            ("state", Sealed("state")),
            ("kept", Sealed("kept")),
        ],
    },
    Table {
        name: "files",
        key: &["job", "entry"],
        columns: &[
            ("job", ID),
            ("entry", ENTRY),
            ("section", MANY),
            ("position", MANY),
            ("silo", SILO),
            ("datapoint", SILO),
            ("format", Plain(Word(FORMATS), "fixed")),
            ("media_type", Plain(MediaType, "that of a format")),
            ("rows", MANY),
            ("deflated", Plain(Flag, "fixed")),
            ("plain_len", MANY),
            ("stored_len", MANY),
            ("sums", Sealed("sums")),
        ],
    },
    Table {
        name: "segments",
        key: &["job", "ordinal", "entry"],
        columns: &[
            ("job", ID),
            ("entry", ENTRY),
            ("ordinal", MANY),
            ("section", MANY),
            ("object", Plain(Slug, "made by a worker")),
            ("offset", MANY),
            ("stored_len", MANY),
            ("plain_len", MANY),
            ("crc32", Sealed("crc32")),
            ("flushes", Plain(Flushes, "offsets")),
        ],
    },
    Table {
        name: "objects",
        key: &["job", "name"],
        columns: &[("job", ID), ("name", Plain(Slug, "made by a worker"))],
    },
    Table {
        name: "published",
        key: &["job"],
        columns: &[
            ("job", ID),
            ("manifest", Sealed("manifest")),
            ("signature", Sealed("signature")),
            ("content_sha256", Sealed("content_sha256")),
            ("bundle_len", MANY),
            ("bundle_sha256", Plain(Digest, "of a zip that holds a random signature, sealed here")),
            ("bundle_time", WHEN),
            ("partial", Plain(Flag, "fixed")),
            ("expires_at", WHEN),
            ("downloaded_at", WHEN),
            ("downloaded_by", WHO),
        ],
    },
    Table {
        name: "grants",
        key: &["id"],
        columns: &[
            ("id", ID),
            ("tenant", TENANT),
            ("request", ID),
            ("job", ID),
            ("file", Plain(Path, "an entry of the bundle; the gateway looks it up first")),
            ("created_at", WHEN),
            ("expires_at", WHEN),
            ("revoked_at", WHEN),
        ],
    },
    Table {
        name: "api_keys",
        key: &["id"],
        columns: &[
            ("id", ID),
            ("tenant", TENANT),
            ("name", Sealed("name")),
            ("scopes", Plain(Words(KEY_SCOPES), "fixed")),
            ("prefix", Plain(Slug, "the head of a random text")),
            ("hash", Plain(Digest, "of a random text")),
            ("created_at", WHEN),
            ("expires_at", WHEN),
            ("revoked_at", WHEN),
        ],
    },
    Table {
        name: "retired_keys",
        key: &["key_id"],
        columns: &[("key_id", Plain(KeyId, "random")), ("retired_at", WHEN)],
    },
    Table {
        name: "audit",
        key: &["sequence"],
        columns: &[
            ("sequence", MANY),
            ("at", WHEN),
            ("action", Plain(Event, "fixed")),
            ("actor", WHO),
            ("tenant", TENANT),
            ("request", Plain(IdText, "random")),
            ("job", Plain(IdText, "random")),
            ("subject", Keyed),
            ("facts", Plain(Facts, "each fact has its own shape")),
            ("hash", Plain(Digest, "of the columns beside it and the hash before")),
        ],
    },
];
