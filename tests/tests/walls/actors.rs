//! Who tries everything, and the things of the tenant it is tried on.

use std::collections::BTreeMap;
use tegata_tests::installation::text_of;
use tegata_tests::{Account, DeviceIdentity, Own, RunningInstallation, csr, escaped};

const ROLES: [&str; 7] =
    ["staff", "site-manager", "tenant-admin", "support", "support-lead", "operator", "auditor"];

/// Roles that reach the things of all tenants: docs/roles.md.
const REACH_ALL: [&str; 4] = ["support", "support-lead", "operator", "auditor"];

/// What somebody is, as far as access goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ActorKind {
    Nobody,
    Device,
    Gate,
    /// A registered client.
    Client,
    /// A suspended device.
    Stopped,
    /// Somebody who is signed in on a device.
    Person,
}

impl ActorKind {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Nobody => "nobody",
            Self::Device => "device",
            Self::Gate => "gate",
            Self::Client => "client",
            Self::Stopped => "stopped device",
            Self::Person => "person",
        }
    }
}

/// Somebody who asks.
pub(crate) struct Actor {
    pub(crate) name: String,
    pub(crate) kind: ActorKind,
    /// Whether the things are those of its own tenant.
    pub(crate) is_own: bool,
    /// Whether a role of theirs reaches all tenants, in the console.
    pub(crate) reaches_all: bool,
    /// Certificate and key.
    pub(crate) pair: Option<[String; 2]>,
    pub(crate) cookie: Option<String>,
    client_id: String,
    pub(crate) form_token: String,
}

/// Everybody, and what they try.
pub(crate) struct Cast {
    pub(crate) installation: RunningInstallation,
    pub(crate) actors: Vec<Actor>,
    first: Side,
    /// A transfer that its tenant has planned with one that nobody here is of.
    transfer: String,
    session: String,
    token: String,
}

/// A tenant with a site and a device.
struct Side {
    tenant: String,
    site: String,
    device: DeviceIdentity,
    /// Somebody of it who is signed in.
    person: String,
}

impl Cast {
    /// Two tenants, and everybody who may come.
    pub(crate) fn assemble() -> Self {
        let mut installation = RunningInstallation::start();
        let [own_tenant, other_tenant] = [("KOUSECRET法人", "KOUSECRET本店"), ("みどり薬局", "みどり本店")]
            .map(|(tenant, site)| add_tenant(&installation, tenant, site));
        let office = Own::make(&installation.folder("clients"), "office", "office");
        let client = registered("midori-office", &office, &other_tenant.0);
        installation.reconfigure(|text| format!("{text}{client}\n[clients]\nregistration = true\n"));
        let enroll = |place: &(String, String), label: &str, is_gate: bool| {
            let kind = if is_gate { "--gate" } else { "--label" };
            let link = installation.tell(&["invite", kind, label, "--tenant", &place.0, "--site", &place.1]);
            DeviceIdentity::enroll(&installation, &text_of(&link, "url"), label)
        };
        let device = enroll(&own_tenant, "KOUSECRET-register", false);
        let neighbor = enroll(&other_tenant, "register", false);
        let gate = enroll(&other_tenant, "gate", true);
        let stopped = enroll(&other_tenant, "stopped", false);
        installation.tell(&["device", "suspend", &stopped.device]);
        let mut actors = vec![
            Actor::new("nobody", ActorKind::Nobody, None),
            Actor::new("device of another tenant", ActorKind::Device, Some(&neighbor)),
            Actor::new("gate of another tenant", ActorKind::Gate, Some(&gate)),
            Actor::new("stopped device", ActorKind::Stopped, Some(&stopped)),
            Actor {
                pair: Some([office.certificate.display().to_string(), office.key.display().to_string()]),
                client_id: "midori-office".into(),
                ..Actor::new("client", ActorKind::Client, None)
            },
            Actor {
                is_own: true,
                ..Actor::new("device of its own tenant", ActorKind::Device, Some(&device))
            },
        ];
        let mut people = Vec::new();
        for (place, at, is_own) in [(&own_tenant, &device, true), (&other_tenant, &neighbor, false)] {
            for role in ROLES {
                let (person, mut actor) = signed_in(&installation, place, at, role, is_own);
                actor.is_own = is_own;
                people.push(person);
                actors.push(actor);
            }
        }
        let token = token_of(&installation, &device);
        let person = people[0].clone();
        let session = text_of(
            &installation.tell(&["person", "show", &person, "--tenant", &own_tenant.0])["sessions"][0],
            "session",
        );
        let transfer = planned_transfer(&installation, &own_tenant);
        let first = Side { tenant: own_tenant.0, site: own_tenant.1, device, person };
        Self { installation, actors, first, transfer, session, token }
    }

