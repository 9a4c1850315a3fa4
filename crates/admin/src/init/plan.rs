//! What an installation will be, with everything decided and every address read.

use super::options::InitOptions;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use tegata_core::{HttpOrigin, Installation};
use tegata_installation::{
    Failure, FailureContext,
    config::{ConfigTemplate, Pkcs11Config},
};

/// The name of an installation that nobody but this machine reaches.
const DEVELOPMENT_NAME: &str = "tegata.localhost";

/// The host where none is named.
pub const DEFAULT_HOST: &str = "localhost";
/// The first tenant where none is named.
pub const DEFAULT_TENANT: &str = "あおば薬局グループ";
/// Its first site where none is named.
pub const DEFAULT_SITE: &str = "本店";
/// The first product where none is named.
pub const DEFAULT_AUDIENCE: &str = "https://product.localhost";
/// The ports of portal, device and public listener where none are named.
pub const DEFAULT_PORTS: [u16; 3] = [8443, 9443, 8080];

/// Every decision about the new installation, given or by default.
pub struct InitPlan {
    /// The name in the URIs of certificates.
    pub name: Installation,
    /// How browsers reach the portal.
    pub portal: HttpOrigin,
    /// How devices reach their listener.
    pub device: HttpOrigin,
    /// The origin that certificates carry, for CRLs, OCSP and CA certificates.
    pub public: HttpOrigin,
    /// Where the listeners wait.
    pub listen: IpAddr,
    /// The ports of portal, device and public listener.
    pub ports: [u16; 3],
    /// The name of the first tenant.
    pub tenant: String,
    /// The name of its first site.
    pub site: String,
    /// The audience of the first product.
    pub audience: String,
    /// The token for the keys of the CAs, if they are on one.
    pub token: Option<Pkcs11Config>,
}

impl InitPlan {
    /// Decides what was left open.
    pub fn of(options: &InitOptions) -> Result<Self, Failure> {
        let host = options.host.as_deref().unwrap_or(DEFAULT_HOST);
        let portal = parse_host(host)?;
        let ports @ [portal_port, device_port, public_port] = ports(options)?;
        let public = match &options.public {
            Some(text) => parse_public(text, public_port)?,
            None => default_public(&portal, public_port)?,
        };
        let own = |text: &Option<String>, default: &str| text.clone().unwrap_or_else(|| default.to_owned());
        Ok(Self {
            name: match &options.name {
                Some(name) => name.clone(),
                None => default_name(&portal)?,
            },
            device: portal.clone().with_port(device_port),
            listen: options.listen.unwrap_or(default_listen(&portal)),
            portal: portal.with_port(portal_port),
            public,
            ports,
            tenant: own(&options.tenant_name, DEFAULT_TENANT),
            site: own(&options.site_name, DEFAULT_SITE),
            audience: own(&options.audience, DEFAULT_AUDIENCE),
            token: token(options)?,
        })
    }

    /// What every name of the listeners' certificates ends with.
    pub fn host(&self) -> &str {
        self.portal.host()
    }

    /// The text of `tegata.toml` for this plan.
    pub fn config_text(&self, options: &InitOptions) -> String {
        ConfigTemplate {
            token: self.token.as_ref(),
            installation: self.name.as_str(),
            storage: &options.storage,
            revocations: &options.revocations,
            unlock: options.passphrase.is_none(),
            portal: &self.portal,
            device: &self.device,
            public: &self.public,
            listen: self.listen,
            ports: self.ports,
            audience: &self.audience,
            scep: options.scep,
        }
        .render()
    }
}

/// The portal's address without its port.
pub fn parse_host(host: &str) -> Result<HttpOrigin, Failure> {
    let wrong = |why: String| Failure::misuse(format!("--host {host:?}: {why}"));
    let origin = HttpOrigin::parse(&format!("https://{host}")).map_err(|error| wrong(error.to_string()))?;
    if !origin.port_suffix().is_empty() || host.contains(':') && !host.starts_with('[') {
        return Err(wrong("say the port by --portal-port and --device-port".into()));
    }
    if origin.host().starts_with('[') || origin.host().parse::<IpAddr>().is_ok() {
        return Err(wrong(
            "a host name is needed, not an address: pages ask names below it to see a certificate afresh"
                .into(),
        ));
    }
    Ok(origin)
}

/// With the port that is written, or with the listener's.
pub fn parse_public(text: &str, port: u16) -> Result<HttpOrigin, Failure> {
    let wrong = |why: String| Failure::misuse(format!("--public {text:?}: {why}"));
    let origin = HttpOrigin::parse(text).map_err(|error| wrong(error.to_string()))?;
    if origin.is_https() {
        return Err(wrong(
            "it must begin with http://, not https: whoever checks a certificate cannot first check another one (RFC \
             5280 section 8)"
                .into(),
        ));
    }
    let says_port =
        text.trim_end_matches('/').rsplit(':').next().is_some_and(|end| end.parse::<u16>().is_ok());
    let is_address = text.trim_end_matches('/').ends_with(']');
    Ok(if says_port && !is_address { origin } else { origin.with_port(port) })
}

