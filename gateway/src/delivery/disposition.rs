//! Under which name does a client save a file? `Content-Disposition`, RFC 6266 and RFC 8187.

use http::HeaderValue;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Returns the header for a file that is to be saved, not shown.
///
/// `name` may hold folders: they become part of the file's name, so that two silos' files stay apart in one folder.
pub(super) fn attachment(name: &str) -> HeaderValue {
    let flat = name.replace(['/', '\\'], "-");
    let ascii: String = flat.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    let text = if ascii == flat {
        format!("attachment; filename=\"{ascii}\"")
    } else {
        let encoded = utf8_percent_encode(&flat, NOT_ATTR_CHAR);
        format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{encoded}")
    };
    HeaderValue::try_from(text).expect("plain ASCII without controls is a header value")
}

/// What may stand between quotes without any doubt: no quote, no backslash, no `%`, no control.
fn is_plain(c: char) -> bool {
    c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '%' | '/') || c == ' '
}

/// Everything but RFC 8187's `attr-char`.
const NOT_ATTR_CHAR: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_name_stands_between_quotes() {
        assert_eq!(attachment("shop/orders.json"), "attachment; filename=\"shop-orders.json\"");
    }

    #[test]
    fn a_name_cannot_leave_its_quotes_or_its_folder() {
        assert_eq!(
            attachment("a\"b\\..\\c\r\nx.json"),
            "attachment; filename=\"a_b-..-c__x.json\"; filename*=UTF-8''a%22b-..-c%0D%0Ax.json"
        );
    }

    #[test]
    fn other_scripts_travel_as_utf_8() {
        assert_eq!(
            attachment("δ 1.json"),
            "attachment; filename=\"_ 1.json\"; filename*=UTF-8''%CE%B4%201.json"
        );
    }
}
