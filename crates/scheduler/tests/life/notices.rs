//! Who is responsible for devices hears of it by mail: once, in time, and somebody else when the mail does not arrive.

use std::sync::Arc;
use std::time::Duration;
use tegata_ca::IssuedCertificate;
use tegata_core::renewal::RenewalPolicy;
use tegata_core::{Language, MailAddress, Name, NoticeLevel, RecipientId, SiteId, TenantId, Timestamp};
use tegata_mail::{MailTemplates, MailTransport, Maildir};
use tegata_scheduler::{
    BouncePass, Digest, DigestPass, DigestScope, MailPass, MailRound, MailWriter, NoticePass,
};
use tegata_storage::{Actor, Mail, MailKind, MailOutcome, MailState, NoticeRecipient};
use tegata_testkit::ca::{CaFixture, DAY, NOW};
use tegata_testkit::{Everything, TestPlace};

const OPERATOR: Actor = Actor::System("test");
const HOUR: Duration = Duration::from_hours(1);

tegata_testkit::on_both_engines!(
    everybody_hears_once_at_each_step_and_those_above_when_nobody_acts,
    many_devices_are_one_mail_and_renewed_ones_are_none,
    who_is_away_or_cannot_be_reached_is_replaced_by_those_above,
    a_mail_goes_out_once_whatever_happens_between,
    a_report_of_mail_that_came_back_has_others_told,
    the_days_work_is_told_once_a_day_at_the_chosen_hour,
    one_address_gets_one_mail_for_all_that_it_is_named_for,
);

/// An installation whose recipients read their mail.
struct Told {
    fixture: CaFixture,
    tenant: TenantId,
    site: SiteId,
    writer: Arc<MailWriter>,
}

impl Told {
    async fn new(place: TestPlace) -> Self {
        let fixture = CaFixture::found(place).await;
        let tenant = fixture.ledger.everything().tenants().await.unwrap().remove(0).id;
        let site = fixture.ledger.everything().sites(&tenant).await.unwrap().remove(0).id;
        let writer = Arc::new(MailWriter {
            templates: MailTemplates::default(),
            sender_name: "てがたくん".into(),
            device_page: "https://device.example.jp/".into(),
            console: "https://device.example.jp/console".into(),
            contact: None,
        });
        Self { fixture, tenant, site, writer }
    }

    async fn tell(&self, level: NoticeLevel, address: &str, digest_hour: Option<u8>) -> RecipientId {
        let id = RecipientId::random(&*self.fixture.entropy);
        let new = NoticeRecipient {
            id: id.clone(),
            tenant: (level < NoticeLevel::Support).then(|| self.tenant.clone()),
            site: (level == NoticeLevel::Site).then(|| self.site.clone()),
            person: None,
            level,
            address: MailAddress::parse(address).unwrap(),
            language: Language::Ja,
            notice_hour: 9,
            digest_hour,
            noticed_day: None,
            digest_day: None,
            paused_until: None,
            bounced_at: None,
            bounce: None,
        };
        let mut transaction = self.fixture.ledger.begin(NOW).await.unwrap();
        transaction.add_notice_recipient(&new, &OPERATOR).await.unwrap();
        transaction.commit().await.unwrap();
        let mut transaction = self.fixture.ledger.begin(NOW).await.unwrap();
        let again = NoticeRecipient { id: RecipientId::random(&*self.fixture.entropy), ..new };
        assert!(transaction.add_notice_recipient(&again, &OPERATOR).await.is_err(), "nobody is told twice");
        id
    }

    async fn enroll(&self) -> IssuedCertificate {
        let certificate = self.fixture.enroll(NOW).await;
        self.fixture.present(&certificate, RenewalPolicy::default().retire_at(NOW), NOW).await;
        certificate
    }

    fn notices(&self) -> NoticePass {
        let (ledger, entropy) = (self.fixture.ledger.clone(), self.fixture.entropy.clone());
        NoticePass::new(ledger, RenewalPolicy::default(), entropy, self.writer.clone())
    }

    fn digests(&self) -> DigestPass {
        DigestPass::new(self.fixture.ledger.clone(), self.fixture.entropy.clone(), self.writer.clone())
    }

    fn mailer(&self) -> MailPass {
        let transport = Arc::new(MailTransport::Folder(Maildir::new(self.mail_folder())));
        let from = MailAddress::parse("tegata@example.jp").unwrap();
        MailPass::new(self.fixture.ledger.clone(), transport, from, "tegata.example.jp".into())
    }

