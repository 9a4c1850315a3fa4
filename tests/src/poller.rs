//! Somebody who asks for security events, with a JOSE library that others wrote.

use crate::{Process, RunningInstallation, clients, run};
use serde_json::{Value, json};
use std::path::PathBuf;

/// A receiver that polls until it is killed, as a registered client with a certificate of its own.
#[derive(Debug)]
pub struct Poller {
    id: String,
    tenant: Option<String>,
    folder: PathBuf,
    argument: Value,
    process: Option<Process>,
}

impl Poller {
    /// One that is ready to be configured.
    pub fn new(installation: &RunningInstallation, id: &str, tenant: Option<&str>) -> Self {
        let folder = installation.folder(id);
        let (cert, key) = (folder.join("client.pem"), folder.join("client.key"));
        let (out, keyout) = (cert.display().to_string(), key.display().to_string());
        let subject = format!("/CN={id}");
        run(
            "openssl",
            &[
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
                "-subj",
                &subject,
                "-days",
                "2",
                "-addext",
                "extendedKeyUsage=clientAuth",
                "-keyout",
                &keyout,
                "-out",
                &out,
            ],
        );
        let argument = json!({
            "cert": cert, "key": key, "ca": installation.tls_ca, "portal": installation.portal, "stream": id,
            "audience": format!("https://{id}.example"),
        });
        Self { id: id.into(), tenant: tenant.map(Into::into), folder, argument, process: None }
    }

    /// Another process of the same receiver.
    #[must_use]
    pub fn twin(&self) -> Self {
        let Self { id, tenant, folder, argument, .. } = self;
        let (id, tenant, folder) = (id.clone(), tenant.clone(), folder.clone());
        Self { id, tenant, folder, argument: argument.clone(), process: None }
    }

    /// Its part of `tegata.toml`, with more of the receiver's.
    pub fn configuration(&self, more: &str) -> String {
        let Self { id, folder, .. } = self;
        let pem = std::fs::read_to_string(folder.join("client.pem")).expect("a certificate");
        let certificate: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let tenant =
            self.tenant.as_ref().map_or_else(String::new, |tenant| format!("tenant = \"{tenant}\"\n"));
        format!(
            "\n[[client]]\nclient_id = \"{id}\"\ntoken_endpoint_auth_method = \"self_signed_tls_client_auth\"\n\
             jwks = {{ keys = [{{ kty = \"EC\", x5c = [\"{certificate}\"] }}] }}\n\
             [[receiver]]\nid = \"{id}\"\naudience = \"https://{id}.example\"\nclient = \"{id}\"\npoll = true\n\
             {tenant}{more}\n"
        )
    }

    /// Begins to ask, for so many at a time, and gives what it found out about the transmitter and its stream.
    pub fn start(&mut self, most: u32) -> Value {
        self.begin(&json!({"most": most}))
    }

    /// Starts a receiver that never acknowledges anything.
    pub fn start_forgetful(&mut self) -> Value {
        self.begin(&json!({"forgets": true}))
    }

    /// Is gone at once.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// The next thing it took.
    pub fn hears(&mut self) -> Value {
        self.process.as_mut().expect("it was started").line_as_json()
    }

    /// Its requests about its stream, each with method, URL and perhaps a body. Gives status and answer of each.
    pub fn asks(&self, requests: &[(&str, String, Option<Value>)]) -> Vec<(u64, Value)> {
        let requests: Vec<_> = requests
            .iter()
            .map(|(method, url, body)| json!({"method": method, "url": url, "body": body}))
            .collect();
        let mut argument = self.argument.clone();
        argument["requests"] = requests.into();
        let answers = clients::run("ssf.mjs", &argument);
        let answers = answers.as_array().expect("answers").iter();
        answers.map(|answer| (answer["status"].as_u64().expect("a status"), answer["said"].clone())).collect()
    }

    fn begin(&mut self, more: &Value) -> Value {
        let mut argument = self.argument.clone();
        let own = argument.as_object_mut().expect("an object");
        own.extend(more.as_object().expect("an object").clone());
        let mut command = clients::node("poller.mjs");
        command.arg(argument.to_string());
        let process = Process::start("poller.mjs", &mut command, &self.folder.join("log"));
        self.process.insert(process).line_as_json()
    }
}
