//! Does a query's collation find letters that tell people apart? `utf8mb4_general_ci` calls `jose` and `josé` one, and in a query
//! nobody but the server knows which collation a parameter is compared in.
//!
//! So the rows are counted again with every letter telling apart: as many must be found with the texts as they are, or all in lower
//! case, as most systems store them, or, where every letter is a plain one, in a collation that lets nothing but the case go.
//! A collation that the query names itself is its author's word.

use mysql_async::Error;
use mysql_async::prelude::Queryable;

use super::ask::{self, number};
use super::bind;
use super::coerced::DISCORDS;
use super::fault;
use super::link::{DISCORD, Server};
use super::select::{Rows, Site};
use crate::SiloError;

/// Looks at every place of a query, which is not narrowed yet, where a text is bound that is no number.
///
/// # Errors
/// [`SiloError::Settings`] if a collation finds rows that only it calls this person's.
pub(super) async fn refuse(server: &mut Server, rows: &Rows) -> Result<(), SiloError> {
    let sql = rows.select("count(*)");
    // In one session the rows stay what they are.
    if !rows.has_words() || server.looked.get(&sql) == Some(&rows.binds) {
        return Ok(());
    }
    let mut places = Vec::new();
    for site in rows.sites.iter().filter(|site| rows.has_word(site)) {
        if !is_exact(server, rows, site).await? && takes(server, rows, site).await? {
            places.push(site.bound.clone());
        }
    }
    let found = match places.is_empty() {
        true => 0,
        false => count(server, &sql, rows).await?,
    };
    if found > 0 && !has_as_many(server, rows, &places, found).await? {
        let mut names = rows.sites.iter().filter(|site| places.contains(&site.bound));
        return Err(folded(names.next().map_or("id", |site| &site.name)));
    }
    if server.looked.len() >= MOST_LOOKED {
        server.looked.clear();
    }
    server.looked.insert(sql, rows.binds.clone());
    Ok(())
}

async fn has_as_many(
    server: &mut Server,
    rows: &Rows,
    places: &[std::ops::Range<usize>],
    found: u64,
) -> Result<bool, SiloError> {
    let texts = rows.sites.iter().filter(|site| places.contains(&site.bound));
    let plain = texts.flat_map(|site| rows.bound(site)).filter_map(bind::word).all(is_plain);
    let cases = if server.is_mariadb { OTHER_CASE_OF_MARIADB } else { OTHER_CASE_OF_MYSQL };
    for words in [EXACTLY, LOWER, cases] {
        if words == cases && !plain {
            continue;
        }
        let other = rows.rewritten(|site, bind| {
            (places.contains(&site.bound) && bind::word(bind).is_some()).then(|| words.to_owned())
        });
        match count(server, &other.select("count(*)"), &other).await {
            Ok(count) if count == found => return Ok(true),
            Ok(_) => {}
            // A server without that collation.
            Err(SiloError::Query { .. }) if words == cases => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

/// Says whether the server names the collations that it compares a text in, and each of them tells all letters apart.
async fn is_exact(server: &mut Server, rows: &Rows, site: &Site) -> Result<bool, SiloError> {
    Ok(match said(server, rows, site, DISCORD).await? {
        Some((code, message)) if DISCORDS.contains(&code) => are_exact(&message),
        _ => false,
    })
}

/// Says whether a collation can be given to a text: not where the query gives one.
async fn takes(server: &mut Server, rows: &Rows, site: &Site) -> Result<bool, SiloError> {
    let marks = vec![EXACTLY; site.bound.len()].join(", ");
    Ok(match said(server, rows, site, &marks).await? {
        Some((code, _)) => !DISCORDS.contains(&code) && code != NOT_OF_THE_CHARSET,
        None => true,
    })
}

/// What the server says against other words in place of a parameter.
async fn said(
    server: &mut Server,
    rows: &Rows,
    site: &Site,
    words: &str,
) -> Result<Option<(u16, String)>, SiloError> {
    match server.conn.prep(rows.with(site, words, "*")).await {
        Ok(statement) => {
            server.conn.close(statement).await.map_err(|error| fault::running(&error))?;
            Ok(None)
        }
        Err(Error::Server(said)) => Ok(Some((said.code, said.message))),
        Err(error) => Err(fault::running(&error)),
    }
}

async fn count(server: &mut Server, sql: &str, rows: &Rows) -> Result<u64, SiloError> {
    let found = ask::one(server, sql, rows.binds.clone()).await?;
    Ok(found.map_or(0, |row| number(&row, 0)))
}

/// Reads `Illegal mix of collations (utf8mb4_bin,IMPLICIT) and (utf8mb4_general_ci,NONE) for operation '='`; what has none is ours.
fn are_exact(message: &str) -> bool {
    let named = message.split('(').skip(1).filter_map(|rest| rest.split_once(')'));
    let theirs = named.filter(|(named, _)| !named.ends_with(",NONE"));
    let exact: Vec<bool> = theirs
        .map(|(named, _)| named.split(',').next().is_some_and(|name| name.ends_with("_bin")))
        .collect();
    !exact.is_empty() && exact.iter().all(|exact| *exact)
}

/// Says whether a text has only letters whose other case is nothing but that: two s are another letter to some collations.
fn is_plain(text: &[u8]) -> bool {
    text.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ')
        && !text.windows(2).any(|pair| pair.eq_ignore_ascii_case(b"ss"))
}

fn folded(name: &str) -> SiloError {
    let what = format!(
        "the query compares {name} in a collation that takes other letters for the same, such as an e with an accent and one without, \
         and would find rows that may not be this person's: give it one that does not, as in `= :{name} collate utf8mb4_bin`, or \
         `lower(…) = lower(:{name}) collate utf8mb4_bin`"
    );
    SiloError::Settings { what }
}

const EXACTLY: &str = "convert(? using utf8mb4) collate utf8mb4_bin";
const LOWER: &str = "lower(convert(? using utf8mb4)) collate utf8mb4_bin";
const OTHER_CASE_OF_MARIADB: &str = "convert(? using utf8mb4) collate utf8mb4_uca1400_as_ci";
const OTHER_CASE_OF_MYSQL: &str = "convert(? using utf8mb4) collate utf8mb4_0900_as_ci";
/// An error of a collation that a character set does not have.
const NOT_OF_THE_CHARSET: u16 = 1253;
/// Selections that one session remembers to have looked at.
const MOST_LOOKED: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collation_by_bytes_needs_no_second_look() {
        let said = |collations: &str| {
            are_exact(&format!("Illegal mix of collations {collations} for operation '='"))
        };
        assert!(said("(utf8mb4_bin,IMPLICIT) and (utf8mb4_bin,NONE)"));
        assert!(!said("(utf8mb4_general_ci,IMPLICIT) and (utf8mb4_bin,NONE)"));
        assert!(!said("(utf8mb4_bin,IMPLICIT), (utf8mb4_general_ci,IMPLICIT), (utf8mb4_bin,NONE)"));
        assert!(!said(""));
    }

    #[test]
    fn letters_that_may_be_others_are_not_plain() {
        assert!(is_plain(b"Ada.Lovelace+1@example.org"));
        for text in ["jos\u{e9}", "Strasse", "STRASSE", "a\u{200b}da"] {
            assert!(!is_plain(text.as_bytes()), "{text}");
        }
    }
}
