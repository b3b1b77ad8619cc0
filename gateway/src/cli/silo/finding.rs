//! What was found at a datapoint, and how it is worded.

use antumbra_config::{Datapoint, Silo, Source};
use antumbra_jobs::ScopeKind;
use antumbra_pipeline::silo::{Explained, Shape};
use serde::Serialize;

use crate::cli::words::{plain, plural};

/// Why a datapoint could not be looked at.
#[derive(Debug)]
pub(super) struct Trouble {
    /// The fixed word, if it is the silo's doing.
    pub(super) code: Option<&'static str>,
    pub(super) what: String,
}

/// What was found at a datapoint.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Finding {
    pub(super) silo: String,
    pub(super) datapoint: String,
    /// Which of its statements.
    pub(super) scope: &'static str,
    pub(super) ok: bool,
    /// The fixed word of the fault.
    pub(super) code: Option<&'static str>,
    pub(super) fault: Option<String>,
    pub(super) statement: Option<String>,
    /// How the silo would go about it, in its own words.
    pub(super) plan: Vec<String>,
    /// Whether it has rows, and not files that are handed out as they are.
    pub(super) rows: bool,
    /// Whether its columns are known without knowing anybody.
    pub(super) described: bool,
    pub(super) columns: Vec<String>,
    pub(super) ordered_by: Vec<String>,
    pub(super) keyed: bool,
    pub(super) advice: Vec<String>,
}

impl Finding {
    pub(super) fn of(
        silo: &Silo,
        datapoint: &Datapoint,
        scope: ScopeKind,
        looked: Result<(Option<Shape>, Explained), Trouble>,
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
            rows: false,
            described: false,
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
                finding.rows = !matches!(datapoint.source, Source::Attachment(_));
                finding.described = shape.is_some();
                if let Some(shape) = shape {
                    finding.columns = shape
                        .columns
                        .iter()
                        .map(|found| column(&found.name, found.kind.data_type().to_string()))
                        .collect();
                    finding.keyed = shape.keyed;
                    finding.ordered_by = shape.ordered_by;
                }
                finding.statement = Some(explained.statement);
                finding.plan = explained.plan;
                finding.advice = explained.advice;
            }
        }
        finding
    }

    /// Words it: a line, one for the columns, one for each piece of advice.
    pub(super) fn text(&self) -> String {
        let whole =
            if self.scope == ScopeKind::DataSubject.as_str() { "" } else { " (whole tenant)" };
        let name = format!("{}{whole}", self.datapoint);
        let mut lines = match (&self.fault, self.code) {
            (Some(fault), Some(code)) => vec![format!("  FAULT  {name}: {code}: {fault}")],
            (Some(fault), None) => vec![format!("  FAULT  {name}: {fault}")],
            (None, _) if !self.rows => {
                vec![format!("  ok     {name}: files, handed out as they are")]
            }
            (None, _) if !self.described => vec![format!(
                "  ok     {name}: the service answers; which columns there are shows with a person's rows"
            )],
            (None, _) => {
                let columns = u64::try_from(self.columns.len()).unwrap_or(u64::MAX);
                let key = if self.keyed { "key proven" } else { "no proven key" };
                let order = match self.ordered_by.as_slice() {
                    [] => "in the order of the silo".to_owned(),
                    columns => format!("ordered by {}", columns.join(", ")),
                };
                vec![
                    format!("  ok     {name}: {}, {order} ({key})", plural(columns, "column")),
                    format!("         {}", self.columns.join(", ")),
                ]
            }
        };
        lines.extend(self.advice.iter().map(|advice| format!("         advice: {advice}")));
        // Names and messages are others' texts.
        lines.iter().map(|line| plain(line)).collect::<Vec<_>>().join("\n")
    }
}
