//! The wall that PostgreSQL keeps between tenants, behind the one in every statement.

use super::code::FindingCode;
use super::context::CheckContext;
use tegata_installation::{Failure, FailureContext};

/// Whether a policy binds the ledger's role on every table with rows of tenants. SQLite has no such wall.
pub async fn look(look: &mut CheckContext<'_>) -> Result<(), Failure> {
    let read = look.ledger.row_security().await.doing("cannot read how rows of tenants are kept apart")?;
    let Some(wall) = read else { return Ok(()) };
    if !wall.binds_role() {
        let why = if wall.is_superuser { "is a superuser" } else { "has BYPASSRLS" };
        let what = format!(
            "the role {} {why}: no policy binds it, and only the statements keep tenants apart",
            wall.role
        );
        look.report.add(FindingCode::RowSecurityBypassed, "PostgreSQL", what);
    }
    for table in &wall.open {
        let what = format!("the table {table} has rows of tenants and no policy that binds its owner");
        look.report.add(FindingCode::RowSecurityMissing, table, what);
    }
    let state = if wall.is_whole() { "on" } else { "not whole" };
    look.report.area("row security", format!("{state}, role {}", wall.role));
    Ok(())
}
