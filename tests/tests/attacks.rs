//! What somebody tries who has a certificate of their own, or a stolen token, or knows how TLS and HTTP go wrong
//! elsewhere.

use serde_json::json;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use tegata_tests::forgery::{Spelling, posing_as};
use tegata_tests::tokens::{introspect, obtain, request};
use tegata_tests::{CurlAnswer, DeviceIdentity, RunningInstallation, ports};

/// nginx CVE-2025-23419, Apache CVE-2025-23048, Go CVE-2025-68121: a session of one listener, or of before the
/// revocation, is taken up at another, and no verifier is asked.
#[test]
fn openssl_can_resume_no_session_at_any_listener_nor_after_a_revocation() {
    let installation = RunningInstallation::start();
    let device = installation.enroll("resuming");
    let portal = AttackedDoor { url: &installation.portal, path: "/" };
    let probe = AttackedDoor { url: &installation.device, path: "/probe" };
    let folder = installation.folder("sessions");
    let [of_portal, of_device] = ["portal", "device"].map(|name| folder.join(name));

    let first = portal.visit(&installation, None, &["-sess_out", &show(&of_portal)]);
    assert!(first.contains("New, TLSv1.3") && first.contains("HTTP/1.1 "), "{first}");
    let first = probe.visit(&installation, Some(&device), &["-sess_out", &show(&of_device)]);
    assert!(first.contains("HTTP/1.1 200"), "{first}");
    for session in [&of_portal, &of_device] {
        assert!(!session.exists(), "no ticket was given, so there is nothing to keep");
    }

    // A session all the same, made up of the first handshake by a client that keeps it against the server's will.
    let again = probe.visit(&installation, Some(&device), &["-reconnect"]);
    assert!(!again.contains("Reused"), "{again}");
    let old = probe.visit(&installation, Some(&device), &["-tls1_2", "-reconnect"]);
    assert!(!old.contains("Reused") && !old.contains("HTTP/1.1 200"), "there is no TLS 1.2: {old}");

    installation.tell(&["device", "revoke", "--yes", &device.device]);
    let after = probe.visit(&installation, Some(&device), &["-reconnect"]);
    assert!(!after.contains("Reused") && after.contains("HTTP/1.1 401"), "{after}");
    let early = probe.visit(&installation, Some(&device), &["-early_data", &show(&folder.join("nothing"))]);
    assert!(!early.contains("Early data was accepted"), "{early}");
}

#[test]
fn no_header_stands_for_a_certificate_at_the_device_listener_itself() {
    let installation = RunningInstallation::start();
    let (victim, thief) = (installation.enroll("victim"), installation.enroll("thief"));
    let token = obtain(&installation, &victim);
    for spelling in Spelling::ALL {
        let posing = |request| posing_as(&victim, request, spelling).send();
        let nobody = posing(installation.at_device("/probe")).expect(401);
        assert_eq!(nobody.problem(), "C-01", "{spelling:?}");
        let own = posing(installation.at_device("/probe").as_device(&thief)).expect(200);
        assert!(!own.text().contains(&victim.device), "{spelling:?}: {own}");
        let refused = posing(request(&installation, &victim.with_files_of(&thief))).expect(401);
        assert_eq!(refused.json()["error"], "invalid_client", "{spelling:?}");
        let fields = [("token", &*token), ("client_id", &*thief.device)];
        let revoking = installation.oauth("revocation_endpoint").as_device(&thief).form(&fields);
        assert!((400..500).contains(&posing(revoking).status), "{spelling:?}");
    }
    assert_eq!(introspect(&installation, &victim, &token).json()["active"], true, "nobody took it back");
}

#[test]
fn a_stolen_token_is_of_no_use_to_another_device_at_any_endpoint() {
    let installation = RunningInstallation::start();
    let (victim, thief) = (installation.enroll("victim"), installation.enroll("thief"));
    let token = obtain(&installation, &victim);
    assert_eq!(introspect(&installation, &thief, &token).expect(200).json(), json!({ "active": false }));
    let with_bearer = |path: &str| installation.at_device(path).as_device(&thief).bearer(&token);
    let own = with_bearer("/probe").send().expect(200);
    assert!(!own.text().contains(&victim.device), "{own}");
    // A token beside the certificate is a second credential: nobody guesses which of the two is meant.
    let fields = [("grant_type", "client_credentials"), ("client_id", &*thief.device)];
    let both = installation.oauth("token_endpoint").as_device(&thief).bearer(&token).form(&fields).send();
    assert_eq!(both.expect(400).json()["error"], "invalid_request");
    let alone = installation.at_device("/probe").bearer(&token).send().expect(401);
    assert_eq!(alone.problem(), "C-01");
    let renewing =
        installation.at_device("/api/v1/renewals").bearer(&token).json(&json!({ "csr": "" })).send();
    assert_eq!(renewing.expect(401).problem(), "C-01");
}

/// A browser sends requests for all hosts of one certificate over one HTTP/2 connection, with whatever certificate that
/// was made with.
#[test]
fn a_request_for_another_host_than_its_connections_is_sent_back() {
    let installation = RunningInstallation::start();
    let device = installation.enroll("strayed");
    let port = ports::of(&installation.device).to_string();
    let ask = |host: &str, version: &str| {
        let request = installation.at_device("/probe").as_device(&device).flag(version);
        request.header("host", host).send()
    };
    for version in ["--http1.1", "--http2"] {
        for host in [
            "evil.example",
            "0123456789abcdef.probe.localhost",
            "localhost.evil.example",
            "127.0.0.1",
            "[::1]",
        ] {
            let strayed: CurlAnswer = ask(host, version).expect(421);
            assert_eq!(strayed.problem(), "R-05", "{version} {host}");
        }
        for host in ["localhost", "LOCALHOST", &format!("localhost:{port}"), "localhost."] {
            ask(host, version).expect(200);
        }
        let at_portal = installation.at_portal("/").flag(version).header("host", "evil.example").send();
        assert_eq!(at_portal.status, 421, "{version} at the portal");
    }
}

/// Somewhere to connect to.
struct AttackedDoor<'a> {
    url: &'a str,
    path: &'a str,
}

impl AttackedDoor<'_> {
    /// What `openssl s_client` says when it asks for the path.
    fn visit(
        &self,
        installation: &RunningInstallation,
        device: Option<&DeviceIdentity>,
        options: &[&str],
    ) -> String {
        let port = ports::of(self.url);
        let mut command = Command::new("openssl");
        command.args(["s_client", "-connect", &format!("localhost:{port}"), "-servername", "localhost"]);
        command.args(["-ign_eof", "-CAfile", &show(&installation.tls_ca), "-verify_return_error"]);
        if let Some(device) = device {
            command.args(["-cert_chain", &device.file("chain.pem"), "-cert", &device.file("cert.pem")]);
            command.args(["-key", &device.file("key.pem")]);
        }
        command.args(options).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("openssl runs");
        let mut input = child.stdin.take().expect("its input");
        let asked =
            format!("GET {} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n", self.path);
        let _ = input.write_all(asked.as_bytes());
        drop(input);
        let output = child.wait_with_output().expect("openssl ends");
        [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat()
    }
}

fn show(path: &Path) -> String {
    path.display().to_string()
}
