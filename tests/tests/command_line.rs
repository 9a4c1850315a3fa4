//! Support and operators at a command line: found by what a caller says, stopped by consent, readable afterwards.

use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use tegata_tests::{CommandOutcome, DeviceIdentity, RunningInstallation, tegata};

/// A line for bash that runs `tegata ARGUMENTS --data DIR` as `"$@"`.
fn bash(installation: &RunningInstallation, script: &str, arguments: &[&str]) -> CommandOutcome {
    let mut line = installation.command_line(arguments);
    line.pop();
    CommandOutcome::of(Command::new("bash").args(["-o", "pipefail", "-c", script, "bash"]).args(line))
}

/// Nobody has signed in on it.
fn with_people(listed: &Value) -> Value {
    let mut with = listed.clone();
    with["people"] = json!([]);
    with
}

fn labels(list: &Value) -> Vec<&str> {
    let labels = list.as_array().into_iter().flatten().map(|device| device["label"].as_str());
    labels.map(|label| label.expect("a label")).collect()
}

#[test]
fn support_finds_a_device_by_what_the_caller_says_in_any_order() {
    let installation = RunningInstallation::start();
    installation.tell(&["tenant", "add", "みどり薬局"]);
    installation.tell(&["site", "add", "本店", "--tenant", "みどり薬局"]);
    installation.tell(&["site", "add", "駅前店", "--tenant", "みどり薬局"]);
    for (name, tenant, site, label) in [
        ("first", "あおば薬局グループ", "本店", "受付のタブレット"),
        ("second", "みどり薬局", "本店", "受付のタブレット"),
        ("third", "みどり薬局", "駅前店", "受付 PC 2"),
    ] {
        let place = ["--tenant", tenant, "--site", site];
        let invited = installation.tell(&[&["invite", "--label", label], &place[..]].concat());
        let link = invited["url"].as_str().expect("a link");
        DeviceIdentity::enroll(&installation, link, name);
    }
    let list = |words: &[&str]| installation.listed(&[&["device", "list"], words].concat());

    let found = list(&["受付のタブレット", "あおば薬局本店"]);
    assert_eq!(labels(&found), ["受付のタブレット"]);
    assert_eq!(found[0]["tenant"], "あおば薬局グループ");
    let number = &found[0]["device"].as_str().expect("an identifier")[..8];
    for words in [&["あおば ﾀﾌﾞﾚｯﾄ"][..], &["本店の受付のたぶれっと", "あおば"], &[number]]
    {
        assert_eq!(list(words), found, "{words:?}");
    }
    assert_eq!(labels(&list(&["受付ＰＣ２"])), ["受付 PC 2"]);
    assert_eq!(labels(&list(&["受付", "みどり"])).len(), 2);
    assert_eq!(list(&["受付のタブレット", "あおば薬局駅前店"]), json!([]), "and the exit code is 1");

    assert_eq!(labels(&list(&["--site", "駅前店"])), ["受付 PC 2"]);
    assert_eq!(labels(&list(&["--site", "本店", "--tenant", "みどり薬局"])), ["受付のタブレット"]);
    let ambiguous = installation.command(&["device", "list", "--site", "本店"]);
    assert_eq!(ambiguous.code, 2, "{}", ambiguous.said());
    assert!(ambiguous.stderr.contains("みどり薬局") && ambiguous.stderr.contains("あおば薬局グループ"));
    let unknown = installation.command(&["license", "list", "--site", "隣町店"]);
    assert_eq!(unknown.code, 2, "{}", unknown.said());

    installation.tell(&["tenant", "suspend", "みどり薬局"]);
    let suspended = list(&["--state", "suspended"]);
    assert_eq!(labels(&suspended).len(), 2, "with their tenant");
    let said = suspended[0]["device"].as_str().expect("an identifier")[..8].to_uppercase();
    let why = installation.tell(&["why", &said]);
    assert_eq!((&why["refusal"]["code"], &why["devices"][0]), (&json!("C-07"), &with_people(&suspended[0])));
    assert!(why["refusal"]["since"].is_string() && why["refusal"]["tell"]["ja"]["advice"].is_string());
    let nobody = installation.command(&["why", "zzzzzzzz"]);
    assert!(nobody.code == 1 && nobody.stderr.contains("request_id"), "{}", nobody.said());
    assert_eq!(labels(&list(&["--state", "active,revoked"])), ["受付のタブレット"]);
    let again = installation.command_without_json(&["tenant", "suspend", "みどり薬局"]);
    assert!(again.code == 1 && again.stderr.contains("suspended already, by operator "), "{}", again.said());

    assert_eq!(list(&["--stale-days", "1"]), json!([]));
    assert_eq!(labels(&list(&["--stale-days", "0"])).len(), 3);
    assert_eq!(list(&["--due"]), json!([]), "all are fresh");
    installation.listed(&["approvals", "list", "--site", "駅前店"]);
    installation.listed(&["invite", "list", "--tenant", "みどり薬局"]);
    installation.listed(&["policy", "show", "--tenant", "みどり薬局"]);
}

