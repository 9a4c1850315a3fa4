//! The commands of a page of docs/, run as somebody would who reads it.

use tegata_tests::DebianMachine;

/// The blocks marked as `sh`, in order.
pub fn blocks(page: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut block: Option<String> = None;
    for line in page.lines() {
        match (&mut block, line) {
            (None, "```sh") => block = Some(String::new()),
            (Some(_), "```") => blocks.extend(block.take()),
            (Some(text), line) => text.extend([line, "\n"]),
            (None, _) => {}
        }
    }
    blocks
}

/// Runs a block; what is for systemd is done as far as it can be without it. Gives what was said.
pub fn follow(machine: &mut DebianMachine, block: &str) -> String {
    let (mut script, mut said) = (String::new(), String::new());
    for line in block.lines() {
        let Some(order) = line.strip_prefix("systemctl ") else {
            script.extend([line, "\n"]);
            continue;
        };
        said += &machine.shell(&std::mem::take(&mut script)).good().said();
        match order {
            "daemon-reload" => {}
            "enable --now tegata" | "restart tegata" => machine.start(),
            other => panic!("what would systemctl {other} do?"),
        }
    }
    said + &machine.shell(&script).good().said()
}
