//! People who sign in at npm's oidc-provider.

use crate::clients;
use crate::installation::RunningInstallation;
use crate::process::Process;
use crate::recipe::self_signed_server;
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};

/// A tenant's identity provider with products that people sign in to.
#[derive(Debug)]
pub struct TestIdentityProvider {
    process: Process,
    /// Its issuer.
    pub issuer: String,
    /// What verifies its server.
    pub ca: PathBuf,
}

/// What a sign-in gives.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// For the application.
    pub id_token: String,
    /// A JWT for the resource.
    pub access_token: String,
}

impl TestIdentityProvider {
    /// Starts one in a folder.
    #[must_use]
    pub fn start(folder: &Path) -> Self {
        let ca = self_signed_server(folder);
        let asked = json!({"ca": ca, "cert": ca, "key": folder.join("server.key")});
        let mut command = clients::node("identity-provider.mjs");
        command.arg(asked.to_string());
        let mut process = Process::start("oidc-provider", &mut command, &folder.join("provider.log"));
        let ready: Value = serde_json::from_str(&process.line()).expect("where it is");
        let issuer = ready["issuer"].as_str().expect("its issuer").to_owned();
        Self { process, issuer, ca }
    }

    /// The section of `tegata.toml` that believes it, for the tenant that an installation began with. Audiences are the
    /// applications, and a resource.
    pub fn configuration(&self, installation: &RunningInstallation, resource: &str, more: &str) -> String {
        let tenant = installation.tell(&["tenant", "list"])[0]["tenant"].clone();
        let (issuer, ca) = (&self.issuer, self.ca.display());
        format!(
            "[[identity_provider]]\ntenant = {tenant}\nissuer = \"{issuer}\"\nca = \"{ca}\"\naudiences = \
             [\"app-RS256\", \"app-PS256\", \"app-ES256\", \"app-EdDSA\", \"{resource}\"]\n{more}\n"
        )
    }

    /// Signs a person in to the application whose tokens are signed by an algorithm.
    pub fn sign_in(&mut self, person: &str, stores: &[&str], algorithm: &str, resource: &str) -> SignedIn {
        let wanted =
            json!({"person": person, "stores": stores, "algorithm": algorithm, "resource": resource});
        let told = self.ask(&wanted);
        let text =
            |name: &str| told[name].as_str().unwrap_or_else(|| panic!("no {name} in {told}")).to_owned();
        SignedIn { id_token: text("id_token"), access_token: text("access_token") }
    }

    /// From now on it signs with other keys and publishes these alone.
    pub fn rotate_keys(&mut self) {
        self.ask(&json!({"rotate": true}));
    }

    /// From now on it answers everything with a redirect.
    pub fn redirect_everything_to(&mut self, url: &str) {
        self.ask(&json!({"redirect": url}));
    }

    fn ask(&mut self, wanted: &Value) -> Value {
        writeln!(self.process.input(), "{wanted}").expect("it listens");
        serde_json::from_str(&self.process.line()).expect("an answer")
    }
}
