//! `antumbra keys list`: which keys are there, and what needs each of them?

use std::collections::BTreeMap;

use antumbra_crypto::KeyInfo;
use antumbra_jobs::{JobStore as _, KeyUse};
use serde_json::{Value, json};

use super::room::Room;
use crate::cli::args::KeysListArgs;
use crate::cli::table::table;
use crate::cli::words::{plain, plural};
use crate::cli::{Exit, note, say};

/// Prints the keys in the order of the ring's file, then those that jobs need and the ring does not hold.
pub(super) async fn list(args: &KeysListArgs) -> anyhow::Result<Exit> {
    let room = Room::open(&args.settings)?;
    let rows = look(&room).await?;
    if args.json {
        for row in &rows {
            say(row.as_json())?;
        }
    } else {
        say(table(&HEADINGS, rows.iter().map(Row::cells).collect()))?;
    }
    for row in rows.iter().filter(|row| row.is_lost()) {
        note(format_args!(
            "warning: {} under {}, which can open nothing: the ring's file is older than the store, or another's",
            plural(row.jobs.unwrap_or_default(), "key"),
            plain(&row.id)
        ));
    }
    if rows.iter().any(|row| row.jobs.is_none()) {
        let path = room.store_path();
        note(format_args!(
            "there is no job store at {}: which keys jobs need is not known",
            path.display()
        ));
    }
    Ok(Exit::Done)
}

/// Reads ring and store. Makes nothing.
pub(super) async fn look(room: &Room) -> anyhow::Result<Vec<Row>> {
    let ring = room.ring().await?;
    let used = match room.store_if_there(&ring)? {
        Some(store) => Some(store.key_use().await?),
        None => None,
    };
    Ok(rows(ring.keys(), used))
}

/// A key, and what needs it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) id: String,
    /// The ring's word, or `missing`.
    pub(super) state: String,
    pub(super) created: Option<String>,
    pub(super) root: Option<String>,
    /// `None`: there is no store that knows.
    pub(super) jobs: Option<u64>,
    pub(super) services: u32,
}

impl Row {
    fn cells(&self) -> Vec<String> {
        let or_dash = |text: &Option<String>| text.as_deref().map_or_else(|| "–".to_owned(), plain);
        vec![
            plain(&self.id),
            self.state.clone(),
            or_dash(&self.created),
            or_dash(&self.root),
            self.jobs.map_or_else(|| "–".to_owned(), |jobs| jobs.to_string()),
            self.services.to_string(),
        ]
    }

    fn as_json(&self) -> Value {
        json!({
            "id": self.id,
            "state": self.state,
            "created": self.created,
            "root": self.root,
            "jobs": self.jobs,
            "services": self.services,
        })
    }

    /// Jobs need it, and it unwraps nothing.
    fn is_lost(&self) -> bool {
        self.jobs > Some(0) && self.root.is_none()
    }
}

/// Joins what the ring holds with what jobs need, if a store knows that.
fn rows(keys: Vec<KeyInfo>, used: Option<Vec<KeyUse>>) -> Vec<Row> {
    let mut used: Option<BTreeMap<String, u64>> =
        used.map(|used| used.into_iter().map(|used| (used.key_id, used.jobs)).collect());
    let mut rows: Vec<Row> = keys
        .into_iter()
        .map(|key| Row {
            jobs: used.as_mut().map(|used| used.remove(&key.id).unwrap_or_default()),
            id: key.id,
            state: key.state.to_string(),
            created: Some(key.created),
            root: key.root,
            services: key.services,
        })
        .collect();
    rows.extend(used.into_iter().flatten().map(|(id, jobs)| Row {
        id,
        state: MISSING.to_owned(),
        created: None,
        root: None,
        jobs: Some(jobs),
        services: 0,
    }));
    rows
}

const HEADINGS: [&str; 6] = ["ID", "STATE", "CREATED", "ROOT", "JOBS", "SERVICES"];
const MISSING: &str = "missing";

#[cfg(test)]
mod tests {
    use antumbra_crypto::KeyState;

    use super::*;

    fn key(id: &str, state: KeyState, services: u32) -> KeyInfo {
        let root = (state != KeyState::Retired).then(|| "local:00000000".to_owned());
        KeyInfo {
            id: id.to_owned(),
            state,
            created: "2026-01-02T03:04:05Z".to_owned(),
            root,
            services,
        }
    }

    fn used(id: &str, jobs: u64) -> KeyUse {
        KeyUse { key_id: id.to_owned(), jobs }
    }

    #[test]
    fn a_key_shows_what_needs_it_and_a_lost_one_is_not_hidden() {
        let keys = vec![
            key("kek_a", KeyState::Retired, 0),
            key("kek_b", KeyState::Readable, 6),
            key("kek_c", KeyState::Active, 0),
        ];
        let used = vec![used("kek_a", 1), used("kek_b", 2), used("kek_x", 3)];
        let rows = rows(keys, Some(used));
        let told: Vec<_> = rows
            .iter()
            .map(|row| {
                let jobs = row.jobs.unwrap();
                (row.id.as_str(), row.state.as_str(), jobs, row.services, row.is_lost())
            })
            .collect();
        assert_eq!(
            told,
            [
                ("kek_a", "retired", 1, 0, true),
                ("kek_b", "readable", 2, 6, false),
                ("kek_c", "active", 0, 0, false),
                ("kek_x", "missing", 3, 0, true),
            ]
        );
        assert_eq!(rows[0].cells(), ["kek_a", "retired", "2026-01-02T03:04:05Z", "–", "1", "0"]);
        assert_eq!(rows[1].cells().len(), HEADINGS.len());
        assert_eq!(rows[3].as_json()["created"], Value::Null);
        assert_eq!(rows[1].as_json()["root"], "local:00000000");
    }
    #[test]
    fn what_is_not_known_is_not_none() {
        let rows = rows(vec![key("kek_a", KeyState::Retired, 0)], None);
        assert_eq!(rows[0].cells()[4], "–");
        assert_eq!(rows[0].as_json()["jobs"], Value::Null);
        assert!(!rows[0].is_lost());
    }
}
