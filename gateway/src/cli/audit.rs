//! `antumbra audit`: what does the audit log say, and was it altered? Works beside a running daemon.

use std::sync::Arc;

use antumbra_bundle::hex;
use antumbra_jobs::{AuditEntry, JobStore as _, SqliteStore, SystemClock};
use serde_json::{Value, json};

use super::args::{AuditShowArgs, SettingsArgs};
use super::words::{plain, plural};
use super::{Exit, say, settings};
use crate::app;

/// Prints the newest entries, the newest last, as logs are read.
pub(super) async fn show(args: &AuditShowArgs) -> anyhow::Result<Exit> {
    let store = open(&args.settings).await?;
    let entries = store.audit_entries(args.limit).await?;
    for entry in entries.iter().rev() {
        if args.json {
            say(as_json(entry))?;
        } else {
            say(plain(&line(entry)))?;
        }
    }
    Ok(Exit::Done)
}

/// Walks the chain.
///
/// # Errors
/// Names the first entry that does not fit.
pub(super) async fn verify(args: &SettingsArgs) -> anyhow::Result<Exit> {
    let length = open(args).await?.verify_audit().await?;
    say(format_args!("the audit log is whole: {}", entries(length)))?;
    Ok(Exit::Done)
}

async fn open(args: &SettingsArgs) -> anyhow::Result<SqliteStore> {
    let heard = settings::load(args)?;
    let settings = &heard.loaded.settings;
    let ring = app::open_ring(&settings.keys, &heard.sources.environment).await?;
    Ok(app::open_store_beside(settings, &ring, Arc::new(SystemClock))?)
}

fn entries(length: u64) -> String {
    if length == 1 { "1 entry".to_owned() } else { plural(length, "entrie") }
}

/// Words an entry: number, time, what, by whom, about whom, further facts. It holds no personal value.
fn line(entry: &AuditEntry) -> String {
    let at = entry.at.strftime("%Y-%m-%dT%H:%M:%SZ");
    let mut text = format!("{:>6}  {at}  {:<20}  {}", entry.sequence, entry.action, entry.actor);
    let mut add = |name: &str, value: &str| {
        text.push_str("  ");
        text.push_str(name);
        text.push('=');
        text.push_str(value);
    };
    add("tenant", &entry.tenant);
    let optional = [("request", &entry.request), ("job", &entry.job), ("subject", &entry.subject)];
    for (name, value) in optional {
        if let Some(value) = value {
            add(name, value);
        }
    }
    for (name, value) in &entry.facts {
        add(name, value);
    }
    text
}

fn as_json(entry: &AuditEntry) -> Value {
    json!({
        "sequence": entry.sequence,
        "at": entry.at.to_string(),
        "action": entry.action,
        "actor": entry.actor,
        "tenant": entry.tenant,
        "request": entry.request,
        "job": entry.job,
        "subject": entry.subject,
        "facts": entry.facts,
        "hash": hex(&entry.hash),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> AuditEntry {
        AuditEntry {
            sequence: 7,
            at: "2026-01-02T03:04:05.678Z".parse().unwrap(),
            action: "request.created".to_owned(),
            actor: "operator".to_owned(),
            tenant: "default".to_owned(),
            request: Some("r-1".to_owned()),
            job: None,
            subject: None,
            facts: [("action".to_owned(), "ACCESS".to_owned())].into(),
            hash: [0xab; 32],
        }
    }

    #[test]
    fn a_line_tells_who_did_what_to_whom() {
        assert_eq!(
            line(&entry()),
            "     7  2026-01-02T03:04:05Z  request.created       operator  tenant=default  request=r-1  action=ACCESS"
        );
    }

    #[test]
    fn programs_find_every_member() {
        let value = as_json(&entry());
        assert_eq!(value.as_object().unwrap().len(), 10);
        assert_eq!(value["job"], Value::Null);
        assert_eq!(value["hash"], "ab".repeat(32));
    }

    #[test]
    fn entries_are_counted() {
        assert_eq!([1, 2].map(entries), ["1 entry", "2 entries"]);
    }
}
