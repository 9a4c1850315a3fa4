//! Keys, listeners, files and clocks.

use crate::furnished::{Copy, FURNISHED, each};
use std::{fs, thread};
use tegata_tests::run;

#[expect(clippy::too_many_lines, reason = "one table: what is wrong, and what is found")]
#[test]
fn keys_listeners_and_files_that_are_not_as_they_should_be_are_found() {
    let issuing = format!("keys/issuing-{}.pem", FURNISHED.issuer);
    each(&[
        ("a key that others read", &|copy| copy.chmod(&issuing, 0o644), &["key-exposed"]),
        ("a folder that others enter", &|copy| copy.chmod("keys", 0o755), &["key-exposed"]),
        (
            "an unlock file that others read",
            &|copy| copy.chmod("unlock.key", 0o640),
            &["key-exposed", "key-unusable"],
        ),
        ("no key that signs tokens", &|copy| copy.sql("DELETE FROM token_key"), &["key-missing"]),
        (
            "a key that does not open",
            &|copy| copy.sql("UPDATE token_key SET sealed_key = 'nothing'"),
            &["key-unusable"],
        ),
        (
            "another's key in the place of the one that signs tokens",
            &|copy| {
                copy.python(
                    "another = (folder / 'keys' / ('issuing-' + :issuer + '.pem')).read_text()\n\
                     execute('UPDATE token_key SET sealed_key = ?', (another,))",
                );
            },
            &["key-unusable"],
        ),
        (
            "a SCEP registrar's key that does not open",
            &|copy| copy.sql("UPDATE registrar SET sealed_key = 'nothing'"),
            &["key-unusable"],
        ),
        (
            "another's key in the place of a SCEP registrar's",
            &|copy| {
                copy.python(
                    "another = (folder / 'keys' / ('issuing-' + :issuer + '.pem')).read_text()\n\
                     execute('UPDATE registrar SET sealed_key = ?', (another,))",
                );
            },
            &["key-unusable"],
        ),
        (
            "another account's key",
            &|copy| drop(run("chown", &["12345", &copy.path(&issuing).display().to_string()])),
            &["key-owner"],
        ),
        (
            "another listener's certificate",
            &|copy| copy.replace("tls/ca.pem", "tls/portal.pem"),
            &["listener-certificate"],
        ),
        (
            "a listener's certificate that ends",
            &|copy| {
                copy.python(
                    "shell('openssl pkey -in tls/portal.key -passin file:unlock.key -out plain.key')\n\
                     shell('openssl x509 -in tls/portal.pem -signkey plain.key -days 5 -out new.pem')\n\
                     shell('mv new.pem tls/portal.pem')",
                );
            },
            &["listener-ending"],
        ),
        ("a configuration that others read", &|copy| copy.chmod("tegata.toml", 0o644), &["config-readable"]),
        (
            "a password that others read",
            &|copy| {
                let url = "url = \"postgres://tegata:secret@127.0.0.1:1/tegata\"";
                copy.edit("tegata.toml", "url = \"sqlite:ledger.db\"", url);
                copy.chmod("tegata.toml", 0o644);
            },
            &["config-exposed", "ledger-unreadable"],
        ),
        (
            "two listeners on one port",
            &|copy| {
                let portal = copy.read("tegata.toml");
                let line = |of: &str| {
                    let (_, section) = portal.split_once(of).expect("a listener");
                    section.lines().find(|line| line.starts_with("listen")).expect("its port").to_owned()
                };
                copy.edit("tegata.toml", &line("[device]"), &line("[portal]"));
            },
            &["server-refuses"],
        ),
        (
            "clients' CA that may sign no certificates",
            &|copy| {
                copy.python(
                    "shell('openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout c.key \
                     -out clients.pem -subj /CN=clients -days 2 -addext keyUsage=critical,cRLSign')",
                );
                let client = "[clients]\nca = \"clients.pem\"\n\n[[client]]\nclient_id = \"siem\"\n\
                    token_endpoint_auth_method = \"tls_client_auth\"\ntls_client_auth_subject_dn = \"CN=siem\"\n\n\
                    [[product]]";
                copy.edit("tegata.toml", "[[product]]", client);
            },
            &["server-refuses"],
        ),
        (
            "no ledger",
            &|copy| fs::remove_file(copy.path("ledger.db")).expect("removed"),
            &["ledger-unreadable"],
        ),
        (
            "no revocation log",
            &|copy| fs::remove_file(copy.path("revocations.log")).expect("removed"),
            &["revocation-log"],
        ),
        (
            "a revocation log without its end",
            &|copy| {
                copy.python(
                    "log = folder / 'revocations.log'\nlines = log.read_bytes().splitlines(True)\nlog.write_bytes(b''.join(lines[:-1]))",
                );
            },
            &["revocation-log"],
        ),
    ]);
}

#[test]
fn clocks_that_do_not_agree_are_found() {
    each(&[
        (
            "a log written in the future",
            &|copy| {
                copy.python(
                    "seq, before = execute('SELECT audit_seq, audit_hash FROM head').fetchone()\n\
                     entry = json.dumps({'seq': seq + 1, 'at': '2099-01-01T00:00:00Z', 'actor': 'x', 'action': 'x', 'device': None, 'detail': {}})\n\
                     digest = hashlib.sha256(before + entry.encode()).digest()\n\
                     execute('INSERT INTO audit (seq, at, device, entry, hash) VALUES (?, 4070908800000, NULL, ?, ?)', (seq + 1, entry, digest))\n\
                     execute('UPDATE head SET audit_seq = ?, audit_hash = ?', (seq + 1, digest))",
                );
            },
            &["clock-behind"],
        ),
        (
            "a row from the future",
            &|copy| copy.sql("UPDATE certificate SET used_at = 4070908800000 WHERE device = :renewed"),
            &["future-row"],
        ),
    ]);
    let slow = SlowServer::start();
    let copy = Copy::make();
    copy.edit("running.json", &FURNISHED.public, &slow.address);
    let (codes, code, said) = copy.found();
    assert_eq!(code, 1, "{said}");
    assert!(codes.contains("clock-server"), "{said}");
}

/// Something that answers at the public address with a clock an hour behind.
struct SlowServer {
    address: String,
}

impl SlowServer {
    fn start() -> Self {
        use std::io::{Read, Write};
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let _ = stream.read(&mut [0; 1024]);
                let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\nDate: Mon, 02 Jan 2023 03:04:05 GMT\r\nContent-Length: 0\r\n\r\n");
            }
        });
        Self { address }
    }
}