fn ports(options: &InitOptions) -> Result<[u16; 3], Failure> {
    let given = [options.portal_port, options.device_port, options.public_port];
    let mut ports = DEFAULT_PORTS;
    for (port, given) in ports.iter_mut().zip(given) {
        *port = given.unwrap_or(*port);
    }
    let [portal, device, public] = ports;
    if portal == device || device == public || portal == public {
        return Err(Failure::misuse(format!(
            "portal, device and public listener need three ports, not {portal}, {device} and {public}"
        )));
    }
    Ok(ports)
}

fn default_name(portal: &HttpOrigin) -> Result<Installation, Failure> {
    let name = if portal.is_loopback() { DEVELOPMENT_NAME } else { portal.host() };
    Installation::parse(name).ok_or_else(|| {
        Failure::misuse(format!(
            "{name} cannot be the name of an installation: say a host name with a dot, of at most 63 characters, by \
             --name"
        ))
    })
}

/// Where only this machine is meant, nobody else needs a name for it.
fn default_public(portal: &HttpOrigin, port: u16) -> Result<HttpOrigin, Failure> {
    let host = if portal.is_loopback() { "127.0.0.1" } else { portal.host() };
    parse_public(&format!("http://{host}"), port)
}

fn default_listen(portal: &HttpOrigin) -> IpAddr {
    if portal.is_loopback() { Ipv4Addr::LOCALHOST.into() } else { Ipv4Addr::UNSPECIFIED.into() }
}

/// Paths were given from where the command runs; in the file they begin elsewhere.
fn token(options: &InitOptions) -> Result<Option<Pkcs11Config>, Failure> {
    let (Some(module), Some(label)) = (&options.token.module, &options.token.label) else { return Ok(None) };
    let absolute = |path: &PathBuf| std::path::absolute(path).doing("cannot tell where this folder is");
    let pin = options.token.pin.as_ref().map(absolute).transpose()?;
    Ok(Some(Pkcs11Config { module: absolute(module)?, token: label.clone(), pin }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(change: impl FnOnce(&mut InitOptions)) -> Result<InitPlan, String> {
        let mut options = InitOptions { public: None, ..InitOptions::for_development() };
        change(&mut options);
        InitPlan::of(&options).map_err(|failure| failure.to_string())
    }

    #[test]
    fn an_operator_who_says_the_host_gets_addresses_that_fit_it() {
        let plan = plan(|options| {
            options.host = Some("Tegata.Example.jp".into());
            (options.portal_port, options.public_port) = (Some(443), Some(80));
        })
        .unwrap();
        assert_eq!(plan.portal.to_string(), "https://tegata.example.jp");
        assert_eq!(plan.device.to_string(), "https://tegata.example.jp:9443");
        assert_eq!(plan.public.to_string(), "http://tegata.example.jp");
        assert_eq!(plan.name.as_str(), "tegata.example.jp");
        assert!(plan.listen.is_unspecified());
    }

    #[test]
    fn an_installation_for_this_machine_listens_to_this_machine() {
        let plan = plan(|_| ()).unwrap();
        assert_eq!(plan.public.to_string(), "http://127.0.0.1:8080");
        assert_eq!((plan.name.as_str(), plan.listen.to_string().as_str()), (DEVELOPMENT_NAME, "127.0.0.1"));
    }

    #[test]
    fn a_public_address_keeps_the_port_that_is_written() {
        let public = |text: &str| parse_public(text, 8080).map(|url| url.to_string()).ok();
        assert_eq!(public("http://pki.example.jp").as_deref(), Some("http://pki.example.jp:8080"));
        assert_eq!(public("http://pki.example.jp:80").as_deref(), Some("http://pki.example.jp"));
        assert_eq!(public("http://[2001:db8::80]").as_deref(), Some("http://[2001:db8::80]:8080"));
        assert_eq!(public("https://pki.example.jp"), None);
        assert_eq!(public("http://pki.example.jp/crl"), None);
    }

    #[test]
    fn a_host_that_could_not_work_is_refused_before_anything_is_made() {
        for host in
            ["192.0.2.1", "[::1]", "a.example:8443", "a.example/x", "", "a b", "me@a.example", "薬局.jp"]
        {
            assert!(plan(|options| options.host = Some(host.into())).is_err(), "{host}");
        }
        assert!(plan(|options| options.portal_port = Some(8080)).is_err(), "two listeners on one port");
    }
}