    fn mail_folder(&self) -> std::path::PathBuf {
        self.fixture.place.file("mail")
    }

    /// Three servers have their turn at once, and then one of them again.
    async fn turn(&self, now: Timestamp) {
        let passes = [self.notices(), self.notices(), self.notices()];
        let [first, second, third] = &passes;
        let (first_round, second_round, third_round) =
            tokio::join!(Box::pin(first.round(now)), Box::pin(second.round(now)), Box::pin(third.round(now)));
        for round in [first_round, second_round, third_round] {
            round.unwrap();
        }
        assert_eq!(Box::pin(first.round(now)).await.unwrap().mails, 0, "all is told");
    }

    async fn mails(&self) -> Vec<Mail> {
        let mut mails = self.fixture.ledger.mails(None, 1000).await.unwrap();
        mails.reverse();
        mails
    }

    async fn mails_to(&self, recipient: &RecipientId) -> Vec<Mail> {
        self.mails().await.into_iter().filter(|mail| mail.recipient == *recipient).collect()
    }

    async fn note(&self, mail: &Mail, outcome: &MailOutcome, now: Timestamp) {
        let mut transaction = self.fixture.ledger.begin(now).await.unwrap();
        transaction.note_mail(&mail.id, outcome).await.unwrap();
        transaction.commit().await.unwrap();
    }
}

/// Half past nine in Japan, so many days of the calendar before the day of the end.
fn morning(end: Timestamp, days_left: u32) -> Timestamp {
    let midnight = Timestamp::from_seconds((end.seconds() + 9 * 3600).div_euclid(86_400) * 86_400 - 9 * 3600);
    midnight.minus(DAY * days_left).plus(HOUR * 9).plus(HOUR / 2)
}

async fn everybody_hears_once_at_each_step_and_those_above_when_nobody_acts(place: TestPlace) {
    let told = Told::new(place).await;
    let site = told.tell(NoticeLevel::Site, "site@example.jp", None).await;
    let head_office = told.tell(NoticeLevel::HeadOffice, "office@example.jp", None).await;
    let support = told.tell(NoticeLevel::Support, "support@example.jp", None).await;
    let end = told.enroll().await.not_after;
    for days_left in (1..64).rev() {
        told.turn(morning(end, days_left)).await;
    }
    assert_eq!(told.mails_to(&support).await.len(), 1, "a whole day before the end");
    let after = morning(end, 0).plus(DAY * 3);
    told.turn(after).await;
    assert_eq!(told.mails_to(&site).await.len(), 6, "60, 30, 14, 7 days, the last day, and afterwards");
    assert_eq!(told.mails_to(&head_office).await.len(), 3, "a week before, the last day, and afterwards");
    let to_support = told.mails_to(&support).await;
    assert_eq!(to_support.len(), 2);
    assert!(to_support[1].subject.contains("使えなくなった端末が 1 台"), "{}", to_support[1].subject);
    let site_mails = told.mails_to(&site).await;
    assert!(site_mails[0].plain.contains("から更新できます"), "{}", site_mails[0].plain);
    assert!(site_mails[1].plain.contains("いま更新できます"), "{}", site_mails[1].plain);
    assert!(site_mails[1].plain.contains("https://device.example.jp/"));
    // Months later the mails are forgotten, and who still is without a certificate is told of anew.
    for mail in told.mails().await {
        told.note(&mail, &MailOutcome::Sent, after).await;
    }
    let mut transaction = told.fixture.ledger.begin(after.plus(DAY * 101)).await.unwrap();
    assert!(transaction.forget_mails(after.plus(DAY)).await.unwrap() > 0);
    transaction.commit().await.unwrap();
    told.turn(after.plus(DAY * 101)).await;
    assert_eq!(told.mails_to(&support).await.len(), 1);
}

