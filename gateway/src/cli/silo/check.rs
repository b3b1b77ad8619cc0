//! Looks at every datapoint and says what was found.

use antumbra_config::{Datapoint, DatapointKind, Settings, Silo, SiloName, Source};
use antumbra_jobs::{Clock as _, ScopeKind, SystemClock, TenantId};
use antumbra_pipeline::SiloError;
use antumbra_pipeline::plan;
use antumbra_pipeline::runner::Sessions;
use antumbra_pipeline::silo::{Explained, Identifiers, SectionSource, SectionSpec, Shape, Silos};

use super::daemon::Daemon;
use super::finding::{Finding, Trouble};
use super::strain::Strain;
use crate::cli::args::SiloCheckArgs;
use crate::cli::exit::Fault;
use crate::cli::selection::Selection;
use crate::cli::words::plural;
use crate::cli::{Exit, logs, note, say, settings};

/// Checks silos and prints what was found, datapoint by datapoint. Ends with 1 when one has a fault.
pub(in crate::cli) async fn check(args: &SiloCheckArgs) -> anyhow::Result<Exit> {
    let heard = settings::load(&args.settings)?;
    let settings = &heard.loaded.settings;
    logs::init(&logs::quiet(&settings.log))?;
    let chosen = choose(settings, &args.names)?;
    let silos = Silos::open(&settings.silos, &heard.sources.environment)?;
    let mut sessions = Sessions::new(&silos);
    let daemon = Daemon::ask(&settings.metrics).await;
    let (mut faults, mut advice) = (0_u64, 0_u64);
    for silo in chosen {
        if !args.json {
            say(format_args!("silo {}", silo.name))?;
        }
        for finding in check_silo(silo, &mut sessions).await? {
            faults += u64::from(finding.fault.is_some());
            advice += u64::try_from(finding.advice.len()).unwrap_or(0);
            if args.json {
                say(serde_json::to_string(&finding)?)?;
            } else {
                say(finding.text())?;
            }
        }
        let states = silos.states();
        if let Some(state) = states.iter().find(|state| state.name == silo.name.as_str()) {
            if args.json {
                say(serde_json::to_string(&Strain::of(state))?)?;
            } else {
                say(Strain::of(state).text())?;
            }
        }
        if let Some(standing) = daemon.as_ref().and_then(|daemon| daemon.of(silo.name.as_str())) {
            if args.json {
                say(serde_json::to_string(&standing)?)?;
            } else {
                say(standing.text())?;
            }
        }
    }
    if !args.json {
        say(format_args!("{}, {} of advice", plural(faults, "fault"), plural(advice, "piece")))?;
    }
    if faults == 0 {
        return Ok(Exit::Done);
    }
    note(format_args!("antumbra: {} of silos", plural(faults, "fault")));
    Ok(Exit::Failed)
}

fn choose<'s>(settings: &'s Settings, names: &[SiloName]) -> Result<Vec<&'s Silo>, Fault> {
    if names.is_empty() {
        return Ok(settings.silos.iter().collect());
    }
    let find = |name: &SiloName| {
        settings
            .silos
            .iter()
            .find(|silo| silo.name.folded() == name.folded())
            .ok_or_else(|| Fault::Usage(format!("the settings have no silo {name}")))
    };
    names.iter().map(find).collect()
}

/// Looks at every datapoint, and at a query's other statement for the whole tenant.
async fn check_silo(silo: &Silo, sessions: &mut Sessions) -> anyhow::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for datapoint in &silo.datapoints {
        for scope in scopes(silo, datapoint)? {
            let tenant = TenantId::new(silo.tenant.as_str())?;
            let request = Selection::of_nobody(tenant, scope).to_plan(SystemClock.now());
            let planned = plan::section(&request, silo, datapoint);
            let looked = match &planned.skipped {
                Some(skipped) => Err(Trouble { code: None, what: skipped.reason.clone() }),
                None => look(&planned.spec, sessions)
                    .await
                    .map_err(|error| Trouble { code: Some(error.code()), what: error.to_string() }),
            };
            findings.push(Finding::of(silo, datapoint, scope, looked));
        }
    }
    Ok(findings)
}