#[test]
fn what_cannot_be_undone_asks_on_a_terminal_and_needs_a_word_without_one() {
    let installation = RunningInstallation::start();
    let device = installation.enroll("register-1").device;
    let revoke = ["device", "revoke", &device];

    let silent = installation.command(&revoke);
    assert_eq!(silent.code, 2, "{}", silent.said());
    assert!(silent.stderr.contains("register-1") && silent.stderr.contains("--yes"), "{}", silent.said());
    let state = || installation.tell(&["device", "show", &device])["state"].clone();
    assert_eq!(state(), "active");

    // script(1) gives the command a terminal, and its own input to whoever asks there.
    let asked = |answer: &str| {
        let script =
            "line=$(printf '%q ' \"$@\"); printf '%s\\n' \"$ANSWER\" | script -qec \"$line\" /dev/null";
        let script = format!("ANSWER={answer}; {script}");
        bash(&installation, &script, &revoke)
    };
    let declined = asked("no");
    assert_eq!(declined.code, 1, "{}", declined.said());
    assert!(
        declined.said().contains("register-1") && declined.said().contains("Go on?"),
        "{}",
        declined.said()
    );
    assert_eq!(state(), "active");
    let done = asked("yes");
    assert_eq!(done.code, 0, "{}", done.said());
    assert_eq!(state(), "revoked");
}

#[test]
fn a_second_stop_names_the_first_and_no_environment_names_the_operator() {
    let installation = RunningInstallation::start();
    let device = installation.enroll("register-1").device;
    installation.tell(&["device", "suspend", &device, "--note", "ticket 7"]);
    let again = installation.command_without_json(&["device", "suspend", &device]);
    assert_eq!(again.code, 1, "{}", again.said());
    let said = &again.stderr;
    assert!(said.contains("register-1") && said.contains("suspended already, by operator "), "{said}");
    assert!(said.contains("ticket 7") && said.contains('Z'), "{said}");
    let told = installation.command(&["device", "suspend", &device]);
    let told: Value = serde_json::from_str(told.stdout.trim()).expect("facts in JSON too");
    assert_eq!(
        (&told["state"], &told["changed"], &told["note"]),
        (&json!("suspended"), &json!(false), &json!("ticket 7"))
    );

    let mut line = installation.command_line(&["device", "revoke", "--yes", &device]);
    let program = line.remove(0);
    let names = ["SUDO_USER", "USER", "LOGNAME"].map(|name| (name, "mallory"));
    CommandOutcome::of(Command::new(program).args(line).envs(names)).good();
    let history = installation.tell(&["device", "history", &device]);
    let account = CommandOutcome::of(Command::new("id").arg("-un")).good().stdout;
    let actor = history[0]["actor"].as_str().expect("an actor");
    assert!(actor.starts_with(&format!("operator:{}", account.trim())), "{actor}");
    let claim = actor.split_once("mallory").map(|(before, _)| before);
    assert!(claim.is_none_or(|before| before.ends_with("SUDO_USER says ")), "a claim is called one: {actor}");

    let read = installation.command_without_json(&["device", "history", &device]).good().stdout;
    for sentence in [
        "revoked for ever (key compromise), by operator ",
        "suspended, by operator ",
        "generation 1 was begun",
        " was issued",
    ] {
        assert!(read.contains(sentence), "{sentence} in {read}");
    }
    let tokens = installation.command_without_json(&["device", "show", &device]).good().stdout;
    assert!(!tokens.contains('{'), "no JSON for people: {tokens}");
}

#[test]
fn a_reader_that_goes_away_ends_nothing_but_the_reading() {
    let installation = RunningInstallation::start();
    let device = installation.enroll("register-1").device;
    for arguments in [
        &["device", "list"][..],
        &["device", "show", &device],
        &["issuer", "list"],
        &["check"],
        &["completions", "bash"],
        &["--help"],
    ] {
        let cut = bash(&installation, "\"$@\" | true", arguments);
        assert!(cut.code == 0 && cut.stderr.is_empty(), "{arguments:?}: {}", cut.said());
    }
    bash(&installation, "\"$@\" 2>&1 | true", &["device", "revoke", "--yes", &device]).good();
    assert_eq!(installation.tell(&["device", "show", &device])["state"], "revoked", "the work was done");
    let full = bash(&installation, "\"$@\" > /dev/full", &["device", "list"]);
    assert!(full.code == 1 && full.stderr.contains("incomplete"), "what is lost is said: {}", full.said());
}

#[test]
fn a_shell_completes_the_commands_and_each_has_a_manual_page() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let said = |arguments: &[&str]| CommandOutcome::of(Command::new(tegata()).args(arguments)).good().stdout;
    std::fs::write(path("tegata.bash"), said(&["completions", "bash"])).expect("a script");
    CommandOutcome::of(Command::new("bash").args(["-n", &path("tegata.bash")])).good();
    let completed = "source \"$1\"; COMP_WORDS=(tegata device l); COMP_CWORD=2; _tegata tegata l device; echo ${COMPREPLY[@]}";
    let completed =
        CommandOutcome::of(Command::new("bash").args(["-c", completed, "bash", &path("tegata.bash")]));
    assert_eq!(completed.good().stdout.trim(), "list");
    for shell in ["zsh", "fish", "powershell", "elvish"] {
        assert!(said(&["completions", shell]).contains("tegata"));
    }

    said(&["man", &path("man")]);
    let page = |name: &str| std::fs::read_to_string(Path::new(&path("man")).join(name)).expect("a page");
    assert!(page("tegata-device-list.1").contains("stale"));
    assert!(page("tegata.1").contains("approvals"));
    assert!(!Path::new(&path("man")).join("tegata-approve.1").exists(), "former names have no page");
    for name in ["tegata.1", "tegata-device-list.1", "tegata-approvals-decline.1"] {
        let file = Path::new(&path("man")).join(name).display().to_string();
        let shown =
            CommandOutcome::of(Command::new("man").args(["-l", "--warnings", &file]).env("MANPAGER", "cat"));
        assert!(shown.good().stdout.contains("SYNOPSIS"), "{name}");
    }
}
