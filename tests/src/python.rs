//! Programs and libraries from `PyPI`, each set in a virtual environment below the target folder.

use crate::run;
use std::path::PathBuf;
use std::sync::Mutex;

/// The folder with the programs of an environment that has exactly these packages, versions included. It is made
/// once; that needs `PyPI`.
pub fn environment(packages: &[&str]) -> PathBuf {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock();
    let test = std::env::current_exe().expect("the path of this test");
    let target = test.ancestors().nth(3).expect("the target folder");
    let environment = target.join(packages.join("-").replace("==", "-"));
    let programs = environment.join("bin");
    if !programs.join("complete").exists() {
        run("python3", &["-m", "venv", &environment.display().to_string()]);
        let install = [&["install", "--quiet"], packages].concat();
        run(&programs.join("pip").display().to_string(), &install);
        std::fs::write(programs.join("complete"), "").expect("a file");
    }
    programs
}
