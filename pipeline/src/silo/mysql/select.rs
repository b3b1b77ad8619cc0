//! Which statement selects a section's rows, and what is bound to it?

use mysql_async::Value as Bind;

use super::bind;
use super::column::Source;
use super::compare::{MOST_PARAMETERS, Text, as_ordered, one_of, too_many};
use super::name::{quote, table};
use crate::silo::{Identifiers, SectionSource, SectionSpec, bound};
use crate::sql::{Part, Statement, either, select};
use crate::{SiloError, Value};

/// The rows of a section: where they come from and which of them, twice: for the server with `?`, for people with names.
#[derive(Clone)]
pub(super) struct Rows {
    from: Text,
    conditions: Vec<Text>,
    /// What is bound, in the order of the statement.
    pub(super) binds: Vec<Bind>,
    /// The places of a query at which an identifier is bound.
    pub(super) sites: Vec<Site>,
    /// What stands for all columns.
    all: String,
}

/// A place in a query where a parameter stands.
#[derive(Clone)]
pub(super) struct Site {
    /// Its name in settings.
    pub(super) name: String,
    /// What is written there, as a range of the statement's text.
    written: std::ops::Range<usize>,
    /// What is bound there, as a range of what is bound.
    pub(super) bound: std::ops::Range<usize>,
}

impl Rows {
    /// All rows of a section, whoever they belong to; for their columns. `invisible` are those that `*` leaves out.
    pub(super) fn everything(
        section: &SectionSpec,
        known: &Identifiers,
        invisible: &[String],
    ) -> Result<Self, SiloError> {
        match &section.source {
            SectionSource::Table { parts, .. } => {
                let name = table(parts);
                let from = Text { sql: format!("{name} as {ALIAS}"), shown: name };
                let mut all = format!("{ALIAS}.*");
                for column in invisible {
                    all.push_str(&format!(", {ALIAS}.{}", quote(column)));
                }
                Ok(Self { from, conditions: Vec::new(), binds: Vec::new(), sites: Vec::new(), all })
            }
            SectionSource::Query { sql } => Self::query(sql, known),
            strange => Err(strange.is_strange_to("mysql")),
        }
    }

    /// Keeps those that belong to the known identifiers.
    pub(super) fn belonging(
        mut self,
        section: &SectionSpec,
        known: &Identifiers,
        columns: &[Source],
    ) -> Result<Self, SiloError> {
        if let SectionSource::Table { matches, .. } = &section.source
            && !section.tenant_wide
        {
            self.matching(matches, known, columns)?;
        }
        Ok(self)
    }

    /// The statement that selects `list`.
    pub(super) fn select(&self, list: &str) -> String {
        select(list, &self.from.sql, self.conditions.iter().map(|text| &*text.sql))
    }

    /// The statement that selects `list`, other words in place of a parameter.
    pub(super) fn with(&self, site: &Site, words: &str, list: &str) -> String {
        let mut from = self.from.sql.clone();
        from.replace_range(site.written.clone(), words);
        select(list, &from, std::iter::empty())
    }

    /// The same rows, some parameters written in other words: `words` says how each one is, nothing if it stays.
    pub(super) fn rewritten(&self, words: impl Fn(&Site, &Bind) -> Option<String>) -> Self {
        let mut rows = self.clone();
        let mut sql = String::with_capacity(self.from.sql.len());
        let mut done = 0;
        for site in &mut rows.sites {
            sql.push_str(self.from.sql.get(done..site.written.start).unwrap_or_default());
            done = site.written.end;
            let start = sql.len();
            for (place, bind) in self.bound(site).iter().enumerate() {
                sql.push_str(if place > 0 { ", " } else { "" });
                sql.push_str(words(site, bind).as_deref().unwrap_or("?"));
            }
            site.written = start..sql.len();
        }
        sql.push_str(self.from.sql.get(done..).unwrap_or_default());
        rows.from.sql = sql;
        rows
    }

