//! Would a database take a text for a number? `id = '07'` finds the row whose id is 7, which nobody asked for.
//!
//! In a query, who knows what an identifier stands beside. Only a text that reads as a number and is not written as one is in danger: in
//! its place a word is tried, which databases refuse where they want a number.

use antumbra_adbc::Error;

use super::bind::whole;
use super::fault;
use super::link::Server;
use super::select::Rows;
use crate::silo::{Identifiers, SectionSource, SectionSpec};
use crate::sql::Statement;
use crate::{SiloError, Value};

/// Refuses a query in which a text would be taken for a number.
pub(super) fn refuse(
    server: &mut Server<'_>,
    section: &SectionSpec,
    known: &Identifiers,
) -> Result<(), SiloError> {
    let SectionSource::Query { sql } = &section.source else { return Ok(()) };
    for name in Statement::parse(sql).names() {
        let Some(values) = known.get(name).filter(|values| values.iter().any(is_in_danger)) else {
            continue;
        };
        let words = values.iter().map(|value| {
            if is_in_danger(value) { Value::Text(WORD.to_owned()) } else { value.clone() }
        });
        let mut instead = known.clone();
        instead.insert(name.to_owned(), words.collect());
        let counted = Rows::everything(section, &instead, server.dialect)?.select("count(*) as n");
        match server.try_first(&counted) {
            Ok(_) => {}
            Err(error) if error.retry() && error != Error::Stream => {
                return Err(fault::running(&error));
            }
            Err(_) => {
                let what = format!(
                    "the query compares {name}, of which one is a text that reads as a number, with numbers: compare text with text, as in \
                     `cast(id as varchar) = :{name}`"
                );
                return Err(SiloError::Settings { what });
            }
        }
    }
    Ok(())
}

fn is_in_danger(value: &Value) -> bool {
    let Value::Text(text) = value else { return false };
    whole(text).is_none() && reads_as_number(text)
}

/// Says whether some database may read a text as a number: with spaces around it, a sign, underscores, a point, an exponent, in another base.
fn reads_as_number(text: &str) -> bool {
    let digits = text.trim().replace('_', "").to_ascii_lowercase();
    let unsigned = digits.trim_start_matches(['+', '-']);
    digits.parse::<f64>().is_ok()
        || ["0x", "0b", "0o"].iter().any(|base| unsigned.starts_with(base))
}

/// What is no number, day or truth value anywhere.
const WORD: &str = "antumbra";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_that_are_not_written_as_such_are_in_danger() {
        let is = |text: &str| is_in_danger(&Value::Text(text.to_owned()));
        for text in [
            "07",
            " 7",
            "7\n",
            "+7",
            "7.0",
            "7e0",
            "1_000",
            "0x7",
            "-0b1",
            "99999999999999999999",
            "inf",
        ] {
            assert!(is(text), "{text:?}");
        }
        for text in ["7", "-7", "AP-000042", "ada@example.com", "", "7a", "a7"] {
            assert!(!is(text), "{text:?}");
        }
    }
}
