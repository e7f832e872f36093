//! Everything about the authorization server's behaviour that can be turned while it runs.

use std::time::Duration;

/// The switches of an authorization server. The defaults are Atlassian's.
#[derive(Clone, Debug)]
pub struct Switches {
    /// Added to every answer.
    pub latency: Duration,
    /// Waited before tokens are answered, after they were made: what is killed meanwhile never hears of them.
    pub answers_late: Duration,
    /// How long an access token is good.
    pub access_lives: Duration,
    /// How long a refresh token that was used goes on.
    pub leeway: Duration,
    /// Every refresh is refused: access was withdrawn.
    pub refuses_grants: bool,
    /// As an ended refresh token was once answered, instead of `invalid_grant`.
    pub refuses_as_unauthorized_client: bool,
    /// Whoever is asked says no.
    pub denies: bool,
    /// No refresh token is given, as without `offline_access`.
    pub no_refresh_token: bool,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            latency: Duration::ZERO,
            answers_late: Duration::ZERO,
            access_lives: Duration::from_secs(3600),
            leeway: Duration::from_secs(600),
            refuses_grants: false,
            refuses_as_unauthorized_client: false,
            denies: false,
            no_refresh_token: false,
        }
    }
}
