//! Power cuts. `kill -9` proves little: what a process has written is in the kernel's memory and survives it. Here only
//! that survives which was synced; see `power.c`.

use crate::command::run;
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use tempfile::TempDir;

/// What belongs to the test and not to the machine under test.
const OF_THE_TEST: [&str; 2] = ["of-the-test", "server.log"];

/// A disk whose power can be cut.
#[derive(Debug)]
pub struct Power {
    disk: TempDir,
    roots: Vec<PathBuf>,
    /// What it lies about.
    deaf: Vec<(String, String)>,
}

/// One name in a folder of the disk.
struct PowerEntry {
    path: PathBuf,
    mode: u32,
    is_folder: bool,
    content: Vec<u8>,
}

impl Power {
    /// A disk for what lies in these folders; what is there already is synced.
    #[must_use]
    pub fn of(roots: &[&Path]) -> Self {
        let disk = tempfile::tempdir().expect("a folder");
        for name in ["", "files", "folders"] {
            let folder = disk.path().join(name);
            fs::create_dir_all(&folder).expect("a folder");
            open_to_all(&folder);
        }
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src/power.c");
        let library = disk.path().join("power.so").display().to_string();
        run("gcc", &["-Wall", "-Werror", "-shared", "-fPIC", "-O1", "-o", &library, source, "-ldl"]);
        let roots: Vec<_> = roots.iter().map(|root| root.canonicalize().expect("a folder")).collect();
        let power = Self { disk, roots, deaf: Vec::new() };
        power.sync_everything();
        power
    }

    /// A disk that does not sync these files and says it did: the ends of their paths, or names of folders with a slash
    /// behind, with colons between.
    #[must_use]
    pub fn lying_about(mut self, words: &str) -> Self {
        self.deaf.push(("POWER_DEAF".to_owned(), words.to_owned()));
        self
    }

    /// What every process that writes there must have in its environment.
    pub fn environment(&self) -> Vec<(String, String)> {
        let roots: Vec<_> = self.roots.iter().map(|root| format!("{}:", root.display())).collect();
        let disk = self.disk.path().display();
        let own = [
            ("LD_PRELOAD".to_owned(), format!("{disk}/power.so")),
            ("POWER_DISK".to_owned(), disk.to_string()),
            ("POWER_ROOTS".to_owned(), roots.concat()),
        ];
        own.into_iter().chain(self.deaf.iter().cloned()).collect()
    }

    /// From now on nothing reaches the disk, and nobody who waits for it is told that it did.
    pub fn cut(&self) {
        let lock =
            File::options().create(true).append(true).open(self.disk.path().join("lock")).expect("the lock");
        lock.lock().expect("the lock");
        fs::write(self.disk.path().join("cut"), "").expect("a file");
    }

    /// The folders as the disk has them. Whoever was writing there must be dead.
    pub fn restore(&self) {
        for root in &self.roots {
            let mut entries = Vec::new();
            self.read(&key(root), Path::new(""), &mut entries);
            let owner = fs::metadata(root).expect("a folder");
            clear(root);
            for entry in entries {
                let path = root.join(&entry.path);
                if entry.is_folder {
                    fs::create_dir(&path).expect("a folder");
                } else {
                    fs::write(&path, entry.content).expect("a file");
                }
                fs::set_permissions(&path, PermissionsExt::from_mode(entry.mode)).expect("its mode");
                chown(&path, Some(owner.uid()), Some(owner.gid())).expect("its owner");
            }
        }
        fs::remove_file(self.disk.path().join("cut")).expect("the power");
        self.sync_everything();
    }

    fn sync_everything(&self) {
        for root in &self.roots {
            self.sync(root);
        }
    }

    fn sync(&self, folder: &Path) {
        let mut list = String::new();
        for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("a name")) {
            let (path, metadata) = (entry.path(), entry.metadata().expect("a file"));
            let name = entry.file_name().into_string().expect("a readable name");
            let kind = if metadata.is_dir() { 'd' } else { 'f' };
            list += &[&format!("{kind} {:o} {} {name}", metadata.mode() & 0o7777, key(&path)), "\n"].concat();
            if metadata.is_dir() {
                self.sync(&path);
            } else if metadata.is_file() {
                fs::copy(&path, self.kept("files", &key(&path))).expect("a copy");
                open_to_all(&self.kept("files", &key(&path)));
            }
        }
        fs::write(self.kept("folders", &key(folder)), list).expect("a list");
        open_to_all(&self.kept("folders", &key(folder)));
    }

    /// What is in a folder and below: a folder before its content.
    fn read(&self, folder: &str, path: &Path, entries: &mut Vec<PowerEntry>) {
        // A folder that was never synced has no names.
        let list = fs::read_to_string(self.kept("folders", folder)).unwrap_or_default();
        for line in list.lines() {
            let [kind, mode, key, name] = line.splitn(4, ' ').collect::<Vec<_>>()[..] else {
                panic!("an entry: {line}")
            };
            if OF_THE_TEST.contains(&name) || kind == "o" {
                continue;
            }
            // Nor has a file that was never synced any bytes.
            let content = fs::read(self.kept("files", key)).unwrap_or_default();
            let mode = u32::from_str_radix(mode, 8).expect("a mode");
            let path = path.join(name);
            entries.push(PowerEntry { path: path.clone(), mode, is_folder: kind == "d", content });
            if kind == "d" {
                self.read(key, &path, entries);
            }
        }
    }

    fn kept(&self, kind: &str, key: &str) -> PathBuf {
        self.disk.path().join(kind).join(key)
    }
}

/// Inode and time of birth, as `power.c` has it.
fn key(path: &Path) -> String {
    let metadata = fs::symlink_metadata(path).expect("a file");
    let born = metadata.created().ok().and_then(|born| born.duration_since(SystemTime::UNIX_EPOCH).ok());
    format!("{}-{}", metadata.ino(), born.map_or(0, |born| born.as_nanos()))
}

fn clear(folder: &Path) {
    for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("a name")) {
        if entry.file_name().to_str().is_some_and(|name| OF_THE_TEST.contains(&name)) {
            continue;
        }
        let path = entry.path();
        if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
            .expect("an empty folder");
    }
}

/// Another account may write there: PostgreSQL does not run as root.
fn open_to_all(path: &Path) {
    let mode = if path.is_dir() { 0o777 } else { 0o666 };
    fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("its mode");
}
