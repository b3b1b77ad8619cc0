//! `antumbra keys export-tinkey`: an auditor opens sealed objects with software that is not ours.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use antumbra_bundle::{JobObjects, StoredObjects};
use antumbra_crypto::stream::DataKey;
use antumbra_crypto::{KeyRing, tinkey};
use antumbra_jobs::{Actor, AuditEvent, Job, JobId, JobState, JobStore as _, SqliteStore};
use antumbra_pipeline::data_key_context;
use anyhow::{Context, bail};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use object_store::ObjectStore;
use serde_json::json;

use super::job;
use super::new_file::NewFile;
use super::room::{self, Room};
use crate::app;
use crate::cli::args::KeysExportArgs;
use crate::cli::exit::Fault;
use crate::cli::words::plural;
use crate::cli::{Exit, note};

/// Hands the keyset out, after the audit log knows of it.
pub(super) async fn export(args: &KeysExportArgs) -> anyhow::Result<Exit> {
    let room = Room::open(&args.settings)?;
    if !room.settings.keys.allow_export {
        bail!("keys.allow_export is false: data keys do not leave this installation");
    }
    let to_stdout = goes_to_stdout(args.out.as_deref(), io::stdout().is_terminal())?;
    if args.objects.as_deref() == Some(Path::new(STDOUT)) {
        return Err(Fault::Usage("--objects takes a file".to_owned()).into());
    }
    let ring = room.ring().await?;
    let store = room.store(&ring)?;
    let job = job::find(&store, &room.settings, &args.job).await?;
    let key = open_key(&store, &ring, &job).await?;
    // The files are made before the audit entry: one that cannot be made is no export.
    let keyset_file =
        args.out.as_deref().filter(|_| !to_stdout).map(NewFile::create).transpose()?;
    let objects_file = args.objects.as_deref().map(NewFile::create).transpose()?;
    let objects = match &objects_file {
        Some(_) => Some(describe(&room, &job, key.clone()).await?),
        None => None,
    };
    record(&store, &job).await?;
    if let (Some(file), Some(objects)) = (objects_file, &objects) {
        file.finish(objects.lines.as_bytes())?;
    }
    let keyset = tinkey::keyset(&key, key_id(job.id));
    match keyset_file {
        Some(file) => file.finish(keyset.expose())?,
        None => print(keyset.expose())?,
    }
    let of = objects.map_or_else(String::new, |found| {
        format!(" and what Tink needs of its {}", plural(found.count, "object"))
    });
    note(format_args!(
        "exported the data key of job {}{of}. Whoever has it reads everything the job collected; the audit log has an entry.",
        job.id
    ));
    Ok(Exit::Done)
}

/// A key in clear does not land on a screen by accident.
fn goes_to_stdout(out: Option<&Path>, terminal: bool) -> Result<bool, Fault> {
    match out {
        Some(path) => Ok(path == Path::new(STDOUT)),
        None if terminal => Err(Fault::Usage(
            "the keyset is a key in clear: give --out FILE, or --out - to show it here".to_owned(),
        )),
        None => Ok(true),
    }
}

/// Unwraps the key of a job that may be read still.
async fn open_key(store: &SqliteStore, ring: &KeyRing, job: &Job) -> anyhow::Result<DataKey> {
    // A bundle whose time is over is gone for everybody, though nobody swept it yet.
    let state = store.expire_if_due(job.id).await?;
    let Some(wrapped) = job.wrapped_key.as_ref().filter(|_| state != JobState::Expired) else {
        bail!("the data key of job {} is destroyed or its time is over", job.id);
    };
    if matches!(state, JobState::Failed | JobState::Cancelled) {
        bail!("job {} is {state}: there is nothing to read", job.id);
    }
    ring.unwrap(wrapped, &data_key_context(&job.tenant, job.id))
        .await
        .map_err(room::root_named)
        .with_context(|| format!("cannot unwrap the data key of job {}", job.id))
}

async fn record(store: &SqliteStore, job: &Job) -> anyhow::Result<()> {
    let key = job.key_id.clone().unwrap_or_default();
    let event = AuditEvent {
        action: "job.key_exported",
        actor: Actor::Operator,
        tenant: job.tenant.clone(),
        request: Some(job.request),
        job: Some(job.id),
        facts: [("key", key)].into(),
    };
    store.audit(event).await.context("nothing was exported: the audit log cannot be written")
}

/// What Tink needs besides the key, one JSON object a line.
#[derive(Debug)]
struct Objects {
    count: u64,
    lines: String,
}

async fn describe(room: &Room, job: &Job, key: DataKey) -> anyhow::Result<Objects> {
    let (stored, _) = app::open_objects(&room.settings)?;
    let stored: Arc<dyn ObjectStore> = Arc::new(stored);
    let id = job.id.to_string();
    let places = JobObjects::new(Arc::clone(&stored), key, job.tenant.as_str(), &id);
    let found =
        StoredObjects::new(stored, &id).list().await.context("cannot list the job's objects")?;
    let mut objects = Objects { count: 0, lines: String::new() };
    for object in found {
        objects.count += 1;
        let line = json!({
            "object": object.object,
            "path": object.path().to_string(),
            "associatedData": BASE64_STANDARD.encode(places.context(&object.object).as_bytes()),
            "length": object.bytes,
        });
        objects.lines.push_str(&line.to_string());
        objects.lines.push('\n');
    }
    Ok(objects)
}

fn print(keyset: &[u8]) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    let written =
        out.write_all(keyset).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush());
    written.context("the keyset was not taken; the audit log says that it was exported")
}

/// Tink wants a number for each key of a keyset. Streams do not carry it; it only has to be the same every time.
fn key_id(job: JobId) -> u32 {
    let [.., a, b, c, d] = *job.as_bytes();
    u32::from_be_bytes([a, b, c, d]).max(1)
}

const STDOUT: &str = "-";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_does_not_land_on_a_screen_by_accident() {
        assert!(goes_to_stdout(None, true).unwrap_err().to_string().contains("--out"));
        assert!(goes_to_stdout(None, false).unwrap());
        assert!(goes_to_stdout(Some(Path::new("-")), true).unwrap());
        assert!(!goes_to_stdout(Some(Path::new("keyset.json")), true).unwrap());
        assert!(!goes_to_stdout(Some(Path::new("./-")), false).unwrap());
    }

    #[test]
    fn a_jobs_number_stays_and_is_never_zero() {
        let id: JobId = "01900000-0000-7000-8000-0000deadbeef".parse().unwrap();
        assert_eq!(key_id(id), 0xdead_beef);
        assert_eq!(key_id("01900000-0000-7000-8000-000000000000".parse().unwrap()), 1);
    }
}
