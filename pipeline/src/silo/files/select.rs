//! Which rows does a section select, and what does it say of that?

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use super::wanted::Wanted;
use crate::SiloError;
use crate::silo::{Identifiers, SectionSpec};

/// What a row must have. Columns are numbered by [`columns`](Self::columns), so that each row's are looked up once.
#[derive(Debug, Clone)]
pub(super) struct Selection {
    columns: Vec<String>,
    /// Any of these; `None`: the whole tenant.
    matches: Option<Vec<(usize, Wanted)>>,
    /// All of these.
    filters: Vec<(usize, Wanted)>,
    window: Option<(usize, Limits)>,
}

/// A half-open interval in microseconds since 1970.
#[derive(Debug, Clone, Copy)]
struct Limits {
    start: Option<i128>,
    end: Option<i128>,
}

/// What a row holds in a column that a selection looks at.
pub(super) trait Cell {
    /// NULL, or not there.
    fn is_null(&self) -> bool;
    /// Is it one of these?
    fn is_in(&self, wanted: &Wanted) -> bool;
    /// Nanoseconds since 1970; `None` if it cannot be read as a time.
    fn nanos(&self) -> Option<i128>;
}

impl Selection {
    /// Selects as the section says; with `narrow` also by its window and its filters.
    pub(super) fn new(
        section: &SectionSpec,
        matches: &[(String, String)],
        known: &Identifiers,
        narrow: bool,
    ) -> Self {
        let mut selection =
            Self { columns: Vec::new(), matches: None, filters: Vec::new(), window: None };
        if !section.tenant_wide {
            let matches = matches.iter().map(|(column, identifier)| {
                (selection.number(column), Wanted::of_identifier(identifier, known))
            });
            // No identifier known: no row, never every row.
            selection.matches = Some(matches.collect());
        }
        if narrow {
            for filter in &section.filters {
                let column = selection.number(&filter.column);
                selection.filters.push((column, Wanted::of_texts(&filter.values)));
            }
            selection.window = section.window.as_ref().map(|window| {
                let nanos = |at: Timestamp| at.as_nanosecond();
                let limits = Limits { start: window.start.map(nanos), end: window.end.map(nanos) };
                (selection.number(&window.column), limits)
            });
        }
        selection
    }

    /// Returns the columns that it looks at.
    pub(super) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Returns what is matched, by the numbers of its columns; `None`: the whole tenant.
    pub(super) fn matches(&self) -> Option<&[(usize, Wanted)]> {
        self.matches.as_deref()
    }

    /// Looks at the columns of one file: it must have the one of each filter, that of the time, and one that is matched. Without
    /// them its rows would be left out in silence. The error says what is missing.
    pub(super) fn check_file(&self, names: &[&str]) -> Result<(), String> {
        let lacks = |column: &usize| {
            self.columns.get(*column).filter(|name| !names.contains(&name.as_str()))
        };
        let narrows = self.filters.iter().map(|(column, _)| column);
        let mut narrows = narrows.chain(self.window.iter().map(|(column, _)| column));
        let missing = narrows.find_map(lacks).or_else(|| {
            let matches = self.matches.as_deref().unwrap_or_default();
            let mut missing = matches.iter().map(|(column, _)| lacks(column));
            let first = missing.next().flatten();
            first.filter(|_| missing.all(|missing| missing.is_some()))
        });
        let Some(missing) = missing else { return Ok(()) };
        let folded = missing.to_lowercase();
        match names.iter().find(|name| name.to_lowercase() == folded) {
            Some(other) => Err(format!("column: {missing} (there is {other}, another name)")),
            None => Err(format!("column: {missing}")),
        }
    }

    /// Says whether a row is selected; `cell` gives the row's cell in a column of [`columns`](Self::columns).
    ///
    /// A time that cannot be read as one is an error, not a row outside the window; it names the column.
    pub(super) fn selects<C: Cell>(&self, cell: impl Fn(usize) -> C) -> Result<bool, String> {
        let has = |(column, wanted): &(usize, Wanted)| {
            let cell = cell(*column);
            !cell.is_null() && cell.is_in(wanted)
        };
        if self.matches.as_ref().is_some_and(|matches| !matches.iter().any(has)) {
            return Ok(false);
        }
        if !self.filters.iter().all(has) {
            return Ok(false);
        }
        let Some((column, limits)) = &self.window else { return Ok(true) };
        let time = cell(*column);
        if time.is_null() {
            return Ok(false);
        }
        let Some(at) = time.nanos() else {
            return Err(self.columns.get(*column).cloned().unwrap_or_default());
        };
        Ok(limits.start.is_none_or(|start| start <= at) && limits.end.is_none_or(|end| at < end))
    }

    fn number(&mut self, column: &str) -> usize {
        let known = self.columns.iter().position(|name| name == column);
        known.unwrap_or_else(|| {
            self.columns.push(column.to_owned());
            self.columns.len() - 1
        })
    }
}

