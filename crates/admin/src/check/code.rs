//! Everything the check can find, in one table. A code is a promise to monitoring: it never changes its meaning.

use serde::{Serialize, Serializer};

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Somebody should look at it some day soon.
    Warning,
    /// It must not be: exit code 1.
    Wrong,
}

macro_rules! codes {
    ($($name:ident $word:literal $severity:ident $advice:literal;)*) => {
        /// One kind of finding.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        pub enum FindingCode { $($name),* }

        impl FindingCode {
            /// All of them, for the documentation and the tests.
            #[cfg(test)]
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The word by which monitoring recognizes the finding. It never changes.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$name => $word),* }
            }

            /// How bad it is.
            pub const fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity),* }
            }

            /// What the operator can do about it.
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$name => $advice),* }
            }
        }
    };
}

codes! {
    LedgerUnreadable "ledger-unreadable" Wrong "see that the ledger can be reached and is of this version";
    AuditBroken "audit-broken" Wrong "somebody edited the audit log: keep this ledger, find out who, compare with a backup";
    CertificateMissing "certificate-missing" Wrong "the audit log names it: restore the row from a backup, and revoke it until then";
    CertificateUnrecorded "certificate-unrecorded" Wrong "nobody is recorded as having issued it: revoke it and find out who wrote the row";
    RevocationUndone "revocation-undone" Wrong "the audit log says it was stopped: stop it again and find out who let it in";
    RevocationUnrecorded "revocation-unrecorded" Wrong "it was stopped without an entry in the audit log: find out who wrote the row";
    DeviceStateUnrecorded "device-state-unrecorded" Wrong "the audit log says otherwise: stop the device and find out who wrote the row";
    RevocationUnannounced "revocation-unannounced" Wrong "gates that follow the feed may let it in: revoke its device, then find out who wrote the row";
    AnnouncementUnfounded "announcement-unfounded" Warning "gates refuse what the ledger allows: find out which of the two is right";
    FeedBroken "feed-broken" Wrong "events are missing, gates cannot follow: restore the feed from a backup";
    CertificateUnreadable "certificate-unreadable" Wrong "the stored bytes were damaged: restore the row from a backup";
    CertificateAltered "certificate-altered" Wrong "it is not what was to be signed: revoke it, stop issuing, find out what signed it";
    CertificateForged "certificate-forged" Wrong "its CA did not sign it: revoke it and find out who wrote the row";
    CertificateMisfiled "certificate-misfiled" Wrong "the row does not describe its certificate: restore the row from a backup";
    CertificateMisnamed "certificate-misnamed" Wrong "it speaks of another holder or another list: revoke it and find out what signed it";
    CertificateState "certificate-state" Wrong "the row contradicts itself: restore it from a backup";
    CertificateAddress "certificate-address" Warning "make the address in the certificates lead to the public listener as long as they live";
    ProfileBroken "profile-broken" Wrong "it breaks a rule that every profile has: revoke it and find out what signed it";
    ProfileOlder "profile-older" Warning "it was issued under an earlier version of the profile: renew it if the change matters";
    ProfileRefused "profile-refused" Wrong "mend the profile: the server does not start with it";
    ReservedLongAgo "reserved-long-ago" Wrong "the pass that gives it up is not running: start a server";
    RetirementOverdue "retirement-overdue" Warning "the pass that retires it is not running: start a server";
    Orphan "orphan" Wrong "a row names another that is not there: restore it from a backup";
    GenerationMissing "generation-missing" Wrong "rows of certificates were removed: restore them from a backup";
    LivingTwice "living-twice" Wrong "a device has one certificate in use and at most one on the way: revoke the one it does not use";
    KeyShared "key-shared" Wrong "two certificates have one key: block the key with `tegata key block` and enroll anew";
    SerialShared "serial-shared" Wrong "one serial names two certificates: revoke both and enroll anew";
    BlockedKeyLiving "blocked-key-living" Wrong "block the key once more: that revokes what is left of it";
    HeirLiving "heir-living" Warning "it was renewed from a certificate whose key was compromised: revoke it unless somebody decided otherwise";
    CrlMissing "crl-missing" Wrong "certificates name a list that was never published: start a server";
    CrlStale "crl-stale" Wrong "verifiers refuse an outdated list: start a server, for a root hold the ceremony";
    CrlEnding "crl-ending" Warning "hold the ceremony that publishes the root's next list";
    CrlBehind "crl-behind" Warning "the next list is due within a second of a server's life: look again, then look at its log";
    CrlForged "crl-forged" Wrong "the published list is not its CA's: start a server, find out who wrote the row";
    CrlMisfiled "crl-misfiled" Wrong "the row does not describe its list: start a server, find out who wrote the row";
    CrlIncomplete "crl-incomplete" Wrong "what was stopped is not on the list: start a server, then look again";
    CrlExcess "crl-excess" Wrong "the list names what was not stopped: start a server, then look again";
    ResponderAltered "responder-altered" Wrong "an OCSP signer is not what was to be signed: stop issuing, find out what signed it";
    ResponderAbandoned "responder-abandoned" Warning "a crash left it: nothing to do unless it happens again";
    IssuerMissing "issuer-missing" Wrong "no CA issues: add one with `tegata ceremony`";
    IssuerUnreadable "issuer-unreadable" Wrong "restore the row of the CA from a backup";
    IssuerForged "issuer-forged" Wrong "its parent did not sign it: stop everything that trusts it, find out who wrote the row";
    IssuerEnding "issuer-ending" Wrong "replace the CA now: what it issues ends with it";
    IssuerShort "issuer-short" Warning "replace the CA: it ends before what it issues should";
    IssuerIdle "issuer-idle" Warning "nothing of it lives any more: retire it";
    IssuerEndedLiving "issuer-ended-living" Warning "devices still hold certificates of a CA that is not trusted any more: enroll them anew";
    ListenerCertificate "listener-certificate" Wrong "clients cannot connect: replace the certificate and its key";
    ListenerEnding "listener-ending" Wrong "replace the certificate; a running server renews what its own CA signed";
    KeyMissing "key-missing" Wrong "bring the key back from its copy";
    KeyExposed "key-exposed" Wrong "close it with chmod, and take the key for known to others";
    KeyOwner "key-owner" Warning "give the file to the account that runs the server";
    KeyUnusable "key-unusable" Wrong "see that secret and key belong together";
    KeyForeign "key-foreign" Wrong "put the key of this CA in place: this one is another's";
    RootKeyOnline "root-key-online" Warning "take the root's key offline for production";
    ConfigExposed "config-exposed" Wrong "chmod 600 the file, and change the password in it";
    ConfigReadable "config-readable" Warning "chmod 600 the file: some day it may hold a password";
    ClockBehind "clock-behind" Wrong "set this machine's clock: the ledger was written later than now";
    ClockDatabase "clock-database" Wrong "let both machines follow the same time source";
    ClockServer "clock-server" Wrong "let both machines follow the same time source";
    FutureRow "future-row" Wrong "a row was written with a clock that is ahead: find out by which machine";
    ClockWasAhead "clock-was-ahead" Warning "what was issued or signed out meanwhile carries those dates: enroll devices with such certificates anew";
    DiskFull "disk-full" Wrong "make room: without it nothing is issued or revoked";
    DiskLow "disk-low" Warning "make room before nothing can be issued or revoked";
    RevocationLog "revocation-log" Wrong "bring the log back or let it be written anew: a restore needs it";
    RevocationLogAhead "revocation-log-ahead" Wrong "leave the log as it is: the next server does what it says, or `tegata revocations restored`";
    ReplicationMissing "replication-missing" Wrong "nothing can be written: set synchronous_standby_names, or bring the stand-by back";
    ReplicationUndemanded "replication-undemanded" Warning "a promotion may lose what was acknowledged: set require_synchronous_standbys under [storage]";
    RowSecurityBypassed "row-security-bypassed" Warning "open the ledger with a role that is neither a superuser nor has BYPASSRLS";
    RowSecurityMissing "row-security-missing" Wrong "somebody took a policy away: find out who, and restore the tables' policies";
    ServerRefuses "server-refuses" Wrong "a server does not start with this: correct what is named";
    ReceiverFailing "receiver-failing" Wrong "it learns of no revocation: mend the way to it; what waits is sent then";
    LogoutFailing "logout-failing" Warning "whoever signed out may be signed in there still: mend the way to it; what waits is sent then";
    ReceiverRejecting "receiver-rejecting" Warning "it refused an event for good and did not act on it: find out why from its operator";
    PassFailing "pass-failing" Warning "look at the server's log and at `tegata passes list`: what it does is not done, or not seen to";
    RevocationLogTogether "revocation-log-together" Warning "put the log on another device: what takes the ledger must not take it too";
}

impl Serialize for FindingCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn monitoring_finds_each_code_once_and_operators_find_it_explained() {
        let explained = include_str!("../../../../docs/operations.md");
        let words: HashSet<_> = FindingCode::ALL.iter().map(|code| code.word()).collect();
        assert_eq!(words.len(), FindingCode::ALL.len());
        for code in FindingCode::ALL {
            assert!(explained.contains(&format!("`{}`", code.word())), "{} is not explained", code.word());
            assert!(!code.advice().is_empty());
        }
    }
}
