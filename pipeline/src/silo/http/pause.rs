//! How long does a service want to be left alone?

use std::time::Duration;

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

/// Reads `Retry-After` ([RFC 9110 section 10.2.3](https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3)): seconds, or a date. A date
/// is compared with the answer's own `Date`, so that nobody's clock has to be right.
pub(super) fn asked(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok().map(str::trim);
    let after = text(RETRY_AFTER)?;
    if let Ok(seconds) = after.parse::<u64>() {
        return after.bytes().all(|b| b.is_ascii_digit()).then(|| Duration::from_secs(seconds));
    }
    let until = moment(after)?;
    let now = moment(text(DATE)?)?;
    Some(Duration::try_from(until.duration_since(now)).unwrap_or(Duration::ZERO))
}

fn moment(text: &str) -> Option<Timestamp> {
    DateTimeParser::new().parse_timestamp(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(after: &str, date: Option<&str>) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, after.parse().unwrap());
        if let Some(date) = date {
            headers.insert(DATE, date.parse().unwrap());
        }
        asked(&headers).map(|pause| pause.as_secs())
    }

    #[test]
    fn seconds_and_dates_are_read_and_nothing_else() {
        let date = Some("Sun, 06 Nov 1994 08:49:30 GMT");
        assert_eq!(read("7", None), Some(7));
        assert_eq!(read("Sun, 06 Nov 1994 08:49:37 GMT", date), Some(7));
        assert_eq!(read("Sun, 06 Nov 1994 08:49:07 GMT", date), Some(0));
        assert_eq!(read("Sun, 06 Nov 1994 08:49:37 GMT", None), None);
        assert_eq!(read("+7", None), None);
        assert_eq!(read("-7", None), None);
        assert_eq!(read("soon", date), None);
        assert_eq!(asked(&HeaderMap::new()), None);
    }
}
