//! What stands after the `?`

use percent_encoding::percent_decode_str;

use super::ApiError;

/// The parameters of a query string, decoded.
///
/// Prints nothing: download keys travel here.
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads a query string; `+` is a space.
    ///
    /// # Errors
    /// Malformed, when a name or value is not UTF-8 once decoded.
    pub(crate) fn parse(text: Option<&str>) -> Result<Self, ApiError> {
        let pairs = text.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        pairs
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                Ok((decode(name)?, decode(value)?))
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Returns the only value of a parameter.
    ///
    /// # Errors
    /// Malformed, when the parameter occurs more than once: guessing which one counts would be a decision about access.
    pub(crate) fn one(&self, name: &str) -> Result<Option<&str>, ApiError> {
        let mut values = self.0.iter().filter(|(known, _)| known == name).map(|(_, value)| value);
        let first = values.next();
        match values.next() {
            None => Ok(first.map(String::as_str)),
            Some(_) => Err(ApiError::field(name, "occurs more than once")),
        }
    }

    /// Returns a whole number between `least` and `most`, or `default` when the parameter is absent.
    ///
    /// # Errors
    /// Malformed, naming the parameter.
    pub(crate) fn number(
        &self,
        name: &str,
        least: u64,
        most: u64,
        default: u64,
    ) -> Result<u64, ApiError> {
        let Some(text) = self.one(name)? else { return Ok(default) };
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse::<u64>() {
            Ok(number) if digits && (least..=most).contains(&number) => Ok(number),
            _ => Err(ApiError::field(
                name,
                &format!("expected a whole number from {least} to {most}"),
            )),
        }
    }

    /// Refuses `dryRun`, however it is spelled, where nothing knows it: whoever meant to look must not have done it.
    ///
    /// # Errors
    /// Malformed, naming the parameter.
    pub(crate) fn refuse_dry_run(&self) -> Result<(), ApiError> {
        match self.0.iter().any(|(name, _)| name.eq_ignore_ascii_case(DRY_RUN)) {
            true => {
                Err(ApiError::field(DRY_RUN, "is not known here: the request would be carried out"))
            }
            false => Ok(()),
        }
    }

    /// Says whether a plan is asked for and nothing else.
    ///
    /// # Errors
    /// Malformed, when the parameter is spelled otherwise, or is neither `true` nor `false`.
    pub(crate) fn is_dry_run(&self) -> Result<bool, ApiError> {
        let is_other = |name: &str| name != DRY_RUN && name.eq_ignore_ascii_case(DRY_RUN);
        if self.0.iter().any(|(name, _)| is_other(name)) {
            return Err(ApiError::field(DRY_RUN, "is spelled like this"));
        }
        self.flag(DRY_RUN)
    }

    /// Returns a switch: `true` or `false`, `false` when the parameter is absent.
    ///
    /// # Errors
    /// Malformed, naming the parameter.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.one(name)? {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(ApiError::field(name, "expected `true` or `false`")),
        }
    }
}

impl std::fmt::Debug for Query {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Query").finish_non_exhaustive()
    }
}

/// The parameter that asks for a plan.
const DRY_RUN: &str = "dryRun";

fn decode(text: &str) -> Result<String, ApiError> {
    let spaced = text.replace('+', " ");
    match percent_decode_str(&spaced).decode_utf8() {
        Ok(decoded) => Ok(decoded.into_owned()),
        Err(_) => Err(ApiError::malformed("the query string is not UTF-8 once decoded")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_decoded_once() {
        let query = Query::parse(Some("a=1%2525+2&b&&c=%3D")).unwrap();
        assert_eq!(query.one("a").unwrap(), Some("1%25 2"));
        assert_eq!(query.one("b").unwrap(), Some(""));
        assert_eq!(query.one("c").unwrap(), Some("="));
        assert_eq!(query.one("d").unwrap(), None);
    }

    #[test]
    fn a_repeated_parameter_is_refused() {
        let query = Query::parse(Some("k=1&k=1")).unwrap();
        assert!(query.one("k").unwrap_err().message().contains("`k`"));
    }

    #[test]
    fn a_number_out_of_its_bounds_names_the_parameter() {
        for text in
            ["limit=0", "limit=101", "limit=-1", "limit=+5", "limit=", "limit=1e1", "limit=x"]
        {
            let query = Query::parse(Some(text)).unwrap();
            let error = query.number("limit", 1, 100, 25).unwrap_err();
            assert_eq!(error.message(), "`limit`: expected a whole number from 1 to 100", "{text}");
        }
        let query = Query::parse(Some("limit=100")).unwrap();
        assert_eq!(query.number("limit", 1, 100, 25).unwrap(), 100);
        assert_eq!(query.number("offset", 0, 100, 25).unwrap(), 25);
    }

    #[test]
    fn a_dry_run_is_never_taken_for_a_real_one() {
        let query = |text: &str| Query::parse(Some(text)).unwrap();
        assert!(query("dryRun=true").is_dry_run().unwrap());
        assert!(!query("dryRun=false&x=1").is_dry_run().unwrap());
        for text in ["dryrun=true", "DRYRUN=true", "dryRun=1", "dryRun", "dryRun=true&dryrun=true"]
        {
            assert!(query(text).is_dry_run().is_err(), "{text}");
            assert!(query(text).refuse_dry_run().is_err(), "{text}");
        }
        query("dry=true").refuse_dry_run().unwrap();
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        assert!(Query::parse(Some("a=%FF")).is_err());
    }
}