async fn many_devices_are_one_mail_and_renewed_ones_are_none(place: TestPlace) {
    let told = Told::new(place).await;
    let site = told.tell(NoticeLevel::Site, "site@example.jp", None).await;
    let mut certificates = Vec::new();
    for _ in 0..5 {
        certificates.push(told.enroll().await);
    }
    let end = certificates[0].not_after;
    let early = morning(end, 30).minus(HOUR);
    told.turn(early).await;
    assert!(told.mails().await.is_empty(), "before nine o'clock nobody is told");
    let mut transaction = told.fixture.ledger.begin(NOW).await.unwrap();
    let name = Name::parse("あおば便り", 40).unwrap();
    transaction.set_sender_name(&told.tenant, Some(&name), &OPERATOR).await.unwrap();
    transaction.commit().await.unwrap();
    let renewed = told.fixture.renew(&certificates[0], early).await.unwrap();
    told.fixture.present(&renewed, RenewalPolicy::default().retire_at(early), early).await;
    told.turn(morning(end, 30)).await;
    let mails = told.mails_to(&site).await;
    assert_eq!(mails.len(), 1, "one mail for all of them");
    assert!(
        mails[0].plain.contains("4 台") && mails[0].plain.contains("あおば便りです"),
        "{}",
        mails[0].plain
    );
    assert_eq!(mails[0].sender_name, "あおば便り");
}

async fn who_is_away_or_cannot_be_reached_is_replaced_by_those_above(place: TestPlace) {
    let told = Told::new(place).await;
    let site = told.tell(NoticeLevel::Site, "site@example.jp", None).await;
    let head_office = told.tell(NoticeLevel::HeadOffice, "office@example.jp", None).await;
    let support = told.tell(NoticeLevel::Support, "support@example.jp", None).await;
    let end = told.enroll().await.not_after;
    let (day_60, day_30, day_14) = (morning(end, 60), morning(end, 30), morning(end, 14));
    let mut transaction = told.fixture.ledger.begin(day_60).await.unwrap();
    transaction.pause_notice_recipient(&site, Some(day_30), "休み", &OPERATOR).await.unwrap();
    transaction.commit().await.unwrap();
    told.turn(day_60).await;
    assert!(told.mails_to(&site).await.is_empty());
    assert_eq!(told.mails_to(&head_office).await.len(), 1, "in the place of who is away");
    told.turn(day_30).await;
    let to_site = told.mails_to(&site).await;
    assert_eq!((to_site.len(), told.mails_to(&head_office).await.len()), (1, 1), "back again");
    // It comes back: the head office is told on the same morning, of what the site did not hear.
    told.note(&to_site[0], &MailOutcome::Bounced("550 5.1.1".into()), day_30).await;
    told.note(&to_site[0], &MailOutcome::Bounced("550 5.1.1".into()), day_30).await;
    told.turn(day_30.plus(HOUR)).await;
    assert_eq!(told.mails_to(&head_office).await.len(), 2);
    assert_eq!(told.mails_to(&site).await.len(), 1, "nobody writes there any more");
    let recipients = told.fixture.ledger.notice_recipients().await.unwrap();
    let bounced = recipients.iter().find(|one| one.id == site).unwrap();
    assert_eq!((bounced.bounced_at, bounced.bounce.as_deref()), (Some(day_30), Some("550 5.1.1")));
    let digest = Digest::read(&told.fixture.ledger, &DigestScope::Tenant(told.tenant.clone()), day_30).await;
    assert_eq!(digest.unwrap().bounced, 1, "and the day's work names it");
    // Nobody of the tenant is left: support hears at once.
    let to_office = told.mails_to(&head_office).await;
    told.note(&to_office[1], &MailOutcome::Bounced("550".into()), day_30.plus(HOUR)).await;
    told.turn(day_30.plus(HOUR * 2)).await;
    assert_eq!(told.mails_to(&support).await.len(), 1);
    // The mailbox is mended.
    let mut transaction = told.fixture.ledger.begin(day_14).await.unwrap();
    transaction.pause_notice_recipient(&site, None, "", &OPERATOR).await.unwrap();
    transaction.commit().await.unwrap();
    told.turn(day_14).await;
    let to_site = told.mails_to(&site).await;
    assert_eq!(to_site.len(), 2);
    // A mailbox that takes nothing while others do counts as gone; where nobody's does, it is the mail server.
    told.note(&to_site[1], &MailOutcome::GivenUp("552".into()), day_14).await;
    let states = async || {
        let recipients = told.fixture.ledger.notice_recipients().await.unwrap();
        recipients.iter().find(|one| one.id == site).unwrap().bounced_at
    };
    assert_eq!(states().await, None, "no mail to anybody was taken");
    let mut transaction = told.fixture.ledger.begin(day_14.plus(DAY)).await.unwrap();
    transaction.pause_notice_recipient(&site, None, "", &OPERATOR).await.unwrap();
    transaction.commit().await.unwrap();
    let week = morning(end, 7);
    told.turn(week).await;
    let (to_site, to_support) = (told.mails_to(&site).await, told.mails_to(&support).await);
    told.note(to_support.last().unwrap(), &MailOutcome::Sent, week.plus(HOUR)).await;
    told.note(to_site.last().unwrap(), &MailOutcome::GivenUp("552".into()), week.plus(HOUR * 2)).await;
    assert_eq!(states().await, Some(week.plus(HOUR * 2)), "while others were reached");
}