    /// What is bound at a place.
    pub(super) fn bound(&self, site: &Site) -> &[Bind] {
        self.binds.get(site.bound.clone()).unwrap_or_default()
    }

    /// Says whether a text is bound that is no number.
    pub(super) fn has_words(&self) -> bool {
        self.sites.iter().any(|site| self.has_word(site))
    }

    /// Says whether one is at a place.
    pub(super) fn has_word(&self, site: &Site) -> bool {
        self.bound(site).iter().any(|bind| bind::word(bind).is_some())
    }

    /// The statement that selects all columns.
    pub(super) fn select_all(&self) -> String {
        self.select(&self.all)
    }

    /// The statement for people, all columns selected.
    pub(super) fn shown(&self) -> String {
        select("*", &self.from.shown, self.conditions.iter().map(|text| &*text.shown))
    }

    /// Adds a condition on one parameter.
    pub(super) fn narrow(&mut self, sql: String, shown: String, bind: Bind) {
        self.binds.push(bind);
        self.conditions.push(Text { sql, shown });
    }

    /// Adds a condition that has no parameter.
    pub(super) fn only(&mut self, sql: String) {
        self.conditions.push(Text { shown: sql.clone(), sql });
    }

    /// Keeps the rows in which a column holds one of these values; `name` stands for them.
    pub(super) fn holding(
        &mut self,
        column: &Source,
        values: &[Value],
        name: &str,
    ) -> Result<(), SiloError> {
        let one = one_of(column, values, name)?;
        self.binds.extend(one.binds);
        self.conditions.push(one.text);
        Ok(())
    }

    /// Adds the rows behind a key. Written so that an index of its columns is of use; the server compares as it orders.
    pub(super) fn behind(&mut self, key: &[&Source], values: &[Bind]) {
        let mut condition = String::new();
        let mut opened = 0;
        for (place, (column, value)) in key.iter().zip(values).enumerate() {
            let (left, right) = (column.ordered(), as_ordered(column));
            if place + 1 == key.len() {
                condition.push_str(&format!("{left} > {right}"));
                self.binds.push(value.clone());
            } else {
                condition.push_str(&format!("{left} >= {right} and ({left} > {right} or "));
                self.binds.extend([value.clone(), value.clone()]);
                opened += 1;
            }
        }
        condition.push_str(&")".repeat(opened));
        self.only(condition);
    }

    /// No identifier known: no row, never every row.
    fn matching(
        &mut self,
        matches: &[(String, String)],
        known: &Identifiers,
        columns: &[Source],
    ) -> Result<(), SiloError> {
        let mut any: Vec<Text> = Vec::new();
        for (name, identifier) in matches {
            let values = bound::values(identifier, known);
            let Some(column) = columns.iter().find(|column| column.name == *name) else { continue };
            if !values.is_empty() {
                let one = one_of(column, &values, identifier)?;
                self.binds.extend(one.binds);
                any.push(one.text);
            }
        }
        if self.binds.len() > MOST_PARAMETERS {
            return Err(too_many("the identifiers have"));
        }
        if any.is_empty() {
            self.only("false".to_owned());
            return Ok(());
        }
        let (sql, shown): (Vec<_>, Vec<_>) =
            any.into_iter().map(|text| (text.sql, text.shown)).unzip();
        self.conditions.push(Text { sql: either(&sql), shown: either(&shown) });
        Ok(())
    }

