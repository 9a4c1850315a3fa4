//! A Debian machine of one's own: this one's files, with whatever is written there gone afterwards, and a network that
//! nobody else is in.

use crate::command::CommandOutcome;
use crate::process::Process;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// The name under which the machine is reached, by itself and by browsers.
pub const HOST: &str = "tegata.example.jp";

const CONFINED: &str = include_str!("debian/confined.py");

/// Mounts an overlay over this machine's files, in a namespace that ends with the process.
const PREPARE: &str = "
mount -t tmpfs -o size=4g tmpfs \"$1\"
mkdir \"$1/up\" \"$1/work\" \"$1/root\"
mount -t overlay -o \"lowerdir=/,upperdir=$1/up,workdir=$1/work\" overlay \"$1/root\"
mount --rbind /proc \"$1/root/proc\"
mount --rbind /dev \"$1/root/dev\"
mount -t tmpfs -o mode=1777 tmpfs \"$1/root/tmp\"
mount -t tmpfs -o mode=0755 tmpfs \"$1/root/run\"
ip link set lo up
echo ready
exec sleep infinity
";

/// The machine. It needs root.
#[derive(Debug)]
pub struct DebianMachine {
    // Before the folder, so that the mounts are gone first.
    holder: Process,
    server: Option<Process>,
    folder: TempDir,
}

impl DebianMachine {
    /// Without an installation, and without the package.
    ///
    /// # Panics
    /// Where namespaces or overlays are not allowed.
    #[must_use]
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("tegata-debian-").tempdir().expect("a folder");
        let mount_point = folder.path().join("machine");
        fs::create_dir(&mount_point).expect("a folder");
        let mut command = Command::new("unshare");
        command.args(["--mount", "--net", "--propagation", "private", "sh", "-euc", PREPARE, "prepare"]);
        let mut holder =
            Process::start("the machine", command.arg(&mount_point), &folder.path().join("machine.log"));
        assert_eq!(holder.line(), "ready", "{}", holder.log());
        let machine = Self { holder, server: None, folder };
        machine.write("/etc/hosts", &format!("127.0.0.1 localhost {HOST} 0.probe.{HOST}\n"));
        machine.write("/usr/local/lib/confined.py", CONFINED);
        machine
    }

    /// A shell script as root, in the folder /tmp.
    pub fn shell(&self, script: &str) -> CommandOutcome {
        CommandOutcome::of(self.command(&["sh", "-euc", script]).env("DEBIAN_FRONTEND", "noninteractive"))
    }

    /// Writes a file.
    pub fn write(&self, path: &str, text: &str) {
        let from = self.folder.path().join("written");
        fs::write(&from, text).expect("a file");
        self.copy(&from, path);
    }

    /// Copies a file from outside.
    pub fn copy(&self, from: &Path, to: &str) {
        let bytes = fs::File::open(from).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
        let mut command =
            self.command(&["sh", "-euc", "mkdir -p \"$(dirname \"$1\")\"; cat > \"$1\"", "copy", to]);
        let output = command.stdin(bytes).output().expect("a shell");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// What a file contains.
    pub fn read(&self, path: &str) -> String {
        self.shell(&format!("cat '{path}'")).good().stdout
    }

    /// Copies a file out of the container, for programs outside.
    pub fn copy_out(&self, path: &str, name: &str) -> PathBuf {
        let out = self.folder.path().join(name);
        fs::write(&out, self.read(path)).expect("a file");
        out
    }

    /// `systemctl start tegata`, where there is no systemd: what the unit starts, under the unit's limits.
    pub fn start(&mut self) {
        self.server = None;
        let script = "exec unshare --mount --propagation private /usr/bin/python3 /usr/local/lib/confined.py \
                      /usr/lib/systemd/system/tegata.service /etc/systemd/system/tegata.service.d/*.conf";
        let mut command = self.command(&["sh", "-euc", script]);
        self.server = Some(Process::start("tegata.service", &mut command, &self.log_file()));
    }

    /// `systemctl stop tegata`.
    pub fn stop(&mut self) {
        self.server = None;
    }

    /// Whether the server that was started is there.
    pub fn is_serving(&mut self) -> bool {
        self.server.as_mut().is_some_and(Process::is_running)
    }

    /// The process of the server.
    ///
    /// # Panics
    /// When it was not started.
    #[must_use]
    pub fn server_id(&self) -> u32 {
        self.server.as_ref().expect("a server").id()
    }

    /// What the server wrote to its journal.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// A program outside that sits in the machine's network.
    #[must_use]
    pub fn beside(&self, program: &Command) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", self.holder.id()));
        command.arg(program.get_program()).args(program.get_args());
        for (name, value) in program.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        if let Some(folder) = program.get_current_dir() {
            command.current_dir(folder);
        }
        command
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        let namespaces = format!("/proc/{}/ns", self.holder.id());
        command.args([format!("--mount={namespaces}/mnt"), format!("--net={namespaces}/net")]);
        // Inside, where the folder is the machine's root.
        command.args(["chroot", &self.folder.path().join("machine/root").display().to_string()]);
        command.args(["env", "--chdir=/tmp", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"]).args(arguments);
        command
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("server.log")
    }
}

impl Default for DebianMachine {
    fn default() -> Self {
        Self::new()
    }
}
