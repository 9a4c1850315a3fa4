//! The wall behind the statements' own, which PostgreSQL has: what a transaction of a tenant's scope is shown when a statement
//! has forgotten whose rows it is about.
//!
//! Superusers are bound by no policy, so the ledger here belongs to a role that is none.

use crate::engines::{EnginePlace, run};
use crate::fixture::{Everything, LedgerFixture, day, operator};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tegata_core::{DeviceId, SiteId, TenantId, Thumbprint};
use tegata_storage::{DeviceAction, Principal, Site, Tenant};

/// Tables with rows of tenants, and how many of them a second, empty-handed tenant has.
const WALLED: &[(&str, i64)] = &[
    ("tenant", 1),
    ("site", 1),
    ("device", 0),
    ("invitation", 0),
    ("kitting", 0),
    ("licence", 0),
    ("invitation_line", 0),
    ("invitation_batch", 0),
    ("copy_alarm", 0),
    ("certificate", 0),
    ("token_family", 0),
    ("loss_report", 0),
    ("approval", 0),
    ("person", 0),
    ("session", 0),
    ("person_link", 0),
    ("provider_logout", 0),
    ("person_site", 0),
    ("credential", 0),
    ("person_code", 0),
    ("setup_link", 0),
    ("person_device", 0),
    ("device_person", 0),
    ("authorization_code", 0),
    ("authorization_request", 0),
    ("session_client", 0),
    ("logout_notice", 0),
    ("passkey", 0),
    ("file_check", 0),
    // The names of the tenant and its site, and their pairs of letters.
    ("search_name", 2),
    ("search_gram", 5),
    ("scim_token", 0),
    ("imported_password", 0),
    ("people_policy", 0),
    ("person_review", 0),
    ("person_review_answer", 0),
    ("granted_token", 0),
    ("denied_tokens", 0),
    ("token_day", 0),
    ("acme_account", 0),
    ("acme_order", 0),
    ("device_change", 0),
    ("notice_recipient", 0),
    ("mail", 0),
    ("renewal_notice", 0),
    ("transfer", 0),
    ("transfer_site", 0),
    ("transfer_approval", 0),
    ("transfer_binding", 0),
    ("transfer_item", 0),
    ("kept_answer", 0),
    ("saved_view", 0),
    ("trail", 0),
    ("kept_client_answer", 0),
    // That it was made, and its site; the events of the feed are about others.
    ("audit", 2),
    ("feed", 0),
];

#[test]
fn a_statement_without_a_tenant_is_stopped_on_postgresql() {
    run(async {
        let place = EnginePlace::postgres_of_owner();
        let fixture = LedgerFixture::open(place).await;
        let (device, certificate) = fixture.enroll(day(1)).await;
        fixture.act(&device, DeviceAction::Suspend, day(1)).await.unwrap();
        let other = second_tenant(&fixture).await;
        let mut connection = PgConnection::connect(&fixture.place.url()).await.unwrap();
        begin_within(&mut connection, &other).await;
        for (table, own) in WALLED {
            let text = format!("SELECT COUNT(*) FROM {table}");
            let (count,): (i64,) =
                sqlx::query_as(AssertSqlSafe(text)).fetch_one(&mut connection).await.unwrap();
            assert_eq!(count, *own, "rows of {table} for another tenant");
        }
        for update in [
            "UPDATE device SET label = 'x'",
            "UPDATE invitation SET state = 'withdrawn'",
            "DELETE FROM certificate",
        ] {
            assert_eq!(
                sqlx::query(update).execute(&mut connection).await.unwrap().rows_affected(),
                0,
                "{update}"
            );
        }
        let planted = "INSERT INTO site (id, tenant, name, created_at) VALUES ('s', $1, 'x', 0)";
        let planted = sqlx::query(planted).bind(fixture.tenant.as_str()).execute(&mut connection).await;
        assert!(planted.unwrap_err().to_string().contains("row-level security"));
        sqlx::raw_sql("ROLLBACK").execute(&mut connection).await.unwrap();
        logs_show_a_tenant_its_own(&mut connection, &fixture.tenant, &device, &certificate).await;
        // Whoever sets nothing sees everything: the operator, and a server of the previous version.
        let (devices,): (i64,) =
            sqlx::query_as("SELECT COUNT(*) FROM device").fetch_one(&mut connection).await.unwrap();
        assert_eq!(devices, 1);
        connection.close().await.unwrap();
        fixture.ledger.close().await;
        fixture.place.clear().await;
    });
}

#[test]
fn no_connection_takes_a_scope_along_to_whoever_has_it_next() {
    run(async {
        let fixture = LedgerFixture::open(EnginePlace::postgres_of_owner()).await;
        let (device, _) = fixture.enroll(day(1)).await;
        let other = second_tenant(&fixture).await;
        let narrow = fixture.ledger.within(Principal::operator("test", Some(&other)).scope());
        for _ in 0..40 {
            assert_eq!(narrow.device(&device).await.unwrap(), None);
            drop(narrow.begin(day(2)).await.unwrap());
            assert!(fixture.ledger.everything().device(&device).await.unwrap().is_some());
        }
        fixture.ledger.close().await;
        fixture.place.clear().await;
    });
}

