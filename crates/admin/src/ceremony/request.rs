//! `request-issuing`: the installation makes the key of an issuing CA and asks its root for a certificate.

use super::candidate::name_is_new;
use super::fields::{self, OpenField};
use super::list::{USUAL_DAYS, root_id};
use super::outputs::Outputs;
use super::run::{CeremonyRun, sha256};
use serde::Deserialize;
use serde_json::json;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use tegata_ca::create_ca::{self, CaName, RootAddresses, Validity};
use tegata_ca::{IssuerEndpoints, LocalKey, PublicKey, csr};
use tegata_core::{IssuerId, Thumbprint};
use tegata_installation::{Config, Failure, FailureContext, KeyRing, pem};
use tegata_storage::{IssuerKind, StoredIssuer};

/// Over how many CRLs the certificates of a new issuing CA are spread. With a million revoked a list is 6 MB: what a
/// verifier downloads, and what a server holds in memory to make it.
pub const ISSUING_SHARDS: u16 = 8;

/// What is asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestIssuing {
    root: PathBuf,
    organization: String,
    common_name: String,
    days: u32,
    #[serde(default)]
    tenant: Option<String>,
    #[serde(default = "usual_shards")]
    shards: u16,
    request: PathBuf,
    /// Where the act for the root's machine is written.
    sign: PathBuf,
    /// Where the act is written that follows here.
    install: PathBuf,
}

/// Over how many lists certificates are spread by default.
pub fn usual_shards() -> u16 {
    ISSUING_SHARDS
}

/// What the acts to come have to say.
struct RequestSummary<'a> {
    details: &'a RequestIssuing,
    root: Vec<u8>,
    is_new_root: bool,
    endpoints: IssuerEndpoints,
    issuer: IssuerId,
}

pub async fn request(details: &RequestIssuing, ceremony: &mut CeremonyRun<'_>) -> Result<(), Failure> {
    let config = ceremony.config()?;
    let files = [&details.request, &details.sign, &details.install].map(|file| ceremony.new_file(file));
    let [request, sign, install] = files;
    let (request, sign, install) = (request?, sign?, install?);
    let ledger = ceremony.ledger(&config).await?;
    let issuers = ledger.issuers().await.doing("cannot read the issuers")?;
    let facts = details.examine(&config, &issuers, ceremony)?;
    facts.plan(ceremony)?;
    if !ceremony.perform {
        return Ok(());
    }
    let ring = KeyRing::open(&config)?;
    let name = KeyRing::issuing(&facts.issuer);
    let mut outputs = Outputs::default();
    let key = ring.create(&name, ceremony.system.entropy.as_ref())?;
    outputs.has_key(&ring, &name);
    let der = csr::request_for(key.as_ref()).doing("the new key does not sign")?;
    let csr = pem::encode("CERTIFICATE REQUEST", &der);
    ceremony.write(&mut outputs, &request, csr.as_bytes())?;
    ceremony.write(&mut outputs, &sign, facts.sign_script(ceremony, &sha256(csr.as_bytes()))?.as_bytes())?;
    ceremony.write(&mut outputs, &install, facts.install_script(ceremony)?.as_bytes())?;
    let made =
        json!({"issuer": facts.issuer, "key": name, "public_key_sha256": sha256(&key.public_key_info())});
    ceremony.note(&ledger, &made).await?;
    outputs.keep();
    ceremony.say("made", &made)
}

impl RequestIssuing {
    fn examine<'a>(
        &'a self,
        config: &Config,
        issuers: &[StoredIssuer],
        ceremony: &mut CeremonyRun<'_>,
    ) -> Result<RequestSummary<'a>, Failure> {
        name_is_new(issuers, &self.organization, &self.common_name)?;
        let root = ceremony.read_der("the root's certificate", &self.root)?;
        let (id, is_new_root) = known_root(issuers, &root)?;
        let endpoints = IssuerEndpoints::new(&config.public.url, &id, 1).map_err(Failure::misuse)?;
        let issuer = IssuerId::random(ceremony.system.entropy.as_ref());
        Ok(RequestSummary { details: self, root, is_new_root, endpoints, issuer })
    }
}

