//! A sign-in by password and authenticator app, next to the one hash that it cannot do without.
//!
//! A code of the app works once, so each sign-in is somebody else's.

use crate::BenchOutcome;
use crate::client::{BenchAddress, BenchConnection, BenchTrust, Post};
use crate::devices::{self, BenchDevice, Random};
use crate::gates::spent;
use crate::report::BenchRow;
use crate::rounds::{ROUNDS, cost, median};
use crate::servers::Tegata;
use argon2::Argon2;
use argon2::password_hash::PasswordVerifier;
use argon2::password_hash::phc::PasswordHash;
use hyper::body::Bytes;
use hyper::header::{COOKIE, HeaderValue, ORIGIN, SET_COOKIE};
use hyper::{HeaderMap, StatusCode};
use ring::hmac;
use sqlx::{Connection, SqliteConnection};
use std::hint::black_box;
use std::time::Duration;
use tegata_core::encoding::percent_encoded;
use tegata_core::{DeviceId, LoginId, Name, PersonId, PersonRole, Roles, SetupCode};
use tegata_storage::{Actor, Device, NewPerson, Principal};

/// Sign-ins in a round: near a second of one processor.
const PEOPLE: usize = 24;

const PASSWORD: &str = "the moon over the shop at nine";
const OPERATOR: Actor = Actor::System("bench");
const HOUR: Duration = Duration::from_hours(1);

/// Seconds of a code of the app (RFC 6238).
const STEP: i64 = 30;

/// Somebody who has set up an account.
struct BenchPerson {
    login: String,
    secret: Vec<u8>,
}

/// CPU of the server for one sign-in, without the page before it, next to that of checking the password alone.
pub async fn row(tegata: &Tegata, trust: &BenchTrust, devices: &[BenchDevice]) -> BenchOutcome<BenchRow> {
    let device = &devices[0];
    let (mut us, mut limit_us) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let mut people = Vec::with_capacity(PEOPLE);
        for number in 0..PEOPLE {
            let login = format!("bench-{round}-{number}");
            people.push(set_up(tegata, trust, (device, &login)).await?);
        }
        let address = BenchAddress::new(&tegata.device, trust, Some(&device.identity))?;
        let mut browser = address.connect().await?;
        let mut forms = Vec::with_capacity(PEOPLE);
        for person in &people {
            forms.push(person.form(&mut browser, &tegata.device).await?);
        }
        us.push(cost(tegata.pid(), sign_in_each(&mut browser, &forms)).await?);
        let hash = hash_of_somebody(tegata).await?;
        let hash = PasswordHash::new(&hash).map_err(|error| error.to_string())?;
        let verify = || {
            let fits = Argon2::default().verify_password(PASSWORD.as_bytes(), &hash);
            black_box(fits).map_err(|error| error.to_string().into())
        };
        limit_us.push(spent(PEOPLE, verify)?);
    }
    Ok(BenchRow { path: "session sign-in", us: median(us), limit_us: median(limit_us) })
}

async fn sign_in_each(browser: &mut BenchConnection, forms: &[Post]) -> BenchOutcome<u32> {
    for form in forms {
        browser.led_on(form).await?;
    }
    Ok(u32::try_from(forms.len())?)
}

/// Made by the server, with its parameters.
async fn hash_of_somebody(tegata: &Tegata) -> BenchOutcome<String> {
    let mut ledger = SqliteConnection::connect(&tegata.ledger_url()).await?;
    let (hash,): (String,) =
        sqlx::query_as("SELECT password FROM credential LIMIT 1").fetch_one(&mut ledger).await?;
    ledger.close().await?;
    Ok(hash)
}

/// Adds somebody at the site of a device, who then sets up the account at the portal.
async fn set_up(
    tegata: &Tegata,
    trust: &BenchTrust,
    (device, login): (&BenchDevice, &str),
) -> BenchOutcome<BenchPerson> {
    let code = add(tegata, (device, login)).await?;
    let mut portal = BenchAddress::new(&tegata.portal, trust, None)?.connect().await?;
    let shown = portal.post(&form("/setup", &tegata.portal, &[("code", &code)])?).await?;
    let page = String::from_utf8(shown.to_vec())?;
    let secret = between(&page, "id=\"totp-secret\">", "<")?;
    let secret = from_base32(secret).ok_or("the secret of the app is not base 32")?;
    let person = BenchPerson { login: login.to_owned(), secret };
    let fields =
        [("code", &*code), ("password", PASSWORD), ("again", PASSWORD), ("totp", &person.code_after(0)?)];
    portal.post(&form("/setup/complete", &tegata.portal, &fields)?).await?;
    Ok(person)
}

