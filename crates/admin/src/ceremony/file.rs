//! The file of an act: TOML, unknown keys refused with their line.

use super::create::CreateIssuing;
use super::ending::{RestIssuing, RetireIssuing, RevokeIssuing};
use super::header::{CeremonyHeader, Participant, StepName};
use super::install::InstallIssuing;
use super::lists::{InstallRootCrl, SignRootCrl};
use super::request::RequestIssuing;
use super::root::CreateRoot;
use super::sign::SignIssuing;
use super::tenant::TenantIssuing;
use ring::digest::{SHA256, digest};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::path::Path;
use tegata_core::encoding::hex;
use tegata_installation::Failure;

/// An act as it was written down.
pub struct CeremonyFile {
    pub header: CeremonyHeader,
    pub act: CeremonyStep,
}

/// What is done, with its details.
pub enum CeremonyStep {
    CreateRoot(CreateRoot),
    RequestIssuing(RequestIssuing),
    SignIssuing(SignIssuing),
    InstallIssuing(InstallIssuing),
    CreateIssuing(CreateIssuing),
    SignRootCrl(SignRootCrl),
    InstallRootCrl(InstallRootCrl),
    RestIssuing(RestIssuing),
    RetireIssuing(RetireIssuing),
    RevokeIssuing(RevokeIssuing),
    TenantIssuing(TenantIssuing),
}

/// The whole file, once it is known which act it is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CeremonyDocument<T> {
    act: StepName,
    why: String,
    present: Vec<Participant>,
    details: T,
}

impl CeremonyFile {
    /// Reads and parses a ceremony file; one that cannot be parsed is misuse.
    pub fn read(file: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(file)
            .map_err(|error| Failure::misuse(format!("cannot read {}: {error}", file.display())))?;
        Self::parse(file, &text).map_err(|error| Failure::misuse(format!("{}: {error}", file.display())))
    }

    fn parse(file: &Path, text: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct CeremonyFileHead {
            act: StepName,
        }
        let CeremonyFileHead { act } = toml::from_str(text).map_err(|error| error.to_string())?;
        match act {
            StepName::CreateRoot => Self::whole(file, text, CeremonyStep::CreateRoot),
            StepName::RequestIssuing => Self::whole(file, text, CeremonyStep::RequestIssuing),
            StepName::SignIssuing => Self::whole(file, text, CeremonyStep::SignIssuing),
            StepName::InstallIssuing => Self::whole(file, text, CeremonyStep::InstallIssuing),
            StepName::CreateIssuing => Self::whole(file, text, CeremonyStep::CreateIssuing),
            StepName::SignRootCrl => Self::whole(file, text, CeremonyStep::SignRootCrl),
            StepName::InstallRootCrl => Self::whole(file, text, CeremonyStep::InstallRootCrl),
            StepName::RestIssuing => Self::whole(file, text, CeremonyStep::RestIssuing),
            StepName::RetireIssuing => Self::whole(file, text, CeremonyStep::RetireIssuing),
            StepName::RevokeIssuing => Self::whole(file, text, CeremonyStep::RevokeIssuing),
            StepName::TenantIssuing => Self::whole(file, text, CeremonyStep::TenantIssuing),
        }
    }

    fn whole<T: DeserializeOwned>(
        file: &Path,
        text: &str,
        act: fn(T) -> CeremonyStep,
    ) -> Result<Self, String> {
        let CeremonyDocument { act: name, why, present, details } =
            toml::from_str::<CeremonyDocument<T>>(text).map_err(|error| error.to_string())?;
        if why.trim().is_empty() {
            return Err("why is empty: say why this is done".into());
        }
        if present.is_empty() {
            return Err("nobody is present: name at least one person and role under [[present]]".into());
        }
        let sha256 = hex(digest(&SHA256, text.as_bytes()).as_ref());
        let header = CeremonyHeader { file: file.to_owned(), sha256, name, why, present };
        Ok(Self { header, act: act(details) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLES: [(&str, &str); 11] = [
        ("create-root", include_str!("../../../../ca-config/ceremony/create-root.toml")),
        ("request-issuing", include_str!("../../../../ca-config/ceremony/request-issuing.toml")),
        ("sign-issuing", include_str!("../../../../ca-config/ceremony/sign-issuing.toml")),
        ("install-issuing", include_str!("../../../../ca-config/ceremony/install-issuing.toml")),
        ("create-issuing", include_str!("../../../../ca-config/ceremony/create-issuing.toml")),
        ("sign-root-crl", include_str!("../../../../ca-config/ceremony/sign-root-crl.toml")),
        ("install-root-crl", include_str!("../../../../ca-config/ceremony/install-root-crl.toml")),
        ("rest-issuing", include_str!("../../../../ca-config/ceremony/rest-issuing.toml")),
        ("retire-issuing", include_str!("../../../../ca-config/ceremony/retire-issuing.toml")),
        ("revoke-issuing", include_str!("../../../../ca-config/ceremony/revoke-issuing.toml")),
        ("tenant-issuing", include_str!("../../../../ca-config/ceremony/tenant-issuing.toml")),
    ];

    fn error(text: &str) -> String {
        CeremonyFile::parse(Path::new("act.toml"), text).err().expect("an error")
    }

    #[test]
    fn an_operator_can_begin_with_the_example_of_every_act() {
        for (name, text) in EXAMPLES {
            let script = CeremonyFile::parse(Path::new("act.toml"), text)
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(serde_json::to_value(script.header.name).unwrap(), name);
            assert_eq!(script.header.sha256.len(), 64);
        }
    }

    #[test]
    fn a_misspelt_key_is_named_with_its_line_in_every_act() {
        for (name, text) in EXAMPLES {
            let text = text.replace("[details]", "[details]\ndayz = 7");
            let line = text.lines().position(|line| line == "dayz = 7").unwrap() + 1;
            let error = error(&text);
            assert!(error.contains(&format!("line {line}")) && error.contains("dayz"), "{name}: {error}");
        }
    }

    #[test]
    fn an_act_says_why_and_who() {
        let (_, text) = EXAMPLES[7];
        let why = text.lines().find(|line| line.starts_with("why")).unwrap();
        assert!(error(&text.replace(why, "why = \" \"")).contains("why"));
        let (before, after) = text.split_once("[[present]]").unwrap();
        let (_, details) = after.split_once("[details]").unwrap();
        assert!(error(&format!("{before}[details]{details}")).contains("present"));
        assert!(error(&format!("present = []\n{before}[details]{details}")).contains("nobody is present"));
        assert!(error("act = \"dance\"").contains("line 1"));
    }
}
