//! Logout tokens (OpenID Connect Back-Channel Logout 1.0 section 2.4): that a session has ended, as a client hears it.

use crate::authorization_server::AuthorizationServer;
use serde::Serialize;
use serde_json::{Value, json};
use std::time::Duration;
use tegata_core::claims::person_subject;
use tegata_core::encoding::base64url;
use tegata_core::entropy::bytes;
use tegata_core::{Refusal, SessionId, Timestamp};
use tegata_storage::LogoutNotice;

/// The `typ` of a logout token: nothing else that is signed here passes for one.
const LOGOUT_TOKEN: &str = "logout+jwt";

/// How long a client may take to believe it: two minutes at most (section 2.4).
const LIFETIME: Duration = Duration::from_mins(2);

/// The event (section 2.4).
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// It has no nonce, so that it is no ID token.
#[derive(Serialize)]
struct LogoutStatement<'a> {
    iss: &'a str,
    sub: String,
    aud: &'a str,
    iat: i64,
    exp: i64,
    jti: String,
    sid: &'a SessionId,
    events: Value,
}

impl AuthorizationServer {
    /// The token that tells a client of the end of a session. Each attempt has its own: a client that has taken one and could not
    /// say so need not take the next for a replay.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`] when the key that should sign is not at hand.
    pub fn logout_token(&self, notice: &LogoutNotice, now: Timestamp) -> Result<String, Refusal> {
        let claims = LogoutStatement {
            iss: self.issuer(),
            sub: person_subject(self.issuer(), notice.person.as_str()),
            aud: &notice.client,
            iat: now.seconds(),
            exp: now.plus(LIFETIME).seconds(),
            jti: base64url(&bytes::<16>(&*self.context.entropy)),
            sid: &notice.session,
            events: json!({EVENT: {}}),
        };
        self.sign(LOGOUT_TOKEN, &claims)
    }
}
