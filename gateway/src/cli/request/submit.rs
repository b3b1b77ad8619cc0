//! `antumbra request submit`: record a request.

use antumbra_jobs::ExpectedPlan;
use serde_json::{Map, Value, json};

use super::daemon::{Daemon, REQUESTS};
use super::view::Job;
use crate::cli::args::RequestSubmitArgs;
use crate::cli::exit::Fault;
use crate::cli::plan::expected;
use crate::cli::selection::{check_window, scope, scope_fields, word};
use crate::cli::{Exit, note, say};

/// Submits and prints the id, alone on stdout.
pub(super) async fn submit(args: &RequestSubmitArgs) -> anyhow::Result<Exit> {
    let mut body = body(args)?;
    bind(&mut body, expected(&args.bound)?);
    let daemon = Daemon::open(&args.daemon)?;
    let data = daemon.post(REQUESTS, &body, "the request was refused").await?;
    if args.daemon.json {
        say(&data)?;
        return Ok(Exit::Done);
    }
    let job = Job::read(data.get("job"))?;
    note(format_args!("submitted, {}", job.state));
    say(&job.id)?;
    Ok(Exit::Done)
}

fn body(args: &RequestSubmitArgs) -> Result<Value, Fault> {
    check_window(&args.window)?;
    let mut selected = Map::new();
    selected.insert("kind".to_owned(), scope(args.who.tenant_full, &args.window).as_str().into());
    if let Some(subject) = &args.who.data_subject {
        selected.insert("dataSubjectId".to_owned(), word(subject, "--data-subject")?.into());
    }
    for (name, time) in
        [("windowStart", args.window.window_start), ("windowEnd", args.window.window_end)]
    {
        if let Some(time) = time {
            selected.insert(name.to_owned(), time.to_string().into());
        }
    }
    for (field, values) in scope_fields(&args.window) {
        selected.insert(field, values.into());
    }
    let mut body = json!({ "scope": selected });
    let format = args.format.map(|format| format.as_str().to_owned());
    let by = args.requested_by.as_ref().map(|text| text.expose().to_owned());
    let notes = args.notes.as_ref().map(|text| text.expose().to_owned());
    for (name, value) in [("format", format), ("requestedBy", by), ("requestNotes", notes)] {
        if let (Some(value), Some(body)) = (value, body.as_object_mut()) {
            body.insert(name.to_owned(), value.into());
        }
    }
    Ok(body)
}

/// Binds the request to a plan.
fn bind(body: &mut Value, plan: Option<ExpectedPlan>) {
    if let (Some(plan), Some(body)) = (plan, body.as_object_mut()) {
        body.insert("planHash".to_owned(), plan.hash.into());
        if !plan.parts.is_empty() {
            body.insert("planParts".to_owned(), json!(plan.parts));
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::Cli;
    use crate::cli::args::{Command, RequestCommand};

    fn body_of(line: &str) -> Result<Value, String> {
        let words = "antumbra request submit".split(' ').chain(line.split(' '));
        let Command::Request(RequestCommand::Submit(args)) =
            Cli::try_parse_from(words).unwrap().command
        else {
            panic!("another command");
        };
        body(&args).map_err(|fault| fault.to_string())
    }

    #[test]
    fn flags_become_the_body_of_the_contract() {
        let whole = "--data-subject s-1 --window-start 2026-01-01T00:00:00Z --scope-field campaignIds=a,b \
                     --format csv --requested-by ops --notes why";
        assert_eq!(
            body_of(&whole.split_whitespace().collect::<Vec<_>>().join(" ")).unwrap(),
            json!({
                "scope": {
                    "kind": "DATA_SUBJECT", "dataSubjectId": "s-1",
                    "windowStart": "2026-01-01T00:00:00Z", "campaignIds": ["a", "b"],
                },
                "format": "CSV", "requestedBy": "ops", "requestNotes": "why",
            })
        );
        assert_eq!(
            body_of("--tenant-full").unwrap(),
            json!({ "scope": { "kind": "TENANT_FULL" } })
        );
        let slice =
            "--tenant-full --window-start 2026-01-01T00:00:00Z --window-end 2026-01-02T00:00:00Z";
        assert_eq!(body_of(slice).unwrap()["scope"]["kind"], "TENANT_SLICE");
    }

    #[test]
    fn a_plan_binds_the_request() {
        let mut body = json!({ "scope": {} });
        bind(&mut body, None);
        assert_eq!(body, json!({ "scope": {} }));
        let parts = [("shop/orders".to_owned(), "01".to_owned())].into();
        bind(&mut body, Some(ExpectedPlan { hash: "ab".to_owned(), parts }));
        assert_eq!(body["planHash"], "ab");
        assert_eq!(body["planParts"], json!({ "shop/orders": "01" }));
    }

    #[test]
    fn an_empty_window_is_refused_before_anybody_is_asked() {
        let empty =
            "--tenant-full --window-start 2026-01-02T00:00:00Z --window-end 2026-01-02T00:00:00Z";
        assert!(body_of(empty).unwrap_err().contains("--window-end"));
    }
}
