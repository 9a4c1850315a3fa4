//! `create-issuing`: request, signature and installation in one, where the root's key is at hand.

use super::candidate::name_is_new;
use super::fields::{self, OpenField};
use super::install::{InstalledCa, IssuerAssignmentFields};
use super::list::{NextList, RootList, USUAL_DAYS};
use super::lists::{revision_of, revoked_below};
use super::outputs::Outputs;
use super::request::usual_shards;
use super::root::usual_key;
use super::run::CeremonyRun;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use tegata_ca::create_ca::{self, CaName, RootAddresses, Validity};
use tegata_ca::{CaKey, Issuer, IssuerEndpoints, LocalKey, PublicKey};
use tegata_core::IssuerId;
use tegata_installation::{Config, Failure, FailureContext, KeyRing, anchors};
use tegata_storage::{IssuerKind, Ledger, StoredIssuer};

/// What is to be made.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateIssuing {
    organization: String,
    common_name: String,
    days: u32,
    #[serde(default)]
    tenant: Option<String>,
    #[serde(default = "usual_shards")]
    shards: u16,
    /// Not needed where there is only one.
    #[serde(default)]
    root: Option<IssuerId>,
    #[serde(default = "usual_key")]
    root_key: String,
    #[serde(default = "usual_days")]
    list_days: u32,
}

fn usual_days() -> u32 {
    USUAL_DAYS
}

/// What was found out before.
struct CreatePreparation {
    root: StoredIssuer,
    endpoints: IssuerEndpoints,
    list: NextList,
    revision: u64,
    post: IssuerAssignmentFields,
}

pub async fn create(details: &CreateIssuing, ceremony: &mut CeremonyRun<'_>) -> Result<(), Failure> {
    let config = ceremony.config()?;
    let ledger = ceremony.ledger(&config).await?;
    let ground = details.examine(&config, &ledger, ceremony).await?;
    details.plan(&ground, ceremony)?;
    let ring = KeyRing::open(&config)?;
    // Before a key is made: without the root's there is nothing to do.
    let root_key = ring.signer(&details.root_key)?;
    let root = Issuer::load(ground.root.id.clone(), ground.root.certificate.clone(), root_key, ceremony.now);
    let root = root.doing("the root cannot sign")?;
    if !ceremony.perform {
        return Ok(());
    }
    let id = IssuerId::random(ceremony.system.entropy.as_ref());
    let name = KeyRing::issuing(&id);
    let mut outputs = Outputs::default();
    let key = ring.create(&name, ceremony.system.entropy.as_ref())?;
    outputs.has_key(&ring, &name);
    let certificate = details.sign(&key, &root, &ground.endpoints, ceremony)?;
    let issuing = StoredIssuer {
        tenant: ground.post.tenant,
        shards: ground.post.shards,
        ..StoredIssuer::new(id.clone(), IssuerKind::Issuing, certificate, Some(ground.root.id))
    };
    let list = ground.list.sign(&root)?;
    let arrival = InstalledCa { root: None, issuing, list, revision: ground.revision, list_is_out: false };
    arrival.record(&ledger, ceremony).await?;
    outputs.keep();
    anchors::write(&config, &ledger.issuers().await.doing("cannot read the issuers")?);
    let made = fields::certificate(&arrival.issuing.certificate, OpenField::Nothing);
    ceremony.say("made", &json!({"issuer": id, "certificate": made, "list": arrival.list.facts()}))
}

impl CreateIssuing {
    async fn examine(
        &self,
        config: &Config,
        ledger: &Ledger,
        ceremony: &CeremonyRun<'_>,
    ) -> Result<CreatePreparation, Failure> {
        let issuers = ledger.issuers().await.doing("cannot read the issuers")?;
        name_is_new(&issuers, &self.organization, &self.common_name)?;
        let root = self.root(&issuers)?;
        let endpoints = IssuerEndpoints::new(&config.public.url, &root.id, 1).map_err(Failure::misuse)?;
        let post = IssuerAssignmentFields::of(ledger, self.tenant.as_deref(), self.shards).await?;
        let revision = revision_of(ledger, &root.id).await?;
        let mut list = match ledger.crl(&root.id, 0).await.doing("cannot read the root's list")? {
            Some(out) => {
                let out = RootList::read(out.der, &root.certificate);
                let out = out.map_err(|error| Failure::wrong(format!("the root's present list: {error}")))?;
                NextList::after(&out, self.list_days, ceremony.now)?
            }
            None => NextList::first(self.list_days, ceremony.now),
        };
        for entry in revoked_below(&issuers, &root.id)? {
            list.add(entry);
        }
        Ok(CreatePreparation { root, endpoints, list, revision, post })
    }

    fn root(&self, issuers: &[StoredIssuer]) -> Result<StoredIssuer, Failure> {
        let mut roots = issuers.iter().filter(|issuer| {
            issuer.kind == IssuerKind::Root && self.root.as_ref().is_none_or(|wanted| *wanted == issuer.id)
        });
        match (roots.next(), roots.next()) {
            (Some(root), None) => Ok(root.clone()),
            (None, _) => Err(Failure::misuse("the ledger has no such root: begin with create-root")),
            _ => Err(Failure::misuse("there are several roots: name one as root")),
        }
    }

    fn plan(&self, ground: &CreatePreparation, ceremony: &mut CeremonyRun<'_>) -> Result<(), Failure> {
        let throwaway =
            LocalKey::generate().and_then(|key| LocalKey::from_pkcs8(&key)).doing("cannot make a key")?;
        let rehearsed = create_ca::rehearse_issuing(
            self.name(),
            &PublicKey::of(&throwaway),
            &ground.root.certificate,
            RootAddresses { crl: &ground.endpoints.crl(0), certificate: ground.endpoints.certificate() },
            self.terms(ceremony),
        );
        let rehearsed = rehearsed.doing("the root cannot sign this")?;
        let IssuerAssignmentFields { tenant, shards } = &ground.post;
        ceremony.plan("make a key", &json!({"kind": "P-256"}))?;
        ceremony.plan(
            "install an issuing CA",
            &json!({
                "below": ground.root.id, "tenant": tenant, "shards": shards,
                "certificate": fields::certificate(&rehearsed, OpenField::SerialAndKey),
            }),
        )?;
        ceremony.plan("install the root's list", &ground.list.facts())
    }

    fn sign(
        &self,
        key: &Arc<dyn CaKey>,
        root: &Issuer,
        endpoints: &IssuerEndpoints,
        ceremony: &CeremonyRun<'_>,
    ) -> Result<Vec<u8>, Failure> {
        let addresses = RootAddresses { crl: &endpoints.crl(0), certificate: endpoints.certificate() };
        let public = PublicKey::of(key.as_ref());
        let signed = create_ca::create_issuing(self.name(), &public, root, addresses, self.terms(ceremony));
        let signed = signed.doing("the root did not sign this")?;
        super::candidate::examine(&signed, root.certificate(), addresses, ceremony.judge())?;
        Ok(signed)
    }

    fn name(&self) -> CaName<'_> {
        CaName { organization: &self.organization, common_name: &self.common_name }
    }

    fn terms<'a>(&self, ceremony: &CeremonyRun<'a>) -> Validity<'a> {
        Validity { days: self.days, now: ceremony.now, entropy: ceremony.system.entropy.as_ref() }
    }
}