/// Says which rows of which files are selected; identifiers by name.
pub(super) fn statement(
    section: &SectionSpec,
    pattern: &str,
    matches: &[(String, String)],
) -> String {
    let mut statement = format!("files {pattern}");
    let mut conditions = Vec::new();
    if !section.tenant_wide {
        let any: Vec<String> = matches
            .iter()
            .map(|(column, identifier)| format!("{column} in (:{identifier})"))
            .collect();
        conditions.push(match any.len() {
            0 => "false".to_owned(),
            1 => any.concat(),
            _ => format!("({})", any.join(" or ")),
        });
    }
    for filter in &section.filters {
        conditions.push(format!("{} in (:{})", filter.column, filter.field));
    }
    if let Some(window) = &section.window {
        let limits =
            [(window.start, ">=", "windowStart"), (window.end, "<", "windowEnd")].into_iter();
        for (_, compare, name) in limits.filter(|(limit, ..)| limit.is_some()) {
            conditions.push(format!("{} {compare} :{name}", window.column));
        }
    }
    if !conditions.is_empty() {
        statement = format!("{statement} where {}", conditions.join(" and "));
    }
    statement
}

/// A column that settings name must be in some file.
pub(super) fn check_columns<'a>(
    mut named: impl Iterator<Item = &'a str>,
    has: impl Fn(&str) -> bool,
) -> Result<(), SiloError> {
    match named.find(|column| !has(column)) {
        None => Ok(()),
        Some(column) => Err(SiloError::Missing { what: format!("column: {column}") }),
    }
}

/// Returns the columns that settings name, each with the setting.
pub(super) fn named<'a>(
    section: &'a SectionSpec,
    matches: &'a [(String, String)],
) -> impl Iterator<Item = (&'static str, &'a str)> {
    let filters = section.filters.iter().map(|filter| ("filter", filter.column.as_str()));
    let window = section.window.iter().map(|window| ("time_column", window.column.as_str()));
    matched(section, matches).map(|column| ("match", column)).chain(filters).chain(window)
}

/// Returns the columns by which a person's rows are known.
pub(super) fn matched<'a>(
    section: &'a SectionSpec,
    matches: &'a [(String, String)],
) -> impl Iterator<Item = &'a str> {
    let matches = if section.tenant_wide { &[][..] } else { matches };
    matches.iter().map(|(column, _)| column.as_str())
}

/// Returns the columns that narrow by window and scope.
pub(super) fn narrowing(section: &SectionSpec) -> impl Iterator<Item = &str> {
    named(section, &[]).map(|(_, column)| column)
}

/// Reads a time: ISO 8601 with an offset or `Z`; without one it is in UTC. A day is its first moment.
pub(super) fn time_of(text: &str) -> Option<i128> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at.as_nanosecond());
    }
    // A plain day would be read as a moment too, a week or an hour not.
    let begins_with_day = text.get(..10)?.bytes().filter(u8::is_ascii_digit).count() == 8;
    if !begins_with_day {
        return None;
    }
    let civil = match text.parse::<DateTime>() {
        Ok(at) => at,
        Err(_) => text.parse::<Date>().ok()?.to_datetime(jiff::civil::Time::midnight()),
    };
    civil.to_zoned(TimeZone::UTC).ok().map(|at| at.timestamp().as_nanosecond())
}

/// Reads seconds since 1970, with a fraction or without. Numbers so large that they are milliseconds or finer are no seconds.
pub(super) fn time_of_number(text: &str) -> Option<i128> {
    if let Ok(seconds) = text.parse::<i64>() {
        return time_of_seconds(seconds);
    }
    let seconds = text.parse::<f64>().ok().filter(|seconds| seconds.is_finite())?;
    let at = Timestamp::from_duration(jiff::SignedDuration::try_from_secs_f64(seconds).ok()?);
    at.ok().map(Timestamp::as_nanosecond).filter(|at| at.abs() <= i128::from(MOST_SECONDS) * NANOS)
}

/// Reads whole seconds since 1970, as [`time_of_number`] does.
pub(super) fn time_of_seconds(seconds: i64) -> Option<i128> {
    (-MOST_SECONDS..=MOST_SECONDS).contains(&seconds).then(|| i128::from(seconds) * NANOS)
}