impl RequestSummary<'_> {
    fn plan(&self, ceremony: &mut CeremonyRun<'_>) -> Result<(), Failure> {
        let RequestIssuing { organization, common_name, days, .. } = self.details;
        let throwaway =
            LocalKey::generate().and_then(|key| LocalKey::from_pkcs8(&key)).doing("cannot make a key")?;
        let rehearsed = create_ca::rehearse_issuing(
            CaName { organization, common_name },
            &PublicKey::of(&throwaway),
            &self.root,
            RootAddresses { crl: &self.endpoints.crl(0), certificate: self.endpoints.certificate() },
            Validity { days: *days, now: ceremony.now, entropy: ceremony.system.entropy.as_ref() },
        );
        let rehearsed = rehearsed.doing("the root could not sign this")?;
        ceremony
            .plan("make a key and a request", &json!({"kind": "P-256", "request": self.details.request}))?;
        ceremony.plan("ask for this certificate", &fields::certificate(&rehearsed, OpenField::SerialAndKey))
    }

    /// The act for the root's machine, as far as this machine knows it.
    fn sign_script(&self, ceremony: &CeremonyRun<'_>, request_sha256: &str) -> Result<String, Failure> {
        let RequestIssuing { root, organization, common_name, days, request, .. } = self.details;
        let mut text = head("sign-issuing", ceremony)?;
        write!(
            text,
            "[details]\nroot = {}\n# The root's present list, and its next one.\nlist = \"root.crl\"\n\
             new_list = \"root-next.crl\"\nlist_days = {USUAL_DAYS}\nrequest = {}\nrequest_sha256 = {}\n\
             organization = {}\ncommon_name = {}\ndays = {days}\n\
             # Where the installation publishes what the root signs.\nlist_address = {}\nroot_address = {}\n\
             certificate = \"issuing.pem\"\n\n\
             # The root's key, here.\n[details.keys]\nfolder = \"keys\"\n",
            quoted(&file_name(root)),
            quoted(&file_name(request)),
            quoted(request_sha256),
            quoted(organization),
            quoted(common_name),
            quoted(&self.endpoints.crl(0)),
            quoted(self.endpoints.certificate()),
        )
        .doing("cannot write an act")?;
        Ok(text)
    }

    /// The act that follows here.
    fn install_script(&self, ceremony: &CeremonyRun<'_>) -> Result<String, Failure> {
        let RequestIssuing { root, tenant, shards, .. } = self.details;
        let mut text = head("install-issuing", ceremony)?;
        write!(
            text,
            "[details]\nissuer = {}\ncertificate = \"issuing.pem\"\nroot = {}\nlist = \"root-next.crl\"\nshards = {shards}\n",
            quoted(self.issuer.as_str()),
            quoted(&file_name(root)),
        )
        .doing("cannot write an act")?;
        if let Some(tenant) = tenant {
            writeln!(text, "tenant = {}", quoted(tenant)).doing("cannot write an act")?;
        }
        if self.is_new_root {
            let thumbprint = Thumbprint::of(&self.root).to_string();
            writeln!(
                text,
                "# The ledger does not know this root yet. Compare its thumbprint with the transcript of its ceremony.\n\
                 new_root = {}",
                quoted(&thumbprint)
            )
            .doing("cannot write an act")?;
        }
        Ok(text)
    }
}

/// The identifier of a root, and whether the ledger has yet to learn of it.
pub fn known_root(issuers: &[StoredIssuer], root: &[u8]) -> Result<(IssuerId, bool), Failure> {
    match issuers.iter().find(|issuer| issuer.certificate == root) {
        Some(known) if known.kind == IssuerKind::Root => Ok((known.id.clone(), false)),
        Some(_) => Err(Failure::misuse("this certificate is no root's")),
        None => Ok((root_id(root)?, true)),
    }
}

/// Everything an act says beside its details.
fn head(act: &str, ceremony: &CeremonyRun<'_>) -> Result<String, Failure> {
    let mut text = format!(
        "# Written by the act {} of {}.\nact = {}\nwhy = {}\n",
        ceremony.header.sha256,
        ceremony.now,
        quoted(act),
        quoted(&ceremony.header.why)
    );
    for person in &ceremony.header.present {
        let (role, name) = (quoted(&person.role), quoted(&person.name));
        write!(text, "\n[[present]]\nrole = {role}\nname = {name}\n").doing("cannot write an act")?;
    }
    text.push('\n');
    Ok(text)
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// On the way to the other machine files lie side by side.
fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
