//! `tegata init`: keys, certificates, ledger and configuration of a new installation.

use crate::cli::{InitOptions, TokenOptions};
use crate::config::{Config, Pkcs11Config, Template};
use crate::failure::{Doing, Failure};
use crate::keys::KeyRing;
use crate::machine::Machine;
use crate::revocations::open_ledger;
use crate::{pem, servers};
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use tegata_ca::authority::{self, AuthorityName};
use tegata_ca::{Issuer, Secret, secret};
use tegata_core::{IssuerId, SiteId, TenantId};
use tegata_storage::{Actor, IssuerKind, Ledger, Site, StoredIssuer, Tenant};

/// Lives of the CAs, in days.
const ROOT_DAYS: u32 = 20 * 365;
const ISSUING_DAYS: u32 = 10 * 365;

/// Over how many CRLs the certificates of a new issuing CA are spread. With a million revoked a list is 6 MB: what a
/// verifier downloads, and what a server holds in memory to make it.
const ISSUING_SHARDS: u16 = 8;

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
    write_profiles(data)?;
    let token = token(&options.token)?;
    let text = template(options, token.as_ref()).render();
    let config = Config::check_text(&text, data)?;
    let ring = KeyRing::new(&config, unlock_secret(data, options, machine)?);
    let authorities = make_authorities(data, &config, options, &ring, machine)?;
    let ledger = open_ledger(&config, machine).await?;
    record(&ledger, &authorities, options, machine).await?;
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

fn write_profiles(data: &Path) -> Result<(), Failure> {
    for (name, text) in PROFILES {
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
    }
}

fn make_authorities(
    data: &Path,
    config: &Config,
    options: &InitOptions,
    ring: &KeyRing,
    machine: &Machine,
) -> Result<Vec<StoredIssuer>, Failure> {
    let (now, entropy) = (machine.now(), machine.entropy.as_ref());
    let name = |common_name| AuthorityName { organization: &options.tenant_name, common_name };
    let root_key = ring.create("root", entropy)?;
    let root = authority::create_root(name("Tegata Root"), &root_key, ROOT_DAYS, now, entropy).doing(CA)?;
    let root_id = IssuerId::random(entropy);
    let root_issuer = Issuer::load(root_id.clone(), root.clone(), root_key, now).doing(CA)?;

    let issuing_id = IssuerId::random(entropy);
    let issuing_key = ring.create(&KeyRing::issuing(&issuing_id), entropy)?;
    // The name tells issuing CAs of one installation apart, in a browser's list too.
    let issuing_name = format!("Tegata Issuing {}", &issuing_id.as_str()[..6]);
    let issuing = authority::create_issuing(
        name(&issuing_name),
        &issuing_key,
        &root_issuer,
        ISSUING_DAYS,
        now,
        entropy,
    )
    .doing(CA)?;
    ring.create_file("token", entropy)?;

    fs::write(data.join("ca/root.pem"), pem::certificates(&[&root]))
        .doing("cannot write the root certificate")?;
    fs::write(data.join("ca/chain.pem"), pem::certificates(&[&root, &issuing]))
        .doing("cannot write the chain")?;
    servers::create(config, &options.tenant_name, &options.host, ring, machine)?;
    Ok(vec![
        StoredIssuer::new(root_id.clone(), IssuerKind::Root, root, None),
        StoredIssuer {
            shards: ISSUING_SHARDS,
            ..StoredIssuer::new(issuing_id, IssuerKind::Issuing, issuing, Some(root_id))
        },
    ])
}

const CA: &str = "cannot make a CA";

async fn record(
    ledger: &Ledger,
    issuers: &[StoredIssuer],
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
    for issuer in issuers {
        transaction.add_issuer(issuer, &actor).await.doing(what)?;
    }
    transaction.add_tenant(&tenant, &actor).await.doing(what)?;
    transaction.add_site(&site, &actor).await.doing(what)?;
    let done = serde_json::json!({"installation": options.name});
    transaction.audit(&Actor::System("init"), "installation.made", None, done).await.doing(what)?;
    transaction.commit().await.doing(what)
}
