//! The wall behind the statements' own, which PostgreSQL has: what a transaction of a tenant's scope is shown when a statement
//! has forgotten whose rows it is about.
//!
//! Superusers are bound by no policy, so the ledger here belongs to a role that is none.

use crate::engines::{EnginePlace, run};
use crate::fixture::{Everything, LedgerFixture, day, operator};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tegata_core::{SiteId, TenantId};
use tegata_storage::{Principal, Site, Tenant};

/// Tables with rows of tenants, and how many of them a second, empty-handed tenant has.
const WALLED: &[(&str, i64)] = &[
    ("tenant", 1),
    ("site", 1),
    ("device", 0),
    ("invitation", 0),
    ("kitting", 0),
    ("licence", 0),
    ("invitation_line", 0),
    ("certificate", 0),
    ("token_family", 0),
    ("loss_report", 0),
    ("approval", 0),
    ("person", 0),
    ("session", 0),
    ("person_site", 0),
    ("credential", 0),
    ("person_code", 0),
    ("setup_link", 0),
    ("person_device", 0),
    ("device_person", 0),
];

#[test]
fn a_statement_without_a_tenant_is_stopped_on_postgresql() {
    run(async {
        let place = EnginePlace::postgres_of_owner();
        let fixture = LedgerFixture::open(place).await;
        fixture.enroll(day(1)).await;
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
