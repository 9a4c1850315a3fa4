//! lego, as Debian has it.

use crate::{identity, seen, serial, verified};
use std::path::PathBuf;
use std::process::Command;
use tegata_tests::acme::Binding;
use tegata_tests::{CommandOutcome, RunningInstallation};

struct Lego<'a> {
    installation: &'a RunningInstallation,
    binding: Binding,
    folder: PathBuf,
}

#[test]
fn lego_enrolls_renews_and_revokes() {
    let installation = RunningInstallation::start();
    let lego = Lego {
        installation: &installation,
        binding: Binding::invited(&installation, "server-1"),
        folder: installation.folder("lego"),
    };
    lego.run(&["run"]).good();
    let (certificate, key) = (lego.file("crt"), lego.file("key"));
    verified(&installation, &certificate);
    let (first, device) = (serial(&certificate), identity(&certificate));
    assert_eq!(seen(&installation, &certificate, &key), Ok(1));

    lego.run(&["renew", "--days", "400", "--no-random-sleep"]).good();
    assert_ne!(serial(&certificate), first);
    assert_eq!(identity(&certificate), device, "the same device");
    assert_eq!(seen(&installation, &certificate, &key), Ok(2));

    let (_, id) = device.rsplit_once('/').expect("an identifier");
    let renew = || lego.run(&["renew", "--days", "400", "--no-random-sleep"]);
    installation.tell(&["device", "suspend", id]);
    let stopped = renew();
    assert!(stopped.code != 0 && stopped.said().contains("C-07"), "{}", stopped.said());
    installation.tell(&["device", "resume", id]);
    renew().good();
    assert_eq!(seen(&installation, &certificate, &key), Ok(3));

    lego.run(&["revoke", "--keep"]).good();
    assert_eq!(seen(&installation, &certificate, &key), Err("C-06".into()));
    let given_up = renew();
    assert!(given_up.code != 0 && given_up.said().contains("C-06"), "{}", given_up.said());
}

impl Lego<'_> {
    fn run(&self, arguments: &[&str]) -> CommandOutcome {
        let Binding { kid, hmac_key, identifier, directory, .. } = &self.binding;
        let folder = self.folder.display().to_string();
        let global = ["--server", directory, "--accept-tos", "--email", "it@example.jp", "--path", &folder];
        let binding = ["--eab", "--kid", kid, "--hmac", hmac_key, "--domains", identifier, "--http"];
        let mut command = Command::new("lego");
        command.args(global).args(binding).args(arguments);
        CommandOutcome::of(command.env("LEGO_CA_CERTIFICATES", &self.installation.tls_ca))
    }

    fn file(&self, ending: &str) -> PathBuf {
        self.folder.join("certificates").join(format!("{}.{ending}", self.binding.identifier))
    }
}
