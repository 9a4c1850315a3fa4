//! What a server would refuse to start with, beyond what has a code of its own.

use super::Look;
use super::code::Code;
use crate::doors::Doors;
use crate::house::House;
use crate::startup;

/// A server does not start with these either, and says it in less precise words.
const SAID: [Code; 9] = [
    Code::IssuerMissing,
    Code::IssuerUnreadable,
    Code::IssuerForged,
    Code::KeyExposed,
    Code::KeyForeign,
    Code::KeyMissing,
    Code::KeyUnusable,
    Code::ListenerCertificate,
    Code::ProfileRefused,
];

/// Does everything that a start does before it serves.
pub async fn look(look: &mut Look<'_>) {
    if let Err(error) = Doors::distinct(look.config) {
        look.report.add(Code::ServerRefuses, "tegata.toml", error);
    }
    if SAID.iter().any(|code| look.report.has(*code)) {
        look.report
            .area("start", "a server would not start with what is wrong above; nothing more was looked at");
        return;
    }
    let opened = House::beside(look.config.clone(), look.ledger.clone(), look.machine).await;
    let rehearsed = match &opened {
        Ok(house) => startup::rehearse(house).await,
        Err(_) => Ok(()),
    };
    if let Some(error) = opened.err().or(rehearsed.err()) {
        look.report.add(Code::ServerRefuses, "tegata.toml", error);
    }
    look.report.area("start", "configuration, keys and files are as a server wants them");
}
