//! What a server would refuse to start with, beyond what has a code of its own.

use super::code::FindingCode;
use super::context::CheckContext;
use super::server_checks::ServerChecks;

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
pub async fn look(look: &mut CheckContext<'_>, server: &impl ServerChecks) {
    if let Err(error) = server.listeners(look.config) {
        look.report.add(FindingCode::ServerRefuses, "tegata.toml", error);
    }
    if SAID.iter().any(|code| look.report.has(*code)) {
        look.report
            .area("start", "a server would not start with what is wrong above; nothing more was looked at");
        return;
    }
    if let Err(error) = server.rehearse_start(look.config, look.ledger, look.system).await {
        look.report.add(FindingCode::ServerRefuses, "tegata.toml", error);
    }
    look.report.area("start", "configuration, keys and files are as a server wants them");
}
