//! Lists of revocations, and CAs.

use crate::furnished::{Copy, each};

#[test]
fn a_list_that_does_not_say_what_the_ledger_says_is_found() {
    each(&[
        ("no list", &|copy| copy.sql("DELETE FROM crl WHERE issuer = :issuer"), &["crl-missing"]),
        (
            "an old list",
            &|copy| copy.sql("UPDATE crl SET next_update = 1 WHERE issuer = :issuer"),
            &["crl-misfiled", "crl-stale"],
        ),
        (
            "changes not listed",
            &|copy| copy.sql("UPDATE shard SET revision = revision + 1 WHERE issuer = :issuer"),
            &["crl-behind"],
        ),
        (
            "another signature",
            &|copy| {
                copy.python(
                    "der = bytearray(execute('SELECT der FROM crl WHERE issuer = ?', (:issuer,)).fetchone()[0])\n\
                     der[-1] ^= 1\n\
                     execute('UPDATE crl SET der = ? WHERE issuer = ?', (bytes(der), :issuer))",
                );
            },
            &["crl-forged"],
        ),
        (
            "no list at all",
            &|copy| copy.sql("UPDATE crl SET der = x'3000' WHERE issuer = :issuer"),
            &["crl-forged"],
        ),
        (
            "another number",
            &|copy| copy.sql("UPDATE crl SET number = number + 1 WHERE issuer = :issuer"),
            &["crl-misfiled"],
        ),
    ]);
}

#[test]
fn a_ca_that_is_wrong_ends_soon_or_is_forgotten_is_found() {
    each(&[
        (
            "none at work",
            &|copy| copy.sql("UPDATE issuer SET state = 'resting' WHERE id = :issuer"),
            &["issuer-missing"],
        ),
        (
            "one that is no certificate",
            &|copy| copy.sql("UPDATE issuer SET certificate = x'00' WHERE kind = 'root'"),
            &["issuer-forged", "issuer-unreadable"],
        ),
        (
            "one without a parent",
            &|copy| copy.sql("UPDATE issuer SET parent = NULL WHERE id = :issuer"),
            &["issuer-forged"],
        ),
        (
            "one forgotten at rest, without its key",
            &|copy| {
                let other = "0".repeat(26);
                copy.sql(&format!(
                    "INSERT INTO issuer (id, kind, certificate, created_at, state, custody, parent, shards) SELECT '{other}', kind, \
                     certificate, created_at, 'resting', custody, parent, 1 FROM issuer WHERE id = :issuer; \
                     INSERT INTO shard (issuer, number, revision) VALUES ('{other}', 0, 1)"
                ));
            },
            &["issuer-idle", "key-missing"],
        ),
        (
            "one retired with its devices",
            &|copy| copy.sql("UPDATE issuer SET state = 'retired', ended_at = 1 WHERE id = :issuer"),
            &["issuer-ended-living", "issuer-missing"],
        ),
        (
            "one that ends within three months",
            &|copy| ends_in(copy, 60),
            &["issuer-ending", "profile-broken"],
        ),
        (
            "one that ends before its certificates",
            &|copy| ends_in(copy, 380),
            &["issuer-short", "profile-broken"],
        ),
    ]);
}

/// The root signs the issuing CA anew, with the same key and extensions. It begins later than what it issued.
fn ends_in(copy: &Copy, days: u32) {
    copy.python(&format!(
        r"
for name, kind in (('root', 'root'), ('issuing', 'issuing')):
    (folder / f'{{name}}.der').write_bytes(execute('SELECT certificate FROM issuer WHERE kind = ?', (kind,)).fetchone()[0])
    shell(f'openssl x509 -inform der -in {{name}}.der -out {{name}}.pem')
shell('openssl pkey -in keys/root.pem -passin file:unlock.key -out root.key')
shell('openssl pkey -in keys/issuing-' + :issuer + '.pem -passin file:unlock.key -out issuing.key')
shell('openssl x509 -x509toreq -copy_extensions copyall -in issuing.pem -signkey issuing.key -out again.csr')
shell('openssl x509 -req -copy_extensions copyall -in again.csr -CA root.pem -CAkey root.key -set_serial 77 -days {days} -outform der -out new.der')
execute('UPDATE issuer SET certificate = ? WHERE id = ?', ((folder / 'new.der').read_bytes(), :issuer))
"
    ));
}
