//! Would the server take one of our texts for a number? In a query only it knows what a parameter is compared with; beside a number
//! or a date it takes a text for the number that it begins with, nought if there is none, and finds somebody else's rows. An index
//! does so without a word.
//!
//! Three looks, the first two before a row is read. A text that no collation can compare stands in for the parameter: where the
//! server refuses it, texts are compared, and all is well. Elsewhere the rows are counted for texts that nobody has, one that begins
//! as the parameter does and others that begin with other numbers: if the counts differ, it was taken for a number. At last the
//! warnings, which tell of what was converted row by row.

use mysql_async::prelude::Queryable;
use mysql_async::{Error, Row, Value as Bind};

use super::ask::{self, number};
use super::bind::word;
use super::fault;
use super::link::{DISCORD, MOST_WARNINGS, Server};
use super::select::{Rows, Site};
use crate::SiloError;

/// Looks at every place where a text is bound that is no number; `rows` are not narrowed yet.
///
/// # Errors
/// [`SiloError::Settings`] if one is taken for a number.
pub(super) async fn refuse(server: &mut Server, rows: &Rows) -> Result<(), SiloError> {
    for site in &rows.sites {
        if rows.has_word(site)
            && !compares_texts(server, rows, site).await?
            && is_taken_for_number(server, rows, site, word).await?
        {
            return Err(coerced(&site.name));
        }
    }
    Ok(())
}

