//! `[[receiver]]`: the receivers of security events.

use super::ClientRegistration;
use serde::Deserialize;
use std::collections::HashSet;
use std::path::PathBuf;
use tegata_core::HttpUrl;
use tegata_core::security_event::EventType;

/// What `tegata init` writes about it.
pub const TEMPLATE: &str = r#"
# Uncomment for each system that is to be told security events (SSF, CAEP), pushed (RFC 8935) or, with `poll = true` in
# place of [receiver.push], when it asks (RFC 8936). See docs/exports.md.
# [[receiver]]
# id = "siem"
# audience = "https://siem.example.jp"
# client = "siem: the [[client]] that it is, to poll and to ask about its stream"
# tenant = "a tenant's name: only its events"
# [receiver.push]
# endpoint = "https://siem.example.jp/events"
# authorization = "siem.token"
"#;

/// A receiver of security events.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiverConfig {
    /// Its name, for ever: its place in the feed is found by it. Letters, digits and hyphens.
    pub id: String,
    /// The `aud` of its tokens.
    pub audience: String,
    /// The tenant whose events it gets, by name or identifier. Without it: those of all tenants.
    pub tenant: Option<String>,
    /// Which types of events. All by default.
    #[serde(default = "all")]
    pub events: Vec<EventType>,
    /// Whether it is told of issued certificates, too.
    #[serde(default)]
    pub issuance: bool,
    /// The registered client that it is: needed to poll, and to ask about its stream.
    pub client: Option<String>,
    /// Where they are sent to.
    pub push: Option<PushConfig>,
    /// Whether it asks for them (RFC 8936).
    #[serde(default)]
    pub poll: bool,
}

/// A receiver that is called (RFC 8935).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PushConfig {
    /// Where it listens: an https URL.
    pub endpoint: String,
    /// A file with the value of the `Authorization` header, as `Bearer …`.
    pub authorization: Option<PathBuf>,
    /// PEM that verifies its server, where the system's own trust does not.
    pub ca: Option<PathBuf>,
}

fn all() -> Vec<EventType> {
    EventType::CHANGES.to_vec()
}

impl ReceiverConfig {
    /// Names are the keys of places in the feed, so each is there once.
    pub fn check_all(receivers: &[Self], clients: &[ClientRegistration]) -> Result<(), String> {
        let mut ids = HashSet::new();
        for receiver in receivers {
            receiver.check()?;
            let is_known = |name: &String| clients.iter().any(|client| client.client_id == *name);
            if let Some(unknown) = receiver.client.as_ref().filter(|name| !is_known(name)) {
                return Err(format!("receiver {}: there is no [[client]] {unknown}", receiver.id));
            }
            if !ids.insert(&receiver.id) {
                return Err(format!("there are two receivers of the name {}", receiver.id));
            }
        }
        Ok(())
    }

    fn check(&self) -> Result<(), String> {
        let id = &self.id;
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if !(1..=64).contains(&id.len()) || !id.bytes().all(is_name) {
            return Err(format!("receiver {id:?}: its id is 1 to 64 letters, digits and hyphens"));
        }
        if let Some(push) = &self.push {
            HttpUrl::parse_https(&push.endpoint)
                .map_err(|error| format!("receiver {id}: push.endpoint {:?}: {error}", push.endpoint))?;
        }
        match (&self.push, self.poll) {
            (None, true) if self.client.is_none() => {
                return Err(format!("receiver {id}: who polls? Say which [[client]] it is by `client`"));
            }
            (Some(_), false) | (None, true) => {}
            _ => return Err(format!("receiver {id}: either [receiver.push] or poll = true")),
        }
        if self.audience.is_empty() {
            return Err(format!("receiver {id}: whom is it known as? Say `audience`"));
        }
        if self.events.is_empty() || !self.events.iter().all(|kind| EventType::CHANGES.contains(kind)) {
            return Err(format!(
                "receiver {id}: events are session-revoked, credential-change, device-compliance-change; \
                 verifications come anyway"
            ));
        }
        if self.issuance && !self.events.contains(&EventType::CredentialChange) {
            return Err(format!("receiver {id}: issuance is told by credential-change; add it to `events`"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str =
        "id = \"siem\"\naudience = \"https://siem\"\n[push]\nendpoint = \"https://siem/events\"";

    fn read(text: &str) -> Result<ReceiverConfig, String> {
        let config: ReceiverConfig = toml::from_str(text).map_err(|error| error.to_string())?;
        config.check().map(|()| config)
    }

    #[test]
    fn an_operator_says_no_more_than_who_and_where() {
        assert_eq!(read(WHOLE).unwrap().events, EventType::CHANGES);
        let some = format!("events = [\"session-revoked\"]\n{WHOLE}");
        assert_eq!(read(&some).unwrap().events, [EventType::SessionRevoked]);
    }

    #[test]
    fn whoever_polls_has_to_be_somebody() {
        let polling = |more: &str| read(&format!("id = \"siem\"\naudience = \"https://siem\"\n{more}"));
        assert!(polling("poll = true\nclient = \"siem\"").unwrap().push.is_none());
        assert!(polling("poll = true").is_err());
        assert!(polling("client = \"siem\"").is_err(), "it would never hear anything");
    }

    #[test]
    fn what_could_not_work_or_would_go_in_the_clear_is_refused() {
        for (from, to) in [
            ("https://siem/events", "http://siem/events"),
            ("https://siem/events", "https://user:secret@siem/events"),
            ("https://siem/events", "https://siem:0/events"),
            ("https://siem/events", "https://siem/events#now"),
            ("\"siem\"", "\"\""),
            ("\"siem\"", "\"a b\""),
            ("audience = \"https://siem\"", "audience = \"\""),
            ("audience = \"https://siem\"", "audience = \"a\"\nevents = []"),
            ("audience = \"https://siem\"", "audience = \"a\"\nevents = [\"verification\"]"),
            ("audience = \"https://siem\"", "audience = \"a\"\nevents = [\"logins\"]"),
            ("endpoint", "url"),
            ("audience = \"https://siem\"", "audience = \"a\"\nevents = [\"stream-updated\"]"),
            ("audience = \"https://siem\"", "audience = \"a\"\npoll = true\nclient = \"c\""),
            (
                "audience = \"https://siem\"",
                "audience = \"a\"\nissuance = true\nevents = [\"session-revoked\"]",
            ),
        ] {
            assert!(read(&WHOLE.replace(from, to)).is_err(), "{to}");
        }
        let twice = [read(WHOLE).unwrap(), read(WHOLE).unwrap()];
        assert!(ReceiverConfig::check_all(&twice, &[]).is_err());
        assert!(ReceiverConfig::check_all(&twice[..1], &[]).is_ok());
        let stranger = read(&format!("client = \"siem\"\n{WHOLE}")).unwrap();
        assert!(ReceiverConfig::check_all(&[stranger], &[]).is_err(), "a client that is not registered");
    }
}
