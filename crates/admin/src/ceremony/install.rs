//! `install-issuing`: the installation takes in the CA that the root has signed.

use super::candidate;
use super::fields::{self, OpenField};
use super::list::RootList;
use super::lists::{check_next, revision_of};
use super::request::{known_root, usual_shards};
use super::run::CeremonyRun;
use serde::Deserialize;
use serde_json::json;
use std::path::PathBuf;
use tegata_ca::create_ca::RootAddresses;
use tegata_ca::{Issuer, IssuerEndpoints};
use tegata_core::{IssuerId, TenantId, Thumbprint};
use tegata_installation::{
    CommittedExt, Config, Failure, FailureContext, KeyRing, SystemContext, TenantDirectory, anchors,
};
use tegata_storage::{IssuerKind, Ledger, LedgerError, StoredIssuer};

/// What is to be taken in.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstallIssuing {
    issuer: IssuerId,
    certificate: PathBuf,
    root: PathBuf,
    list: PathBuf,
    /// The thumbprint of a root that the ledger does not know.
    #[serde(default)]
    new_root: Option<String>,
    #[serde(default)]
    tenant: Option<String>,
    #[serde(default = "usual_shards")]
    shards: u16,
}

/// Whom a CA serves, and over how many lists its certificates are spread.
pub struct IssuerAssignmentFields {
    pub tenant: Option<TenantId>,
    pub shards: u16,
}

/// Everything one transaction brings into the ledger.
pub struct InstalledCa {
    /// Where the ledger does not know it.
    pub root: Option<StoredIssuer>,
    pub issuing: StoredIssuer,
    pub list: RootList,
    /// Of the root's shard, before anything was looked at.
    pub revision: u64,
    /// Whether the list is out already.
    pub list_is_out: bool,
}

impl IssuerAssignmentFields {
    /// Resolves the tenant that a CA is to serve, and checks the number of its CRL shards.
    ///
    /// # Errors
    /// [`Failure`] for a tenant that is not there, or shards that cannot be.
    pub async fn of(ledger: &Ledger, tenant: Option<&str>, shards: u16) -> Result<Self, Failure> {
        if !(1..=1024).contains(&shards) {
            return Err(Failure::misuse(
                "shards must lie between 1 and 1024: they are fixed for the life of the CA",
            ));
        }
        let tenant = match tenant {
            Some(wanted) => Some(TenantDirectory::read(ledger).await?.into_tenant(wanted)?.id),
            None => None,
        };
        Ok(Self { tenant, shards })
    }
}

impl InstalledCa {
    /// Into the ledger, whole or not at all.
    pub async fn record(&self, ledger: &Ledger, ceremony: &CeremonyRun<'_>) -> Result<(), Failure> {
        let done = self.write(ledger, ceremony).await;
        done.committed("the ledger did not take it; nothing was changed")
    }

    async fn write(&self, ledger: &Ledger, ceremony: &CeremonyRun<'_>) -> Result<(), LedgerError> {
        let actor = SystemContext::operator();
        let mut transaction = ledger.begin(ceremony.now).await?;
        if let Some(root) = &self.root {
            transaction.add_issuer(root, &actor).await?;
        }
        transaction.add_issuer(&self.issuing, &actor).await?;
        let parent = self.issuing.parent.as_ref().ok_or(LedgerError::Guard("an issuing CA has a parent"))?;
        let stored = self.list.stored(self.revision);
        if !self.list_is_out && !transaction.publish_crl(parent, 0, &stored).await? {
            return Err(LedgerError::Guard("another list of the root was installed meanwhile"));
        }
        let detail = ceremony.detail(&json!({"issuer": self.issuing.id, "list": self.list.edition.number}));
        transaction.audit(&actor, "ceremony.performed", None, detail).await?;
        transaction.commit().await
    }
}

