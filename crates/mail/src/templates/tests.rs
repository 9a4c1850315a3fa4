use super::*;
use crate::views::{
    ContactView, DigestGroup, DigestItem, DigestView, PlaceCount, RenewalLine, RenewalState, RenewalView,
};
use tegata_core::entropy::Seeded;

fn line(label: &str, days: u64, state: RenewalState) -> RenewalLine {
    RenewalLine {
        tenant: "あおば薬局グループ".into(),
        site: "駅前店".into(),
        label: label.into(),
        number: "4f7k2m9q".into(),
        ends: "2027年1月3日".into(),
        days,
        asked: "2026年12月7日".into(),
        state,
        program: false,
    }
}

fn renewals() -> RenewalView {
    RenewalView {
        sender: "てがたくん".into(),
        tenant: Some("あおば薬局グループ".into()),
        day: "2026年12月4日".into(),
        devices: vec![
            line("受付PC", 0, RenewalState::Over),
            line("<b>調剤室</b> & iPad", 7, RenewalState::Due),
            line("投薬口", 30, RenewalState::Later),
            RenewalLine { program: true, ..line("gate-1", 7, RenewalState::Due) },
        ],
        total: 7,
        more: 3,
        more_places: vec![PlaceCount {
            tenant: "あおば薬局グループ".into(),
            site: "本町店".into(),
            count: 2,
        }],
        elsewhere: 1,
        over: 1,
        due: 2,
        by_page: 1,
        by_program: 1,
        console: "https://device.example.jp/console".into(),
        page: "https://device.example.jp/".into(),
        contact: Some(ContactView {
            name: "本部".into(),
            phone: "03-1234-5678".into(),
            tel: "0312345678".into(),
        }),
    }
}

fn digest(has_work: bool) -> DigestView {
    let item =
        DigestItem { code: "approvals", count: 3, text: "承認を待つ端末が 3 台あります".into() };
    let groups = vec![DigestGroup { title: "判断を待っているもの".into(), items: vec![item] }];
    DigestView {
        sender: "てがたくん".into(),
        tenant: Some("あおば薬局グループ".into()),
        site: Some("駅前店".into()),
        day: "2026年12月4日".into(),
        has_work,
        groups: if has_work { groups } else { Vec::new() },
        console: "https://device.example.jp/console".into(),
    }
}

#[test]
fn every_mail_of_the_program_says_what_there_is_in_both_languages() {
    let own = MailTemplates::default();
    for language in [Language::Ja, Language::En] {
        let mail = own.try_render(MailTemplate::Renewal, None, language, &renewals()).unwrap();
        for text in [&mail.plain, &mail.html.replace("&#x2f;", "/")] {
            for wanted in [
                "受付PC",
                "投薬口",
                "4f7k2m9q",
                "tegata renew",
                "本町店",
                "https://device.example.jp/",
                "03-1234-5678",
                "2027年1月3日",
            ] {
                assert!(text.contains(wanted), "{wanted} in {text}");
            }
        }
        assert!(mail.plain.contains("<b>調剤室</b> & iPad"), "{}", mail.plain);
        assert!(
            mail.html.contains("&lt;b&gt;調剤室&lt;") && !mail.html.contains("<b>調剤室"),
            "{}",
            mail.html
        );
        for has_work in [true, false] {
            let mail = own.try_render(MailTemplate::Digest, None, language, &digest(has_work)).unwrap();
            let verdict = match (language, has_work) {
                (Language::Ja, true) => "今日は運用対応があります",
                (Language::Ja, false) => "今日は運用対応はありません",
                (Language::En, true) => "There is work for you today",
                (Language::En, false) => "Nothing to do today",
            };
            for text in [&mail.subject, &mail.plain, &mail.html] {
                assert!(text.contains(verdict), "{verdict} in {text}");
                assert!(text.contains("駅前店"), "whose work it is: {text}");
            }
            assert_eq!(mail.plain.contains("3 台"), has_work);
        }
    }
}

#[test]
fn a_tenants_own_template_goes_before_and_is_escaped_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let entropy = Seeded::new(1);
    let (tenant, other) = (TenantId::random(&entropy), TenantId::random(&entropy));
    let write = |name: &str, text: &str| {
        let file = folder.path().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    };
    let templates = MailTemplates::new(Some(folder.path().to_owned()));
    let render = |tenant| templates.try_render(MailTemplate::Renewal, tenant, Language::Ja, &renewals());
    write("renewal.ja.html", "全店 {{ devices[1].label }}");
    write(&format!("{tenant}/renewal.ja.html"), "あおば {{ devices[1].label }}");
    assert_eq!(render(Some(&tenant)).unwrap().html, "あおば &lt;b&gt;調剤室&lt;&#x2f;b&gt; &amp; iPad");
    assert!(render(Some(&other)).unwrap().html.starts_with("全店"));
    write("renewal.ja.txt", "Subject: 更新\n\tX: {{ total }}\n本文");
    let mail = render(Some(&tenant)).unwrap();
    assert_eq!((mail.subject.as_str(), mail.plain.as_str()), ("更新", "X: 7\n本文"));
}

#[test]
fn a_template_that_fails_costs_its_looks_and_no_mail() {
    let folder = tempfile::tempdir().unwrap();
    let templates = MailTemplates::new(Some(folder.path().to_owned()));
    let own = MailTemplates::default().render(MailTemplate::Renewal, None, Language::Ja, &renewals());
    for wrong in [
        "{{ nothing.like.this }}",
        "{% for x in devices %}",
        "{% include \"../../../etc/passwd\" %}",
        "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}",
    ] {
        std::fs::write(folder.path().join("renewal.ja.html"), wrong).unwrap();
        assert!(
            templates.try_render(MailTemplate::Renewal, None, Language::Ja, &renewals()).is_err(),
            "{wrong}"
        );
        assert_eq!(templates.render(MailTemplate::Renewal, None, Language::Ja, &renewals()), own, "{wrong}");
    }
    std::fs::write(folder.path().join("renewal.ja.html"), "x").unwrap();
    std::fs::write(folder.path().join("renewal.ja.txt"), "no subject\n").unwrap();
    let fault = templates.try_render(MailTemplate::Renewal, None, Language::Ja, &renewals()).unwrap_err();
    assert!(fault.to_string().contains("Subject"), "{fault}");
}
