//! People who sign in at npm's oidc-provider.

use crate::clients;
use crate::installation::RunningInstallation;
use crate::process::Process;
use crate::recipe::{issued_server, self_signed_server};
use serde_json::{Value, json};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// What providers give out has any characters.
const SECRET: &str = "a secret: of the provider, 50% + x";
/// idpyoidc takes the words of a Basic header undecoded, against RFC 6749 section 2.3.1: none here needs encoding.
const PLAIN_SECRET: &str = "a-secret-of-the-second-provider";

/// A tenant's identity provider with products that people sign in to.
#[derive(Debug)]
pub struct TestIdentityProvider {
    process: Process,
    /// Its issuer.
    pub issuer: String,
    /// What verifies its server.
    pub ca: PathBuf,
}

fn write_secret(installation: &RunningInstallation, secret: &str) {
    let file = installation.data().join("provider-secret");
    std::fs::write(&file, format!("{secret}\n")).expect("a file");
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).expect("its mode");
}

/// What a sign-in gives.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// For the application.
    pub id_token: String,
    /// A JWT for the resource.
    pub access_token: String,
}

/// The section of a provider by which people sign in there.
fn section(proof: &str) -> String {
    format!(
        "site_claim = \"stores\"\n[identity_provider.sign_in]\nclient_id = \"tegata\"\n{proof}\nmfa_amr = [\"mfa\"]\n"
    )
}

/// A second implementation, as a tenant's provider: idpyoidc, which is certified, with a secret.
#[derive(Debug)]
pub struct PythonIdentityProvider {
    _process: Process,
    /// The section of `tegata.toml` by which people sign in there.
    pub section: String,
}

impl PythonIdentityProvider {
    /// Starts one beside the first, with the same certificate. An installation is its one client.
    pub fn start(folder: &Path, ca: &Path, installation: &RunningInstallation) -> Self {
        const PACKAGES: [&str; 1] = ["idpyoidc==5.0.0"];
        let (portal, device) = (&installation.portal, &installation.device);
        let asked = json!({
            "cert": folder.join("server.pem"), "key": folder.join("server.key"), "client_ca": installation.tls_ca,
            "client": {
                "client_id": "tegata", "client_secret": PLAIN_SECRET,
                "redirect_uris": [format!("{device}/sign-in/provider/callback")],
                "post_logout_redirect_uris": [format!("{device}/sign-in")],
                "backchannel_logout_uri": format!("{portal}/backchannel-logout"),
                "backchannel_logout_session_required": true,
                "token_endpoint_auth_method": "client_secret_basic",
            },
        });
        let mut command = clients::python(&PACKAGES, "idpyoidc_provider.py");
        command.arg(asked.to_string());
        let mut process = Process::start("idpyoidc", &mut command, &folder.join("idpyoidc.log"));
        let ready: Value = serde_json::from_str(&process.line()).expect("where it is");
        write_secret(installation, PLAIN_SECRET);
        let tenant = installation.tell(&["tenant", "list"])[0]["tenant"].clone();
        let (issuer, ca, by_secret) =
            (&ready["issuer"], ca.display(), section("client_secret = \"provider-secret\""));
        let section = format!(
            "[[identity_provider]]\ntenant = {tenant}\nissuer = {issuer}\nca = \"{ca}\"\naudiences = [\"tegata\"]\n{by_secret}"
        );
        Self { _process: process, section }
    }
}

impl TestIdentityProvider {
    /// Starts one in a folder.
    #[must_use]
    pub fn start(folder: &Path) -> Self {
        Self::start_with(folder, self_signed_server(folder))
    }

    /// Starts one whose pages browsers show.
    #[must_use]
    pub fn start_for_browsers(folder: &Path) -> Self {
        Self::start_with(folder, issued_server(folder))
    }

    fn start_with(folder: &Path, ca: PathBuf) -> Self {
        let files = [folder.join("server.pem"), folder.join("server.key")];
        let asked = json!({"ca": ca, "cert": files[0], "key": files[1]});
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

    /// Registers an installation as a client that people are sent to sign in by, and that proves itself by the key of its
    /// tokens. Gives the section that says so.
    pub fn register_by_key(&mut self, installation: &RunningInstallation) -> String {
        let keys = format!("{}/.well-known/jwks.json", installation.portal);
        let proof = json!({
            "token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": "ES256",
            "jwks_uri": keys,
        });
        self.register_with(installation, &proof);
        section("token_endpoint_auth_method = \"private_key_jwt\"")
    }

    /// Registers an installation as a client that people are sent to sign in by, and that has a secret. Gives the section that says
    /// so.
    pub fn register(&mut self, installation: &RunningInstallation) -> String {
        write_secret(installation, SECRET);
        self.register_with(installation, &json!({"client_secret": SECRET}));
        section("client_secret = \"provider-secret\"")
    }

    fn register_with(&mut self, installation: &RunningInstallation, proof: &Value) {
        let (portal, device) = (&installation.portal, &installation.device);
        let mut client = json!({
            "client_id": "tegata",
            "redirect_uris": [format!("{device}/sign-in/provider/callback")],
            "post_logout_redirect_uris": [format!("{device}/sign-in")],
            "backchannel_logout_uri": format!("{portal}/backchannel-logout"),
            "backchannel_logout_session_required": true,
        });
        for (name, value) in proof.as_object().into_iter().flatten() {
            client[name] = value.clone();
        }
        self.ask(&json!({"ca": installation.tls_ca, "client": client}));
    }

    /// Tells the installation that all sessions of a person have ended. Gives how many there were.
    pub fn stop(&mut self, person: &str) -> u64 {
        self.ask(&json!({"stop": person}))["sent"].as_u64().expect("how many")
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
