//! What may an audit entry say? Every action with its facts; none has room for what a person typed.

use uuid::Uuid;

use crate::{AuditEvent, Scope};

/// Returns what is wrong with an event: its action or a fact of it is not declared here, or a fact has another shape.
///
/// The answer names no value. Asked for every event of every caller in builds with debug assertions, so that a test which
/// writes something new fails.
pub(crate) fn fault(event: &AuditEvent) -> Option<String> {
    let action = event.action;
    let Some((_, declared)) = ACTIONS.iter().find(|(name, _)| *name == action) else {
        return Some(format!("the action {action} is not declared"));
    };
    event.facts.iter().find_map(|(name, value)| {
        match declared.iter().find(|(known, _)| known == name) {
            None => Some(format!("{action}: the fact {name} is not declared")),
            Some((_, shape)) if !shape.fits(value) => {
                Some(format!("{action}: the fact {name} is not {shape:?}"))
            }
            Some(_) => None,
        }
    })
}

/// The facts that an action may have.
type Facts = &'static [(&'static str, Fact)];

/// The shape of a fact.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fact {
    /// A number that is not negative.
    Count,
    /// `true` or `false`.
    Flag,
    /// One word of a list.
    Word(&'static [&'static str]),
    /// Scopes of an API key with spaces between them.
    Scopes,
    /// An error's fixed word.
    Code,
    /// A key of the ring.
    KeyId,
    /// A random UUID.
    Id,
    /// A SHA-256 in lower-case hexadecimal.
    Sha256,
    /// An entry of a bundle, made of names in the settings and a format, or `*`.
    Entry,
}

impl Fact {
    /// Says whether a value has the shape.
    pub(crate) fn fits(self, value: &str) -> bool {
        let all = |fits: fn(u8) -> bool| (1..=64).contains(&value.len()) && value.bytes().all(fits);
        match self {
            Self::Count => value.parse::<u64>().is_ok(),
            Self::Flag => matches!(value, "true" | "false"),
            Self::Word(list) => list.contains(&value),
            Self::Scopes => value.split(' ').all(|word| word.parse::<Scope>().is_ok()),
            Self::Code => all(|b| b.is_ascii_lowercase() || b == b'_'),
            Self::KeyId => {
                all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b))
            }
            Self::Id => {
                Uuid::try_parse(value).is_ok_and(|id| matches!(id.get_version_num(), 4 | 7))
            }
            Self::Sha256 => {
                value.len() == 64 && all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
            }
            Self::Entry => value == "*" || value.split('/').all(is_name),
        }
    }
}

fn is_name(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
    (1..=64).contains(&text.len()) && text.bytes().all(fits)
}

/// Every action and the facts that it may have.
pub(crate) const ACTIONS: &[(&str, Facts)] = &[
    (
        "request.created",
        &[
            ("action", Fact::Word(&["ACCESS", "ERASURE"])),
            ("family", Fact::Word(&["sombra", "compliance"])),
            ("scope", Fact::Word(&["DATA_SUBJECT", "TENANT_FULL", "TENANT_SLICE"])),
            ("test", Fact::Flag),
        ],
    ),
    ("request.forgotten", &[]),
    (
        "plan.previewed",
        &[
            ("plan_sha256", Fact::Sha256),
            ("scope", Fact::Word(&["DATA_SUBJECT", "TENANT_FULL", "TENANT_SLICE"])),
            ("sections", Fact::Count),
        ],
    ),
    ("job.requested", &[("attempt", Fact::Count)]),
    ("job.collecting", &[("sections", Fact::Count)]),
    ("job.packaging", &[]),
    (
        "job.ready",
        &[
            ("bundle_len", Fact::Count),
            ("bundle_sha256", Fact::Sha256),
            ("files", Fact::Count),
            ("partial", Fact::Flag),
        ],
    ),
    ("job.delivered", &[]),
    ("job.expired", &[("grants_revoked", Fact::Count)]),
    ("job.failed", &[("code", Fact::Code)]),
    ("job.cancelled", &[]),
    ("job.forgotten", &[("grants_revoked", Fact::Count)]),
    ("job.key_destroyed", &[("grants_revoked", Fact::Count)]),
    ("job.key_exported", &[("key", Fact::KeyId)]),
    ("download_keys.issued", &[("count", Fact::Count)]),
    ("download_keys.revoked", &[("count", Fact::Count)]),
    ("download_keys.forgotten", &[("count", Fact::Count)]),
    (
        "bundle.downloaded",
        &[
            ("complete", Fact::Flag),
            ("file", Fact::Entry),
            ("sent", Fact::Count),
            ("start", Fact::Count),
        ],
    ),
    ("api_key.created", &[("key", Fact::Id), ("scopes", Fact::Scopes)]),
    ("api_key.revoked", &[("key", Fact::Id), ("scopes", Fact::Scopes)]),
    ("key.rotated", &[("key", Fact::KeyId)]),
    (
        "key.rewrapped",
        &[
            ("key", Fact::KeyId),
            ("stage", Fact::Word(&["begun", "ended"])),
            ("jobs", Fact::Count),
            ("failed", Fact::Count),
        ],
    ),
    ("key.retired", &[("key", Fact::KeyId)]),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{Actor, TenantId};

    fn event<const N: usize>(action: &'static str, facts: [(&'static str, &str); N]) -> AuditEvent {
        AuditEvent {
            action,
            actor: Actor::Operator,
            tenant: TenantId::new("acme").unwrap(),
            request: None,
            job: None,
            facts: facts.map(|(name, value)| (name, value.to_owned())).into(),
        }
    }

    #[test]
    fn what_is_not_declared_is_told_without_its_value() {
        let key = "kek_0123456789abcdef";
        assert_eq!(fault(&event("key.rotated", [("key", key)])), None);
        assert_eq!(fault(&event("key.rotated", [])), None);
        for (event, told) in [
            (event("keys.rotated", [("key", key)]), "the action keys.rotated is not declared"),
            (event("key.rotated", [("by", "Ada")]), "key.rotated: the fact by is not declared"),
            (event("key.rotated", [("jobs", "7")]), "key.rotated: the fact jobs is not declared"),
            (event("key.rotated", [("key", "Ada")]), "key.rotated: the fact key is not KeyId"),
            (event("job.failed", [("code", "no Ada")]), "job.failed: the fact code is not Code"),
        ] {
            assert_eq!(fault(&event).as_deref(), Some(told));
        }
    }

    #[test]
    fn no_fact_takes_what_a_person_types() {
        for (action, facts) in ACTIONS {
            assert!(action.split('.').count() == 2 && !action.contains(char::is_uppercase));
            let names: BTreeMap<&str, &Fact> =
                facts.iter().map(|(name, fact)| (*name, fact)).collect();
            assert_eq!(names.len(), facts.len(), "{action}");
            for (name, fact) in names {
                for typed in [
                    "",
                    "Ada Lovelace",
                    "ada@example.com",
                    "+49 30 1234567",
                    "please, \u{1f600}",
                    "a b",
                ] {
                    assert!(!fact.fits(typed), "{action}: {name} takes {typed:?}");
                }
            }
        }
        let named: Vec<&str> = ACTIONS.iter().map(|(action, _)| *action).collect();
        let mut once = named.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), named.len());
    }
}