pub async fn install(details: &InstallIssuing, ceremony: &mut CeremonyRun<'_>) -> Result<(), Failure> {
    let config = ceremony.config()?;
    let ledger = ceremony.ledger(&config).await?;
    let arrival = details.examine(&config, &ledger, ceremony).await?;
    let issuing = &arrival.issuing;
    let certificate = fields::certificate(&issuing.certificate, OpenField::Nothing);
    ceremony.plan(
        "install an issuing CA",
        &json!({
            "issuer": issuing.id, "below": issuing.parent, "new_root": arrival.root.is_some(),
            "tenant": issuing.tenant, "shards": issuing.shards, "certificate": certificate,
        }),
    )?;
    let action = if arrival.list_is_out { "keep the root's list" } else { "install the root's list" };
    ceremony.plan(action, &arrival.list.facts())?;
    if !ceremony.perform {
        return Ok(());
    }
    arrival.record(&ledger, ceremony).await?;
    anchors::write(&config, &ledger.issuers().await.doing("cannot read the issuers")?);
    ceremony
        .say("installed", &json!({"issuer": issuing.id, "thumbprint": Thumbprint::of(&issuing.certificate)}))
}

impl InstallIssuing {
    async fn examine(
        &self,
        config: &Config,
        ledger: &Ledger,
        ceremony: &mut CeremonyRun<'_>,
    ) -> Result<InstalledCa, Failure> {
        let root = ceremony.read_der("the root's certificate", &self.root)?;
        let certificate = ceremony.read_der("the issuing certificate", &self.certificate)?;
        let list = ceremony.read_der("the root's list", &self.list)?;
        let issuers = ledger.issuers().await.doing("cannot read the issuers")?;
        let (root_id, is_new) = known_root(&issuers, &root)?;
        if is_new {
            self.must_expect(&root)?;
        }
        if issuers.iter().any(|known| known.id == self.issuer || known.certificate == certificate) {
            return Err(Failure::misuse("this CA is installed already"));
        }
        let endpoints = IssuerEndpoints::new(&config.public.url, &root_id, 1).map_err(Failure::misuse)?;
        let addresses = RootAddresses { crl: &endpoints.crl(0), certificate: endpoints.certificate() };
        candidate::examine(&certificate, &root, addresses, ceremony.judge())?;
        self.must_have_key(config, &certificate, ceremony)?;
        candidate::must_have_own_name(&issuers, &certificate)?;
        let list = RootList::read(list, &root)
            .map_err(|error| Failure::wrong(format!("the root's list: {error}")))?;
        let revision = revision_of(ledger, &root_id).await?;
        let out = ledger.crl(&root_id, 0).await.doing("cannot read the root's list")?;
        let list_is_out = out.as_ref().is_some_and(|out| out.der == list.der);
        check_next(&list, out.filter(|_| !list_is_out).as_ref(), &issuers, &root_id, ceremony.now)?;
        if list.names(&candidate::ca_serial(&certificate)?) {
            return Err(Failure::wrong("the root's list says that this CA is revoked"));
        }
        let IssuerAssignmentFields { tenant, shards } =
            IssuerAssignmentFields::of(ledger, self.tenant.as_deref(), self.shards).await?;
        let issuing = StoredIssuer {
            tenant,
            shards,
            ..StoredIssuer::new(self.issuer.clone(), IssuerKind::Issuing, certificate, Some(root_id.clone()))
        };
        let root = is_new.then(|| StoredIssuer::new(root_id, IssuerKind::Root, root, None));
        Ok(InstalledCa { root, issuing, list, revision, list_is_out })
    }

    /// A root is trusted because people compared its thumbprint, never because a file lay beside another.
    fn must_expect(&self, root: &[u8]) -> Result<(), Failure> {
        let thumbprint = Thumbprint::of(root).to_string();
        if self.new_root.as_deref() == Some(&thumbprint) {
            return Ok(());
        }
        Err(Failure::misuse(format!(
            "the ledger does not know this root. Compare its thumbprint with the transcript of its ceremony, and if it \
             is the same add new_root = \"{thumbprint}\""
        )))
    }

    fn must_have_key(
        &self,
        config: &Config,
        certificate: &[u8],
        ceremony: &CeremonyRun<'_>,
    ) -> Result<(), Failure> {
        let key = KeyRing::open(config)?.signer(&KeyRing::issuing(&self.issuer))?;
        let loaded = Issuer::load(self.issuer.clone(), certificate.to_vec(), key, ceremony.now);
        loaded.map(drop).doing("this certificate is not taken")
    }
}