/// Gives the code of the setup link.
async fn add(tegata: &Tegata, (device, login): (&BenchDevice, &str)) -> BenchOutcome<String> {
    let (ledger, now) = (tegata.ledger().await?, devices::now()?);
    let rows = ledger.within(Principal::operator("bench", None).scope());
    let id = DeviceId::parse(&device.id).ok_or("no identifier of a device")?;
    let Device { tenant, site, .. } = rows.device(&id).await?.ok_or("no such device")?;
    let new = NewPerson {
        id: PersonId::random(&Random),
        tenant,
        login: LoginId::parse(login).map_err(|unfit| unfit.to_string())?,
        external_key: None,
        name: Name::of_place(login).map_err(|unfit| unfit.to_string())?,
        roles: Roles::new([PersonRole::Staff]),
        sites: vec![site],
        awaits_sites: false,
    };
    let code = SetupCode::random(&Random);
    let mut transaction = rows.begin(now).await?;
    transaction.add_person(&new, &OPERATOR).await?;
    transaction.make_setup_link(&new.id, &code, now.plus(HOUR), &OPERATOR).await?;
    transaction.commit().await?;
    ledger.close().await;
    Ok(code.reveal().to_owned())
}

impl BenchPerson {
    /// The filled-in form of the sign-in page, as a browser sends it.
    async fn form(&self, browser: &mut BenchConnection, origin: &str) -> BenchOutcome<Post> {
        let asked = Post { body: Bytes::new(), ..form("/sign-in", origin, &[])? };
        let (headers, page) = browser.page(&asked).await?;
        let page = String::from_utf8(page.to_vec())?;
        let token = between(&page, "name=\"form_token\" value=\"", "\"")?;
        let fields = [
            ("login", &*self.login),
            ("password", PASSWORD),
            ("code", &self.code_after(1)?),
            ("form_token", token),
        ];
        let mut filled = form("/sign-in", origin, &fields)?;
        filled.headers.insert(COOKIE, cookie(&headers)?);
        Ok(Post { expected: StatusCode::SEE_OTHER, ..filled })
    }

    /// What the app shows so many steps from now (RFC 4226 section 5.3).
    fn code_after(&self, steps: i64) -> BenchOutcome<String> {
        let step = devices::now()?.seconds() / STEP + steps;
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.secret);
        let tag = hmac::sign(&key, &step.to_be_bytes());
        let tag = tag.as_ref();
        let at = usize::from(tag[tag.len() - 1] & 15);
        let number = tag[at..at + 4].iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
        Ok(format!("{:06}", (number & 0x7fff_ffff) % 1_000_000))
    }
}

/// The first cookie of an answer.
fn cookie(headers: &HeaderMap) -> BenchOutcome<HeaderValue> {
    let given = headers.get(SET_COOKIE).ok_or("a page without a cookie")?.to_str()?;
    Ok(HeaderValue::from_str(given.split(';').next().unwrap_or_default())?)
}

fn form(path: &str, origin: &str, fields: &[(&str, &str)]) -> BenchOutcome<Post> {
    let pairs = fields.iter().map(|(name, value)| format!("{name}={}", percent_encoded(value)));
    Ok(Post {
        path: path.into(),
        media_type: "application/x-www-form-urlencoded",
        headers: HeaderMap::from_iter([(ORIGIN, HeaderValue::from_str(origin)?)]),
        body: Bytes::from(pairs.collect::<Vec<_>>().join("&")),
        expected: StatusCode::OK,
    })
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> BenchOutcome<&'a str> {
    let (_, rest) = text.split_once(before).ok_or_else(|| format!("no {before} on the page"))?;
    Ok(rest.split(after).next().unwrap_or_default())
}

/// RFC 4648 section 6, in any case and with spaces.
fn from_base32(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for letter in text.bytes().filter(|letter| !letter.is_ascii_whitespace() && *letter != b'=') {
        let value = match letter.to_ascii_uppercase() {
            upper @ b'A'..=b'Z' => upper - b'A',
            digit @ b'2'..=b'7' => digit - b'2' + 26,
            _ => return None,
        };
        bits = bits << 5 | u32::from(value);
        count += 5;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    Some(bytes)
}
