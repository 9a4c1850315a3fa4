//! certbot, as Debian has it.

use crate::{identity, seen, serial, verified};
use std::path::PathBuf;
use std::process::Command;
use tegata_tests::acme::Binding;
use tegata_tests::{CommandOutcome, RunningInstallation, ports};

struct Certbot<'a> {
    installation: &'a RunningInstallation,
    binding: Binding,
    folder: PathBuf,
}

#[test]
fn certbot_enrolls_renews_by_its_timer_and_revokes() {
    let installation = RunningInstallation::start();
    let certbot = Certbot {
        installation: &installation,
        binding: Binding::invited(&installation, "server-2"),
        folder: installation.folder("certbot"),
    };
    // Certbot wants a way to answer challenges, although none is asked.
    let port = ports::free().to_string();
    let name = certbot.binding.identifier.clone();
    certbot.run(&["certonly", "--standalone", "--http-01-port", &port, "-d", &name]).good();
    let (chain, key) = (certbot.file("fullchain.pem"), certbot.file("privkey.pem"));
    verified(&installation, &chain);
    let (first, device) = (serial(&chain), identity(&chain));
    assert_eq!(seen(&installation, &chain, &key), Ok(1));

    let not_due = certbot.run(&["renew"]).good();
    assert!(not_due.said().contains("not due"), "{}", not_due.said());
    certbot.run(&["renew", "--force-renewal", "--no-random-sleep-on-renew"]).good();
    assert_ne!(serial(&chain), first);
    assert_eq!(identity(&chain), device, "the same device");
    assert_eq!(seen(&installation, &chain, &key), Ok(2));

    certbot
        .run(&["revoke", "--cert-name", &name, "--reason", "keycompromise", "--no-delete-after-revoke"])
        .good();
    assert_eq!(seen(&installation, &chain, &key), Err("C-06".into()));
    certbot.run(&["unregister"]).good();
    let closed = certbot.run(&["certonly", "--standalone", "--http-01-port", &port, "-d", &name]);
    assert!(
        closed.code != 0 && closed.said().contains("I-02"),
        "an invitation has one account: {}",
        closed.said()
    );
}

impl Certbot<'_> {
    fn run(&self, arguments: &[&str]) -> CommandOutcome {
        let Binding { kid, hmac_key, directory, .. } = &self.binding;
        let folder = |name: &str| self.folder.join(name).display().to_string();
        let folders =
            ["--config-dir", &folder("config"), "--work-dir", &folder("work"), "--logs-dir", &folder("logs")]
                .map(str::to_owned);
        let mut command = Command::new("certbot");
        command.args(arguments).args(folders).args(["--server", directory, "--non-interactive"]);
        if arguments[0] == "certonly" {
            command.args(["--agree-tos", "--register-unsafely-without-email"]);
            command.args(["--eab-kid", kid, "--eab-hmac-key", hmac_key]);
        }
        CommandOutcome::of(command.env("REQUESTS_CA_BUNDLE", &self.installation.tls_ca))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join("config/live").join(&self.binding.identifier).join(name)
    }
}