    /// What there is of the first tenant, as its operator sees it.
    pub(crate) fn state(&self) -> BTreeMap<&'static str, String> {
        let ask = |arguments: &[&str]| {
            let all = [arguments, &["--tenant", &self.first.tenant]].concat();
            self.installation.command(&all).stdout
        };
        let mut state = BTreeMap::from([
            ("devices", ask(&["device", "list"])),
            ("invitations", ask(&["invite", "list"])),
            ("people", ask(&["person", "list"])),
            ("policies", ask(&["policy", "show"])),
            ("sites", ask(&["site", "list"])),
        ]);
        state.insert("transfer", self.installation.command(&["transfer", "show", &self.transfer]).stdout);
        state.insert("sessions", ask(&["person", "show", &self.first.person]));
        state
    }

    /// What nobody else may read, beside the names.
    pub(crate) fn identifiers(&self) -> [&str; 2] {
        [&self.first.tenant, &self.first.site]
    }

    /// A text with the things of the first tenant, and what is the asker's own.
    pub(crate) fn filled(&self, text: &str, actor: &Actor) -> String {
        [
            ("{device}", self.first.device.device.as_str()),
            ("{thumbprint}", &self.first.device.thumbprint),
            ("{site}", "the site"),
            ("{person}", &self.first.person),
            ("{session}", &self.session),
            ("{token}", &self.token),
            ("{transfer}", &self.transfer),
            ("{list}", "0123456789abcdefghjkmnpqrs"),
            ("{invitation}", "0123456789abcdefghjkmnpqrs"),
            ("{csr}", &csr::nonsense()),
            ("{client}", &actor.client_id),
            ("{form_token}", &actor.form_token),
        ]
        .iter()
        .fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
    }
}

impl Actor {
    fn new(name: &str, kind: ActorKind, identity: Option<&DeviceIdentity>) -> Self {
        Self {
            name: name.into(),
            kind,
            is_own: false,
            reaches_all: false,
            pair: identity.map(|identity| [identity.file("chain.pem"), identity.file("key.pem")]),
            cookie: None,
            client_id: identity.map_or_else(|| "nobody".to_owned(), |identity| identity.device.clone()),
            form_token: "made up".into(),
        }
    }
}

/// Tenant and site.
fn add_tenant(installation: &RunningInstallation, tenant: &str, site: &str) -> (String, String) {
    let tenant = text_of(&installation.tell(&["tenant", "add", tenant]), "tenant");
    let site = text_of(&installation.tell(&["site", "add", site, "--tenant", &tenant]), "site");
    (tenant, site)
}

fn planned_transfer(installation: &RunningInstallation, (tenant, site): &(String, String)) -> String {
    let (target, _) = add_tenant(installation, "さくら薬局", "さくら本店");
    let plan = ["transfer", "plan", "--from", tenant, "--to", &target, "--site", site];
    let when = ["--at", "2099-04-01T03:00:00+09:00", "--move-devices", "--move-people"];
    text_of(&installation.tell(&[&plan[..], &when[..]].concat()), "transfer")
}

fn registered(name: &str, own: &Own, tenant: &str) -> String {
    format!(
        "\n[[client]]\nclient_id = \"{name}\"\ntoken_endpoint_auth_method = \"self_signed_tls_client_auth\"\n\
         jwks = {{keys = [{{kty = \"EC\", x5c = [\"{}\"]}}]}}\ninvites = [{{tenant = \"{tenant}\"}}]\n",
        own.base64()
    )
}

/// Adds a person, sets the account up, and signs in on the device. Gives the identifier.
fn signed_in(
    installation: &RunningInstallation,
    (tenant, site): &(String, String),
    device: &DeviceIdentity,
    role: &str,
    is_own: bool,
) -> (String, Actor) {
    let prefix = if is_own { "kousecret" } else { "midori" };
    let name = if is_own { "KOUSECRET花子" } else { "緑 花子" };
    let options = ["--tenant", tenant, "--role", role, "--site", site];
    let account = Account::add(installation, &format!("{prefix}-{role}"), name, &options);
    let session = account.sign_in(installation, device);
    let whose = if is_own { "its own" } else { "another" };
    let actor = Actor {
        cookie: Some(session.cookie),
        form_token: session.form_token,
        reaches_all: REACH_ALL.contains(&role),
        ..Actor::new(&format!("{role} of {whose} tenant"), ActorKind::Person, Some(device))
    };
    (account.person, actor)
}

fn token_of(installation: &RunningInstallation, device: &DeviceIdentity) -> String {
    let fields = [("grant_type", "client_credentials"), ("client_id", &*device.device)];
    let answer = installation.oauth("token_endpoint").as_device(device).form(&fields).send().expect(200);
    escaped(&text_of(&answer.json(), "access_token"))
}
