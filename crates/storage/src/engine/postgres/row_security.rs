//! Whether row-level security binds this role: the wall behind the statements' own.

use crate::Result;
use crate::tenant_tables::TENANT_TABLES;
use sqlx::postgres::PgConnection;

/// How PostgreSQL keeps the rows of tenants apart, whatever a statement has forgotten.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RowSecurity {
    /// The role that the ledger is opened with.
    pub role: String,
    /// No policy binds a superuser.
    pub is_superuser: bool,
    /// Nor a role with `BYPASSRLS`.
    pub bypasses: bool,
    /// Tables with rows of tenants that have no policy, or one that does not bind their owner.
    pub open: Vec<String>,
}

impl RowSecurity {
    /// Whether a policy binds the role on every table.
    pub fn is_whole(&self) -> bool {
        self.binds_role() && self.open.is_empty()
    }

    /// Whether policies bind the role at all.
    pub fn binds_role(&self) -> bool {
        !self.is_superuser && !self.bypasses
    }
}

const ROLE: &str = "SELECT rolname::TEXT, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user";

const OPEN: &str = "SELECT t.name FROM UNNEST($1::TEXT[]) AS t (name) WHERE NOT EXISTS (SELECT 1 FROM pg_class c \
     JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_policy p ON p.polrelid = c.oid \
     WHERE n.nspname = current_schema() AND c.relname = t.name AND c.relrowsecurity AND c.relforcerowsecurity) ORDER BY 1";

pub(crate) async fn read(connection: &mut PgConnection) -> Result<RowSecurity> {
    let (role, is_superuser, bypasses) = sqlx::query_as(ROLE).fetch_one(&mut *connection).await?;
    let walled: Vec<_> = TENANT_TABLES.iter().map(|table| table.name).collect();
    let open: Vec<(String,)> = sqlx::query_as(OPEN).bind(walled).fetch_all(connection).await?;
    Ok(RowSecurity { role, is_superuser, bypasses, open: open.into_iter().map(|(table,)| table).collect() })
}
