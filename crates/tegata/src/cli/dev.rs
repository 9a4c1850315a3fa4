//! `tegata dev`: a local installation, made if it is not there, that shows an invitation to try.

use crate::cli::installation_args::InstallationArgs;
use crate::cli::invite::{self, InvitationOutput};
use crate::cli::person;
use crate::cli::serve::ServeOptions;
use crate::server::listeners::{Listeners, bind, here};
use crate::server::metrics;
use crate::server::serve;
use crate::server::{Server, shown};
use clap::Args;
use serde_json::json;
use std::path::Path;
use tegata_admin::init::{DEFAULT_PORTS, InitOptions, init as make};
use tegata_core::Role;
use tegata_installation::{Config, Failure, SystemContext, config::MetricsConfig, running_addresses};

#[derive(Args)]
pub struct DevOptions {
    /// When ready, one JSON line on standard output
    #[arg(long)]
    pub json: bool,
    /// Port of the portal; 0 for any free one
    #[arg(long, value_name = "N")]
    pub portal_port: Option<u16>,
    /// Port of the device listener; 0 for any free one
    #[arg(long, value_name = "N")]
    pub device_port: Option<u16>,
    /// Port of the public listener; 0 for any free one
    #[arg(long, value_name = "N")]
    pub public_port: Option<u16>,
    /// Port of metrics and health, on loopback; 0 for any free one. Off unless it is given here or configured
    #[arg(long, value_name = "N")]
    pub metrics_port: Option<u16>,
    #[command(flatten)]
    pub serving: ServeOptions,
}

/// A throw-away or local installation, made if it is not there, with an invitation to try at once.
pub async fn run(
    place: &InstallationArgs,
    options: &DevOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    let (mut config, bound) = if place.file().exists() {
        let mut config = place.config()?;
        options.apply(&mut config);
        let bound = Listeners::bind(&config).await?;
        (config, bound)
    } else {
        make_installation(place, options, system).await?
    };
    bound.announce(&mut config)?;
    let server = Server::open(config, system).await?;
    let invited = invite::first_site(&server.context, Role::Device, system).await?;
    let setup = person::first_operator(&server.ledger, &server.context.addresses.portal, system).await?;
    let setup = setup.as_deref().map(String::as_str);
    running_addresses::write(&server.config)?;
    let (config, minutes) = (server.config.clone(), server.config.canary.every_minutes.unwrap_or(0));
    let ended = serve::keep_serving(server, bound, minutes, system, |server, bound| {
        announce(server, (&invited, setup), bound.metrics.as_ref(), options.json);
    });
    let ended = Box::pin(ended).await;
    running_addresses::remove(&config);
    ended
}

/// The ports are found first: addresses are written into the CAs that are made.
async fn make_installation(
    place: &InstallationArgs,
    options: &DevOptions,
    system: &SystemContext,
) -> Result<(Config, Listeners), Failure> {
    let mut init = InitOptions::for_development();
    let [portal, device, public] = DEFAULT_PORTS;
    let bound = Listeners {
        portal: bind(here(options.portal_port.unwrap_or(portal))).await?,
        device: bind(here(options.device_port.unwrap_or(device))).await?,
        public: bind(here(options.public_port.unwrap_or(public))).await?,
        proxy: None,
        metrics: match options.metrics_port {
            Some(port) => Some(metrics::MetricsListener::bind(here(port)).await?),
            None => None,
        },
    };
    [init.portal_port, init.device_port, init.public_port] = bound.ports()?.map(Some);
    make(&place.data, &init, system).await?;
    Ok((place.config()?, bound))
}

fn announce(
    server: &Server,
    (invited, setup): (&InvitationOutput, Option<&str>),
    metrics: Option<&metrics::MetricsListener>,
    as_json: bool,
) {
    let addresses = &server.context.addresses;
    let file = |name: &str| shown(&server.config.path(Path::new(name)));
    if as_json {
        let mut line = json!({
            "portal": addresses.portal, "device": addresses.device, "public": addresses.public,
            "issuer": addresses.issuer(), "ca": file("ca/root.pem"), "chain": file("ca/chain.pem"),
            "tls_ca": file("tls/ca.pem"), "invitation": invited.link, "console": format!("{}/console", addresses.device),
        });
        if let Some(setup) = setup {
            line["setup"] = setup.into();
        }
        if let Some(metrics) = metrics {
            line["metrics"] = format!("http://{}", metrics.address).into();
        }
        outln!("{line}");
    } else {
        outln!("Tegata is ready.\n");
        outln!("  portal      {}   pages and API (HTTPS, no certificate asked)", addresses.portal);
        outln!("  device      {}   tokens, renewal, probe (HTTPS, certificate asked)", addresses.device);
        outln!("  console     {}/console   devices, for whoever is signed in", addresses.device);
        outln!("  public      {}   CRL, OCSP, CA certificates (HTTP)", addresses.public);
        if let Some(metrics) = metrics {
            outln!("  metrics     http://{}   /metrics, /healthz, /readyz", metrics.address);
        }
        outln!("  data        {}", shown(server.config.folder()));
        outln!("  trust       {}   verifies the HTTPS listeners", file("tls/ca.pem"));
        outln!(
            "\nOpen this invitation in a browser to put a certificate on this device:\n\n  {}\n",
            invited.link
        );
        if let Some(setup) = setup {
            outln!(
                "Open this link to set up the account of the first operator (login: operator). It works once, for a day:\n\n  {setup}\n"
            );
        }
        outln!(
            "The invitation works once, for {} days. More: tegata invite --data {}",
            invite::DEFAULT_DAYS,
            shown(server.config.folder())
        );
    }
}

impl DevOptions {
    fn apply(&self, config: &mut Config) {
        if let Some(port) = self.portal_port {
            config.portal.listen = here(port);
        }
        if let Some(port) = self.device_port {
            config.device.listen = here(port);
        }
        if let Some(port) = self.public_port {
            config.public.listen = here(port);
        }
        if let Some(port) = self.metrics_port {
            config.metrics = Some(MetricsConfig { listen: here(port), beyond_loopback: false });
        }
    }
}
