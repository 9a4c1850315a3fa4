"""Starts what a systemd unit starts, under the unit's limits, where no systemd runs.

    confined.py UNIT DROP-INS    as root, in a mount namespace of its own

What is taken from the unit: user, capabilities, no new privileges, limits, umask, the environment file, read-only file
systems with their exceptions, private /tmp, hidden homes, system calls, address families, memory that is never both
writable and executable. What is not: device and cgroup rules, /proc subsets, namespaces.
"""
import os
import resource
import subprocess
import sys

import seccomp


def read_unit(paths):
    settings = {}
    for path in paths:
        for line in open(path, encoding="utf-8"):
            name, equals, value = line.strip().partition("=")
            if equals and not name.startswith(("#", "[")):
                settings.setdefault(name, []).append(value)
    return settings


def mount(*arguments):
    subprocess.run(["mount", *arguments], check=True)


def hide(folder):
    if os.path.isdir(folder):
        mount("-t", "tmpfs", "-o", "mode=0755,ro", "tmpfs", folder)


def confine_files(unit):
    assert unit["ProtectSystem"] == ["strict"], unit["ProtectSystem"]
    state = ["/var/lib/" + name for line in unit.get("StateDirectory", []) for name in line.split()]
    for folder in state + [path for line in unit.get("ReadWritePaths", []) for path in line.split()]:
        mount("--bind", folder, folder)
    mount("-o", "remount,bind,ro", "/")
    if unit.get("PrivateTmp") == ["yes"]:
        mount("-t", "tmpfs", "tmpfs", "/tmp")
    if unit.get("ProtectHome") == ["yes"]:
        for folder in ["/home", "/root", "/run/user"]:
            hide(folder)


def system_calls(group):
    said = subprocess.run(["systemd-analyze", "syscall-filter", group], check=True, capture_output=True, text=True)
    names = set()
    for line in said.stdout.splitlines()[1:]:
        name = line.strip()
        if name.startswith("@"):
            names |= system_calls(name)
        elif name and not name.startswith("#"):
            names.add(name)
    return names


def allowed_calls(unit):
    allowed = system_calls("@default")
    for line in unit["SystemCallFilter"]:
        groups = line.removeprefix("~").split()
        named = set().union(*(system_calls(group) for group in groups))
        allowed = allowed - named if line.startswith("~") else allowed | named
    return allowed


def confine_calls(unit, allowed):
    rules = seccomp.SyscallFilter(seccomp.ERRNO(1))
    for name in allowed - {"socket", "mmap", "mprotect"}:
        try:
            rules.add_rule(seccomp.ALLOW, name)
        except (RuntimeError, ValueError):
            pass  # This architecture has no such call.
    families = [family for line in unit["RestrictAddressFamilies"] for family in line.split()]
    numbers = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10}
    for family in families:
        rules.add_rule(seccomp.ALLOW, "socket", seccomp.Arg(0, seccomp.EQ, numbers[family]))
    assert unit["MemoryDenyWriteExecute"] == ["yes"]
    write, execute = 2, 4
    for protection in [0, write, execute]:
        rules.add_rule(seccomp.ALLOW, "mmap", seccomp.Arg(2, seccomp.MASKED_EQ, write | execute, protection))
    rules.add_rule(seccomp.ALLOW, "mprotect", seccomp.Arg(2, seccomp.MASKED_EQ, execute, 0))
    rules.load()


def environment_of(unit):
    environment = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "USER": unit["User"][0]}
    for file in unit.get("EnvironmentFile", []):
        if os.path.exists(file.removeprefix("-")):
            for line in open(file.removeprefix("-"), encoding="utf-8"):
                name, equals, value = line.strip().partition("=")
                if equals and not name.startswith("#"):
                    environment[name] = value
    return environment


def capabilities(unit, name):
    found = [word.removeprefix("CAP_").lower() for line in unit.get(name, []) for word in line.split()]
    return ",".join(["-all"] + ["+" + word for word in found])


def main(paths):
    unit = read_unit(paths)
    if os.environ.get("CONFINED") == "by setpriv":
        confine_calls(unit, set(os.environ["CONFINED_CALLS"].split()))
        program = unit["ExecStart"][-1].split()
        os.execve(program[0], program, environment_of(unit))
    calls = allowed_calls(unit)
    confine_files(unit)
    os.umask(int(unit["UMask"][0], 8))
    for name, limit in [("LimitNOFILE", resource.RLIMIT_NOFILE), ("LimitCORE", resource.RLIMIT_CORE)]:
        # No more than whoever runs the test may have.
        highest = resource.getrlimit(limit)[1]
        number = int(unit[name][0])
        number = number if highest == resource.RLIM_INFINITY else min(number, highest)
        resource.setrlimit(limit, (number, number))
    assert unit["NoNewPrivileges"] == ["yes"]
    os.environ.update({"CONFINED": "by setpriv", "CONFINED_CALLS": " ".join(sorted(calls))})
    os.chdir("/")
    os.execvp("setpriv", [
        "setpriv", "--reuid", unit["User"][0], "--regid", unit["Group"][0], "--clear-groups", "--no-new-privs",
        "--inh-caps", capabilities(unit, "AmbientCapabilities"),
        "--ambient-caps", capabilities(unit, "AmbientCapabilities"),
        "--bounding-set", capabilities(unit, "CapabilityBoundingSet"),
        "/usr/bin/python3", *sys.argv,
    ])


main(sys.argv[1:])
