//! Certificates and the rows around them.

use crate::furnished::{Copy, FURNISHED, each};
use std::fs;

#[test]
fn a_certificate_that_is_not_what_was_recorded_is_found() {
    each(&[
        (
            "no certificate",
            &|copy| copy.sql("UPDATE certificate SET der = x'00' WHERE device = :plain"),
            &["certificate-misfiled", "certificate-unreadable"],
        ),
        (
            "another intention",
            &|copy| copy.sql("UPDATE certificate SET tbs = x'3000' WHERE device = :plain"),
            &["certificate-altered"],
        ),
        (
            "another signature",
            &|copy| {
                copy.python(
                    "der = bytearray(execute('SELECT der FROM certificate WHERE device = ?', (:plain,)).fetchone()[0])\n\
                     der[-1] ^= 1\n\
                     execute('UPDATE certificate SET der = ?, thumbprint = ? WHERE device = ?', (bytes(der), hashlib.sha256(der).digest(), :plain))",
                );
            },
            &["certificate-forged", "certificate-unrecorded"],
        ),
        (
            "another key",
            &|copy| copy.sql("UPDATE certificate SET key_hash = x'00' WHERE device = :plain"),
            &["certificate-misfiled"],
        ),
        (
            "another end",
            &|copy| copy.sql("UPDATE certificate SET not_after = not_after + 86400000 WHERE device = :plain"),
            &["certificate-misfiled"],
        ),
        (
            "another's certificate",
            &|copy| {
                copy.sql(
                    "UPDATE certificate SET device = 'x' WHERE device = :plain; UPDATE certificate SET device = :plain \
                     WHERE device = :suspended; UPDATE certificate SET device = :suspended WHERE device = 'x'",
                );
            },
            // The one that was stopped lives under another name now, and the other way round.
            &["certificate-misnamed", "certificate-unrecorded", "crl-excess", "crl-incomplete"],
        ),
        (
            "a contradiction",
            &|copy| copy.sql("UPDATE certificate SET ended_at = 1 WHERE device = :plain"),
            &["certificate-state"],
        ),
        (
            "another public address",
            &|copy| {
                fs::remove_file(copy.path("running.json")).expect("where the server listened");
                copy.edit("tegata.toml", &FURNISHED.public, "http://pki.example.jp");
            },
            &["certificate-address"],
        ),
        (
            "an older profile",
            &|copy| copy.edit("ca-config/device.toml", "validity_days = 365", "validity_days = 30"),
            &["profile-older"],
        ),
        (
            "a profile that does not load",
            &|copy| copy.edit("ca-config/gate.toml", "validity_days", "validity_dais"),
            &["profile-refused"],
        ),
        (
            "a certificate that no profile allows",
            &a_ca_certificate_for_a_device,
            &["certificate-unrecorded", "profile-broken"],
        ),
    ]);
}

/// Signed by the real issuing key, with everything the row says, and with CA:TRUE.
fn a_ca_certificate_for_a_device(copy: &Copy) {
    copy.python(
        r"
from pathlib import Path
def write(name, data): (folder / name).write_bytes(data)
issuer = :issuer
der, serial = execute('SELECT der, serial FROM certificate WHERE device = ?', (:plain,)).fetchone()
write('leaf.der', der)
write('ca.der', execute('SELECT certificate FROM issuer WHERE id = ?', (issuer,)).fetchone()[0])
shell('openssl x509 -inform der -in ca.der -out ca.pem')
shell('openssl x509 -inform der -in leaf.der -out leaf.pem')
shell('openssl pkey -in keys/issuing-' + issuer + '.pem -passin file:unlock.key -out ca.key')
subject = shell('openssl x509 -in leaf.pem -noout -subject -nameopt RFC2253,utf8,-esc_msb', text=True)
said = shell('openssl x509 -in leaf.pem -noout -ext subjectAltName,crlDistributionPoints,authorityInfoAccess', text=True)
import re
uri = re.search(r'URI:(https://\S+)', said)[1]
crl = re.search(r'URI:(http://\S+/crl/\S+)', said)[1]
write('ext.cnf', f'''
basicConstraints = critical,CA:TRUE
keyUsage = critical,digitalSignature
extendedKeyUsage = clientAuth
subjectAltName = URI:{uri}
crlDistributionPoints = URI:{crl}
authorityInfoAccess = OCSP;URI:http://127.0.0.1/
'''.encode())
shell('openssl ecparam -name prime256v1 -genkey -noout -out leaf.key')
shell('openssl req -new -key leaf.key -subj /CN=x -out leaf.csr')
shell(f'openssl x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -set_serial 0x{serial.hex()} -days 100 -extfile ext.cnf -outform der -out new.der')
new = (folder / 'new.der').read_bytes()
spki = shell('openssl pkey -in leaf.key -pubout -outform der')
def length(at):
    first = new[at + 1]
    return (2, first) if first < 128 else (2 + first - 128, int.from_bytes(new[at + 2:at + 2 + first - 128], 'big'))
head, _ = length(0)
inner, content = length(head)
tbs = new[head:head + inner + content]
import calendar
def when(name):
    line = shell(f'openssl x509 -inform der -in new.der -noout -{name}', text=True).split('=')[1].strip()
    return calendar.timegm(time.strptime(line, '%b %d %H:%M:%S %Y %Z')) * 1000
execute('UPDATE certificate SET der = ?, tbs = ?, thumbprint = ?, key_hash = ?, not_before = ?, not_after = ? WHERE device = ?',
    (new, tbs, hashlib.sha256(new).digest(), hashlib.sha256(spki).digest(), when('startdate'), when('enddate'), :plain))
",
    );
}

