//! `tegata init`: keys, certificates, ledger and configuration of a new installation.

use crate::cli::InitOptions;
use crate::config::{Config, Template};
use crate::failure::{Doing, Failure};
use crate::keys::KeyRing;
use crate::machine::Machine;
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;
use tegata_ca::authority::{self, AuthorityName};
use tegata_ca::{Issuer, LocalKey, Secret, Signer, secret};
use tegata_core::{Entropy, IssuerId, SiteId, TenantId, Timestamp};
use tegata_storage::{Actor, IssuerKind, Ledger, Site, StoredIssuer, Tenant};

/// Lives of the CAs and of the listeners' certificates, in days.
const ROOT_DAYS: u32 = 20 * 365;
const ISSUING_DAYS: u32 = 10 * 365;
const SERVER_AUTHORITY_DAYS: u32 = 10 * 365;
const SERVER_DAYS: u32 = 397;

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
    make_folders(data)?;
    write_profiles(data)?;
    let ring = KeyRing::new(data.join("keys"), unlock_secret(data, options, machine)?);
    let text = template(options).render();
    let config = Config::check_text(&text, data)?;
    let authorities = make_authorities(data, &config, options, &ring, machine)?;
    let ledger = Ledger::open(&config.ledger_url()).await.doing("cannot open the ledger")?;
    record(&ledger, &authorities, options, machine).await?;
    ledger.close().await;
    // Written last: a folder with this file is a whole installation.
    // It may hold the password of a database.
    secret::write_private_file(&file, text.as_bytes()).doing("cannot write tegata.toml")?;
    Config::read(&file)
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

fn template(options: &InitOptions) -> Template<'_> {
    Template {
        installation: &options.name,
        storage: &options.storage,
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
    ring.create("token", entropy)?;

    fs::write(data.join("ca/root.pem"), pem(&[&root])).doing("cannot write the root certificate")?;
    fs::write(data.join("ca/chain.pem"), pem(&[&root, &issuing])).doing("cannot write the chain")?;
    make_servers(data, config, options, ring, machine)?;
    Ok(vec![
        StoredIssuer { id: root_id, kind: IssuerKind::Root, certificate: root },
        StoredIssuer { id: issuing_id, kind: IssuerKind::Issuing, certificate: issuing },
    ])
}

const CA: &str = "cannot make a CA";

/// The issuing CA may sign client certificates only, so the listeners' certificates come from a CA of their own. In
/// production a public CA's take their place in `tegata.toml`.
fn make_servers(
    data: &Path,
    config: &Config,
    options: &InitOptions,
    ring: &KeyRing,
    machine: &Machine,
) -> Result<(), Failure> {
    let (now, entropy) = (machine.now(), machine.entropy.as_ref());
    let key = ring.create("server", entropy)?;
    let name = AuthorityName { organization: &options.tenant_name, common_name: "Tegata Server CA" };
    let der =
        authority::create_server_authority(name, &key, SERVER_AUTHORITY_DAYS, now, entropy).doing(CA)?;
    fs::write(data.join("tls/ca.pem"), pem(&[&der])).doing("cannot write the server CA")?;
    let server_ca = Issuer::load(IssuerId::random(entropy), der, key, now).doing(CA)?;
    let probes = format!("*.{}", config.device.probe_suffix);
    let hosts = [options.host.as_str(), "127.0.0.1", "::1"];
    make_server(data, "portal", &hosts, &server_ca, ring, now, entropy)?;
    make_server(data, "device", &[&hosts[..], &[probes.as_str()]].concat(), &server_ca, ring, now, entropy)
}

fn make_server(
    data: &Path,
    name: &str,
    hosts: &[&str],
    server_ca: &Issuer,
    ring: &KeyRing,
    now: Timestamp,
    entropy: &dyn Entropy,
) -> Result<(), Failure> {
    let pkcs8 = LocalKey::generate().doing("cannot make a key")?;
    let key: Arc<dyn Signer> = Arc::new(LocalKey::from_pkcs8(&pkcs8).doing("cannot use a new key")?);
    let der = authority::create_server(hosts, &key, server_ca, SERVER_DAYS, now, entropy)
        .doing("cannot make a listener's certificate")?;
    ring.write_elsewhere(&data.join(format!("tls/{name}.key")), &pkcs8, entropy)?;
    fs::write(data.join(format!("tls/{name}.pem")), pem(&[&der]))
        .doing("cannot write a listener's certificate")
}

async fn record(
    ledger: &Ledger,
    issuers: &[StoredIssuer],
    options: &InitOptions,
    machine: &Machine,
) -> Result<(), Failure> {
    let entropy = machine.entropy.as_ref();
    let actor = Machine::operator();
    let tenant = Tenant { id: TenantId::random(entropy), name: options.tenant_name.clone() };
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

/// Certificates as PEM, in order.
pub fn pem(certificates: &[&[u8]]) -> String {
    certificates.iter().map(|der| crate::pem::encode("CERTIFICATE", der)).collect()
}