async fn a_mail_goes_out_once_whatever_happens_between(place: TestPlace) {
    let told = Told::new(place).await;
    told.tell(NoticeLevel::Site, "site@example.jp", None).await;
    let end = told.enroll().await.not_after;
    let now = morning(end, 30);
    told.turn(now).await;
    let mail = told.mails().await.remove(0);
    // A server takes it in hand and dies.
    let mut transaction = told.fixture.ledger.begin(now).await.unwrap();
    assert!(transaction.claim_mail(&mail.id, now.plus(HOUR)).await.unwrap());
    transaction.commit().await.unwrap();
    let mailer = told.mailer();
    assert_eq!(mailer.round(now).await.unwrap(), MailRound::default(), "others leave it to that server");
    // Then nobody takes it for a while: something is in the way.
    std::fs::write(told.mail_folder(), "").unwrap();
    let stuck = now.plus(HOUR);
    assert_eq!(mailer.round(stuck).await.unwrap().postponed, 1);
    assert_eq!(mailer.round(stuck).await.unwrap(), MailRound::default(), "not before a while has gone by");
    let digest = Digest::read(&told.fixture.ledger, &DigestScope::Installation, stuck).await.unwrap();
    assert_eq!(digest.mails, 1, "and the operator hears of it");
    std::fs::remove_file(told.mail_folder()).unwrap();
    let later = now.plus(HOUR * 2);
    let passes = [told.mailer(), told.mailer(), told.mailer()];
    let [first, second, third] = &passes;
    let (first_round, second_round, third_round) = tokio::join!(
        Box::pin(first.round(later)),
        Box::pin(second.round(later)),
        Box::pin(third.round(later))
    );
    let sent: usize =
        [first_round, second_round, third_round].into_iter().map(|round| round.unwrap().sent).sum();
    assert_eq!(sent, 1, "and one of them sends it then");
    let files: Vec<_> = std::fs::read_dir(told.mail_folder().join("new")).unwrap().collect();
    assert_eq!(files.len(), 1);
    let text = std::fs::read_to_string(files[0].as_ref().unwrap().path()).unwrap();
    assert!(text.contains(&format!("<{}@tegata.example.jp>", mail.id)), "{text}");
    assert!(
        text.contains("multipart/alternative") && text.contains("Auto-Submitted: auto-generated"),
        "{text}"
    );
    let mail = told.mails().await.remove(0);
    assert_eq!(
        (mail.state, mail.attempts, mail.sent_at().map(Timestamp::whole_second)),
        (MailState::Sent, 3, Some(later.whole_second()))
    );
}

async fn a_report_of_mail_that_came_back_has_others_told(place: TestPlace) {
    let told = Told::new(place).await;
    told.tell(NoticeLevel::Site, "site@example.jp", None).await;
    let head_office = told.tell(NoticeLevel::HeadOffice, "office@example.jp", None).await;
    let end = told.enroll().await.not_after;
    let now = morning(end, 30);
    told.turn(now).await;
    let bounces = told.fixture.place.file("bounces");
    for part in ["new", "cur", "tmp"] {
        std::fs::create_dir_all(bounces.join(part)).unwrap();
    }
    let mailer = told.mailer();
    assert_eq!(mailer.round(now).await.unwrap().sent, 1);
    let mail = told.mails().await.remove(0);
    let report = format!(
        "Content-Type: multipart/report; report-type=delivery-status; boundary=x\n\n--x\n\
         Content-Type: message/delivery-status\n\nFinal-Recipient: rfc822; site@example.jp\nAction: failed\n\
         Status: 5.1.1\n\n--x\nContent-Type: text/rfc822-headers\n\nMessage-ID: <{}@tegata.example.jp>\n--x--\n",
        mail.id
    );
    std::fs::write(bounces.join("new/1"), report).unwrap();
    std::fs::write(bounces.join("new/2"), "Subject: hello\n\nnothing of ours").unwrap();
    let reader = BouncePass::new(told.fixture.ledger.clone(), "tegata.example.jp".into(), bounces.clone());
    assert_eq!(reader.round(now.plus(HOUR)).await.unwrap(), 1);
    assert_eq!(std::fs::read_dir(bounces.join("new")).unwrap().count(), 0, "read, and put aside");
    told.turn(now.plus(HOUR)).await;
    assert_eq!(told.mails_to(&head_office).await.len(), 1);
}

