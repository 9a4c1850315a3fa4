//! Products that check tokens themselves, with a library of their language.

use super::{Place, Recipe};
use crate::clients;
use crate::command::run_in;
use crate::installation::Installation;
use crate::python;
use std::os::unix::fs::symlink;
use std::process::Command;

/// The versions that are tried. Those of the packages for Node are in `tests/clients`.
const PYTHON: [&str; 4] = ["flask==3.1.3", "gunicorn==27.0.1", "PyJWT[crypto]==2.15.1", "requests==2.34.2"];

impl Recipe {
    /// The product in TypeScript, checked by its compiler.
    #[must_use]
    pub fn typescript(installation: &Installation) -> Self {
        let place = product(installation, "typescript");
        let own = [(".listen(8443)", format!(".listen({}, '127.0.0.1')", place.port))];
        let recipe = include_str!("../../../docs/recipes/products/device.ts");
        place.file("device.ts", &place.written(recipe, &own));
        place.file("package.json", r#"{ "type": "module" }"#);
        let at = place.folder.path();
        symlink(clients::packages(), at.join("node_modules")).expect("a link");
        let options = ["--strict", "--noUncheckedIndexedAccess", "--skipLibCheck"];
        let target = ["--target", "es2022", "--module", "nodenext", "--types", "node"];
        let compiler = ["node_modules/typescript/bin/tsc", "device.ts"];
        run_in(at, "node", &[&compiler[..], &options, &target].concat());
        let mut command = Command::new("node");
        command.arg(at.join("device.js"));
        place.open("the product in TypeScript", &mut command)
    }

    /// The product in Python.
    #[must_use]
    pub fn python(installation: &Installation) -> Self {
        let place = product(installation, "python");
        let own = [("0.0.0.0:8443", format!("127.0.0.1:{}", place.port))];
        let server = include_str!("../../../docs/recipes/products/gunicorn.conf.py");
        place.file("gunicorn.conf.py", &place.written(server, &own));
        let recipe = include_str!("../../../docs/recipes/products/device.py");
        place.file("device.py", &place.written(recipe, &[]));
        let mut command = Command::new(python::environment(&PYTHON).join("gunicorn"));
        command.args(["--config", "gunicorn.conf.py", "device:app"]).current_dir(&place.folder);
        place.open("the product in Python", &mut command)
    }
}

/// Where a product finds what the guide tells it to have.
fn product(installation: &Installation, name: &str) -> Place {
    let place = Place::new(name);
    let gate = installation.enroll_gate(name);
    let at = place.folder.path();
    let named = [("tls_ca.pem", &installation.tls_ca), ("tegata-chain.pem", &installation.chain)];
    for (name, file) in named.into_iter().chain([("gate", &gate.folder)]) {
        symlink(file, at.join(name)).expect("a link");
    }
    let folder = at.display().to_string();
    place.knowing(&[
        ("/etc/rezept", folder),
        ("https://ca.example.jp", installation.issuer.clone()),
        ("https://rezept.example.jp", installation.product.clone()),
        ("ID-OF-THE-GATE", gate.device),
    ])
}
