//! Nonces for proofs (RFC 9449 section 8): a time, authenticated with a secret that all servers of an installation have. So any
//! server takes what another handed out, and none is remembered.

use std::time::Duration;
use tegata_core::encoding::{base64url, from_base64url};
use tegata_core::{CLOCKS_APART, Refusal, Timestamp};
use tegata_web::InstallationSecretSource;

/// How long one may be repeated. Each answer brings a newer one.
const LIFE: Duration = Duration::from_mins(2);

/// Octets of the time, and of the tag behind it.
const TIME: usize = 8;
const TAG: usize = 16;

pub(super) struct ProofNonces(InstallationSecretSource);

impl ProofNonces {
    pub(super) fn new(opening: InstallationSecretSource) -> Self {
        Self(opening)
    }

    /// The nonce of this moment.
    pub(super) async fn issue(&self, now: Timestamp) -> Result<String, Refusal> {
        let tag = self.tag(now).await?;
        Ok(base64url(&[&now.millis().to_be_bytes()[..], &tag].concat()))
    }

    /// Whether it is one of ours, of a little while ago.
    pub(super) async fn is_fresh(&self, text: &str, now: Timestamp) -> Result<bool, Refusal> {
        let read = from_base64url(text);
        let Some((time, tag)) = read.as_deref().and_then(|bytes| bytes.split_first_chunk::<TIME>()) else {
            return Ok(false);
        };
        let issued_at = Timestamp::from_millis(i64::from_be_bytes(*time));
        let expected = self.tag(issued_at).await?;
        // The whole of both is compared, so that nothing is told by how long it took.
        let pairs = expected.iter().zip(tag);
        let difference = pairs.fold(0, |sum, (ours, theirs)| sum | (ours ^ theirs));
        let is_of_now = issued_at.plus(LIFE) >= now && issued_at <= now.plus(CLOCKS_APART);
        Ok(tag.len() == TAG && difference == 0 && is_of_now)
    }

    async fn tag(&self, issued_at: Timestamp) -> Result<[u8; TAG], Refusal> {
        let secret = self.0.secret().await?;
        let tag = secret.derived(&format!("nonce of DPoP proofs {}", issued_at.millis()));
        tag.as_ref().first_chunk().copied().ok_or(Refusal::Internal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use tegata_web::InstallationSecret;

    fn server(secret: &'static [u8]) -> ProofNonces {
        ProofNonces::new(InstallationSecretSource::new(Arc::new(move || {
            Some(InstallationSecret::new(secret))
        })))
    }

    #[tokio::test]
    async fn any_server_takes_a_nonce_for_two_minutes_and_none_that_is_made_up() {
        let (one, other) = (server(b"the secret of all servers"), server(b"the secret of all servers"));
        let stranger = server(b"the secret of another installation");
        let now = Timestamp::from_seconds(1_800_000_000);
        let nonce = one.issue(now).await.unwrap();
        for (seconds, fresh) in [(0, true), (120, true), (121, false), (-10, true), (-11, false)] {
            let at = Timestamp::from_seconds(1_800_000_000 + seconds);
            assert_eq!(other.is_fresh(&nonce, at).await, Ok(fresh), "{seconds}");
        }
        assert_eq!(stranger.is_fresh(&nonce, now).await, Ok(false));
        let mut octets = from_base64url(&nonce).unwrap();
        octets[7] ^= 1;
        for made_up in [base64url(&octets), nonce[..nonce.len() - 2].to_owned(), String::new(), "x".into()] {
            assert_eq!(one.is_fresh(&made_up, now).await, Ok(false), "{made_up}");
        }
    }
}