    /// Each value of an identifier has a parameter, so that `in`, `not in` and rows of columns mean what they say. All are texts:
    /// beside a text, a number would be compared with whatever number each text of the column begins with. Beside a number,
    /// `digits.rs` has the last word.
    fn query(sql: &str, known: &Identifiers) -> Result<Self, SiloError> {
        let statement = Statement::parse(sql);
        if statement.is_numbered() {
            let what = "the query has a parameter by number: write `:name`, not `$1`".to_owned();
            return Err(SiloError::Settings { what });
        }
        let mut text = Text { sql: "(".to_owned(), shown: "(".to_owned() };
        let (mut binds, mut sites) = (Vec::new(), Vec::new());
        for part in statement.parts() {
            match part {
                Part::Text(piece) => {
                    text.sql.push_str(piece);
                    text.shown.push_str(piece);
                }
                Part::Parameter { name, list } => {
                    let values = bound::parameter(name, *list, known)?;
                    let (written, bound) = (text.sql.len(), binds.len());
                    let is_known = !values.is_empty();
                    text.sql.push_str(&vec!["?"; values.len().max(1)].join(", "));
                    text.shown.push(':');
                    text.shown.push_str(name);
                    if values.is_empty() {
                        binds.push(Bind::NULL);
                    }
                    binds.extend(values.into_iter().map(as_text));
                    if binds.len() > MOST_PARAMETERS {
                        return Err(too_many(&format!("identifier {name} has")));
                    }
                    if is_known {
                        let (written, bound) = (written..text.sql.len(), bound..binds.len());
                        sites.push(Site { name: name.clone(), written, bound });
                    }
                }
            }
        }
        // A comment at the end would hide what is put behind the statement.
        let end = if text.sql.contains("--") || text.sql.contains('#') { "\n" } else { "" };
        text.sql.push_str(&format!("{end}) as {ALIAS}"));
        text.shown.push_str(&format!("{end}) as `rows`"));
        Ok(Self { from: text, conditions: Vec::new(), binds, sites, all: "*".to_owned() })
    }
}

/// What stands for a value in a query.
fn as_text(value: Value) -> Bind {
    match (bind::text(&value), value) {
        (Some(text), _) => Bind::Bytes(text.into_bytes()),
        (None, Value::Bytes(bytes)) => Bind::Bytes(bytes),
        (None, _) => Bind::NULL,
    }
}

