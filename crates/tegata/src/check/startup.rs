//! What a server would refuse to start with, beyond what has a code of its own.

use super::CheckContext;
use super::code::FindingCode;
use crate::server::Server;
use crate::server::listeners::Listeners;
use crate::server::startup;

/// A server does not start with these either, and says it in less precise words.
const SAID: [FindingCode; 9] = [
    FindingCode::IssuerMissing,
    FindingCode::IssuerUnreadable,
    FindingCode::IssuerForged,
    FindingCode::KeyExposed,
    FindingCode::KeyForeign,
    FindingCode::KeyMissing,
    FindingCode::KeyUnusable,
    FindingCode::ListenerCertificate,
    FindingCode::ProfileRefused,
];

/// Does everything that a start does before it serves.
pub async fn look(look: &mut CheckContext<'_>) {
    if let Err(error) = Listeners::distinct(look.config) {
        look.report.add(FindingCode::ServerRefuses, "tegata.toml", error);
    }
    if SAID.iter().any(|code| look.report.has(*code)) {
        look.report
            .area("start", "a server would not start with what is wrong above; nothing more was looked at");
        return;
    }
    let opened = Server::beside(look.config.clone(), look.ledger.clone(), look.system).await;
    let rehearsed = match &opened {
        Ok(server) => startup::rehearse(server).await,
        Err(_) => Ok(()),
    };
    if let Some(error) = opened.err().or(rehearsed.err()) {
        look.report.add(FindingCode::ServerRefuses, "tegata.toml", error);
    }
    look.report.area("start", "configuration, keys and files are as a server wants them");
}
