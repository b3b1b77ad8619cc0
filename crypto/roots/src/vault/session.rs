//! The token that calls carry, and where the next one comes from.

use std::fmt;
use std::time::Duration;

use antumbra_crypto::SecretBytes;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::settings::VaultAuth;
use crate::{Error, secret_source};

/// Holds one token at a time. One caller gets a new one while the others wait for it.
pub(super) struct Session {
    auth: VaultAuth,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    token: Option<Token>,
    /// How many tokens there were: who was refused says with which.
    number: u64,
}

/// A token and the number by which it can be [refused](Session::refused).
#[derive(Clone)]
pub(super) struct Token {
    pub(super) text: SecretBytes,
    pub(super) number: u64,
    renew_at: Option<Instant>,
}

/// A role's ids, for one login.
pub(super) struct Login {
    pub(super) mount: String,
    pub(super) role_id: SecretBytes,
    pub(super) secret_id: SecretBytes,
}

/// What a login gave.
pub(super) struct Granted {
    pub(super) token: SecretBytes,
    /// Zero if it lives for ever.
    pub(super) lease: Duration,
}

impl Session {
    pub(super) fn new(auth: VaultAuth) -> Self {
        Self { auth, state: Mutex::default() }
    }

    /// Returns a token that should be good; `login` is called for a role that has none, or whose
    /// token has a third of its lease left or less.
    pub(super) async fn token<F, E>(&self, login: impl FnOnce(Login) -> F) -> Result<Token, E>
    where
        F: Future<Output = Result<Granted, E>>,
        E: From<Error>,
    {
        let mut state = self.state.lock().await;
        if let Some(token) = state.token.as_ref().filter(|token| token.is_fresh()) {
            return Ok(token.clone());
        }
        let (text, renew_at) = match &self.auth {
            VaultAuth::Token(source) => (secret_source::read(source, "token")?, None),
            VaultAuth::AppRole { mount, role_id, secret_id } => {
                let role_id = secret_source::read(role_id, "role_id")?;
                let secret_id = secret_source::read(secret_id, "secret_id")?;
                // From before the login: the vault's clock runs while its answer travels.
                let asked = Instant::now();
                let mount = mount.clone();
                let granted = login(Login { mount, role_id, secret_id }).await?;
                let good_for = granted.lease * 2 / 3;
                (granted.token, (!granted.lease.is_zero()).then(|| asked + good_for))
            }
        };
        state.number += 1;
        let token = Token { text, number: state.number, renew_at };
        state.token = Some(token.clone());
        Ok(token)
    }

    /// Forgets a token that the vault refused, and says whether another one may do better: a role
    /// can always log in again, a token can only have been replaced where it is kept.
    pub(super) async fn refused(&self, token: &Token) -> bool {
        let mut state = self.state.lock().await;
        if state.number != token.number {
            return true;
        }
        state.token = None;
        match &self.auth {
            VaultAuth::AppRole { .. } => true,
            VaultAuth::Token(source) => secret_source::read(source, "token")
                .is_ok_and(|now| now.expose() != token.text.expose()),
        }
    }
}

impl Token {
    fn is_fresh(&self) -> bool {
        self.renew_at.is_none_or(|at| Instant::now() < at)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("auth", &self.auth).finish_non_exhaustive()
    }
}
