//! The subject of a certificate: what a person sees in the browser's list of certificates. It helps to
//! choose the right one and says nothing about who the person is.

use tegata_core::{DeviceId, Installation, Role};

/// The longest common name (RFC 5280 appendix A.1, ub-common-name) and organization, in characters.
pub(crate) const LONGEST: usize = 64;

/// Fewer characters of a typed name would not tell one terminal from another.
const LEAST_ROOM: usize = 16;

/// The length of a [`DeviceId`], in characters.
const DEVICE_LENGTH: usize = 26;

/// Who a certificate is for. The names come from the tenant; they are display text, not identity:
/// identity is the URI in the SAN.
#[derive(Clone, Copy, Debug)]
pub struct CertificateSubject<'a> {
    /// The installation that knows the device.
    pub installation: &'a Installation,
    /// A device, or a gate.
    pub role: Role,
    /// The device that the subject identifies.
    pub device: &'a DeviceId,
    /// The display name of its site; empty for a gate.
    pub site: &'a str,
    /// The label the tenant gave it.
    pub label: &'a str,
}

impl CertificateSubject<'_> {
    /// The identity in the certificate: `https://{installation}/{device|gate}/{id}`.
    pub fn uri(&self) -> String {
        uri(self.installation, self.role, self.device)
    }
}

pub(crate) fn uri(installation: &Installation, role: Role, device: &DeviceId) -> String {
    format!("https://{}/{role}/{device}", installation.as_str())
}

/// How a common name is made, such as `{site} {label}`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommonNameTemplate(Vec<TemplatePart>);

#[derive(Clone, PartialEq, Eq, Debug)]
enum TemplatePart {
    Text(String),
    Site,
    Label,
    Device,
}

impl CommonNameTemplate {
    /// From its text with `{site}`, `{label}` and `{device}` in it; a gate has no `{site}`.
    ///
    /// # Errors
    /// Says what is wrong with the text.
    pub fn parse(text: &str, role: Role) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after
                .split_once('}')
                .ok_or("a { without its }: placeholders are {site}, {label} and {device}")?;
            push_text(&mut parts, before)?;
            parts.push(match name {
                "site" => TemplatePart::Site,
                "label" => TemplatePart::Label,
                "device" => TemplatePart::Device,
                other => {
                    return Err(format!("{{{other}}} is not known: use {{site}}, {{label}} or {{device}}"));
                }
            });
            rest = after;
        }
        push_text(&mut parts, rest)?;
        if parts.iter().all(|part| matches!(part, TemplatePart::Text(_))) {
            return Err("every certificate would have the same name: use {site}, {label} or {device}".into());
        }
        if role == Role::Gate && parts.contains(&TemplatePart::Site) {
            return Err("a gate has no site, so {site} would always be empty: use {label} or {device}".into());
        }
        let template = Self(parts);
        if template.least_length() > LONGEST {
            return Err(format!(
                "the fixed text leaves less than {LEAST_ROOM} of {LONGEST} characters for a name, or {{device}} would be \
                 cut: shorten it (RFC 5280 appendix A.1, ub-common-name)"
            ));
        }
        Ok(template)
    }

    /// What a name takes at least, with [`LEAST_ROOM`] for the names that are typed.
    fn least_length(&self) -> usize {
        let is_typed = self.0.iter().any(|part| matches!(part, TemplatePart::Site | TemplatePart::Label));
        self.0.iter().map(TemplatePart::fixed_length).sum::<usize>() + if is_typed { LEAST_ROOM } else { 0 }
    }

    /// The common name: at most 64 characters, none of them invisible; the device's identifier when nothing else is
    /// left. Long names are cut evenly, so that a long site does not push the label out.
    pub fn render(&self, holder: &CertificateSubject<'_>) -> String {
        let mut typed: Vec<String> =
            self.0.iter().filter_map(|part| part.typed(holder)).map(displayable).collect();
        let fixed: usize = self.0.iter().map(TemplatePart::fixed_length).sum();
        cut_evenly(&mut typed, LONGEST.saturating_sub(fixed));
        let mut typed = typed.into_iter();
        let mut name = String::new();
        for part in &self.0 {
            match part {
                TemplatePart::Text(text) => name.push_str(text),
                TemplatePart::Device => name.push_str(holder.device.as_str()),
                TemplatePart::Site | TemplatePart::Label => name.extend(typed.next()),
            }
        }
        let name = displayable(&name);
        if name.is_empty() { holder.device.to_string() } else { name }
    }
}

