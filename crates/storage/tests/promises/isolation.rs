//! What an auditor is shown of the wall around a tenant is counted, and a row that leads to another tenant is found.

use crate::engines::{EnginePlace, on_both_engines, run};
use crate::fixture::{LedgerFixture, day, operator};
use sqlx::{Connection, PgConnection};
use tegata_core::{SiteId, TenantId};
use tegata_storage::{Site, Tenant};

/// References by which a row says whose it is: they cannot lead elsewhere.
const DEFINING: &[&str] = &[
    "certificate.device",
    "token_family.device",
    "granted_token.family",
    "loss_report.device",
    "copy_alarm.device",
    "renewal_notice.device",
    "approval.invitation",
    "acme_account.invitation",
    "acme_order.invitation",
    "person_site.person",
    "file_check.person",
    "credential.person",
    "person_code.person",
    "setup_link.person",
    "passkey.person",
    "kept_answer.person",
    "saved_view.person",
    "person_device.person",
    "device_person.person",
    "imported_password.person",
    "person_review_answer.review",
    // Transfers are of two tenants by nature; the site is of the one that gives.
    "transfer.reverses",
    "transfer_site.transfer",
    "transfer_site.site",
    "transfer_approval.transfer",
    "transfer_binding.transfer",
    "transfer_item.transfer",
];

on_both_engines! {
    async fn an_auditor_is_shown_the_rows_of_a_tenant_and_that_none_leads_out(fixture: LedgerFixture) {
        let (device, _) = fixture.enroll(day(1)).await;
        let other = second_tenant(fixture).await;
        let of = fixture.ledger.isolation_of(&fixture.tenant).await.unwrap();
        let rows = |table| of.rows.iter().find(|of| of.table == table).unwrap().rows;
        assert_eq!(["tenant", "site", "device", "certificate", "invitation"].map(rows), [1, 1, 1, 1, 1]);
        assert!(of.is_whole() && rows("audit") > 1);
        let empty = fixture.ledger.isolation_of(&other.id).await.unwrap();
        assert_eq!(empty.rows.iter().map(|of| of.rows).sum::<u64>(), 11, "itself, its site, that both were added, and their names in the index");
        let moved = format!("UPDATE device SET site = '{}' WHERE id = '{device}'", other.site);
        fixture.place.execute(&moved).await;
        for tenant in [&fixture.tenant, &other.id] {
            let crossed = fixture.ledger.isolation_of(tenant).await.unwrap();
            let found: Vec<_> = crossed.crossings.iter().filter(|of| of.rows > 0).collect();
            assert!(matches!(found[..], [one] if one.reference == "device.site" && one.rows == 1), "{found:?}");
        }
    }
}

#[test]
fn every_reference_between_rows_of_tenants_is_looked_at() {
    run(async {
        let fixture = LedgerFixture::open(EnginePlace::postgres()).await;
        let of = fixture.ledger.isolation_of(&fixture.tenant).await.unwrap();
        let mut connection = PgConnection::connect(&fixture.place.url()).await.unwrap();
        let references: Vec<(String, String)> = sqlx::query_as(
            "SELECT c.conrelid::REGCLASS::TEXT || '.' || a.attname, c.confrelid::REGCLASS::TEXT FROM pg_constraint c \
             JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey) \
             WHERE c.contype = 'f' AND c.connamespace = current_schema()::REGNAMESPACE",
        )
        .fetch_all(&mut connection)
        .await
        .unwrap();
        let is_tenants = |table: &str| of.rows.iter().any(|of| of.table == table);
        for (reference, to) in references {
            let from = reference.split('.').next().unwrap();
            let is_looked_at = of.crossings.iter().any(|of| of.reference == reference);
            let is_between = is_tenants(from) && is_tenants(&to) && to != "tenant";
            assert!(
                !is_between || is_looked_at || DEFINING.contains(&reference.as_str()),
                "{reference} may lead to another tenant: count it in storage's isolation.rs, or say here that it defines whose a row is"
            );
        }
        connection.close().await.unwrap();
        fixture.ledger.close().await;
        fixture.place.clear().await;
    });
}

struct SecondTenant {
    id: TenantId,
    site: SiteId,
}

async fn second_tenant(fixture: &LedgerFixture) -> SecondTenant {
    let tenant = Tenant::new(TenantId::random(&fixture.entropy), "みどり薬局");
    let site =
        Site { id: SiteId::random(&fixture.entropy), tenant: tenant.id.clone(), name: "本店".into() };
    let actor = &operator();
    fixture
        .write(day(0), async |transaction| {
            transaction.add_tenant(&tenant, actor).await?;
            transaction.add_site(&site, actor).await
        })
        .await
        .unwrap();
    SecondTenant { id: tenant.id, site: site.id }
}
