//! Which statement selects a section's rows, and what is bound to it?

use std::sync::Arc;

use super::bind::Slot;
use super::column::Source;
use crate::silo::{Identifiers, SectionSource, SectionSpec, bound};
use crate::sql::{Part, Statement, either, quote, select};
use crate::{SiloError, Value};

/// The rows of a section: where they come from and which of them, twice: for the server with `$n`, for people with names.
#[derive(Clone)]
pub(super) struct Rows {
    from: Text,
    conditions: Vec<Text>,
    /// What is bound to `$1`, `$2` and so on.
    pub(super) slots: Vec<Slot>,
}

/// A piece of a statement.
#[derive(Clone, Default)]
struct Text {
    sql: String,
    /// Parameters by name; no value.
    shown: String,
}

impl Rows {
    /// All rows that belong to the known identifiers; window and filters are not in it yet. `columns` are those of the rows; those
    /// that are not known yet are compared as most types are.
    pub(super) fn of(
        section: &SectionSpec,
        known: &Identifiers,
        columns: &[Source],
    ) -> Result<Self, SiloError> {
        match &section.source {
            SectionSource::Table { parts, matches } => {
                let mut rows = Self::table(parts);
                if !section.tenant_wide {
                    rows.matching(matches, known, columns);
                }
                Ok(rows)
            }
            SectionSource::Query { sql } => Self::query(sql, known),
            strange => Err(strange.is_strange_to("postgres")),
        }
    }

    /// The statement that selects `list`.
    pub(super) fn select(&self, list: &str) -> String {
        select(list, &self.from.sql, self.conditions.iter().map(|text| &*text.sql))
    }

    /// The statement for people, all columns selected.
    pub(super) fn shown(&self) -> String {
        select("*", &self.from.shown, self.conditions.iter().map(|text| &*text.shown))
    }

    /// The statement that selects everything there is, whatever the conditions; for its columns.
    pub(super) fn everything(&self) -> String {
        select("*", &self.from.sql, std::iter::empty())
    }

    /// Adds a condition on one parameter; `make` is given how the parameter is written.
    pub(super) fn narrow(
        &mut self,
        slot: Slot,
        name: &str,
        make: impl Fn(&str) -> (String, String),
    ) {
        self.slots.push(slot);
        let (sql, _) = make(&format!("${}", self.slots.len()));
        let (_, shown) = make(&format!(":{name}"));
        self.conditions.push(Text { sql, shown });
    }

    /// Adds a condition that has no parameter.
    pub(super) fn only(&mut self, sql: String) {
        self.conditions.push(Text { shown: sql.clone(), sql });
    }

    /// Adds the rows behind a key, or up to it; the server compares them as it orders them.
    pub(super) fn bounded(&mut self, key: &[String], compare: &str, values: Vec<Option<String>>) {
        let columns: Vec<String> = key.iter().map(|name| quote(name)).collect();
        let mut marks = Vec::with_capacity(values.len());
        for value in values {
            self.slots.push(Slot::Exact(value));
            marks.push(format!("${}", self.slots.len()));
        }
        self.only(format!("({}) {compare} ({})", columns.join(", "), marks.join(", ")));
    }

    fn table(parts: &[String]) -> Self {
        let name: Vec<String> = parts.iter().map(|part| quote(part)).collect();
        let name = name.join(".");
        let from = Text { sql: format!("{name} as {ALIAS}"), shown: name };
        Self { from, conditions: Vec::new(), slots: Vec::new() }
    }

    /// One array parameter for each identifier, however many values it has: an index on the column is used as for one.
    fn matching(&mut self, matches: &[(String, String)], known: &Identifiers, columns: &[Source]) {
        let mut any = Vec::new();
        for (column, identifier) in matches {
            let values = bound::values(identifier, known);
            if !values.is_empty() {
                let source = columns.iter().find(|source| source.name == *column);
                let equals = source.map_or_else(|| "=".to_owned(), Source::equals);
                let column = quote(column);
                self.slots.push(Slot::Any(values));
                any.push((
                    format!("{column} {equals} any(${})", self.slots.len()),
                    format!("{column} in (:{identifier})"),
                ));
            }
        }
        // No identifier known: no row, never every row.
        if any.is_empty() {
            self.only("false".to_owned());
            return;
        }
        let (sql, shown): (Vec<_>, Vec<_>) = any.into_iter().unzip();
        self.conditions.push(Text { sql: either(&sql), shown: either(&shown) });
    }