/// Says whether the rows show that texts of a site, those that `which` finds, are taken for numbers.
pub(super) async fn is_taken_for_number(
    server: &mut Server,
    rows: &Rows,
    site: &Site,
    which: fn(&Bind) -> Option<&[u8]>,
) -> Result<bool, SiloError> {
    let alike = |text: &[u8]| [text, NOBODY.as_bytes()].concat();
    let like = counted(server, rows, site, |bind| which(bind).map(alike)).await?;
    for number in OTHERS {
        let text = format!("{number}{NOBODY}").into_bytes();
        let other = |bind: &Bind| which(bind).map(|_| text.clone());
        if like != counted(server, rows, site, other).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Looks at the warnings of the statement that just ended.
///
/// # Errors
/// [`SiloError::Settings`] if a text was taken for a number; [`SiloError::Query`] if the server left something out and only warned.
/// Either, too, if there are so many warnings that it cannot be told.
pub(super) async fn check(server: &mut Server, words: &Words) -> Result<(), SiloError> {
    let warnings = server.conn.get_warnings();
    if warnings == 0 {
        return Ok(());
    }
    let said: mysql_async::Result<Vec<Row>> =
        server.conn.query(format!("show warnings limit {MOST_WARNINGS}")).await;
    let said = said.map_err(|error| fault::running(&error))?;
    let codes = said.iter().map(|row| number(row, 1));
    if let Some((_, lost)) =
        codes.filter_map(|code| LOSSES.iter().find(|(known, _)| *known == code)).next()
    {
        return Err(SiloError::Query { reason: (*lost).to_owned() });
    }
    if usize::from(warnings) > said.len() {
        return Err(words.0.first().map_or_else(
            || SiloError::Query {
                reason: format!(
                    "more than {} warnings: whether it left something out cannot be told",
                    said.len()
                ),
            },
            |first| coerced(&first.0),
        ));
    }
    for row in &said {
        let message = ask::text(row, 2).unwrap_or_default();
        let quoted = |(_, word): &&(String, String)| quotes(&message, word);
        if COERCIONS.contains(&number(row, 1))
            && let Some((name, _)) = words.0.iter().find(quoted)
        {
            return Err(coerced(name));
        }
    }
    Ok(())
}

/// The texts of a query that are no numbers, each with its parameter's name.
pub(super) struct Words(Vec<(String, String)>);

impl Words {
    pub(super) fn of(rows: &Rows) -> Self {
        let of_site = |site: &Site| {
            let name = site.name.clone();
            let texts = rows.bound(site).iter().filter_map(word).map(String::from_utf8_lossy);
            texts.map(|text| (name.clone(), text.into_owned())).collect::<Vec<_>>()
        };
        Self(rows.sites.iter().flat_map(of_site).collect())
    }
}

/// Says whether the server refuses to compare what no collation can. A function that refuses it, `replace` for one, says nothing of
/// what its result is compared with.
pub(super) async fn compares_texts(
    server: &mut Server,
    rows: &Rows,
    site: &Site,
) -> Result<bool, SiloError> {
    let sql = rows.with(site, DISCORD, "*");
    match server.conn.prep(sql).await {
        Ok(statement) => {
            server.conn.close(statement).await.map_err(|error| fault::running(&error))?;
            Ok(false)
        }
        Err(Error::Server(said)) => Ok(DISCORDS.contains(&said.code) && compares(&said.message)),
        Err(error) => Err(fault::running(&error)),
    }
}

/// Says whether the operation that a message quotes at its end compares.
fn compares(message: &str) -> bool {
    let quoted = message.rsplit('\'').nth(1).unwrap_or_default().trim();
    COMPARISONS.iter().any(|known| quoted.eq_ignore_ascii_case(known))
}

/// Counts the rows with other texts in place of some of a site.
async fn counted(
    server: &mut Server,
    rows: &Rows,
    site: &Site,
    other: impl Fn(&Bind) -> Option<Vec<u8>>,
) -> Result<u64, SiloError> {
    let mut binds = rows.binds.clone();
    for bound in binds.get_mut(site.bound.clone()).unwrap_or_default() {
        if let Some(text) = other(bound) {
            *bound = Bind::Bytes(text);
        }
    }
    let found = ask::one(server, &rows.select("count(*)"), binds).await?;
    Ok(found.map_or(0, |row| number(&row, 0)))
}

fn coerced(name: &str) -> SiloError {
    let what = format!(
        "the query compares {name}, which is no number here, with a number or a date, and would find rows that are not this person's: \
         compare texts, as in `cast(id as char) = :{name}`"
    );
    SiloError::Settings { what }
}

/// Says whether a message quotes a text. The server cuts long ones and writes some characters in its own way: what is compared
/// ends there.
fn quotes(message: &str, word: &str) -> bool {
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '\\' | '\'');
    let end = word.find(|c| !plain(c)).unwrap_or(word.len()).min(SURE);
    message.contains(&format!("'{}", word.get(..end).unwrap_or_default()))
}

/// Errors of collations that cannot be compared.
pub(super) const DISCORDS: [u16; 3] = [1267, 1270, 1271];
/// As the server writes them.
const COMPARISONS: [&str; 15] = [
    "=",
    "<=>",
    "<>",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "in",
    "like",
    "between",
    "case",
    "regexp",
    "find_in_set",
    "strcmp",
];
/// Warnings of a value that is truncated, wrong or not of the type it is taken for.
const COERCIONS: [u64; 5] = [1264, 1265, 1292, 1366, 1918];
/// Warnings of something that is not there because of them.
const LOSSES: [(u64, &str); 3] = [
    (1260, "a group_concat is longer than max_allowed_packet and would be cut (1260)"),
    (1301, "a value is longer than max_allowed_packet and would be NULL (1301)"),
    (1931, "the server would end it early (1931)"),
];
/// Bytes of a text that the server quotes whatever its length.
const SURE: usize = 32;
/// What makes a text one that nobody has, and changes nothing of the number that it begins with.
const NOBODY: &str = "x antumbra nobody 6b1f0c2d9e7a4853";
/// Numbers that others begin with. An index cuts what is beyond its column's type to the type's limit, and so to one that may be
/// there; not all of these are cut alike.
const OTHERS: [&str; 3] = ["7309182736451", "-7309182736451", "113"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_quotes_the_text_is_known() {
        let message = "Truncated incorrect DECIMAL value: 'ada@x.org'";
        assert!(quotes(message, "ada@x.org"));
        assert!(!quotes(message, "bob@x.org"));
        assert!(quotes(message, "\u{e9}t\u{e9}"), "what cannot be compared counts as quoted");
        let long = "a".repeat(300);
        assert!(quotes(&format!("value: '{}...'", "a".repeat(64)), &long));
    }

    #[test]
    fn only_an_operation_that_compares_says_what_is_compared() {
        let message = |operation: &str| {
            format!(
                "Illegal mix of collations (a,IMPLICIT) and (b,NONE) for operation '{operation}'"
            )
        };
        assert!(compares(&message("=")) && compares(&message(" IN ")));
        assert!(!compares(&message("replace")) && !compares(&message("UNION")));
    }
}