impl TemplatePart {
    fn fixed_length(&self) -> usize {
        match self {
            Self::Text(text) => text.chars().count(),
            Self::Device => DEVICE_LENGTH,
            Self::Site | Self::Label => 0,
        }
    }

    fn typed<'a>(&self, holder: &CertificateSubject<'a>) -> Option<&'a str> {
        match self {
            Self::Site => Some(holder.site),
            Self::Label => Some(holder.label),
            Self::Text(_) | Self::Device => None,
        }
    }
}

/// Makes `names` fit into `room` characters together. What a short one leaves, a long one may use.
fn cut_evenly(names: &mut [String], mut room: usize) {
    let mut shortest_first: Vec<&mut String> = names.iter_mut().collect();
    shortest_first.sort_by_key(|name| name.chars().count());
    let mut waiting = shortest_first.len();
    for name in shortest_first {
        *name = name.chars().take(room / waiting).collect();
        room -= name.chars().count();
        waiting -= 1;
    }
}

fn push_text(parts: &mut Vec<TemplatePart>, text: &str) -> Result<(), String> {
    if text.chars().any(is_invisible) || text.contains('}') {
        return Err("the text holds a control character or a } without its {".into());
    }
    if !text.is_empty() {
        parts.push(TemplatePart::Text(text.to_owned()));
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
pub(crate) use tegata_core::name::hides as is_invisible;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tegata_core::entropy::Seeded;

    fn render(template: &str, site: &str, label: &str) -> String {
        let installation = Installation::parse("tegata.example.jp").unwrap();
        let device = DeviceId::random(&Seeded::new(1));
        let holder = CertificateSubject {
            installation: &installation,
            role: Role::Device,
            device: &device,
            site,
            label,
        };
        CommonNameTemplate::parse(template, Role::Device).unwrap().render(&holder)
    }

    #[test]
    fn staff_recognize_their_terminal_by_site_and_label() {
        assert_eq!(render("{site} {label}", "本店", "受付PC"), "本店 受付PC");
        assert_eq!(render("{site} {label}", "", "edge"), "edge");
        assert_eq!(render("{site}", " \t", ""), DeviceId::random(&Seeded::new(1)).to_string());
    }

    #[test]
    fn a_long_name_does_not_push_the_others_out() {
        let (long, longer) = ("長".repeat(40), "名".repeat(90));
        assert_eq!(render("{site} {label}", &longer, "受付PC"), format!("{} 受付PC", "名".repeat(59)));
        assert_eq!(
            render("{site} {label}", &longer, &long),
            format!("{} {}", "名".repeat(32), "長".repeat(31))
        );
        let device = DeviceId::random(&Seeded::new(1)).to_string();
        assert!(render("{site} {label} {device}", &longer, &long).ends_with(&device));
        assert_eq!(device.chars().count(), DEVICE_LENGTH);
    }

    #[test]
    fn a_name_that_turns_itself_around_is_straightened() {
        assert_eq!(render("{label}", "", "PC\u{202e}drowssap\u{0}\n1"), "PC drowssap 1");
    }

    #[test]
    fn a_template_with_a_mistake_is_refused() {
        for wrong in ["", "always the same", "{person}", "{site", "site}", "{site}\u{7}"] {
            assert!(CommonNameTemplate::parse(wrong, Role::Device).is_err(), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_a_tenant_types_fits_a_certificate(site in ".{0,80}", label in ".{0,80}") {
            for template in ["{site} {label}", "{label}", "端末 {label}/{site} {device}", "{site}{site}{label}"] {
                let name = render(template, &site, &label);
                prop_assert!((1..=LONGEST).contains(&name.chars().count()));
                prop_assert!(!name.chars().any(is_invisible));
                prop_assert_eq!(name.trim(), &name);
            }
        }
    }
}
