//! What an operator who writes a profile may rely on.

use super::*;

const DEVICE: &str = include_str!("../../../../ca-config/device.toml");
const GATE: &str = include_str!("../../../../ca-config/gate.toml");

#[test]
fn the_profiles_that_come_with_tegata_load() {
    let device = CertificateProfile::parse("ca-config/device.toml", DEVICE).unwrap();
    assert_eq!((device.role(), &device.keys[..]), (Role::Device, &[KeyType::P256][..]));
    assert_eq!(CertificateProfile::parse("ca-config/gate.toml", GATE).unwrap().role(), Role::Gate);
}

/// Every line that a shipped profile shows behind a `#` as `key = value` or `[[table]]`.
#[test]
fn the_choices_that_the_shipped_profiles_show_are_choices() {
    for (file, text) in [("device.toml", DEVICE), ("gate.toml", GATE)] {
        let is_choice = |line: &&str| line.contains(" = ") || line.starts_with("[[");
        let chosen: Vec<_> =
            text.lines().map(|line| line.strip_prefix("#: ").filter(is_choice).unwrap_or(line)).collect();
        assert!(
            chosen.iter().zip(text.lines()).any(|(chosen, written)| *chosen != written),
            "{file} shows some"
        );
        // What is shown beside a line that is there takes its place.
        let mut lines: Vec<&str> = Vec::new();
        for line in chosen {
            let key = |line: &str| line.split_once(" = ").map(|(key, _)| key.to_owned());
            match lines.iter().position(|known| key(line).is_some() && key(known) == key(line)) {
                Some(at) => lines[at] = line,
                None => lines.push(line),
            }
        }
        let profile = CertificateProfile::parse(file, &lines.join("\n"));
        let profile = profile.unwrap_or_else(|error| panic!("{error}\n{}", lines.join("\n")));
        assert!(!profile.policies().is_empty());
    }
}

const GOOD: &str = "role = \"device\"\nvalidity_days = 365\nbackdate_minutes = 5\nkeys = [\"p256\", \"rsa\"]\nrsa_bits = 2048\n\
     rsa_key_encipherment = true\n[subject]\ncommon_name = \"{label}\"\norganization = \"O\"\ncountry = \"JP\"\n[[policies]]\n\
     oid = \"2.999.1\"\ncps = \"https://a.jp\"\nnotice = \"n\"\n";

#[test]
fn every_choice_arrives() {
    let profile = CertificateProfile::parse("device.toml", GOOD).unwrap();
    assert_eq!((profile.rsa_bits, profile.country(), profile.organization()), (2048, Some("JP"), Some("O")));
    assert!(profile.key_encipherment(KeyType::Rsa) && !profile.key_encipherment(KeyType::P256));
    let [policy] = profile.policies() else { panic!("one policy") };
    assert_eq!((policy.oid(), policy.cps(), policy.notice()), ("2.999.1", Some("https://a.jp"), Some("n")));
}

