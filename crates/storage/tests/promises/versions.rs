//! Versions of the program beside each other on one ledger: the schema is expanded first, and contracted a version later.

use crate::engines::on_both_engines;
use crate::fixture::{Everything, day, operator};
use tegata_core::RevocationReason::KeyCompromise;
use tegata_core::{DeviceState, Installation};
use tegata_storage::{DeviceAction, Ledger, LogPlace};

/// What the version before this one says to a ledger, one statement a paragraph (`scripts/lib/statements`).
const FORMER: &str = include_str!("statements.sql");

/// What a later version may have done to the schema.
const LATER: [&str; 4] = [
    "ALTER TABLE device ADD COLUMN made_up TEXT",
    "ALTER TABLE head ADD COLUMN made_up BIGINT NOT NULL DEFAULT 0",
    "CREATE TABLE made_up (id TEXT PRIMARY KEY, device TEXT REFERENCES device (id))",
    "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
     SELECT 9999, 'made up', TRUE, checksum, 1 FROM _sqlx_migrations WHERE version = 1",
];

on_both_engines! {
    async fn servers_and_commands_go_on_and_revoke_beside_a_later_schema(fixture: LedgerFixture) {
        let (one, _) = fixture.enroll(day(0)).await;
        for statement in LATER {
            fixture.place.execute(statement).await;
        }
        // A server that was running.
        let (other, _) = fixture.enroll(day(0)).await;
        // A server or a command that starts.
        let disk = tempfile::tempdir().unwrap();
        let (log, installation) = (disk.path().join("log"), Installation::parse("tegata.example.jp").unwrap());
        let place = LogPlace { file: &log, installation: &installation };
        let started = Ledger::open_with(&fixture.place.url(), &place, day(1), &fixture.entropy).await.unwrap();
        for device in [&one, &other] {
            let mut writing = started.begin(day(1)).await.unwrap();
            writing.act_on_device(device, DeviceAction::Revoke(KeyCompromise), "", &operator()).await.unwrap();
            writing.commit().await.unwrap();
            assert_eq!(started.everything().device(device).await.unwrap().unwrap().state, DeviceState::Revoked);
        }
        started.close().await;
    }

    async fn this_schema_still_takes_what_the_version_before_says(fixture: LedgerFixture) {
        let mut refused = Vec::new();
        let statements = FORMER.split("\n\n").map(str::trim).filter(|statement| !statement.is_empty());
        for statement in statements {
            if let Some(missing) = fixture.place.missing_for(statement).await {
                refused.push(format!("{missing}: {statement}"));
            }
        }
        assert!(refused.is_empty(), "expand first, contract a version later:\n{}", refused.join("\n"));
    }
}
