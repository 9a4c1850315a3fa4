//! The subject of a certificate: what a person sees in the browser's list of certificates. It helps to
//! choose the right one and says nothing about who the person is.

use std::fmt::Write;
use tegata_core::{DeviceId, Installation, Role};

/// The longest common name (RFC 5280 appendix A.1, ub-common-name) and organisation, in characters.
pub(crate) const LONGEST: usize = 64;

/// Who a certificate is for. The names come from the tenant; they are display text, not identity:
/// identity is the URI in the SAN.
#[derive(Clone, Copy, Debug)]
pub struct Holder<'a> {
    /// The installation that knows the device.
    pub installation: &'a Installation,
    /// A device, or a gate.
    pub role: Role,
    /// Which one.
    pub device: &'a DeviceId,
    /// The display name of its site; empty for a gate.
    pub site: &'a str,
    /// The label the tenant gave it.
    pub label: &'a str,
}

impl Holder<'_> {
    /// The identity in the certificate: `https://{installation}/{device|gate}/{id}`.
    pub fn uri(&self) -> String {
        format!("https://{}/{}/{}", self.installation.as_str(), self.role, self.device)
    }
}

/// How a common name is made, such as `{site} {label}`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Template(Vec<Part>);

#[derive(Clone, PartialEq, Eq, Debug)]
enum Part {
    Text(String),
    Site,
    Label,
    Device,
}

impl Template {
    /// From its text with `{site}`, `{label}` and `{device}` in it.
    ///
    /// # Errors
    /// Says what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after
                .split_once('}')
                .ok_or("a { without its }: placeholders are {site}, {label} and {device}")?;
            push_text(&mut parts, before)?;
            parts.push(match name {
                "site" => Part::Site,
                "label" => Part::Label,
                "device" => Part::Device,
                other => {
                    return Err(format!("{{{other}}} is not known: use {{site}}, {{label}} or {{device}}"));
                }
            });
            rest = after;
        }
        push_text(&mut parts, rest)?;
        if parts.iter().all(|part| matches!(part, Part::Text(_))) {
            return Err("every certificate would have the same name: use {site}, {label} or {device}".into());
        }
        Ok(Self(parts))
    }

    /// The common name: at most 64 characters, none of them invisible; the device's identifier when
    /// nothing else is left.
    pub fn render(&self, holder: &Holder<'_>) -> String {
        let mut name = String::new();
        for part in &self.0 {
            let _ = match part {
                Part::Text(text) => name.write_str(text),
                Part::Site => name.write_str(holder.site),
                Part::Label => name.write_str(holder.label),
                Part::Device => name.write_str(holder.device.as_str()),
            };
        }
        let name = displayable(&name);
        if name.is_empty() { holder.device.to_string() } else { name }
    }
}

fn push_text(parts: &mut Vec<Part>, text: &str) -> Result<(), String> {
    if text.chars().any(is_invisible) || text.contains('}') {
        return Err("the text holds a control character or a } without its {".into());
    }
    if !text.is_empty() {
        parts.push(Part::Text(text.to_owned()));
    }
    Ok(())
}

/// One line without anything that is not seen, cut to [`LONGEST`] characters.
fn displayable(text: &str) -> String {
    let visible: String = text.chars().map(|c| if is_invisible(c) { ' ' } else { c }).collect();
    let single = visible.split_whitespace().collect::<Vec<_>>().join(" ");
    single.chars().take(LONGEST).collect::<String>().trim_end().to_owned()
}

/// Control characters, and those that hide or turn around the text next to them: a name must look like
/// what it is.
pub(crate) fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tegata_core::entropy::Seeded;

    fn render(template: &str, site: &str, label: &str) -> String {
        let installation = Installation::parse("tegata.example.jp").unwrap();
        let device = DeviceId::random(&Seeded::new(1));
        let holder = Holder { installation: &installation, role: Role::Device, device: &device, site, label };
        Template::parse(template).unwrap().render(&holder)
    }

    #[test]
    fn staff_recognise_their_terminal_by_site_and_label() {
        assert_eq!(render("{site} {label}", "本店", "受付PC"), "本店 受付PC");
        assert_eq!(render("{site} {label}", "", "edge"), "edge");
        assert_eq!(render("{site}", " \t", ""), DeviceId::random(&Seeded::new(1)).to_string());
    }

    #[test]
    fn a_name_that_turns_itself_around_is_straightened() {
        assert_eq!(render("{label}", "", "PC\u{202e}drowssap\u{0}\n1"), "PC drowssap 1");
    }

    #[test]
    fn a_template_with_a_mistake_is_refused() {
        for wrong in ["", "always the same", "{person}", "{site", "site}", "{site}\u{7}"] {
            assert!(Template::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_a_tenant_types_fits_a_certificate(site in ".{0,80}", label in ".{0,80}") {
            let name = render("{site} {label}", &site, &label);
            prop_assert!((1..=LONGEST).contains(&name.chars().count()));
            prop_assert!(!name.chars().any(is_invisible));
            prop_assert_eq!(name.trim(), &name);
        }
    }
}
