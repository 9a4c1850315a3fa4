//! Production on one machine: the package, the unit, the guide's commands, and `tegata init`.

mod guide;
mod init;
mod linted;
mod package;
