//! A transfer of business that everybody has approved of.

use crate::command::run;
use crate::installation::text_of;
use serde_json::Value;

/// Plans that all sites, devices and people of the tenant go to a new one after some seconds, and has it approved. `tell` runs a
/// command of an installation. Gives the transfer.
pub fn approved(tell: &dyn Fn(&[&str]) -> Value, seconds: u32) -> String {
    let source = text_of(&tell(&["tenant", "list"])[0], "tenant");
    let target = text_of(&tell(&["tenant", "add", "引き継ぎ薬局"]), "tenant");
    let vendor = text_of(&tell(&["tenant", "add", "サポート"]), "tenant");
    for (tenant, role) in [(&source, "tenant-admin"), (&target, "tenant-admin"), (&vendor, "support-lead")] {
        tell(&[
            "person",
            "add",
            "--tenant",
            tenant,
            "--login",
            "approver",
            "--name",
            "承認 者",
            "--role",
            role,
        ]);
    }
    let at = run("date", &["-u", "-d", &format!("+{seconds} seconds"), "+%Y-%m-%dT%H:%M:%SZ"]);
    let plan = tell(&[
        "transfer",
        "plan",
        "--from",
        &source,
        "--to",
        &target,
        "--all-sites",
        "--move-devices",
        "--at",
        at.trim(),
    ]);
    let (transfer, hash) = (text_of(&plan, "transfer"), text_of(&plan, "plan"));
    for tenant in [&source, &target, &vendor] {
        let mut approve = vec![
            "transfer", "approve", &transfer, "--tenant", tenant, "--person", "approver", "--plan", &hash,
        ];
        if *tenant == vendor {
            approve.extend(["--reason", "事業譲渡", "--ticket", "T-1"]);
        }
        tell(&approve);
    }
    assert_eq!(tell(&["transfer", "show", &transfer])["state"], "approved");
    transfer
}