#[test]
fn an_operator_is_told_the_file_the_line_and_the_reason_of_a_mistake() {
    let long = "長".repeat(65);
    let text = "字".repeat(201);
    let room = format!("{}{{label}}", "長".repeat(49));
    let id = format!("{}{{device}}", "長".repeat(39));
    for (from, to, line, reason) in [
        ("role", "rule", 1, "unknown field"),
        ("\"device\"", "\"person\"", 1, "person"),
        ("role = \"device\"\n", "", 1, "missing field `role`"),
        ("365", "0", 2, "1 to 1098"),
        ("365", "4000", 2, "1 to 1098"),
        ("365", "-1", 2, "invalid value"),
        ("= 5", "= 2000", 3, "0 to 1440"),
        ("365\nbackdate_minutes = 5", "1\nbackdate_minutes = 1440", 3, "4.1.2.5"),
        ("= 5", "= 5\nis_ca = true", 4, "unknown field"),
        ("= 5", "= 5\nbackdate_minutes = 6", 4, "duplicate key"),
        ("[\"p256\", \"rsa\"]", "[]", 4, "at least p256"),
        ("\"p256\", ", "\"md5\", ", 4, "md5"),
        ("\"p256\", ", "\"rsa\", ", 4, "twice"),
        ("2048", "1024", 5, "SP 800-131A"),
        ("2048", "8192", 5, "2048 to 4096"),
        ("2048", "2049", 5, "steps of 8"),
        (", \"rsa\"", "", 5, "add \"rsa\" to keys"),
        (", \"rsa\"]\nrsa_bits = 2048", "]", 5, "RFC 5480 section 3"),
        ("common_name = \"{label}\"\n", "", 7, "4.1.2.6"),
        ("{label}", "", 8, "same name"),
        ("{label}", "always", 8, "same name"),
        ("{label}", "{person}", 8, "{person} is not known"),
        ("{label}", "{label", 8, "without its }"),
        ("{label}", &room, 8, "ub-common-name"),
        ("{label}", &id, 8, "ub-common-name"),
        ("{label}\"", "{label}\"\nserial = \"1\"", 9, "unknown field"),
        ("\"O\"", "\"\"", 9, "ub-organization-name"),
        ("\"O\"", "\" O\"", 9, "ub-organization-name"),
        ("\"O\"", "\"O\\u202e\"", 9, "ub-organization-name"),
        ("\"O\"", &format!("\"{long}\""), 9, "ub-organization-name"),
        ("\"JP\"", "\"jp\"", 10, "ISO 3166"),
        ("\"JP\"", "\"JPN\"", 10, "ISO 3166"),
        ("2.999.1", "2.999.x", 12, "X.660"),
        ("2.999.1", "1.40", 12, "X.660"),
        ("2.999.1", "2.5.29.32.0", 12, "anyPolicy"),
        ("oid = \"2.999.1\"\n", "", 11, "missing field `oid`"),
        ("https://a.jp", "a.jp", 13, "CPSuri"),
        ("\"n\"", &format!("\"{text}\""), 14, "explicitText"),
        ("\"n\"", "\"\"", 14, "explicitText"),
        ("\"n\"", "\"a\\nb\"", 14, "control characters"),
        ("\"n\"\n", "\"n\"\n[[policies]]\noid = \"2.999.1\"\n", 16, "twice"),
    ] {
        let spoilt = GOOD.replacen(from, to, 1);
        assert_ne!(spoilt, GOOD, "{from} is there");
        let error = CertificateProfile::parse("device.toml", &spoilt).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("device.toml:{line}: ")) && error.contains(reason),
            "{to}: {error}"
        );
    }
}

#[test]
fn a_gate_has_no_site_to_be_named_by() {
    let gate = GOOD.replace("\"device\"", "\"gate\"");
    assert!(CertificateProfile::parse("gate.toml", &gate).is_ok());
    let error =
        CertificateProfile::parse("gate.toml", &gate.replace("{label}", "{site} {label}")).unwrap_err();
    assert!(error.to_string().starts_with("gate.toml:8: a gate has no site"), "{error}");
}

#[test]
fn nine_policies_are_too_many() {
    let eight_more =
        (2..10).fold(GOOD.to_owned(), |text, arc| text + &format!("[[policies]]\noid = \"2.999.{arc}\"\n"));
    let error = CertificateProfile::parse("device.toml", &eight_more).unwrap_err();
    assert!(error.to_string().contains("at most 8"), "{error}");
}

#[test]
fn pages_learn_the_kinds_of_keys_in_the_order_of_the_profile() {
    let kinds = |keys: &str| {
        let text = DEVICE.replace("keys = [\"p256\"]", keys);
        CertificateProfile::parse("device.toml", &text).unwrap().key_kinds()
    };
    assert_eq!(kinds("keys = [\"p256\", \"rsa\"]\nrsa_bits = 2048"), ["P-256", "RSA-2048"]);
    assert_eq!(kinds("keys = [\"rsa\", \"p384\"]\nrsa_bits = 2560"), ["RSA-3072", "P-384"]);
}