/// A person's statement where there is one, and the tenant's where it is another.
fn scopes(silo: &Silo, datapoint: &Datapoint) -> anyhow::Result<Vec<ScopeKind>> {
    let tenant = TenantId::new(silo.tenant.as_str())?;
    let person = Selection::of_nobody(tenant, ScopeKind::DataSubject).to_plan(SystemClock.now());
    let of_a_person = datapoint.kind == DatapointKind::Data
        && !plan::section(&person, silo, datapoint).spec.needs().is_empty();
    let tenants_own = match &datapoint.source {
        Source::Query { tenant_sql, .. } => tenant_sql.is_some(),
        Source::Endpoint(endpoint) => {
            endpoint.tenant_path.is_some() || !endpoint.tenant_query.is_empty()
        }
        Source::Table { .. } | Source::Files(_) | Source::Attachment(_) => false,
    };
    let mut scopes = Vec::new();
    if of_a_person {
        scopes.push(ScopeKind::DataSubject);
    }
    if tenants_own || !of_a_person {
        scopes.push(ScopeKind::TenantFull);
    }
    Ok(scopes)
}

async fn look(
    spec: &SectionSpec,
    sessions: &mut Sessions,
) -> Result<(Option<Shape>, Explained), SiloError> {
    let nobody = Identifiers::new();
    let session = sessions.of(&spec.silo).await?;
    let shape = match spec.source {
        // No rows, no columns.
        SectionSource::Attachment { .. } => None,
        // There is nobody to ask for.
        SectionSource::Endpoint { .. } if !spec.needs().is_empty() => None,
        _ => Some(session.describe(spec, &nobody).await?),
    };
    let explained = session.explain(spec, &nobody).await?;
    Ok((shape, explained))
}

#[cfg(test)]
mod tests {
    use antumbra_pipeline::silo::CircuitState;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;
    use crate::cli::testing::Shop;

    async fn findings(shop: &Shop) -> Vec<Finding> {
        let silos = Silos::open(&shop.settings.silos, &[]).unwrap();
        let mut sessions = Sessions::new(&silos);
        check_silo(&shop.settings.silos[0], &mut sessions).await.unwrap()
    }

    #[tokio::test]
    async fn every_datapoint_is_looked_at_without_knowing_anybody() {
        let shop = Shop::new().await;
        let found = findings(&shop).await;
        assert_eq!(found.len(), shop.settings.silos[0].datapoints.len());
        assert!(found.iter().all(|finding| finding.ok && finding.keyed), "{found:?}");
        assert!(found[1].columns.contains(&"note Utf8".to_owned()), "{:?}", found[1].columns);
    }

    #[tokio::test]
    async fn advice_alone_is_no_fault() {
        let shop = Shop::new().await;
        shop.sql("drop index orders_of_customer");
        let found = findings(&shop).await;
        let orders = found.iter().find(|finding| finding.datapoint == "orders").unwrap();
        assert!(orders.ok && orders.advice.iter().any(|advice| advice.contains("customer_id")));
        assert!(orders.text().contains("\n         advice: "), "{}", orders.text());
    }

    #[tokio::test]
    async fn a_fault_is_one_datapoints_and_the_others_are_looked_at() {
        let shop = Shop::new().await;
        shop.sql("drop table orders");
        let found = findings(&shop).await;
        let faults: Vec<_> = found.iter().filter(|finding| !finding.ok).collect();
        assert_eq!(faults.len(), 1);
        assert_eq!(
            (faults[0].datapoint.as_str(), faults[0].code),
            ("orders", Some("silo_missing"))
        );
        assert!(faults[0].text().starts_with("  FAULT  orders: silo_missing: "));
    }

    #[tokio::test]
    async fn a_silo_is_found_by_its_name_whatever_the_case() {
        let shop = Shop::new().await;
        let named =
            |name: &str| choose(&shop.settings, &[name.parse().unwrap()]).map(|found| found.len());
        assert_eq!(named("SHOP").unwrap(), 1);
        assert_eq!(named("none").unwrap_err().exit(), Exit::Usage);
    }

