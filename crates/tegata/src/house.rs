//! An installation, opened: configuration, ledger, keys, and the rooms wired together.

use crate::config::Config;
use crate::failure::{Doing, Failure};
use crate::keys::KeyRing;
use crate::machine::Machine;
use crate::revocations::open_ledger;
use crate::servers;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tegata_ca::{Authorities, Authority, Endpoints, Issuer, Post, Profile, Profiles};
use tegata_storage::{IssuerKind, IssuerState, Issuing, Ledger, Status, StoredIssuer};
use tegata_web::{Addresses, Context, ProbeHosts, TrustedIssuers};

/// Which installation a command acts on.
#[derive(Clone, Debug, clap::Args)]
pub struct Place {
    /// Folder of the installation; its configuration is DIR/tegata.toml
    #[arg(long, value_name = "DIR", default_value = "data", global = true)]
    pub data: PathBuf,
    /// Configuration file, where it is elsewhere
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
}

impl Place {
    /// The configuration file.
    pub fn file(&self) -> PathBuf {
        self.config.clone().unwrap_or_else(|| self.data.join("tegata.toml"))
    }

    /// The configuration.
    pub fn config(&self) -> Result<Config, Failure> {
        Config::read(&self.file())
    }

    /// The ledger alone: enough to list, invite, stop.
    pub async fn ledger(&self, machine: &Machine) -> Result<Ledger, Failure> {
        open_ledger(&self.config()?, machine).await
    }
}

/// Everything a server needs.
pub struct House {
    pub config: Config,
    pub ledger: Ledger,
    pub ring: KeyRing,
    pub root: StoredIssuer,
    pub issuing: Vec<StoredIssuer>,
    pub authorities: Arc<Authorities>,
    pub context: Context,
}

impl House {
    /// Opens an installation. The root key is not needed.
    pub async fn open(config: Config, machine: &Machine) -> Result<Self, Failure> {
        let ledger = open_ledger(&config, machine).await?;
        let ring = KeyRing::open(&config)?;
        servers::renew_due(&config, &ring, machine)?;
        let (roots, issuing): (Vec<_>, Vec<_>) = ledger
            .issuers()
            .await
            .doing("cannot read the issuers")?
            .into_iter()
            .partition(|issuer| issuer.kind == IssuerKind::Root);
        let root = roots.into_iter().next().ok_or_else(|| Failure::wrong(NO_CA))?;
        if issuing.is_empty() {
            return Err(Failure::wrong(NO_CA));
        }
        let authorities = open_authorities(&config, &issuing, &ring, &ledger, machine).await?;
        let context = open_context(&config, &ledger, machine).await?;
        Ok(Self { config, ledger, ring, root, issuing, authorities, context })
    }

    /// Whose certificates the device listener takes for ours.
    pub fn trusted_issuers(&self) -> Result<TrustedIssuers, Failure> {
        let trusted = |kind| {
            let of_kind =
                self.issuing.iter().filter(move |issuer| issuer.kind == kind && issuer.is_trusted());
            of_kind.map(|issuer| issuer.certificate.as_slice())
        };
        let roots = [self.root.certificate.as_slice()];
        TrustedIssuers::new(roots, trusted(IssuerKind::Issuing), trusted(IssuerKind::Foreign))
            .doing("an issuing CA cannot be trusted")
    }
}

const NO_CA: &str = "the ledger has no CA: `tegata init` makes an installation";

/// Every CA of ours that still publishes, oldest first.
async fn open_authorities(
    config: &Config,
    issuing: &[StoredIssuer],
    ring: &KeyRing,
    ledger: &Ledger,
    machine: &Machine,
) -> Result<Arc<Authorities>, Failure> {
    let mut posts = Vec::new();
    for issuer in issuing.iter().filter(|issuer| issuer.kind == IssuerKind::Issuing) {
        if issuer.is_trusted() {
            posts.push(Post {
                authority: Arc::new(open_authority(config, issuer, ring, ledger, machine)?),
                tenant: issuer.tenant.clone(),
                at_work: issuer.state == IssuerState::Active,
            });
        }
    }
    let tenants = ledger.tenants().await.doing("cannot read the tenants")?;
    let silos = tenants.into_iter().filter(|tenant| tenant.issuing == Issuing::Silo).map(|tenant| tenant.id);
    Ok(Arc::new(Authorities::new(posts, silos.collect())))
}

fn open_authority(
    config: &Config,
    issuer: &StoredIssuer,
    ring: &KeyRing,
    ledger: &Ledger,
    machine: &Machine,
) -> Result<Authority, Failure> {
    let signer = ring.signer(&KeyRing::issuing(&issuer.id))?;
    let loaded = Issuer::load(issuer.id.clone(), issuer.certificate.clone(), signer, machine.now())
        .doing("the issuing CA cannot be used")?;
    let endpoints = Endpoints::new(&config.public.url, &issuer.id, issuer.shards).map_err(Failure::misuse)?;
    let profiles = Profiles { device: profile(config, "device.toml")?, gate: profile(config, "gate.toml")? };
    Ok(Authority::new(loaded, endpoints, profiles, config.installation.name.clone(), ledger.clone()))
}

fn profile(config: &Config, name: &str) -> Result<Profile, Failure> {
    let (file, text) = config.profile_text(name)?;
    Profile::parse(&file, &text).map_err(Failure::misuse)
}

async fn open_context(config: &Config, ledger: &Ledger, machine: &Machine) -> Result<Context, Failure> {
    let status = Status::load(ledger.clone(), machine.now()).await.doing("cannot read what is denied")?;
    let port = port_of(&config.device.url);
    Ok(Context {
        clock: machine.clock.clone(),
        entropy: machine.entropy.clone(),
        ledger: ledger.clone(),
        status,
        installation: config.installation.name.clone(),
        addresses: Arc::new(Addresses {
            portal: config.portal.url.clone(),
            device: config.device.url.clone(),
            public: config.public.url.clone(),
            probes: ProbeHosts::new(&config.device.probe_suffix, port),
        }),
        renewal: config.renewal,
    })
}

/// The port of an https URL.
fn port_of(url: &str) -> u16 {
    url.parse::<http::Uri>().ok().and_then(|uri| uri.port_u16()).unwrap_or(443)
}

/// A path for people and for JSON.
pub fn shown(path: &Path) -> String {
    path.display().to_string()
}