/// The selection's own name, which no column has.
pub(super) const ALIAS: &str = "`antumbra rows`";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::silo::mysql::column::Decode;

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

    fn column(name: &str, decode: Decode, collation: Option<&str>) -> Source {
        Source {
            name: name.to_owned(),
            declared: String::new(),
            decode,
            collation: collation.map(|collation| ("utf8mb4".to_owned(), collation.to_owned())),
            native: false,
            loose: false,
        }
    }

    const TEXT: Decode = Decode::Text { characters: 80, words: false };
    const INT: Decode = Decode::Integer { least: 0, most: 100 };

    fn known(name: &str, values: &[&str]) -> Identifiers {
        let values = values.iter().map(|text| Value::Text((*text).to_owned())).collect();
        [(name.to_owned(), values)].into()
    }

    fn matched(known: &Identifiers) -> Rows {
        let section = section(SectionSource::Table {
            parts: vec!["Shop".to_owned(), "my `orders`".to_owned()],
            matches: vec![
                ("e mail".to_owned(), "email".to_owned()),
                ("id".to_owned(), "customer".to_owned()),
            ],
        });
        let columns = [column("e mail", TEXT, Some("utf8mb4_bin")), column("id", INT, None)];
        let rows = Rows::everything(&section, known, &[]).unwrap();
        rows.belonging(&section, known, &columns).unwrap()
    }

    fn query(sql: &str, known: &Identifiers) -> Result<Rows, SiloError> {
        Rows::everything(&section(SectionSource::Query { sql: sql.to_owned() }), known, &[])
    }

    #[test]
    fn a_table_is_matched_by_its_columns_and_by_nothing_when_nothing_is_known() {
        let rows = matched(&known("email", &["Ada@x.org"]));
        assert_eq!(
            rows.select("*"),
            "select * from `Shop`.`my ``orders``` as `antumbra rows` where `e mail` in (convert(? using utf8mb4) collate utf8mb4_bin, convert(? using utf8mb4) collate utf8mb4_bin)"
        );
        assert_eq!(rows.shown(), "select * from `Shop`.`my ``orders``` where `e mail` in (:email)");
        assert_eq!(rows.binds.len(), 2);
        let none = matched(&Identifiers::new());
        assert!(none.select("*").ends_with(" where false") && none.binds.is_empty());
    }

    #[test]
    fn a_text_beside_a_number_selects_nothing() {
        let rows = matched(&known("customer", &["abc", "0x0", ""]));
        assert!(rows.select("*").ends_with(" where false"), "{}", rows.select("*"));
        assert!(rows.binds.is_empty());
        let rows = matched(&known("customer", &["abc", "7", "7.0", "101"]));
        assert!(rows.select("*").ends_with(" where `id` in (?)"));
        assert_eq!(rows.binds, [Bind::Int(7)]);
    }

    #[test]
    fn rows_behind_a_key_are_found_by_its_index() {
        let mut rows = query("select 1", &Identifiers::new()).unwrap();
        let (a, b) = (column("a", INT, None), column("b", TEXT, Some("utf8mb4_general_ci")));
        rows.behind(&[&a, &b], &[Bind::Int(1), Bind::Bytes(b"x".to_vec())]);
        assert!(rows.select("*").ends_with(
            "where `a` >= ? and (`a` > ? or `b` > convert(? using utf8mb4) collate utf8mb4_general_ci)"
        ));
        assert_eq!(rows.binds, [Bind::Int(1), Bind::Int(1), Bind::Bytes(b"x".to_vec())]);
    }

    #[test]
    fn a_list_has_a_parameter_for_each_value() {
        let rows = query("select * from t where a in (:id) or b = :x", &known("id", &["1", "b"]));
        let rows = rows.unwrap();
        assert_eq!(
            rows.select("a"),
            "select a from (select * from t where a in (?, ?) or b = ?) as `antumbra rows`"
        );
        assert_eq!(
            rows.shown(),
            "select * from (select * from t where a in (:id) or b = :x) as `rows`"
        );
        assert_eq!(rows.binds.len(), 3);
        let [site] = &rows.sites[..] else { panic!("one place") };
        assert_eq!((site.name.as_str(), site.bound.clone()), ("id", 0..2));
        assert_eq!(
            rows.with(site, "x()", "count(*)"),
            "select count(*) from (select * from t where a in (x()) or b = ?) as `antumbra rows`"
        );
    }

    #[test]
    fn a_parameter_in_other_words_leaves_the_others_where_they_are() {
        let rows = query("select :id where a in (:id) or b = :id -- :id", &known("id", &["7"]));
        let rows = rows.unwrap();
        let last = rows.sites.last().unwrap().bound.clone();
        let first = rows.rewritten(|site, _| (site.bound.start == 0).then(|| "x(?)".to_owned()));
        assert!(first.select("*").contains("(select x(?) where a in (?) or b = ? --"));
        let both = first.rewritten(|site, _| (site.bound.start > 0).then(|| "y(?)".to_owned()));
        assert!(both.select("*").contains("(select ? where a in (y(?)) or b = y(?) --"));
        assert_eq!(both.sites.last().unwrap().bound, last);
        let with = both.with(both.sites.last().unwrap(), "z", "*");
        assert!(with.contains("(select ? where a in (y(?)) or b = z --"), "{with}");
    }

    #[test]
    fn several_values_need_a_list_and_a_list_has_an_end() {
        let error = query("select :id", &known("id", &["1", "2"])).err().unwrap();
        assert!(error.to_string().contains("write `in (:id)`"), "{error}");
        let many: Vec<String> = (0..60_001).map(|n| n.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let error = query("select * from t where a in (:id)", &known("id", &many)).err().unwrap();
        assert!(error.to_string().contains("identifier id has so many values"), "{error}");
    }

    #[test]
    fn a_comment_at_the_end_hides_nothing() {
        for comment in ["-- one", "# one"] {
            let rows = query(&format!("select 1 {comment}"), &Identifiers::new()).unwrap();
            assert_eq!(
                rows.select_all(),
                format!("select * from (select 1 {comment}\n) as `antumbra rows`")
            );
        }
    }
}
