//! Products that check for themselves who comes.

use super::{Recipe, RecipePlace};
use crate::clients;
use crate::command::{CommandOutcome, run_in};
use crate::installation::RunningInstallation;
use crate::python;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

const ON_ITS_OWN: &str = include_str!("../../../docs/recipes/products/rezept.env");
const BEHIND_A_GATE: &str = include_str!("../../../docs/recipes/products/rezept-behind-a-gate.env");

/// What a product is written in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProductLanguage {
    /// Checked by its compiler, run by Node.
    TypeScript,
    /// Under gunicorn.
    Python,
    /// With the standard library alone.
    Go,
    /// With the JDK alone.
    Java,
}

impl Recipe {
    /// A product that terminates TLS and asks the platform.
    #[must_use]
    pub fn product(installation: &RunningInstallation, language: ProductLanguage) -> Self {
        let place = product(installation, language);
        let port = format!("PORT={}", place.port);
        let own = [("HOST=0.0.0.0", "HOST=127.0.0.1".to_owned()), ("PORT=8443", port)];
        let settings = place.written(ON_ITS_OWN, &own);
        let origin = format!("https://localhost:{}", place.port);
        place.run(language, &settings, origin)
    }

    /// A product that believes the gate of this URI.
    #[must_use]
    pub fn product_behind(installation: &RunningInstallation, language: ProductLanguage, gate: &str) -> Self {
        let place = product(installation, language);
        let port = format!("PORT={}", place.port);
        let own = [("URI-OF-THE-GATE", gate.to_owned()), ("PORT=8080", port)];
        let settings = place.written(BEHIND_A_GATE, &own);
        let origin = format!("http://127.0.0.1:{}", place.port);
        place.run(language, &settings, origin)
    }
}

impl RecipePlace {
    fn run(self, language: ProductLanguage, settings: &str, origin: String) -> Recipe {
        self.copy(language);
        let mut command = match language {
            ProductLanguage::TypeScript => self.typescript(),
            ProductLanguage::Python => self.python(),
            ProductLanguage::Go => self.go(),
            ProductLanguage::Java => self.java(),
        };
        let settings = settings.lines().filter(|line| !line.starts_with('#'));
        command.envs(settings.filter_map(|line| line.split_once('='))).current_dir(&self.folder);
        self.open_at(origin, &format!("the product in {language:?}"), &mut command)
    }

    /// The files as a reader copies them.
    fn copy(&self, language: ProductLanguage) {
        let name = format!("{language:?}").to_lowercase();
        let recipes = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/recipes/products");
        for file in fs::read_dir(recipes.join(name)).expect("a recipe") {
            let file = file.expect("a file");
            fs::copy(file.path(), self.folder.path().join(file.file_name())).expect("a copy");
        }
    }

    /// With the packages of `tests/clients`, which are those of the recipe.
    fn typescript(&self) -> Command {
        let at = self.folder.path();
        let packages = clients::packages();
        symlink(&packages, at.join("node_modules")).expect("a link");
        let read = |file: PathBuf| -> Value {
            serde_json::from_slice(&fs::read(file).expect("a package file")).expect("JSON")
        };
        let (wanted, tried) = (read(at.join("package.json")), read(packages.join("../package.json")));
        for kind in ["dependencies", "devDependencies"] {
            for (name, version) in wanted[kind].as_object().expect("packages") {
                assert_eq!(version, &tried["dependencies"][name], "the version of {name} that is tried");
            }
        }
        let build = wanted["scripts"]["build"].as_str().and_then(|build| build.strip_prefix("tsc "));
        let options = build.expect("the compiler").split(' ');
        let compiler: Vec<_> = ["node_modules/typescript/bin/tsc"].into_iter().chain(options).collect();
        run_in(at, "node", &compiler);
        let mut command = Command::new("node");
        command.arg("device.js");
        command
    }

    fn python(&self) -> Command {
        let packages = fs::read_to_string(self.path("requirements.txt")).expect("packages");
        let packages: Vec<_> = packages.lines().collect();
        let mut command = Command::new(python::environment(&packages).join("gunicorn"));
        command.args(["--config", "gunicorn.conf.py", "device:app"]);
        command
    }

    fn go(&self) -> Command {
        let test = std::env::current_exe().expect("the path of this test");
        let cache = test.ancestors().nth(3).expect("the target folder").join("go-cache");
        let mut build = Command::new("go");
        build.args(["build", "-o", "rezept", "."]).current_dir(&self.folder);
        // It has no dependency, and none is looked for.
        build.env("GOCACHE", cache).env("GOFLAGS", "-mod=mod").env("GOPROXY", "off");
        CommandOutcome::of(&mut build).good();
        Command::new(self.path("rezept"))
    }

    fn java(&self) -> Command {
        let at = self.folder.path();
        let sources = ["Product.java", "Tegata.java", "KeySet.java", "Pem.java", "Json.java"];
        run_in(at, "javac", &[&["-Xlint:all,-serial", "-Werror"][..], &sources].concat());
        let mut command = Command::new("java");
        command.args(["-XX:TieredStopAtLevel=1", "Product"]);
        command
    }
}

/// Where a product finds what the guide tells it to have.
fn product(installation: &RunningInstallation, language: ProductLanguage) -> RecipePlace {
    let name = format!("{language:?}").to_lowercase();
    let place = RecipePlace::new(&name);
    let gate = installation.enroll_gate(&name);
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
