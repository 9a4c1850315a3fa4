//! Whoever asks over SCEP for what is not theirs.

use super::{code, enroll, identity, scep};
use tegata_tests::scep::{GET_CRL, Message, RENEWAL_REQ, Reply, ScepClient};
use tegata_tests::{RunningInstallation, tegata};

#[test]
fn nobody_renews_a_device_that_they_are_not() {
    let installation = RunningInstallation::start();
    let client = ScepClient::new(installation.folder("attack"), &scep(&installation));
    enroll(&client, &installation.invite("victim"), "victim");
    enroll(&client, &installation.invite("attacker"), "attacker");
    client.new_key("next");
    client.new_key("stranger");
    let victim = identity(&client.path("victim.pem"));
    let ask = |signer: &str, transaction: &str, key: &str| {
        let content = client.request(key, &victim, "");
        let message = Message {
            kind: RENEWAL_REQ,
            signer,
            transaction,
            content,
            digest: "sha256",
            cipher: "aes-256-cbc",
        };
        client.send(&message)
    };
    refused(&ask("stranger", "one", "next"), "2", "C-02");
    let own = ask("attacker", "two", "next");
    client.keep(&own, "next");
    assert_eq!(
        identity(&client.path("next.pem")),
        identity(&client.path("attacker.pem")),
        "its own, not another's"
    );

    // The victim's certificate is public; its key is not.
    let certificate = std::fs::read(client.path("victim.pem")).expect("a file");
    client.write("stranger.pem", &certificate);
    client.new_key("wanted");
    let content = client.request("wanted", "x", "");
    let message = Message {
        kind: RENEWAL_REQ,
        signer: "stranger",
        transaction: "three",
        content,
        digest: "sha256",
        cipher: "aes-256-cbc",
    };
    refused(&client.send(&message), "1", "R-01");

    let device = installation.enroll("with-an-elliptic-key");
    client.write("elliptic.pem", &std::fs::read(device.file("cert.pem")).expect("a file"));
    client.write("elliptic.key", &std::fs::read(device.file("key.pem")).expect("a file"));
    refused(&ask("elliptic", "four", "wanted"), "0", "R-01");
}

#[test]
fn a_device_that_was_stopped_renews_nothing_and_learns_why() {
    let installation = RunningInstallation::start();
    let client = ScepClient::new(installation.folder("stopped"), &scep(&installation));
    let renew = |signer: &str, transaction: &str| {
        client.new_key("next");
        let content = client.request("next", "x", "");
        let message = Message {
            kind: RENEWAL_REQ,
            signer,
            transaction,
            content,
            digest: "sha256",
            cipher: "aes-256-cbc",
        };
        client.send(&message)
    };
    for (label, act, expected) in [("stolen", "revoke", "C-06"), ("lent", "suspend", "C-07")] {
        enroll(&client, &installation.invite(label), label);
        let device = identity(&client.path(&format!("{label}.pem")));
        let device = device.rsplit('/').next().expect("an identifier").to_owned();
        installation.act_on(&device, act);
        refused(&renew(label, label), "2", expected);
    }
    let list = Message {
        kind: GET_CRL,
        signer: "stolen",
        transaction: "list",
        content: client.id_of("stolen"),
        digest: "sha256",
        cipher: "aes-256-cbc",
    };
    refused(&client.send(&list), "2", "C-06");
}

