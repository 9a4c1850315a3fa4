//! How whoever a code was granted to is known: what its tokens say of that, also those of later refreshes.

use tegata_core::claims::acr;
use tegata_core::{SessionId, Timestamp};
use tegata_storage::{CodeGrant, LiveSession};

/// Of tokens that come by an authorization code.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct CodeFacts {
    /// The person; nobody where the device is let in for itself.
    pub(crate) person: Option<KnownPerson>,
    /// In the words of RFC 8176.
    pub(crate) amr: Vec<String>,
}

/// A person on a device.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct KnownPerson {
    pub(crate) subject: String,
    pub(crate) session: SessionId,
    /// When they proved who they are; none where their provider has not said it.
    pub(crate) auth_time: Option<Timestamp>,
}

impl CodeFacts {
    /// A device proves that it has a key, which software may keep or hardware: the weaker is said.
    pub(crate) const DEVICE_AMR: &str = "swk";

    /// Of a device for itself.
    pub(crate) fn of_device() -> Self {
        Self { person: None, amr: words(Self::DEVICE_AMR) }
    }

    /// Of a session that lasts.
    pub(crate) fn of_session(session: &LiveSession, subject: String) -> Self {
        let person =
            KnownPerson { subject, session: session.id.clone(), auth_time: Self::auth_time(session) };
        Self { person: Some(person), amr: words(&session.amr) }
    }

    /// When somebody proved who they are. Where their provider does not say it, nothing is said: the beginning of the session would
    /// pass an old proof off as a new one.
    pub(crate) fn auth_time(session: &LiveSession) -> Option<Timestamp> {
        session.is_dated.then_some(session.authenticated_at)
    }

    /// What was known when a code was granted.
    pub(crate) fn of_code(grant: &CodeGrant) -> Self {
        let person = grant.person.clone().map(|person| KnownPerson {
            subject: person.subject,
            session: person.session,
            auth_time: person.auth_time,
        });
        Self { person, amr: words(&grant.amr) }
    }

    pub(crate) fn acr(&self) -> &'static str {
        if self.person.is_some() { acr::of_person(&self.amr) } else { acr::DEVICE }
    }
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}
