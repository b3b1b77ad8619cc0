//! Which content coding does the client want? `Accept-Encoding`, RFC 9110 §12.5.3.

use antumbra_bundle::ContentEncoding;
use http::{HeaderMap, header};

/// Chooses between the bytes as they are and gzip, where the file has a gzip form.
///
/// gzip is chosen when it is named (or `*` is) with at least the weight of `identity`. A client that refuses both gets
/// the bytes as they are: the contract has no 406.
pub(super) fn negotiate(headers: &HeaderMap, has_gzip: bool) -> ContentEncoding {
    if !has_gzip {
        return ContentEncoding::Identity;
    }
    let mut gzip = None;
    let mut identity = None;
    let mut any = None;
    let values = headers.get_all(header::ACCEPT_ENCODING).iter();
    for item in values.filter_map(|value| value.to_str().ok()).flat_map(|list| list.split(',')) {
        let Some((coding, weight)) = weighted(item) else { continue };
        match coding.to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => gzip = Some(weight),
            "identity" => identity = Some(weight),
            "*" => any = Some(weight),
            _ => {}
        }
    }
    let gzip = gzip.or(any).unwrap_or(0);
    // Not named means acceptable, but only if nothing that is named fits.
    let identity = identity.unwrap_or(0);
    if gzip > 0 && gzip >= identity { ContentEncoding::Gzip } else { ContentEncoding::Identity }
}

/// Reads `coding;q=0.5`; weights count thousandths. A weight that is none makes the item void.
fn weighted(item: &str) -> Option<(&str, u16)> {
    let mut parts = item.split(';').map(str::trim);
    let coding = parts.next().filter(|coding| !coding.is_empty())?;
    let Some(parameter) = parts.next() else { return Some((coding, 1000)) };
    let (name, weight) = parameter.split_once('=')?;
    if !name.trim().eq_ignore_ascii_case("q") || parts.next().is_some() {
        return None;
    }
    Some((coding, thousandths(weight.trim())?))
}

fn thousandths(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = fraction.len() <= 3 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let fraction: u16 = if digits { format!("{fraction:0<3}").parse().ok()? } else { return None };
    match whole {
        "0" => Some(fraction),
        "1" if fraction == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gzip_for(values: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::ACCEPT_ENCODING, value.parse().unwrap());
        }
        matches!(negotiate(&headers, true), ContentEncoding::Gzip)
    }

    #[test]
    fn gzip_is_sent_to_those_who_ask_for_it() {
        for value in
            ["gzip", "GZIP", "x-gzip", "br, gzip;q=0.001", "gzip, deflate, br", "*", "*;q=0.1"]
        {
            assert!(gzip_for(&[value]), "{value}");
        }
        assert!(gzip_for(&["br", "gzip"]));
        assert!(gzip_for(&["gzip;q=0.5, identity;q=0.5"]));
        assert!(gzip_for(&["identity;q=0, gzip;q=0.1"]));
    }

    #[test]
    fn everyone_else_gets_the_bytes_as_they_are() {
        assert!(!gzip_for(&[]));
        for value in [
            "",
            "identity",
            "br",
            "gzip;q=0",
            "gzip;q=0.000",
            "gzip;q=0, *",
            "*;q=0",
            "gzip;q=0.4, identity;q=0.5",
            "gzip;q=2",
            "gzip;q=0.1234",
            "gzip;q=x",
            "gzip;level=1",
            "gzip;q=1.001",
            "identity;q=0",
        ] {
            assert!(!gzip_for(&[value]), "{value}");
        }
    }

    #[test]
    fn a_file_without_a_gzip_form_is_never_gzip() {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_ENCODING, "gzip".parse().unwrap());
        assert!(matches!(negotiate(&headers, false), ContentEncoding::Identity));
    }
}
