//! As whom does the server run? As whoever runs the demo; PostgreSQL refuses root, so root runs it as `postgres`.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::Context;

/// Somebody else than ourselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Account {
    /// The user's number.
    pub(super) user: u32,
    /// The group's number.
    pub(super) group: u32,
}

impl Account {
    /// Says who has to run the server, if not we; `ours` is a directory that this process made.
    ///
    /// # Errors
    /// When we are root and nobody is called `postgres`.
    pub(super) fn for_server(ours: &Path) -> anyhow::Result<Option<Self>> {
        let made = fs::metadata(ours).with_context(|| format!("cannot see {}", ours.display()))?;
        if made.uid() != 0 {
            return Ok(None);
        }
        let users = fs::read_to_string(USERS).with_context(|| format!("cannot read {USERS}"))?;
        let account = Self::of("postgres", &users);
        let account = account.context(
            "PostgreSQL refuses to run as root, and there is no user postgres: run the demo as somebody else",
        )?;
        Ok(Some(account))
    }

    /// Says whether this account can reach what is in a directory.
    ///
    /// # Errors
    /// When it or one above cannot be looked at.
    pub(super) fn reaches(&self, directory: &Path) -> anyhow::Result<bool> {
        for above in directory.ancestors() {
            let seen =
                fs::metadata(above).with_context(|| format!("cannot see {}", above.display()))?;
            let bit = match () {
                () if seen.uid() == self.user => 0o100,
                () if seen.gid() == self.group => 0o010,
                () => 0o001,
            };
            if !seen.is_dir() || seen.mode() & bit == 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Finds somebody in the text of passwd(5).
    fn of(name: &str, users: &str) -> Option<Self> {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        let account =
            Self { user: fields.next()?.parse().ok()?, group: fields.next()?.parse().ok()? };
        (account.user != 0).then_some(account)
    }
}

const USERS: &str = "/etc/passwd";

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn user_is_found_by_the_whole_name() {
        let users = "root:x:0:0:root:/root:/bin/sh\npostgres2:x:7:7::/:\npostgres:x:104:112:,,,:/var:/bin/sh\n";
        assert_eq!(Account::of("postgres", users), Some(Account { user: 104, group: 112 }));
        assert_eq!(Account::of("root", users), None, "root is not somebody else");
        assert_eq!(Account::of("nobody", users), None);
    }

    #[test]
    fn closed_directory_above_keeps_others_out() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("inner");
        fs::create_dir(&inner).unwrap();
        let stranger = Account { user: u32::MAX - 7, group: u32::MAX - 7 };
        let mode =
            |mode| fs::set_permissions(dir.path(), fs::Permissions::from_mode(mode)).unwrap();
        mode(0o700);
        assert!(!stranger.reaches(&inner).unwrap());
        mode(0o711);
        let above = stranger.reaches(dir.path().parent().unwrap()).unwrap();
        assert_eq!(stranger.reaches(&inner).unwrap(), above);
    }
}
