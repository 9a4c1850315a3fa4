//! What `tegata init` asks on a terminal.

use super::options::place_name;
use std::io::{BufRead, Write};
use std::str::FromStr;
use tegata_admin::init::{
    self, DEFAULT_AUDIENCE, DEFAULT_HOST, DEFAULT_PORTS, DEFAULT_SITE, DEFAULT_TENANT, InitOptions,
};
use tegata_core::Installation;
use tegata_installation::{Failure, FailureContext};

/// Asks for what was not given. Enter takes what is in brackets.
pub fn ask(
    input: &mut dyn BufRead,
    output: &mut dyn Write,
    options: &mut InitOptions,
) -> Result<(), Failure> {
    let mut terminal = QuestionTerminal { input, output };
    terminal.say(
        "A new installation. Enter takes what is in brackets; nothing is made before the last answer.\n",
    )?;
    if options.host.is_none() {
        let host = |text: &str| init::parse_host(text).map(|origin| origin.host().to_owned());
        options.host =
            Some(terminal.ask("Host name by which browsers reach this machine", DEFAULT_HOST, host)?);
    }
    let host = init::parse_host(options.host.as_deref().unwrap_or(DEFAULT_HOST))?;
    let (own, ports) = if host.is_loopback() {
        ("tegata.localhost", DEFAULT_PORTS)
    } else {
        // What firewalls let through; the device listener needs another port of the same host.
        (host.host(), [443, 9443, 80])
    };
    let questions = [
        ("Port of the portal (pages; HTTPS)", &mut options.portal_port),
        ("Port of the device listener (asks for certificates; HTTPS)", &mut options.device_port),
        ("Port of the public listener (revocation lists; HTTP)", &mut options.public_port),
    ];
    for ((question, port), usual) in questions.into_iter().zip(ports) {
        if port.is_none() {
            *port = Some(terminal.ask(question, &usual.to_string(), parse_port)?);
        }
    }
    if options.name.is_none() {
        let question = "Name of the installation, written into every certificate; it can never change";
        options.name = Some(terminal.ask(question, own, parse_name)?);
    }
    if options.public.is_none() {
        let port = options.public_port.unwrap_or(DEFAULT_PORTS[2]);
        let usual =
            if host.is_loopback() { "http://127.0.0.1".into() } else { format!("http://{}", host.host()) };
        let question = "Address of revocation lists, written into every certificate";
        let public = |text: &str| init::parse_public(text, port).map(|_| text.to_owned());
        options.public = Some(terminal.ask(question, &usual, public)?);
    }
    let place = |text: &str| place_name(text).map_err(Failure::misuse);
    for (question, usual, answer) in [
        ("First tenant (法人)", DEFAULT_TENANT, &mut options.tenant_name),
        ("Its first site (店舗)", DEFAULT_SITE, &mut options.site_name),
    ] {
        if answer.is_none() {
            *answer = Some(terminal.ask(question, usual, place)?);
        }
    }
    if options.audience.is_none() {
        let question = "Address of the first product, as tokens name it";
        options.audience = Some(terminal.ask(question, DEFAULT_AUDIENCE, |text| Ok(text.to_owned()))?);
    }
    Ok(())
}

fn parse_port(text: &str) -> Result<u16, Failure> {
    let port = u16::from_str(text).ok().filter(|port| *port > 0);
    port.ok_or_else(|| Failure::misuse("a port is a number between 1 and 65535"))
}

fn parse_name(text: &str) -> Result<Installation, Failure> {
    let name = Installation::parse(text);
    name.ok_or_else(|| Failure::misuse("it must read as a host name with a dot, in lower case"))
}

struct QuestionTerminal<'a> {
    input: &'a mut dyn BufRead,
    output: &'a mut dyn Write,
}

impl QuestionTerminal<'_> {
    /// Asks until the answer can be used.
    fn ask<T>(
        &mut self,
        question: &str,
        usual: &str,
        read: impl Fn(&str) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        loop {
            self.say(&format!("{question} [{usual}]: "))?;
            let mut line = String::new();
            if self.input.read_line(&mut line).doing("cannot read the answer")? == 0 {
                return Err(Failure::misuse("the questions were not answered: nothing was made"));
            }
            let answer = Some(line.trim()).filter(|answer| !answer.is_empty()).unwrap_or(usual);
            match read(answer) {
                Ok(answer) => return Ok(answer),
                Err(failure) => self.say(&format!("  {failure}\n"))?,
            }
        }
    }

    fn say(&mut self, text: &str) -> Result<(), Failure> {
        write!(self.output, "{text}").and_then(|()| self.output.flush()).doing("cannot write to the terminal")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(lines: &str) -> (Result<(), Failure>, InitOptions, String) {
        let mut options = InitOptions { public: None, ..InitOptions::for_development() };
        let mut output = Vec::new();
        let outcome = ask(&mut lines.as_bytes(), &mut output, &mut options);
        (outcome, options, String::from_utf8(output).unwrap())
    }

    #[test]
    fn an_operator_who_names_the_host_is_offered_what_fits_it() {
        let (outcome, options, output) = answered("tegata.example.jp\n\n\n\n\n\n青葉会\n駅前店\n\n");
        outcome.unwrap();
        let plan = init::InitPlan::of(&options).unwrap();
        assert_eq!(plan.portal.to_string(), "https://tegata.example.jp");
        assert_eq!(plan.device.to_string(), "https://tegata.example.jp:9443");
        assert_eq!(plan.public.to_string(), "http://tegata.example.jp");
        assert_eq!((plan.name.as_str(), plan.tenant.as_str()), ("tegata.example.jp", "青葉会"));
        assert!(output.contains("[http://tegata.example.jp]"), "{output}");
    }

    #[test]
    fn a_wrong_answer_is_asked_for_again_with_the_reason() {
        let (outcome, options, output) =
            answered("192.0.2.1\nhttps://a\ntegata.example.jp\n0\n443\n\n\n\n\n\n\n\n");
        outcome.unwrap();
        assert_eq!(options.portal_port, Some(443));
        assert_eq!(output.matches("Host name").count(), 3, "{output}");
        assert!(output.contains("a host name is needed, not an address"), "{output}");
    }

    #[test]
    fn who_leaves_in_the_middle_gets_nothing() {
        let (outcome, ..) = answered("tegata.example.jp\n");
        assert!(outcome.unwrap_err().to_string().contains("nothing was made"));
    }

    #[test]
    fn what_was_given_is_not_asked_for() {
        let mut options = InitOptions {
            host: Some("a.example".into()),
            portal_port: Some(443),
            ..InitOptions::for_development()
        };
        let mut output = Vec::new();
        ask(&mut "\n\n\n\n\n\n".as_bytes(), &mut output, &mut options).unwrap();
        let output = String::from_utf8(output).unwrap();
        assert!(!output.contains("Host name") && !output.contains("portal"), "{output}");
    }
}
