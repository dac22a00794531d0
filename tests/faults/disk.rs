//! A disk that is full, and one that may not be written to: a file system of its own, which nobody else sees.

use std::path::Path;
use std::process::Command;

/// What the state is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disk {
    /// So many KiB, and no more.
    Of(u32),
    ReadOnly,
}

/// The state does not fit on it.
const TOO_SMALL: i32 = 99;

/// Has the state on it while the program runs, and gives back what is then there.
const SCRIPT: &str = r#"
state=$1 kib=$2; shift 2
mkdir -p "$state" && cp -a "$state" "$state.disk" || exit 98
mount -t tmpfs -o size="${kib}k",mode=700 small "$state" || exit 98
cp -a "$state.disk/." "$state/" 2>/dev/null || { umount "$state"; rm -rf "$state.disk"; exit 99; }
[ "$kib" != 0 ] || mount -o remount,ro "$state" || exit 98
rm -rf "$state.disk"
"$@"; code=$?
cp -a "$state" "$state.disk" && umount "$state" && rm -rf "$state" && mv "$state.disk" "$state" || exit 98
exit $code
"#;

impl Disk {
    /// A command that runs `command` with `state` on this disk.
    pub(crate) fn under(self, state: &Path, command: &Command) -> Command {
        let size = match self {
            Self::Of(kib) => kib,
            Self::ReadOnly => 0, // as large as it likes
        };
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "sh", "-c", SCRIPT, "disk"]).arg(state).arg(size.to_string());
        unshare.arg(command.get_program()).args(command.get_args());
        unshare
    }

    /// Whether the program could begin: no on a disk that is too small for what was there before.
    pub(crate) fn was_there(exit: Option<i32>) -> bool {
        assert_ne!(exit, Some(98), "no file system can be mounted here: run this as root");
        exit != Some(TOO_SMALL)
    }
}
