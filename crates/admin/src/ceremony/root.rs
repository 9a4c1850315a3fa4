//! `create-root`: a root on a machine that no network reaches.

use super::fields::{self, OpenField};
use super::list::{NextList, RootList, root_id};
use super::outputs::Outputs;
use super::run::CeremonyRun;
use serde::Deserialize;
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;
use tegata_ca::create_ca::{self, CaName, Validity};
use tegata_ca::{CaKey, Issuer, LocalKey};
use tegata_installation::{Failure, FailureContext, KeyRing, config::KeysConfig, pem};

/// The name of a root's key by default.
pub fn usual_key() -> String {
    "root".to_owned()
}

/// What is to be made.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateRoot {
    organization: String,
    common_name: String,
    days: u32,
    /// How long its first list is good.
    list_days: u32,
    #[serde(default = "usual_key")]
    key: String,
    certificate: PathBuf,
    list: PathBuf,
    keys: KeysConfig,
}

/// A root that can sign, and its first list.
pub struct NewRoot {
    pub issuer: Issuer,
    pub list: RootList,
}

impl NewRoot {
    /// From a key that is its own from now on.
    pub fn make(
        name: CaName<'_>,
        key: Arc<dyn CaKey>,
        list_days: u32,
        terms: Validity<'_>,
    ) -> Result<Self, Failure> {
        let certificate = create_ca::create_root(name, &key, terms).doing("cannot make the root")?;
        let id = root_id(&certificate)?;
        let issuer = Issuer::load(id, certificate, key, terms.now).doing("the new root cannot be used")?;
        let list = NextList::first(list_days, terms.now).sign(&issuer)?;
        Ok(Self { issuer, list })
    }
}

pub fn create(details: &CreateRoot, ceremony: &mut CeremonyRun<'_>) -> Result<(), Failure> {
    let (certificate, list) = (ceremony.new_file(&details.certificate)?, ceremony.new_file(&details.list)?);
    let ring = ceremony.keys(&details.keys)?;
    ring.must_take(&details.key)?;
    plan(details, &ring, ceremony)?;
    if !ceremony.perform {
        return Ok(());
    }
    let mut outputs = Outputs::default();
    let key = ring.create(&details.key, ceremony.system.entropy.as_ref())?;
    outputs.has_key(&ring, &details.key);
    let root = details.make(key, ceremony)?;
    ceremony.write(&mut outputs, &certificate, pem::certificates(&[root.issuer.certificate()]).as_bytes())?;
    ceremony.write(&mut outputs, &list, &root.list.der)?;
    let made = fields::certificate(root.issuer.certificate(), OpenField::Nothing);
    ceremony
        .say("made", &json!({"root": root.issuer.id(), "certificate": made, "list": root.list.facts()}))?;
    outputs.keep();
    Ok(())
}

fn plan(details: &CreateRoot, ring: &KeyRing, ceremony: &mut CeremonyRun<'_>) -> Result<(), Failure> {
    let throwaway =
        LocalKey::generate().and_then(|key| LocalKey::from_pkcs8(&key)).doing("cannot make a key")?;
    let root = details.make(Arc::new(throwaway), ceremony)?;
    ceremony.plan(
        "make a key",
        &json!({"name": details.key, "kind": "P-256", "in": ring.new_place(&details.key)}),
    )?;
    let certificate = fields::certificate(root.issuer.certificate(), OpenField::SerialAndKey);
    ceremony.plan("sign a root certificate", &certificate)?;
    ceremony.plan("sign its first list", &root.list.facts())
}

impl CreateRoot {
    fn make(&self, key: Arc<dyn CaKey>, ceremony: &CeremonyRun<'_>) -> Result<NewRoot, Failure> {
        let name = CaName { organization: &self.organization, common_name: &self.common_name };
        let terms =
            Validity { days: self.days, now: ceremony.now, entropy: ceremony.system.entropy.as_ref() };
        NewRoot::make(name, key, self.list_days, terms)
    }
}