/// Nanoseconds in a second.
pub(super) const NANOS: i128 = 1_000_000_000;
/// Seconds from 1970 to the year 5138; as milliseconds the same number is March 1973.
const MOST_SECONDS: i64 = 100_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;
    use crate::silo::{Filter, SectionSource, Window};

    struct Text(Option<&'static str>);

    impl Cell for Text {
        fn is_null(&self) -> bool {
            self.0.is_none()
        }
        fn is_in(&self, wanted: &Wanted) -> bool {
            self.0.is_some_and(|text| wanted.has_text(text))
        }
        fn nanos(&self) -> Option<i128> {
            self.0.and_then(time_of)
        }
    }

    fn section(tenant_wide: bool) -> SectionSpec {
        SectionSpec {
            silo: "lake".to_owned(),
            datapoint: "events".to_owned(),
            source: SectionSource::Query { sql: String::new() },
            tenant_wide,
            key: Vec::new(),
            window: Some(Window {
                column: "at".to_owned(),
                start: Some("2024-01-01T00:00:00Z".parse().unwrap()),
                end: Some("2024-02-01T00:00:00Z".parse().unwrap()),
            }),
            filters: vec![Filter {
                column: "campaign".to_owned(),
                field: "campaignIds".to_owned(),
                values: vec!["c1".to_owned()],
            }],
            columns: Vec::new(),
        }
    }

    fn matches() -> Vec<(String, String)> {
        vec![("id".to_owned(), "id".to_owned()), ("mail".to_owned(), "email".to_owned())]
    }

    fn known() -> Identifiers {
        [("id".to_owned(), vec![Value::Text("7".to_owned())])].into()
    }

    fn selects(selection: &Selection, row: [Option<&'static str>; 4]) -> Result<bool, String> {
        let names = ["id", "mail", "campaign", "at"];
        selection.selects(|column| {
            let name = &selection.columns()[column];
            Text(row[names.iter().position(|known| known == name).unwrap()])
        })
    }

    #[test]
    fn a_row_needs_one_match_and_every_filter_and_a_time_in_the_window() {
        let selection = Selection::new(&section(false), &matches(), &known(), true);
        let inside = Some("2024-01-31T23:59:59Z");
        assert_eq!(selects(&selection, [Some("7"), None, Some("c1"), inside]), Ok(true));
        for row in [
            [Some("8"), Some("7"), Some("c1"), inside],
            [None, None, Some("c1"), inside],
            [Some("7"), None, Some("c2"), inside],
            [Some("7"), None, None, inside],
            [Some("7"), None, Some("c1"), Some("2024-02-01")],
            [Some("7"), None, Some("c1"), Some("2024-01-01T00:30:00+01:00")],
            [Some("7"), None, Some("c1"), None],
        ] {
            assert_eq!(selects(&selection, row), Ok(false), "{row:?}");
        }
        let unreadable = [Some("7"), None, Some("c1"), Some("soon")];
        assert_eq!(selects(&selection, unreadable), Err("at".to_owned()));
        let others = [Some("8"), None, Some("c1"), Some("soon")];
        assert_eq!(selects(&selection, others), Ok(false));
    }

    #[test]
    fn without_an_identifier_no_row_is_selected() {
        let selection = Selection::new(&section(false), &matches(), &Identifiers::new(), false);
        assert_eq!(selects(&selection, [Some("7"), Some("7"), None, None]), Ok(false));
        let none = Selection::new(&section(false), &[], &known(), false);
        assert_eq!(selects(&none, [Some("7"), None, None, None]), Ok(false));
        let tenant = Selection::new(&section(true), &matches(), &Identifiers::new(), false);
        assert_eq!(selects(&tenant, [None, None, None, None]), Ok(true));
    }

    #[test]
    fn a_file_needs_what_narrows_and_one_column_that_is_matched() {
        let selection = Selection::new(&section(false), &matches(), &known(), true);
        for (names, missing) in [
            (&["id", "campaign", "at"][..], None),
            (&["at", "campaign", "mail"], None),
            (&["id", "mail", "at"], Some("column: campaign")),
            (&["id", "mail", "campaign"], Some("column: at")),
            (&["campaign", "at"], Some("column: id")),
            (&["campaign", "at", "ID"], Some("column: id (there is ID, another name)")),
            (&["id", "Campaign", "at"], Some("column: campaign (there is Campaign, another name)")),
        ] {
            assert_eq!(selection.check_file(names).err().as_deref(), missing, "{names:?}");
        }
        let tenant = Selection::new(&section(true), &matches(), &Identifiers::new(), false);
        assert_eq!(tenant.check_file(&["x"]), Ok(()));
    }

    #[test]
    fn times_are_read_as_tables_have_them() {
        let midnight = Some(1_704_067_200 * NANOS);
        for text in [
            "2024-01-01",
            "2024-01-01T00:00:00",
            "2024-01-01 00:00:00.000",
            "2024-01-01T01:00:00+01:00",
            "2024-01-01T00:00:00Z",
        ] {
            assert_eq!(time_of(text), midnight, "{text}");
        }
        for text in ["", "now", "2024", "12:30", "2024-13-01", "20240101", "2024-W01"] {
            assert_eq!(time_of(text), None, "{text}");
        }
        assert_eq!(time_of_number("1704067200"), midnight);
        assert_eq!(time_of_number("1704067200.5"), midnight.map(|at| at + NANOS / 2));
        assert_eq!(time_of_number("100000000000"), Some(100_000_000_000 * NANOS));
        for text in ["1e300", "1704067200000", "-1704067200000", "1704067200000.5", "1.7040672e12"]
        {
            assert_eq!(time_of_number(text), None, "{text}");
        }
    }

    #[test]
    fn a_statement_names_identifiers_and_no_value() {
        assert_eq!(
            statement(&section(false), "e/*.csv", &matches()),
            "files e/*.csv where (id in (:id) or mail in (:email)) and campaign in (:campaignIds) \
             and at >= :windowStart and at < :windowEnd"
        );
        let mut whole = section(true);
        whole.window = None;
        whole.filters.clear();
        assert_eq!(statement(&whole, "e/*.csv", &matches()), "files e/*.csv");
    }
}
