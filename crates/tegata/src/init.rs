//! `tegata init`: keys, certificates, ledger and configuration of a new installation.

mod options;

pub use options::{InitOptions, TokenOptions};

use crate::ceremony::list::{RootList, USUAL_DAYS};
use crate::ceremony::request::ISSUING_SHARDS;
use crate::ceremony::root::NewRoot;
use crate::config::{Config, Pkcs11Config, Template};
use crate::failure::{Doing, Failure};
use crate::hierarchy::write_anchors;
use crate::keys::KeyRing;
use crate::ledger::open_ledger;
use crate::machine::Machine;
use crate::servers;
use crate::token_keys;
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use tegata_ca::authority::{self, AuthorityName, RootAddresses, Terms};
use tegata_ca::{Endpoints, PublicKey, Secret, secret};
use tegata_core::{IssuerId, SiteId, TenantId};
use tegata_storage::{Actor, IssuerKind, Ledger, Site, StoredIssuer, Tenant};

/// Lives of the CAs, in days.
const ROOT_DAYS: u32 = 20 * 365;
const ISSUING_DAYS: u32 = 10 * 365;

const PROFILES: [(&str, &str); 2] = [
    ("device.toml", include_str!("../../../ca-config/device.toml")),
    ("gate.toml", include_str!("../../../ca-config/gate.toml")),
];

/// Makes an installation in a folder that has none. What exists is never overwritten.
pub async fn init(data: &Path, options: &InitOptions, machine: &Machine) -> Result<Config, Failure> {
    let file = data.join("tegata.toml");
    if file.exists() {
        return Err(Failure::misuse(format!(
            "{} exists: this folder has an installation already",
            file.display()
        )));
    }
    refuse_known_log(data, options)?;
    make_folders(data)?;
    write_profiles(data, options.scep)?;
    let token = token(&options.token)?;
    let text = template(options, token.as_ref()).render();
    let config = Config::check_text(&text, data)?;
    let ring = KeyRing::new(&config, unlock_secret(data, options, machine)?);
    let authorities =
        if options.without_ca { None } else { Some(make_authorities(&config, options, &ring, machine)?) };
    token_keys::create(&ring, machine)?;
    servers::create(&config, &options.tenant_name, &options.host, &ring, machine)?;
    let ledger = open_ledger(&config, machine).await?;
    record(&ledger, authorities.as_ref(), options, machine).await?;
    write_anchors(&config, &ledger.issuers().await.doing("cannot read the issuers")?);
    ledger.close().await;
    // Written last: a folder with this file is a whole installation.
    // It may hold the password of a database.
    secret::write_private_file(&file, text.as_bytes()).doing("cannot write tegata.toml")?;
    Config::read(&file)
}

/// A log that is there already is another installation's: its revocations are none of this one's.
fn refuse_known_log(data: &Path, options: &InitOptions) -> Result<(), Failure> {
    let log = data.join(&options.revocations);
    if log.exists() {
        return Err(Failure::misuse(format!(
            "{} exists: a new installation begins a new revocation log",
            log.display()
        )));
    }
    Ok(())
}

fn make_folders(data: &Path) -> Result<(), Failure> {
    let make = |folder: &str, mode: u32| {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(mode).create(data.join(folder)).doing("cannot make the data folder")
    };
    make("keys", 0o700)?;
    for folder in ["ca", "tls", "ca-config"] {
        make(folder, 0o755)?;
    }
    Ok(())
}

/// With SCEP, devices may bring RSA keys as well.
fn write_profiles(data: &Path, scep: bool) -> Result<(), Failure> {
    for (name, text) in PROFILES {
        let with_rsa = scep && name == "device.toml";
        let text = if with_rsa {
            text.replacen("keys = [\"p256\"]", "keys = [\"p256\", \"rsa\"]", 1)
        } else {
            text.into()
        };
        let file = data.join("ca-config").join(name);
        if !file.exists() {
            fs::write(&file, text).doing("cannot write a profile")?;
        }
    }
    Ok(())
}

fn unlock_secret(data: &Path, options: &InitOptions, machine: &Machine) -> Result<Secret, Failure> {
    if let Some(passphrase) = &options.passphrase {
        return Secret::passphrase(passphrase).map_err(Failure::misuse);
    }
    let file = data.join("unlock.key");
    if !file.exists() {
        let secret = Secret::generate(machine.entropy.as_ref());
        secret::write_private_file(&file, secret.as_bytes()).doing("cannot write the unlock file")?;
    }
    Secret::from_file(&file).doing("cannot read the unlock file")
}