async fn the_days_work_is_told_once_a_day_at_the_chosen_hour(place: TestPlace) {
    let told = Told::new(place).await;
    let office = told.tell(NoticeLevel::HeadOffice, "office@example.jp", Some(8)).await;
    let operator = told.tell(NoticeLevel::Operator, "operator@example.jp", Some(7)).await;
    let end = told.enroll().await.not_after;
    let quiet = morning(end, 100);
    let three_servers = async |now: Timestamp| {
        let passes = [told.digests(), told.digests(), told.digests()];
        let [first, second, third] = &passes;
        let (first_round, second_round, third_round) =
            tokio::join!(Box::pin(first.round(now)), Box::pin(second.round(now)), Box::pin(third.round(now)));
        [first_round, second_round, third_round].into_iter().map(Result::unwrap).sum::<usize>()
    };
    assert_eq!(three_servers(quiet.minus(HOUR * 3)).await, 0, "at half past six nobody wants to know");
    assert_eq!(three_servers(quiet.minus(HOUR * 2)).await, 1, "at half past seven the operator does");
    assert_eq!(three_servers(quiet).await, 1);
    assert_eq!(three_servers(quiet.plus(HOUR * 5)).await, 0, "once a day");
    let mail = told.mails_to(&office).await.remove(0);
    assert!(mail.subject.starts_with("今日は運用対応はありません"), "{}", mail.subject);
    let busy = morning(end, 3);
    assert_eq!(three_servers(busy).await, 2);
    let mail = told.mails_to(&office).await.remove(1);
    assert!(mail.subject.starts_with("今日は運用対応があります"), "{}", mail.subject);
    assert!(mail.plain.contains("1 週間以内に証明書が切れる端末が 1 台"), "{}", mail.plain);
    assert_eq!(told.mails_to(&operator).await.len(), 2);
    let after = Digest::read(&told.fixture.ledger, &DigestScope::Installation, end.plus(DAY)).await.unwrap();
    assert_eq!((after.overdue, after.ending, after.has_work()), (1, 0, true));
}

async fn one_address_gets_one_mail_for_all_that_it_is_named_for(place: TestPlace) {
    let told = Told::new(place).await;
    let site = told.tell(NoticeLevel::Site, "area@example.jp", Some(8)).await;
    let head_office = told.tell(NoticeLevel::HeadOffice, "area@example.jp", Some(8)).await;
    let support = told.tell(NoticeLevel::Support, "area@example.jp", None).await;
    let end = told.enroll().await.not_after;
    told.enroll().await;
    let week = morning(end, 7);
    told.turn(week).await;
    let mails = told.mails().await;
    assert_eq!(mails.len(), 1, "the site's and the head office's are one");
    assert!(mails[0].plain.contains("2 台") && !mails[0].plain.contains("4 台"), "{}", mails[0].plain);
    assert_eq!(told.digests().round(week).await.unwrap(), 1, "and so is the day's work");
    assert_eq!(told.digests().round(week).await.unwrap(), 0);
    // One of the two is named no more: the mail that waits goes out for the other.
    assert_eq!(mails[0].recipient, head_office, "the first of the two");
    let mut transaction = told.fixture.ledger.begin(week).await.unwrap();
    transaction.remove_notice_recipient(&head_office, &OPERATOR).await.unwrap();
    transaction.commit().await.unwrap();
    let is_of_renewals = |mail: &Mail| mail.kind == MailKind::Renewal;
    let waiting = told.mails().await.into_iter().find(is_of_renewals).unwrap();
    assert_eq!(waiting.state, MailState::Waiting);
    // It comes back: there is no such address for what is left of the tenant. What others name it for is theirs.
    told.note(&waiting, &MailOutcome::Bounced("550 5.1.1".into()), week).await;
    let recipients = told.fixture.ledger.notice_recipients().await.unwrap();
    let is_bounced =
        |id: &RecipientId| recipients.iter().any(|one| one.id == *id && one.bounced_at.is_some());
    assert_eq!((is_bounced(&site), is_bounced(&support)), (true, false));
    told.turn(week.plus(HOUR)).await;
    assert_eq!(told.mails_to(&support).await.len(), 1, "and those above hear of it");
}
