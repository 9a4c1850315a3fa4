//! What people prove with who they are: setup links, passwords, second factors, and codes for when one is not at hand.

mod changing;
mod codes;
mod imported;
mod setup;

pub use codes::EmergencyCode;
pub use imported::ProvedPassword;
pub use setup::{NewCredential, OpenSetup};

use crate::person::{BreakGlass, PersonState, read_roles};
use crate::scope::on_scoped_read;
use crate::tenant::SignInAccounts;
use crate::{LedgerError, Result, ScopedLedger};
use tegata_core::{DeviceAssignment, DeviceId, PersonId, Roles, Timestamp};

/// Somebody of a tenant, before one of its devices.
pub struct SignInPerson {
    /// The identifier that records carry.
    pub person: PersonId,
    /// Whether they may sign in at all.
    pub state: PersonState,
    /// Whether the account is for emergencies, and has been used.
    pub break_glass: Option<BreakGlass>,
    /// The roles of the person.
    pub roles: Roles,
    /// With which accounts the tenant's people sign in.
    pub accounts: SignInAccounts,
    /// Whether they work at the device's site.
    pub works_at_site: bool,
    /// Whom the device is for.
    pub assigned: DeviceAssignment,
}

/// Somebody of a tenant who might be the one who signs in on a device. Nothing in it prints itself.
pub struct SignInCandidate {
    /// Who it would be.
    pub who: SignInPerson,
    /// Argon2id, as a PHC string, or what another product has hashed.
    pub password: String,
    /// Whether the account is not set up, and the password another product's: it leads to setting up the account and no
    /// further.
    pub is_imported: bool,
    /// The sealed secret of TOTP; empty where nothing is set up.
    pub totp: Vec<u8>,
    /// The last step whose code was taken.
    pub totp_step: i64,
    /// Whether they have signed in on this device before.
    pub is_known_here: bool,
}

/// What is read of a person who might sign in on a device: of `person p`, `credential c` and `device d`.
macro_rules! candidate_columns {
    () => {
        concat!(
            "c.password, c.totp, c.totp_step, \
             (SELECT COUNT(*) FROM person_device k WHERE k.person = p.id AND k.device = d.id) AS known, ",
            $crate::credential::person_columns!()
        )
    };
}
pub(crate) use candidate_columns;

/// What is read of whoever stands before a device: of `person p` and `device d`.
macro_rules! person_columns {
    () => {
        "p.id, p.state, p.break_glass, p.roles, (SELECT t.sign_in FROM tenant t WHERE t.id = p.tenant) AS accounts, \
         (SELECT COUNT(*) FROM person_site w WHERE w.site = d.site AND w.person = p.id) AS works_at_site, \
         (SELECT COUNT(*) FROM device_person a WHERE a.device = d.id) AS assigned, \
         (SELECT COUNT(*) FROM device_person a WHERE a.device = d.id AND a.person = p.id) AS assigned_this"
    };
}
pub(crate) use person_columns;

impl ScopedLedger {
    /// Whoever has this login (as [`tegata_core::LoginId::key`] writes it) and a password, before a device of the same tenant.
    pub async fn sign_in_candidate(
        &self,
        login_key: &str,
        device: &DeviceId,
    ) -> Result<Option<SignInCandidate>> {
        let row: Option<SignInRow> = on_scoped_read!(self, connection => {
            sqlx::query_as(concat!(
                "SELECT ", candidate_columns!(), ", h.hash AS imported FROM device d JOIN person p ON p.tenant = d.tenant \
                 LEFT JOIN credential c ON c.person = p.id LEFT JOIN imported_password h ON h.person = p.id \
                 WHERE d.id = $1 AND p.login_key = $2 AND (c.person IS NOT NULL OR h.person IS NOT NULL) \
                 AND ($3 IS NULL OR d.tenant = $3)",
            ))
            .bind(device.as_str())
            .bind(login_key)
            .bind(self.scope.bound())
            .fetch_optional(connection)
            .await?
        });
        row.map(|row| row.person.candidate(row.imported)).transpose()
    }

    /// Whether a person has a recovery or emergency code with this hash that works now. Only the transaction that uses it up
    /// knows that nobody else does.
    pub async fn has_person_code(&self, person: &PersonId, hash: &[u8], now: Timestamp) -> Result<bool> {
        let found: Option<(String,)> = on_scoped_read!(self, connection => {
            sqlx::query_as(
                "SELECT k.kind FROM person p JOIN person_code k ON k.person = p.id WHERE p.id = $1 AND k.code_hash = $2 \
                 AND (k.expires_at IS NULL OR k.expires_at > $3) AND ($4 IS NULL OR p.tenant = $4)",
            )
            .bind(person.as_str())
            .bind(hash.to_vec())
            .bind(now.millis())
            .bind(self.scope.bound())
            .fetch_optional(connection)
            .await?
        });
        Ok(found.is_some())
    }
}

#[derive(sqlx::FromRow)]
pub(crate) struct SignInPersonRow {
    #[sqlx(try_from = "String")]
    id: PersonId,
    #[sqlx(try_from = "String")]
    state: PersonState,
    break_glass: Option<String>,
    roles: String,
    #[sqlx(try_from = "String")]
    accounts: SignInAccounts,
    works_at_site: i64,
    assigned: i64,
    assigned_this: i64,
}

impl SignInPersonRow {
    pub(crate) fn person(self) -> Result<SignInPerson> {
        Ok(SignInPerson {
            roles: read_roles(&self.roles)?,
            person: self.id,
            state: self.state,
            break_glass: self.break_glass.map(BreakGlass::try_from).transpose()?,
            accounts: self.accounts,
            works_at_site: self.works_at_site > 0,
            assigned: assignment(self.assigned, self.assigned_this),
        })
    }
}

#[derive(sqlx::FromRow)]
struct SignInRow {
    #[sqlx(flatten)]
    person: CandidateRow,
    imported: Option<String>,
}

#[derive(sqlx::FromRow)]
pub(crate) struct CandidateRow {
    #[sqlx(flatten)]
    who: SignInPersonRow,
    password: Option<String>,
    totp: Option<Vec<u8>>,
    totp_step: Option<i64>,
    known: i64,
}

impl CandidateRow {
    /// With the password of another product, where there is one: it counts until the person has set up the account.
    pub(crate) fn candidate(self, imported: Option<String>) -> Result<SignInCandidate> {
        let is_imported = self.password.is_none();
        Ok(SignInCandidate {
            who: self.who.person()?,
            password: self.password.or(imported).ok_or(LedgerError::Unreadable("credential.password"))?,
            is_imported,
            totp: self.totp.unwrap_or_default(),
            totp_step: self.totp_step.unwrap_or_default(),
            is_known_here: self.known > 0,
        })
    }
}

/// From how many people a device is for, and whether this is one.
pub(crate) const fn assignment(people: i64, this: i64) -> DeviceAssignment {
    match (people, this) {
        (0, _) => DeviceAssignment::Shared,
        (_, 0) => DeviceAssignment::OthersOnly,
        _ => DeviceAssignment::ThisPerson,
    }
}
