//! Is a long number compared digit by digit? In a query identifiers are bound as texts, and beside a number the server turns a text into
//! a double: of seventeen digits only the first fifteen or so count, and somebody else's number is the same.
//!
//! Where a number of so many digits is bound and no texts are compared, a point in its place makes the server say what it is
//! compared with. Beside whole numbers and decimals, numbers are written as decimals; beside a double the section is refused.

use mysql_async::prelude::Queryable;
use mysql_async::{Error, Value as Bind};

use super::bind::{self, MOST_DECIMAL};
use super::coerced::{compares_texts, is_taken_for_number};
use super::fault;
use super::link::Server;
use super::select::{Rows, Site};
use crate::SiloError;

/// Has long numbers of a query, which is not narrowed yet, compared exactly. Short ones beside them are, too: where a text is among
/// what is compared together, as in `between`, all are doubles.
///
/// # Errors
/// [`SiloError::Settings`] if one is compared with a double, or in a way that cannot be told.
pub(super) async fn compare(server: &mut Server, rows: &mut Rows) -> Result<(), SiloError> {
    if !rows.sites.iter().any(|site| has_long(rows, site)) {
        return Ok(());
    }
    let mut places = Vec::new();
    for site in rows.sites.iter().filter(|site| has_number(rows, site)) {
        if !compares_texts(server, rows, site).await? {
            places.push(site.bound.clone());
        }
    }
    let as_decimals = |rows: &Rows, places: &[std::ops::Range<usize>]| {
        rows.rewritten(|site, bind| places.contains(&site.bound).then(|| decimal(bind)).flatten())
    };
    let all = as_decimals(rows, &places);
    let mut exact = Vec::new();
    for (site, plain) in all.sites.iter().zip(&rows.sites) {
        if !places.contains(&site.bound) {
            continue;
        }
        let long = has_long(rows, site);
        match beside(server, &all, site).await? {
            Beside::Number if is_decimal(rows, site) => exact.push(site.bound.clone()),
            Beside::Number | Beside::Double if long => return Err(rounded(&site.name)),
            Beside::Unknown if long && is_taken_for_number(server, rows, plain, number).await? => {
                return Err(rounded(&site.name));
            }
            _ => {}
        }
    }
    *rows = as_decimals(rows, &exact);
    Ok(())
}

/// What a parameter is compared with.
#[derive(Debug, PartialEq, Eq)]
enum Beside {
    /// A number whose digits count.
    Number,
    /// A number of fifteen digits or so.
    Double,
    /// With what its query casts it to, or with something that is no number.
    Other,
    /// The server does not say.
    Unknown,
}

/// A point can be compared with no number, and the server says with which one it was asked to.
async fn beside(server: &mut Server, rows: &Rows, site: &Site) -> Result<Beside, SiloError> {
    match server.conn.prep(rows.with(site, POINT, "*")).await {
        Ok(statement) => {
            server.conn.close(statement).await.map_err(|error| fault::running(&error))?;
            Ok(Beside::Unknown)
        }
        Err(Error::Server(said)) if said.code == TWO_TYPES => Ok(types(&said.message)),
        Err(Error::Server(said)) if said.code == ONE_TYPE && said.message.contains("cast") => {
            Ok(Beside::Other)
        }
        Err(Error::Server(_)) => Ok(Beside::Unknown),
        Err(error) => Err(fault::running(&error)),
    }
}

/// Reads `Illegal parameter data types bigint unsigned and point for operation '='`.
fn types(message: &str) -> Beside {
    let named = message.split('\'').next().unwrap_or_default();
    let is = |known: &[&str]| named.split(' ').any(|word| known.contains(&word));
    if is(&["double", "float"]) {
        Beside::Double
    } else if is(&NUMBERS) {
        Beside::Number
    } else {
        Beside::Other
    }
}

fn has_number(rows: &Rows, site: &Site) -> bool {
    rows.bound(site).iter().any(|bind| bind::exact(bind).is_some())
}

fn has_long(rows: &Rows, site: &Site) -> bool {
    rows.bound(site).iter().filter_map(bind::exact).any(|number| number.long)
}

/// Says whether decimals of the server's hold all numbers of a site.
fn is_decimal(rows: &Rows, site: &Site) -> bool {
    rows.bound(site).iter().filter_map(bind::exact).all(|number| number.scale.is_some())
}

fn number(bound: &Bind) -> Option<&[u8]> {
    match bound {
        Bind::Bytes(text) if bind::exact(bound).is_some() => Some(text),
        _ => None,
    }
}

fn decimal(bound: &Bind) -> Option<String> {
    let scale = bind::exact(bound)?.scale?;
    Some(format!("cast(? as decimal({MOST_DECIMAL},{scale}))"))
}

fn rounded(name: &str) -> SiloError {
    let what = format!(
        "the query compares {name}, a number of many digits here, in a way in which the server rounds it, and would find rows that are \
         not this person's: compare texts, as in `cast(id as char) = :{name}`"
    );
    SiloError::Settings { what }
}

const POINT: &str = "point(1, 1)";
/// MariaDB's: two types that an operation does not take together.
const TWO_TYPES: u16 = 4078;
/// MariaDB's: a type that a function does not take.
const ONE_TYPE: u16 = 4079;
/// Types, as the server writes them, that are exact.
const NUMBERS: [&str; 9] =
    ["decimal", "bigint", "int", "mediumint", "smallint", "tinyint", "boolean", "bit", "year"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compared_is_read_from_the_refusal() {
        let said = |types: &str| {
            super::types(&format!("Illegal parameter data types {types} for operation 'double'"))
        };
        assert_eq!(said("decimal and point"), Beside::Number);
        assert_eq!(said("point and bigint unsigned"), Beside::Number);
        assert_eq!(said("double and point"), Beside::Double);
        assert_eq!(said("datetime and point"), Beside::Other);
    }
}
