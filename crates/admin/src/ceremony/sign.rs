//! `sign-issuing`: the root signs an issuing CA, where its key is.

use super::candidate;
use super::fields::{self, OpenField};
use super::list::{NextList, RootList, root_id};
use super::outputs::Outputs;
use super::root::usual_key;
use super::run::{CeremonyRun, sha256};
use serde::Deserialize;
use serde_json::json;
use std::path::PathBuf;
use tegata_ca::create_ca::{self, CaName, RootAddresses, Validity};
use tegata_ca::{Issuer, ParsedRequest};
use tegata_installation::{Failure, FailureContext, config::KeysConfig, pem};

/// What is to be signed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignIssuing {
    root: PathBuf,
    /// The root's present list.
    list: PathBuf,
    new_list: PathBuf,
    list_days: u32,
    request: PathBuf,
    /// Of the file, so that no other request takes its place on the way.
    request_sha256: String,
    organization: String,
    common_name: String,
    days: u32,
    list_address: String,
    root_address: String,
    certificate: PathBuf,
    #[serde(default = "usual_key")]
    key: String,
    keys: KeysConfig,
}

/// What the root is about to sign.
struct SigningIntent {
    root: Vec<u8>,
    request: ParsedRequest,
    list: NextList,
}

pub fn sign(details: &SignIssuing, ceremony: &mut CeremonyRun<'_>) -> Result<(), Failure> {
    let (certificate, list) =
        (ceremony.new_file(&details.certificate)?, ceremony.new_file(&details.new_list)?);
    let intention = details.examine(ceremony)?;
    let rehearsed = create_ca::rehearse_issuing(
        details.name(),
        intention.request.key(),
        &intention.root,
        details.addresses(),
        details.terms(ceremony),
    );
    let rehearsed = rehearsed.doing("the root cannot sign this")?;
    ceremony.plan("sign an issuing certificate", &fields::certificate(&rehearsed, OpenField::Serial))?;
    ceremony.plan("sign the root's next list", &intention.list.facts())?;
    if !ceremony.perform {
        return Ok(());
    }
    let ring = ceremony.keys(&details.keys)?;
    let key = ring.signer(&details.key)?;
    let root = Issuer::load(root_id(&intention.root)?, intention.root, key, ceremony.now);
    let root = root.doing("the root cannot sign")?;
    let (name, terms) = (details.name(), details.terms(ceremony));
    let signed = create_ca::create_issuing(name, intention.request.key(), &root, details.addresses(), terms);
    let signed = signed.doing("the root did not sign this")?;
    candidate::examine(&signed, root.certificate(), details.addresses(), ceremony.judge())?;
    let next = intention.list.sign(&root)?;
    let mut outputs = Outputs::default();
    ceremony.write(&mut outputs, &certificate, pem::certificates(&[&signed]).as_bytes())?;
    ceremony.write(&mut outputs, &list, &next.der)?;
    let made = fields::certificate(&signed, OpenField::Nothing);
    ceremony.say("made", &json!({"certificate": made, "list": next.facts()}))?;
    outputs.keep();
    Ok(())
}

impl SignIssuing {
    fn examine(&self, ceremony: &mut CeremonyRun<'_>) -> Result<SigningIntent, Failure> {
        let root = ceremony.read_der("the root's certificate", &self.root)?;
        let list = ceremony.read_der("the root's present list", &self.list)?;
        let file = ceremony.read("the request", &self.request)?;
        if !sha256(&file).eq_ignore_ascii_case(&self.request_sha256) {
            return Err(Failure::wrong("the request is not the one whose SHA-256 was written down"));
        }
        let der = pem::decode(&file).unwrap_or(file);
        let request = ParsedRequest::parse(&der).map_err(|refusal| {
            let why = refusal.title(tegata_core::Language::En);
            Failure::wrong(format!("the request cannot be used ({}): {why}", refusal.code()))
        })?;
        let list = RootList::read(list, &root)
            .map_err(|error| Failure::wrong(format!("the present list: {error}")))?;
        Ok(SigningIntent { root, request, list: NextList::after(&list, self.list_days, ceremony.now)? })
    }

    fn name(&self) -> CaName<'_> {
        CaName { organization: &self.organization, common_name: &self.common_name }
    }

    fn addresses(&self) -> RootAddresses<'_> {
        RootAddresses { crl: &self.list_address, certificate: &self.root_address }
    }

    fn terms<'a>(&self, ceremony: &CeremonyRun<'a>) -> Validity<'a> {
        Validity { days: self.days, now: ceremony.now, entropy: ceremony.system.entropy.as_ref() }
    }
}
