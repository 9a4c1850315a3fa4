//! dehydrated, as Debian has it, by the recipe in docs/doors.md.

use crate::{identity, seen, serial, verified};
use std::path::PathBuf;
use std::process::Command;
use tegata_tests::acme::Binding;
use tegata_tests::{CommandOutcome, RunningInstallation};

struct Dehydrated {
    binding: Binding,
    folder: PathBuf,
}

#[test]
fn dehydrated_enrolls_and_renews_once_it_forgets_the_certificate_before() {
    let installation = RunningInstallation::start();
    let dehydrated = Dehydrated {
        binding: Binding::invited(&installation, "server-3"),
        folder: installation.folder("dehydrated"),
    };
    dehydrated.configure(&installation);
    dehydrated.run(&["--register", "--accept-terms"]).good();
    dehydrated.run(&["--cron"]).good();
    let (chain, key) = (dehydrated.file("fullchain.pem"), dehydrated.file("privkey.pem"));
    verified(&installation, &chain);
    let (first, device) = (serial(&chain), identity(&chain));
    assert_eq!(seen(&installation, &chain, &key), Ok(1));

    let by_itself = dehydrated.run(&["--cron", "--force"]);
    assert!(
        by_itself.code != 0,
        "it looks for DNS names in its certificate and gives up: {}",
        by_itself.said()
    );
    std::fs::remove_file(dehydrated.file("cert.pem")).expect("a link");
    dehydrated.run(&["--cron"]).good();
    assert_ne!(serial(&chain), first);
    assert_eq!(identity(&chain), device, "the same device");
    assert_eq!(seen(&installation, &chain, &key), Ok(2));
}

impl Dehydrated {
    fn configure(&self, installation: &RunningInstallation) {
        let Binding { kid, hmac_key, identifier, directory, .. } = &self.binding;
        let (folder, ca) = (self.folder.display(), installation.tls_ca.display());
        let config = format!(
            "CA={directory}\nEAB_KID={kid}\nEAB_HMAC_KEY={hmac_key}\nKEY_ALGO=prime256v1\nBASEDIR={folder}\n\
             WELLKNOWN={folder}\nCURL_OPTS='--cacert {ca}'\n"
        );
        std::fs::write(self.folder.join("config"), config).expect("a file");
        std::fs::write(self.folder.join("domains.txt"), format!("{identifier}\n")).expect("a file");
    }

    fn run(&self, arguments: &[&str]) -> CommandOutcome {
        let mut command = Command::new("dehydrated");
        CommandOutcome::of(command.args(arguments).arg("--config").arg(self.folder.join("config")))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join("certs").join(&self.binding.identifier).join(name)
    }
}