#[test]
fn every_table_with_rows_of_tenants_has_the_wall_and_its_owner_is_bound() {
    run(async {
        let fixture = LedgerFixture::open(EnginePlace::postgres_of_owner()).await;
        let mut connection = PgConnection::connect(&fixture.place.url()).await.unwrap();
        let walled: Vec<(String,)> = sqlx::query_as(
            "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname = current_schema() AND c.relrowsecurity AND c.relforcerowsecurity ORDER BY 1",
        )
        .fetch_all(&mut connection)
        .await
        .unwrap();
        let mut expected: Vec<_> = WALLED.iter().map(|(table, _)| (*table).to_owned()).collect();
        expected.sort_unstable();
        assert_eq!(walled.into_iter().map(|(table,)| table).collect::<Vec<_>>(), expected);
        // A table that names a tenant has a policy, or a reason not to: an issuer is everybody's to read.
        let naming: Vec<(String,)> = sqlx::query_as(
            "SELECT table_name::TEXT FROM information_schema.columns WHERE table_schema = current_schema() \
             AND column_name = 'tenant' AND table_name <> 'issuer'",
        )
        .fetch_all(&mut connection)
        .await
        .unwrap();
        for (table,) in naming {
            assert!(expected.contains(&table), "{table} names a tenant and has no policy");
        }
        connection.close().await.unwrap();
        fixture.ledger.close().await;
        fixture.place.clear().await;
    });
}

/// Of the audit log what is about its devices or names it; of the feed what is about its devices and certificates; and nothing
/// can be written about others.
async fn logs_show_a_tenant_its_own(
    connection: &mut PgConnection,
    tenant: &TenantId,
    device: &DeviceId,
    certificate: &Thumbprint,
) {
    let (all,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM audit WHERE device IS NOT NULL")
        .fetch_one(&mut *connection)
        .await
        .unwrap();
    begin_within(connection, tenant).await;
    let (own,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM audit WHERE device IS NOT NULL")
        .fetch_one(&mut *connection)
        .await
        .unwrap();
    assert_eq!((own, own > 1), (all, true), "all devices are this tenant's");
    let (events,): (i64,) =
        sqlx::query_as("SELECT COUNT(*) FROM feed").fetch_one(&mut *connection).await.unwrap();
    assert_eq!(events, 1, "the device was suspended");
    for (name, value, is_own) in [
        ("device", device.to_string(), true),
        ("thumbprint", certificate.to_string(), true),
        ("tenant", tenant.to_string(), true),
        ("device", "somebody else's".to_owned(), false),
        ("thumbprint", Thumbprint::of(b"another").to_string(), false),
        ("tenant", "another".to_owned(), false),
    ] {
        let asked = "SELECT event_is_of(jsonb_build_object($1, $2), scope_tenant())";
        let (is_of,): (bool,) =
            sqlx::query_as(asked).bind(name).bind(value).fetch_one(&mut *connection).await.unwrap();
        assert_eq!(is_of, is_own, "{name}");
    }
    for planted in [
        "INSERT INTO audit (seq, at, device, entry, hash) VALUES (9999, 0, 'another', '{}', '')",
        "INSERT INTO feed (seq, at, change) VALUES (9999, 0, '{\"change\": \"device_allowed\", \"device\": \"another\"}')",
    ] {
        sqlx::raw_sql("SAVEPOINT planted").execute(&mut *connection).await.unwrap();
        let refused = sqlx::raw_sql(planted).execute(&mut *connection).await.unwrap_err();
        assert!(refused.to_string().contains("row-level security"), "{planted}: {refused}");
        sqlx::raw_sql("ROLLBACK TO planted").execute(&mut *connection).await.unwrap();
    }
    sqlx::raw_sql("ROLLBACK").execute(connection).await.unwrap();
}

#[test]
fn an_operator_learns_when_no_policy_binds_the_role_or_one_is_gone() {
    run(async {
        let fixture = LedgerFixture::open(EnginePlace::postgres()).await;
        let wall = fixture.ledger.row_security().await.unwrap().unwrap();
        assert!(wall.is_superuser && !wall.binds_role() && wall.open.is_empty(), "{wall:?}");
        fixture.ledger.close().await;
        fixture.place.clear().await;
        let fixture = LedgerFixture::open(EnginePlace::postgres_of_owner()).await;
        let wall = fixture.ledger.row_security().await.unwrap().unwrap();
        assert!(wall.is_whole(), "{wall:?}");
        fixture.place.execute("ALTER TABLE device NO FORCE ROW LEVEL SECURITY").await;
        fixture.place.execute("DROP POLICY tenant_scope ON session").await;
        let wall = fixture.ledger.row_security().await.unwrap().unwrap();
        assert_eq!((wall.is_whole(), wall.open), (false, vec!["device".to_owned(), "session".to_owned()]));
        fixture.ledger.close().await;
        fixture.place.clear().await;
    });
}

async fn begin_within(connection: &mut PgConnection, tenant: &TenantId) {
    let begin = format!("BEGIN; SET LOCAL tegata.tenant = '{tenant}'");
    sqlx::raw_sql(AssertSqlSafe(begin)).execute(connection).await.unwrap();
}

async fn second_tenant(fixture: &LedgerFixture) -> TenantId {
    let tenant = Tenant::new(TenantId::random(&fixture.entropy), "みどり薬局");
    let site =
        Site { id: SiteId::random(&fixture.entropy), tenant: tenant.id.clone(), name: "本店".into() };
    fixture
        .write(day(0), async |transaction| {
            transaction.add_tenant(&tenant, &operator()).await?;
            transaction.add_site(&site, &operator()).await
        })
        .await
        .unwrap();
    tenant.id
}
