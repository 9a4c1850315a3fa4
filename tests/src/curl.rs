//! HTTPS as curl speaks it.

use crate::command::CommandOutcome;
use crate::identity::DeviceIdentity;
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// A request in the making.
#[derive(Clone, Debug)]
pub struct Curl {
    arguments: Vec<String>,
    body: Option<Vec<u8>>,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct CurlAnswer {
    /// The status.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Curl {
    /// A GET.
    pub fn to(url: &str) -> Self {
        let arguments = ["--silent", "--show-error", "--include", "--max-time", "20", "--path-as-is", url];
        Self { arguments: arguments.map(str::to_owned).to_vec(), body: None }
    }

    /// Verifies the server by this PEM file alone.
    #[must_use]
    pub fn trusting(self, anchors: &Path) -> Self {
        self.option("--cacert", &anchors.display().to_string())
    }

    /// Presents a certificate.
    #[must_use]
    pub fn as_device(self, identity: &DeviceIdentity) -> Self {
        self.presenting(&identity.file("chain.pem"), &identity.file("key.pem"))
    }

    /// Presents a certificate from any PEM file.
    #[must_use]
    pub fn presenting(self, chain: &str, key: &str) -> Self {
        self.option("--cert", chain).option("--key", key)
    }

    /// Any option of curl's with its value.
    #[must_use]
    pub fn option(mut self, name: &str, value: &str) -> Self {
        self.arguments.extend([name.to_owned(), value.to_owned()]);
        self
    }

    /// Any option of curl's without a value.
    #[must_use]
    pub fn flag(mut self, name: &str) -> Self {
        self.arguments.push(name.to_owned());
        self
    }

    /// One more header.
    #[must_use]
    pub fn header(self, name: &str, value: &str) -> Self {
        self.option("--header", &format!("{name}: {value}"))
    }

    /// An access token.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// Another method than the body implies.
    #[must_use]
    pub fn method(self, method: &str) -> Self {
        self.option("--request", method)
    }

    /// A body of this type, by POST.
    #[must_use]
    pub fn body(mut self, media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self.header("content-type", media_type).header("expect", "")
    }

    /// A JSON body, by POST.
    #[must_use]
    pub fn json(self, value: &Value) -> Self {
        self.body("application/json", value.to_string())
    }

    /// A form, by POST.
    #[must_use]
    pub fn form(self, fields: &[(&str, &str)]) -> Self {
        let pairs: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
        self.body("application/x-www-form-urlencoded", pairs.join("&"))
    }

    /// The answer.
    ///
    /// # Panics
    /// When there is none.
    pub fn send(self) -> CurlAnswer {
        self.attempt().unwrap_or_else(|error| panic!("{error}"))
    }

    /// The answer, or what curl says when the connection or the handshake fails.
    pub fn attempt(mut self) -> Result<CurlAnswer, String> {
        if self.body.is_some() {
            self = self.option("--data-binary", "@-");
        }
        let mut command = Command::new("curl");
        command.args(&self.arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("curl runs");
        let mut input = child.stdin.take().expect("curl's input");
        // A server may refuse before it has read everything.
        let _ = input.write_all(&self.body.unwrap_or_default());
        drop(input);
        let output = child.wait_with_output().expect("curl ends");
        if output.status.success() {
            CurlAnswer::parse(&output.stdout)
        } else {
            Err(CommandOutcome::from(output).stderr)
        }
    }
}

impl CurlAnswer {
    /// The first header of this name, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self}"))
    }

    /// The answer, provided that it has this status.
    #[allow(clippy::return_self_not_must_use, reason = "often the promise is all that is wanted")]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self}");
        self
    }

    /// The stable code of a problem, after a look at its form (RFC 9457).
    ///
    /// # Panics
    /// When it is not a problem that a reader can act on.
    pub fn problem(&self) -> String {
        assert!(self.header("content-type").starts_with("application/problem+json"), "{self}");
        let problem = self.json();
        assert_eq!(problem["status"], self.status, "{self}");
        for name in ["type", "title", "detail", "code", "lang"] {
            assert!(problem[name].as_str().is_some_and(|text| !text.is_empty()), "{name}: {self}");
        }
        problem["code"].as_str().unwrap_or_default().to_owned()
    }

    fn parse(output: &[u8]) -> Result<Self, String> {
        let end = find(output, b"\r\n\r\n").ok_or("no end of the headers")?;
        let (head, body) = (&output[..end], &output[end + 4..]);
        let head = String::from_utf8_lossy(head);
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let status: u16 = status.ok_or("no status")?;
        if status < 200 {
            return Self::parse(body);
        }
        let header = |line: &str| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_ascii_lowercase(), value.trim().to_owned()))
        };
        Ok(Self { status, headers: lines.filter_map(header).collect(), body: body.to_vec() })
    }
}

impl std::fmt::Display for CurlAnswer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {:?}\n{}", self.status, self.headers, self.text())
    }
}

/// Percent-encoded: safe in a query and in a form.
pub fn escaped(text: &str) -> String {
    use std::fmt::Write;
    text.bytes().fold(String::new(), |mut escaped, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            let _ = write!(escaped, "%{byte:02X}");
        }
        escaped
    })
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