    /// Settings with a service and a folder, looked at.
    async fn looked_at(port: u16, folder: &std::path::Path) -> Vec<Finding> {
        let text = format!(
            "[[silo]]\nname = 'api'\ntype = 'http'\nbase_url = 'http://127.0.0.1:{port}'\nattempts = 1\n\
             allow_private = ['127.0.0.1']\n\
             [[silo.datapoint]]\nname = 'orders'\nendpoint = {{ path = '/people/{{email}}' }}\n\
             [[silo]]\nname = 'lake'\ntype = 'files'\nlocation = {{ path = 'files' }}\n\
             [[silo.datapoint]]\nname = 'faces'\nattachment = {{ path = '{{email}}.png' }}\n"
        );
        let file = folder.join("a.toml");
        std::fs::write(&file, text).unwrap();
        let base = folder.to_owned();
        let sources = antumbra_config::Sources { file: Some(file), base, ..Default::default() };
        let settings = antumbra_config::load(&sources).unwrap().settings;
        let silos = Silos::open(&settings.silos, &[]).unwrap();
        let mut sessions = Sessions::new(&silos);
        let mut found = Vec::new();
        for silo in &settings.silos {
            found.extend(check_silo(silo, &mut sessions).await.unwrap());
        }
        found
    }

    #[tokio::test]
    async fn a_service_and_a_folder_are_looked_at_and_not_taken_for_granted() {
        let folder = tempfile::tempdir().unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        std::fs::create_dir(folder.path().join("files")).unwrap();
        let answering = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                stream.read_buf(&mut asked).await.unwrap();
            }
            stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await.unwrap();
            (listener, String::from_utf8(asked).unwrap())
        };
        let (found, (listener, asked)) = tokio::join!(looked_at(port, folder.path()), answering);
        assert!(found.iter().all(|finding| finding.ok), "{found:?}");
        assert!(asked.starts_with("HEAD / HTTP/1.1\r\n"), "{asked}");
        assert!(found[0].text().contains("orders: the service answers;"), "{}", found[0].text());
        assert!(found[1].text().contains("faces: files, handed out as they are"));
        assert!(found[1].advice[0].contains("nothing is in the folder"), "{:?}", found[1].advice);
        drop(listener);
        std::fs::remove_dir(folder.path().join("files")).unwrap();
        let found = looked_at(port, folder.path()).await;
        let codes: Vec<_> = found.iter().map(|finding| finding.code).collect();
        assert_eq!(codes, [Some("silo_unavailable"), Some("silo_missing")]);
    }

    #[tokio::test]
    async fn limits_and_circuit_are_told_as_this_check_has_them() {
        let shop = Shop::new().await;
        let mut settings = shop.settings.silos.clone();
        settings[0].limits.rows_per_second = Some(antumbra_config::Count::new(1_000).unwrap());
        settings[0].limits.bytes_per_second = Some("2 MB".parse().unwrap());
        let silos = Silos::open(&settings, &[]).unwrap();
        let mut sessions = Sessions::new(&silos);
        check_silo(&settings[0], &mut sessions).await.unwrap();
        let states = silos.states();
        let text = Strain::of(&states[0]).text();
        assert_eq!(
            text,
            "  limits 4 connections at most, 4 sections of a job at once, 1 000 rows/s and 2.0 MB/s; left alone for 30s after 5 failures in a row\n  \
             state  circuit closed, 1 of 4 connections in use (as this check has it)"
        );
        let json = serde_json::to_value(Strain::of(&states[0])).unwrap();
        assert_eq!((&json["circuit"], &json["connections"]), (&"closed".into(), &1.into()));
        assert_eq!(json["process"], "this check");
    }

    #[tokio::test]
    async fn a_file_that_is_missing_is_no_reason_to_leave_its_silo_alone() {
        let shop = Shop::new().await;
        let mut settings = shop.settings.silos.clone();
        settings[0].limits.circuit_failures = antumbra_config::Count::new(1).unwrap();
        std::fs::remove_file(shop.path("shop.db")).unwrap();
        let silos = Silos::open(&settings, &[]).unwrap();
        let mut sessions = Sessions::new(&silos);
        let found = check_silo(&settings[0], &mut sessions).await.unwrap();
        assert!(found.iter().all(|finding| !finding.ok));
        // A file that is missing stays missing: no reason to wait.
        assert_eq!(silos.states()[0].circuit, CircuitState::Closed { failures: 0 });
    }
}