#[test]
fn rows_that_must_not_be_together_are_found() {
    each(&[
        (
            "left by a crash",
            &|copy| {
                copy.sql(
                    "INSERT INTO certificate (issuer, serial, device, generation, state, key_hash, tbs, not_before, not_after, \
                     reserved_at) SELECT issuer, x'01', device, 2, 'reserved', x'02', tbs, not_before, not_after, 0 \
                     FROM certificate WHERE device = :plain; UPDATE device SET generation = 2 WHERE id = :plain",
                );
            },
            &["certificate-unrecorded", "reserved-long-ago"],
        ),
        (
            "grace that never ends",
            &|copy| copy.sql("UPDATE certificate SET retire_at = 1 WHERE state = 'retiring'"),
            &["retirement-overdue"],
        ),
        ("a device gone", &|copy| copy.sql("DELETE FROM device WHERE id = :plain"), &["orphan"]),
        ("a site gone", &|copy| copy.sql("DELETE FROM site"), &["orphan"]),
        (
            "two in use",
            &|copy| copy.sql("UPDATE certificate SET state = 'in_use' WHERE state = 'retiring'"),
            &["living-twice"],
        ),
        (
            "one key twice",
            &|copy| {
                copy.sql(
                    "UPDATE certificate SET (key_hash, key_id) = (SELECT c.key_hash, c.key_id FROM certificate c \
                     WHERE c.device = :plain) WHERE device = :suspended",
                );
            },
            &["certificate-misfiled", "key-shared"],
        ),
        (
            "one serial twice",
            &|copy| {
                copy.sql(
                    "INSERT INTO responder (issuer, serial, tbs, der, not_after, reserved_at) SELECT issuer, serial, tbs, der, \
                     not_after, 0 FROM certificate WHERE device = :plain",
                );
            },
            &["serial-shared"],
        ),
        (
            "a blocked key that works",
            &|copy| {
                copy.sql(
                    "INSERT INTO blocked_key (key_hash, note, at) SELECT key_hash, '', 0 FROM certificate WHERE device = :plain",
                );
            },
            &["blocked-key-living"],
        ),
        (
            "the heir of a stolen one",
            &|copy| {
                copy.sql(
                    "UPDATE certificate SET state = 'revoked', reason = 'key_compromise', ended_at = 1 WHERE state = 'retiring'",
                );
            },
            &["crl-incomplete", "heir-living", "revocation-unannounced", "revocation-unrecorded"],
        ),
        (
            "an OCSP signer nobody signed",
            &|copy| {
                copy.sql(
                    "INSERT INTO responder (issuer, serial, tbs, der, not_after, reserved_at) SELECT issuer, x'05', x'3000', der, \
                     not_after, 0 FROM certificate WHERE device = :plain",
                );
            },
            &["responder-altered"],
        ),
        (
            "an OCSP signer never signed",
            &|copy| {
                copy.sql(
                    "INSERT INTO responder (issuer, serial, tbs, not_after, reserved_at) SELECT issuer, x'05', tbs, not_after, 0 \
                     FROM certificate WHERE device = :plain",
                );
            },
            &["responder-abandoned"],
        ),
    ]);
}
