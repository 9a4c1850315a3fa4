//! What `enroll` and `renew` print of the certificate that they obtained.

use super::output::OutputFormat;
use crate::client::EnrolledCertificate;
use serde_json::{Value, json};
use std::path::Path;

/// The certificate, and what came with it.
pub struct PrintedCertificate {
    json: Value,
    lines: Vec<String>,
    errors: Vec<String>,
}

impl PrintedCertificate {
    /// Of a certificate in a folder.
    pub fn new(enrolled: &EnrolledCertificate, folder: &Path) -> Self {
        let EnrolledCertificate { device, generation, serial, thumbprint, .. } = enrolled;
        Self {
            json: json!({"device": device, "generation": generation, "serial": serial, "thumbprint": thumbprint}),
            lines: vec![
                format!("device {device}, generation {generation}, serial {serial}"),
                format!("certificate and key are in {}", folder.display()),
            ],
            errors: Vec::new(),
        }
    }

    /// Adds the members of an object, or in words a line.
    pub fn add(&mut self, json: Value, line: &str) {
        self.merge(json);
        self.lines.push(line.to_owned());
    }

    /// Adds the members of an object, or in words a line on standard error.
    pub fn add_error(&mut self, json: Value, line: String) {
        self.merge(json);
        self.errors.push(line);
    }

    /// Prints it as the command was asked to.
    pub fn print(&self, output: &OutputFormat) {
        if output.json {
            outln!("{}", self.json);
            return;
        }
        for line in &self.lines {
            outln!("{line}");
        }
        for line in &self.errors {
            errln!("{line}");
        }
    }

    fn merge(&mut self, json: Value) {
        if let (Value::Object(own), Value::Object(more)) = (&mut self.json, json) {
            own.extend(more);
        }
    }
}