    /// Each value of an identifier has a parameter, so that `in`, `not in` and rows of columns mean what they say.
    fn query(sql: &str, known: &Identifiers) -> Result<Self, SiloError> {
        let mut text = Text::default();
        let mut slots = Vec::new();
        let statement = Statement::parse(sql);
        if statement.is_numbered() {
            let what = "the query has a parameter by number: write `:name`, not `$1`".to_owned();
            return Err(SiloError::Settings { what });
        }
        for part in statement.parts() {
            match part {
                Part::Text(piece) => {
                    text.sql.push_str(piece);
                    text.shown.push_str(piece);
                }
                Part::Parameter { name, list } => {
                    let values: Arc<[Value]> = bound::parameter(name, *list, known)?.into();
                    let mut marks = Vec::with_capacity(values.len());
                    for index in 0..values.len().max(1) {
                        slots.push(match values.len() {
                            0 => Slot::Exact(None),
                            _ => Slot::Of(Arc::clone(&values), index),
                        });
                        marks.push(format!("${}", slots.len()));
                    }
                    if slots.len() > MOST_PARAMETERS {
                        let what = format!(
                            "identifier {name} has so many values that the query would have more than {MOST_PARAMETERS} \
                             parameters: read a table with `match` instead"
                        );
                        return Err(SiloError::Settings { what });
                    }
                    text.sql.push_str(&marks.join(", "));
                    text.shown.push(':');
                    text.shown.push_str(name);
                }
            }
        }
        // A comment at the end would hide what is put behind the statement.
        let end = if text.sql.contains("--") { "\n" } else { "" };
        let from = Text {
            sql: format!("({}{end}) as {ALIAS}", text.sql),
            shown: format!("({}{end}) as rows", text.shown),
        };
        Ok(Self { from, conditions: Vec::new(), slots })
    }
}

/// The selection's own name, which no column has.
pub(super) const ALIAS: &str = "\"antumbra rows\"";
/// The protocol counts them in sixteen bits; long before, planning them takes seconds.
const MOST_PARAMETERS: usize = 30_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn section(source: SectionSource) -> SectionSpec {
        SectionSpec {
            silo: "shop".to_owned(),
            datapoint: "t".to_owned(),
            source,
            tenant_wide: false,
            key: vec![],
            window: None,
            filters: vec![],
            columns: vec![],
        }
    }

    fn known(name: &str, values: &[&str]) -> Identifiers {
        let values = values.iter().map(|text| Value::Text((*text).to_owned())).collect();
        [(name.to_owned(), values)].into()
    }

    fn query(sql: &str, known: &Identifiers) -> Result<Rows, SiloError> {
        Rows::of(&section(SectionSource::Query { sql: sql.to_owned() }), known, &[])
    }

    #[test]
    fn a_table_is_matched_by_arrays_and_by_nothing_when_nothing_is_known() {
        let source = SectionSource::Table {
            parts: vec!["Shop".to_owned(), "my \"orders\"".to_owned()],
            matches: vec![
                ("e mail".to_owned(), "email".to_owned()),
                ("id".to_owned(), "customer".to_owned()),
            ],
        };
        let rows =
            Rows::of(&section(source.clone()), &known("email", &["Ada@x.org"]), &[]).unwrap();
        assert_eq!(
            rows.select("*"),
            "select * from \"Shop\".\"my \"\"orders\"\"\" as \"antumbra rows\" where \"e mail\" = any($1)"
        );
        assert_eq!(
            rows.shown(),
            "select * from \"Shop\".\"my \"\"orders\"\"\" where \"e mail\" in (:email)"
        );
        assert!(matches!(&rows.slots[..], [Slot::Any(values)] if values.len() == 2));
        let none = Rows::of(&section(source), &Identifiers::new(), &[]).unwrap();
        assert!(none.select("*").ends_with(" where false") && none.slots.is_empty());
    }

    #[test]
    fn a_list_has_a_parameter_for_each_value() {
        let rows = query("select * from t where a in (:id) or b = :x", &known("id", &["1", "2"]));
        let rows = rows.unwrap();
        assert_eq!(
            rows.select("a"),
            "select a from (select * from t where a in ($1, $2) or b = $3) as \"antumbra rows\""
        );
        assert_eq!(
            rows.shown(),
            "select * from (select * from t where a in (:id) or b = :x) as rows"
        );
    }

    #[test]
    fn several_values_need_a_list_and_a_list_has_an_end() {
        let error = query("select :id", &known("id", &["1", "2"])).err().unwrap();
        assert!(error.to_string().contains("write `in (:id)`"), "{error}");
        let many: Vec<String> = (0..30_001).map(|n| n.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let error = query("select * from t where a in (:id)", &known("id", &many)).err().unwrap();
        assert!(error.to_string().contains("identifier id has so many values"), "{error}");
        let error = query("select $1, :id", &known("id", &["1"])).err().unwrap();
        assert!(error.to_string().contains("write `:name`, not `$1`"), "{error}");
    }

    #[test]
    fn a_comment_at_the_end_hides_nothing() {
        let rows = query("select 1 -- one", &Identifiers::new()).unwrap();
        assert_eq!(rows.everything(), "select * from (select 1 -- one\n) as \"antumbra rows\"");
    }
}