#[test]
fn a_message_that_was_changed_or_put_together_from_others_gets_one_answer() {
    let installation = RunningInstallation::start();
    let client = ScepClient::new(installation.folder("changed"), &scep(&installation));
    client.new_key("honest");
    client.new_key("attacker");
    let code = code(&installation.invite("honest"));
    let honest = client.first("honest", "T", &code);

    // Another's envelope under a signature of one's own: the key in it is not the one that signs.
    let envelope = client.envelope(&honest.content, "aes-256-cbc");
    let stolen = Message { signer: "attacker", ..honest.clone() };
    let send = |message: &Message<'_>, envelope: &[u8]| {
        let (bytes, nonce) = client.sign(message, envelope);
        client.read_reply(message, &nonce, &client.post(&bytes).expect(200))
    };
    let uniform = send(&stolen, &envelope);
    refused(&uniform, "1", "K-01");
    // Changed anywhere: in the encrypted key, in the content, in its last block, where the padding is.
    for from_end in [1, 4, 17, 33, 100, 400, 600, 1250] {
        let mut changed = envelope.clone();
        let at = changed.len().saturating_sub(from_end + 8);
        changed[at] ^= 0x40;
        for signer in ["honest", "attacker"] {
            let reply = send(&Message { signer, ..honest.clone() }, &changed);
            assert_eq!(reply.status, "2", "{from_end}");
            assert!(["0", "1", "4"].contains(&reply.fail_info.as_str()), "{from_end}: {reply:?}");
            if reply.text.starts_with("K-") {
                assert_eq!(
                    (&reply.text, &reply.fail_info),
                    (&uniform.text, &uniform.fail_info),
                    "{from_end}"
                );
            }
        }
    }
    let (mut bytes, nonce) = client.put_together(&honest);
    let last = bytes.len() - 20;
    bytes[last] ^= 1;
    refused(&client.read_reply(&honest, &nonce, &client.post(&bytes).expect(200)), "1", "R-01");
    assert_eq!(client.post(&vec![0x30; 70_000]).expect(413).problem(), "R-02");
    assert_eq!(client.post(b"nonsense").expect(400).problem(), "R-01");

    let reply = client.send(&honest);
    client.keep(&reply, "honest");
    let replayed = client.post(&client.put_together(&honest).0).expect(200);
    assert!(!replayed.body.is_empty(), "whoever sends it again gets what only the first sender can open");
}

#[test]
fn weak_digests_ciphers_and_keys_are_refused() {
    let installation = RunningInstallation::start();
    let client = ScepClient::new(installation.folder("weak"), &scep(&installation));
    client.new_key("device");
    let code = code(&installation.invite("device"));
    let honest = client.first("device", "T", &code);
    for digest in ["md5", "sha1"] {
        refused(&client.send(&Message { digest, ..honest.clone() }), "0", "R-01");
    }
    for cipher in ["des-ede3-cbc", "aes-192-cbc"] {
        refused(&client.send(&Message { cipher, ..honest.clone() }), "0", "R-01");
    }
    client.openssl(&["genrsa", "-out", "short.key", "1024"]);
    let own = ["req", "-x509", "-new", "-sha256", "-subj", "/CN=x", "-key", "short.key", "-out", "short.pem"];
    client.openssl(&own);
    refused(&client.send(&client.first("short", "T", &code)), "0", "R-01");
    client.keep(&client.send(&honest), "device");
}

#[test]
fn codes_are_not_to_be_guessed_here_either() {
    let installation = RunningInstallation::start();
    let client = ScepClient::new(installation.folder("guessing"), &scep(&installation));
    client.new_key("device");
    refused(&client.send(&client.first("device", "none", "")), "2", "I-05");
    refused(&client.send(&client.first("device", "long", &"0".repeat(32))), "2", "I-01");
    let mut last = String::new();
    for number in 0..11 {
        let guess = format!("0000-000{}", number % 10);
        last = client.send(&client.first("device", "guess", &guess)).text;
    }
    assert!(last.starts_with("I-11"), "{last}");
    let code = code(&installation.invite("device"));
    let reply = client.send(&client.first("device", "right", &code));
    client.keep(&reply, "device");
}

#[test]
fn scep_is_served_only_where_it_is_enabled() {
    let mut installation = RunningInstallation::start();
    let open = |installation: &RunningInstallation| {
        tegata_tests::Curl::to(&format!("{}?operation=GetCACaps", scep(installation))).send()
    };
    open(&installation).expect(200);
    installation.reconfigure(|text| text.replace("[scep]\nenabled = true", "[scep]\nenabled = false"));
    open(&installation).expect(404);
    let profile = installation.data().join("ca-config/device.toml");
    let text = std::fs::read_to_string(&profile).expect("the profile");
    std::fs::write(&profile, text.replace("[\"p256\", \"rsa\"]", "[\"p256\"]")).expect("a file");
    let file = installation.data().join("tegata.toml");
    let text = std::fs::read_to_string(&file).expect("the configuration");
    installation.kill();
    std::fs::write(&file, text.replace("enabled = false", "enabled = true")).expect("a file");
    let mut command = std::process::Command::new(tegata());
    command.args(["serve", "--data", &installation.data().display().to_string()]);
    let said = tegata_tests::CommandOutcome::of(&mut command);
    assert!(said.code != 0 && said.said().contains("add \"rsa\""), "{}", said.said());
}

fn refused(reply: &Reply, fail_info: &str, code: &str) {
    assert!(reply.is_ours && reply.status == "2" && reply.bag.is_empty(), "{reply:?}");
    assert_eq!(reply.fail_info, fail_info, "{reply:?}");
    assert!(reply.text.starts_with(code), "{code}: {reply:?}");
}