/// Paths were given from where the command runs; in the file they begin elsewhere.
fn token(options: &TokenOptions) -> Result<Option<Pkcs11Config>, Failure> {
    let (Some(module), Some(label)) = (&options.module, &options.label) else { return Ok(None) };
    let absolute = |path: &PathBuf| std::path::absolute(path).doing("cannot tell where this folder is");
    let pin = options.pin.as_ref().map(absolute).transpose()?;
    Ok(Some(Pkcs11Config { module: absolute(module)?, token: label.clone(), pin }))
}

fn template<'a>(options: &'a InitOptions, token: Option<&'a Pkcs11Config>) -> Template<'a> {
    Template {
        token,
        installation: &options.name,
        storage: &options.storage,
        revocations: &options.revocations,
        unlock: options.passphrase.is_none(),
        host: &options.host,
        public: &options.public,
        ports: [options.portal_port, options.device_port, options.public_port],
        audience: &options.audience,
        scep: options.scep,
    }
}

/// Root and first issuing CA, with the root's first list.
struct Authorities {
    root: StoredIssuer,
    issuing: StoredIssuer,
    list: RootList,
}

fn make_authorities(
    config: &Config,
    options: &InitOptions,
    ring: &KeyRing,
    machine: &Machine,
) -> Result<Authorities, Failure> {
    let (now, entropy) = (machine.now(), machine.entropy.as_ref());
    let name = |common_name| AuthorityName { organization: &options.tenant_name, common_name };
    let terms = |days| Terms { days, now, entropy };
    let root_key = ring.create("root", entropy)?;
    let public = &config.public.url;
    let NewRoot { issuer: root, list } =
        NewRoot::make(name("Tegata Root"), root_key, USUAL_DAYS, terms(ROOT_DAYS))?;

    let id = IssuerId::random(entropy);
    let key = ring.create(&KeyRing::issuing(&id), entropy)?;
    // The name tells issuing CAs of one installation apart, in a browser's list too.
    let issuing_name = format!("Tegata Issuing {}", &id.as_str()[..6]);
    let endpoints = Endpoints::new(public, root.id(), 1).map_err(Failure::misuse)?;
    let issuing = authority::create_issuing(
        name(&issuing_name),
        &PublicKey::of(key.as_ref()),
        &root,
        RootAddresses { crl: &endpoints.crl(0), certificate: endpoints.certificate() },
        terms(ISSUING_DAYS),
    )
    .doing(CA)?;
    let parent = Some(root.id().clone());
    Ok(Authorities {
        root: StoredIssuer::new(root.id().clone(), IssuerKind::Root, root.certificate().to_vec(), None),
        issuing: StoredIssuer {
            shards: ISSUING_SHARDS,
            ..StoredIssuer::new(id, IssuerKind::Issuing, issuing, parent)
        },
        list,
    })
}

const CA: &str = "cannot make a CA";

async fn record(
    ledger: &Ledger,
    authorities: Option<&Authorities>,
    options: &InitOptions,
    machine: &Machine,
) -> Result<(), Failure> {
    let entropy = machine.entropy.as_ref();
    let actor = Machine::operator();
    let tenant = Tenant::new(TenantId::random(entropy), options.tenant_name.as_str());
    let site =
        Site { id: SiteId::random(entropy), tenant: tenant.id.clone(), name: options.site_name.clone() };
    let what = "cannot write the ledger";
    let mut transaction = ledger.begin(machine.now()).await.doing(what)?;
    if let Some(Authorities { root, issuing, list }) = authorities {
        transaction.add_issuer(root, &actor).await.doing(what)?;
        transaction.add_issuer(issuing, &actor).await.doing(what)?;
        transaction.publish_crl(&root.id, 0, &list.stored(1)).await.doing(what)?;
    }
    transaction.add_tenant(&tenant, &actor).await.doing(what)?;
    transaction.add_site(&site, &actor).await.doing(what)?;
    let done = serde_json::json!({"installation": options.name});
    transaction.audit(&Actor::System("init"), "installation.made", None, done).await.doing(what)?;
    transaction.commit().await.doing(what)
}
