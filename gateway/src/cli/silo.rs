//! `antumbra silo check`: do the silos answer, and is what settings say of them true?

use antumbra_config::{Datapoint, DatapointKind, Settings, Silo, SiloName, Source};
use antumbra_jobs::{Clock as _, ScopeKind, SystemClock, TenantId};
use antumbra_pipeline::SiloError;
use antumbra_pipeline::plan;
use antumbra_pipeline::runner::Sessions;
use antumbra_pipeline::silo::{Explained, Identifiers, SectionSpec, Shape, Silos};
use serde::Serialize;

use super::args::SiloCheckArgs;
use super::exit::Fault;
use super::selection::Selection;
use super::words::{plain, plural};
use super::{Exit, logs, note, say, settings};

/// Checks silos and prints what was found, datapoint by datapoint. Ends with 1 when one has a fault.
pub(super) async fn check(args: &SiloCheckArgs) -> anyhow::Result<Exit> {
    let heard = settings::load(&args.settings)?;
    let settings = &heard.loaded.settings;
    logs::init(&logs::quiet(&settings.log))?;
    let chosen = choose(settings, &args.names)?;
    let silos = Silos::open(&settings.silos, &heard.sources.environment)?;
    let mut sessions = Sessions::new(&silos);
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
        for scope in scopes(datapoint) {
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
fn scopes(datapoint: &Datapoint) -> Vec<ScopeKind> {
    let of_a_person = datapoint.kind == DatapointKind::Data
        && match &datapoint.source {
            Source::Table { .. } => !datapoint.matches.is_empty(),
            Source::Query { sql, .. } => {
                !antumbra_pipeline::sql::Statement::parse(sql).names().is_empty()
            }
        };
    let tenants_own = matches!(&datapoint.source, Source::Query { tenant_sql: Some(_), .. });
    let mut scopes = Vec::new();
    if of_a_person {
        scopes.push(ScopeKind::DataSubject);
    }
    if tenants_own || !of_a_person {
        scopes.push(ScopeKind::TenantFull);
    }
    scopes
}

async fn look(
    spec: &SectionSpec,
    sessions: &mut Sessions,
) -> Result<(Shape, Explained), SiloError> {
    let nobody = Identifiers::new();
    let session = sessions.of(&spec.silo).await?;
    let shape = session.describe(spec, &nobody).await?;
    let explained = session.explain(spec, &nobody).await?;
    Ok((shape, explained))
}

/// Why a datapoint could not be looked at.
#[derive(Debug)]
struct Trouble {
    /// The fixed word, if it is the silo's doing.
    code: Option<&'static str>,
    what: String,
}

/// What was found at a datapoint.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Finding {
    silo: String,
    datapoint: String,
    /// Which of its statements.
    scope: &'static str,
    ok: bool,
    /// The fixed word of the fault.
    code: Option<&'static str>,
    fault: Option<String>,
    statement: Option<String>,
    /// How the silo would go about it, in its own words.
    plan: Vec<String>,
    columns: Vec<String>,
    ordered_by: Vec<String>,
    keyed: bool,
    advice: Vec<String>,
}

impl Finding {
    fn of(
        silo: &Silo,
        datapoint: &Datapoint,
        scope: ScopeKind,
        looked: Result<(Shape, Explained), Trouble>,
    ) -> Self {
        let mut finding = Self {
            silo: silo.name.as_str().to_owned(),
            datapoint: datapoint.name.as_str().to_owned(),
            scope: scope.as_str(),
            ok: looked.is_ok(),
            code: None,
            fault: None,
            statement: None,
            plan: Vec::new(),
            columns: Vec::new(),
            ordered_by: Vec::new(),
            keyed: false,
            advice: Vec::new(),
        };
        match looked {
            Err(Trouble { code, what }) => {
                finding.code = code;
                finding.fault = Some(what);
            }
            Ok((shape, explained)) => {
                let column = |name: &str, kind: String| format!("{name} {kind}");
                finding.columns = shape
                    .columns
                    .iter()
                    .map(|found| column(&found.name, found.kind.data_type().to_string()))
                    .collect();
                finding.keyed = shape.keyed;
                finding.ordered_by = shape.ordered_by;
                finding.statement = Some(explained.statement);
                finding.plan = explained.plan;
                finding.advice = explained.advice;
            }
        }
        finding
    }

    /// Words it: a line, one for the columns, one for each piece of advice.
    fn text(&self) -> String {
        let whole =
            if self.scope == ScopeKind::DataSubject.as_str() { "" } else { " (whole tenant)" };
        let name = format!("{}{whole}", self.datapoint);
        let mut lines = match (&self.fault, self.code) {
            (Some(fault), Some(code)) => vec![format!("  FAULT  {name}: {code}: {fault}")],
            (Some(fault), None) => vec![format!("  FAULT  {name}: {fault}")],
            (None, _) => {
                let columns = u64::try_from(self.columns.len()).unwrap_or(u64::MAX);
                let key = if self.keyed { "key proven" } else { "no proven key" };
                let order = self.ordered_by.join(", ");
                vec![
                    format!(
                        "  ok     {name}: {}, ordered by {order} ({key})",
                        plural(columns, "column")
                    ),
                    format!("         {}", self.columns.join(", ")),
                ]
            }
        };
        lines.extend(self.advice.iter().map(|advice| format!("         advice: {advice}")));
        // Names and messages are others' texts.
        lines.iter().map(|line| plain(line)).collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
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
}
