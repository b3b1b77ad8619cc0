//! In which order do rows come, so that they come in the same one again?

use super::column::{Decode, Source};
use super::name::quote;

/// What stands behind `order by`. Without a key: the columns that are short and have an order of their own, so that people find their
/// way, and where these leave rows in any order, a digest of everything else.
pub(super) fn order(columns: &[Source], ordered_by: &[String], keyed: bool) -> String {
    if keyed {
        let find = |name: &String| columns.iter().find(|column| column.name == *name);
        let key: Vec<String> = ordered_by.iter().filter_map(find).map(Source::ordered).collect();
        return key.join(", ");
    }
    let mut terms = Vec::new();
    let mut rest = Vec::new();
    for column in columns {
        let is_plain = match column.decode {
            Decode::Text { characters, words } => words || characters <= SHORT,
            Decode::Bytes { .. } | Decode::Json => false,
            _ => true,
        };
        if is_plain && terms.len() < MOST_TERMS {
            terms.push(by_itself(column));
        } else {
            rest.push(digest(column));
        }
    }
    if !rest.is_empty() {
        terms.push(format!("sha2(concat({}), 256)", rest.join(", ")));
    }
    terms.join(", ")
}

/// By bytes: a collation may call different texts equal, and so does its padding.
fn by_itself(column: &Source) -> String {
    let name = quote(&column.name);
    match column.decode {
        Decode::Text { .. } => format!("cast(convert({name} using utf8mb4) as binary)"),
        _ => name,
    }
}

/// Different for different values, and never NULL, which would swallow the others.
fn digest(column: &Source) -> String {
    let name = quote(&column.name);
    let bytes = match column.decode {
        // As a text it would be rounded.
        Decode::Single | Decode::Real => format!("cast(cast({name} as double) as char)"),
        Decode::Text { .. } | Decode::Json => format!("convert({name} using utf8mb4)"),
        _ => format!("cast({name} as binary)"),
    };
    format!("coalesce(sha2({bytes}, 256), 'null')")
}

/// Characters of a text that is ordered by itself.
const SHORT: u32 = 255;
/// Columns that rows are ordered by, each by itself: the server sorts them in a bounded space.
const MOST_TERMS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, decode: Decode) -> Source {
        Source {
            name: name.to_owned(),
            declared: String::new(),
            decode,
            collation: None,
            native: false,
            loose: false,
        }
    }

    #[test]
    fn without_a_key_every_column_has_a_part_in_the_order() {
        let columns = [
            column("n", Decode::Year),
            column("t", Decode::Text { characters: 20, words: false }),
            column("long", Decode::Text { characters: 65_535, words: false }),
        ];
        assert_eq!(
            order(&columns, &[], false),
            "`n`, cast(convert(`t` using utf8mb4) as binary), \
             sha2(concat(coalesce(sha2(convert(`long` using utf8mb4), 256), 'null')), 256)"
        );
        let many: Vec<Source> = (0..40).map(|n| column(&format!("c{n}"), Decode::Year)).collect();
        let order = order(&many, &[], false);
        assert!((0..40).all(|n| order.contains(&format!("`c{n}`"))));
    }
}
