//! Templates: those of this program, and in their place those that an installation or one of its tenants has written.
//!
//! A file `renewal.ja.html` in the folder of templates replaces the one here, and one in a folder below it that is named by a
//! tenant's identifier replaces both for that tenant. In HTML everything is escaped. A template of somebody's own that fails costs
//! its looks and no mail: the one here is taken, and the fault is told.

use crate::message::MailText;
use minijinja::{Environment, ErrorKind, UndefinedBehavior};
use serde::Serialize;
use std::path::{Path, PathBuf};
use tegata_core::{Language, TenantId};

/// The longest file that is taken as a template.
const LONGEST: u64 = 256 * 1024;

/// Steps that rendering one template may take: many times what these here need.
const FUEL: u64 = 2_000_000;

/// The longest subject: what programs show in one line, and more than they do.
const LONGEST_SUBJECT: usize = 150;

/// What a mail is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MailTemplate {
    /// Certificates that end: a [`RenewalView`](crate::RenewalView).
    Renewal,
    /// The day's work: a [`DigestView`](crate::DigestView).
    Digest,
}

/// Those of an installation.
#[derive(Clone, Debug, Default)]
pub struct MailTemplates {
    folder: Option<PathBuf>,
}

/// A template of somebody's own that could not be used.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct TemplateFault(String);

const OWN: &[(&str, &str)] = &[
    ("layout.html", include_str!("../templates/layout.html")),
    ("renewal.ja.txt", include_str!("../templates/renewal.ja.txt")),
    ("renewal.ja.html", include_str!("../templates/renewal.ja.html")),
    ("renewal.en.txt", include_str!("../templates/renewal.en.txt")),
    ("renewal.en.html", include_str!("../templates/renewal.en.html")),
    ("digest.ja.txt", include_str!("../templates/digest.ja.txt")),
    ("digest.ja.html", include_str!("../templates/digest.ja.html")),
    ("digest.en.txt", include_str!("../templates/digest.en.txt")),
    ("digest.en.html", include_str!("../templates/digest.en.html")),
];

impl MailTemplate {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Renewal => "renewal",
            Self::Digest => "digest",
        }
    }
}

impl MailTemplates {
    /// With those of a folder before those of the program.
    pub fn new(folder: Option<PathBuf>) -> Self {
        Self { folder }
    }

    /// What a mail says. Where a template of a tenant's or an installation's own fails, it says it as this program does.
    ///
    /// # Panics
    /// Never: those of the program are tried by its tests.
    pub fn render(
        &self,
        template: MailTemplate,
        tenant: Option<&TenantId>,
        language: Language,
        view: &impl Serialize,
    ) -> MailText {
        match self.try_render(template, tenant, language, view) {
            Ok(text) => text,
            Err(fault) => {
                tracing::warn!(%fault, "a template of mails cannot be used, and that of the program is");
                let own = Self::default().try_render(template, None, language, view);
                own.unwrap_or_else(|fault| MailText {
                    subject: "Tegata".into(),
                    plain: fault.to_string(),
                    html: String::new(),
                })
            }
        }
    }

    /// What a mail says, or whatever is wrong with a template.
    ///
    /// # Errors
    /// [`TemplateFault`] names the template, the line and the fault.
    pub fn try_render(
        &self,
        template: MailTemplate,
        tenant: Option<&TenantId>,
        language: Language,
        view: &impl Serialize,
    ) -> Result<MailText, TemplateFault> {
        let environment = self.environment(tenant);
        let part = |kind: &str| {
            let name = format!("{}.{}.{kind}", template.as_str(), language.tag());
            let render = || environment.get_template(&name)?.render(view);
            render().map_err(|error| TemplateFault(format!("{name}: {error:#}")))
        };
        let (html, text) = (part("html")?, part("txt")?);
        let (head, plain) = text.trim_start().split_once('\n').unwrap_or((text.trim(), ""));
        let subject = head.strip_prefix("Subject:").map(one_line).filter(|subject| !subject.is_empty());
        let subject = subject.ok_or_else(|| {
            let (name, tag) = (template.as_str(), language.tag());
            TemplateFault(format!("{name}.{tag}.txt: its first line must be `Subject: …`"))
        })?;
        Ok(MailText { subject, plain: plain.trim_start().to_owned(), html })
    }

    fn environment(&self, tenant: Option<&TenantId>) -> Environment<'static> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_trim_blocks(true);
        environment.set_lstrip_blocks(true);
        environment.set_fuel(Some(FUEL));
        let mut folders = Vec::new();
        if let Some(folder) = &self.folder {
            folders.extend(tenant.map(|tenant| folder.join(tenant.as_str())));
            folders.push(folder.clone());
        }
        environment.set_loader(move |name| load(&folders, name));
        environment
    }
}

fn load(folders: &[PathBuf], name: &str) -> Result<Option<String>, minijinja::Error> {
    // A template names another by its name alone, and no file beyond its folder.
    let is_name = !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
        && !name.starts_with('.');
    if !is_name {
        return Ok(None);
    }
    for folder in folders {
        let file = folder.join(name);
        match read(&file) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                let fault = format!("{}: {error}", file.display());
                return Err(minijinja::Error::new(ErrorKind::InvalidOperation, fault));
            }
            Ok(text) => return Ok(Some(text)),
        }
    }
    Ok(OWN.iter().find(|(own, _)| *own == name).map(|(_, text)| (*text).to_owned()))
}

fn read(file: &Path) -> std::io::Result<String> {
    if std::fs::metadata(file)?.len() > LONGEST {
        return Err(std::io::Error::other("a template has at most 256 KiB"));
    }
    std::fs::read_to_string(file)
}

fn one_line(text: &str) -> String {
    let words = text.split(char::is_whitespace).filter(|word| !word.is_empty());
    let line = words.collect::<Vec<_>>().join(" ");
    line.chars().filter(|letter| !letter.is_control()).take(LONGEST_SUBJECT).collect()
}

#[cfg(test)]
#[path = "templates/tests.rs"]
mod tests;
