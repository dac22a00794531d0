//! The command line, in the manual's words.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, Command, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use clap_complete::Shell;
use solme_sync_protocol::{LicenseNumber, LicenseServerId};

use crate::clock::Span;
use crate::core::Mode;
use crate::settings::{Flags, NetworkFlags};

const AFTER_HELP: &str = "\
Exit codes:
   0  done
   2  the command line, or a setting, is wrong
  10  refused by the main server
  11  the main server was not reached, or its answer could not be used
  12  a file cannot be used
  13  the local state cannot be used
  14  no license may be issued

State directory: --state, else LICENSE_SERVER_STATE, else `state` in the configuration file, else
$XDG_STATE_HOME/license-server, else ~/.local/state/license-server. Only one synchronization runs at
a time; other commands are not blocked by it.

Configuration file: --config, else LICENSE_SERVER_CONFIG, else, if it exists,
$XDG_CONFIG_HOME/license-server/config.toml, else ~/.config/license-server/config.toml.
`license-server config` shows every setting and where it comes from.

This is a simulation with a protocol and keys of its own. It cannot talk to Solme's servers,
and nothing it does makes AVIX accept a license.";

/// A License Server's synchronization with its main license server.
#[derive(Parser)]
#[command(name = "license-server", version, after_help = AFTER_HELP, max_term_width = 100)]
pub(crate) struct Cli {
    /// The state directory
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// The configuration file
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print one JSON object instead of text
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Simulation: shift the local clock, by 366d, -2h, 30m or 10s. TLS certificates still use the real time
    #[arg(long, global = true, allow_hyphen_values = true, value_name = "SPAN")]
    pub(crate) clock_offset: Option<Span>,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// What is to be done.
#[derive(Subcommand)]
pub(crate) enum Verb {
    /// Set up this License Server: its license server id, its trust file, and a new key pair
    ///
    /// Run it again with a newer trust file of the same main server to update addresses, name and CA certificate. It
    /// never replaces a key pair.
    Init {
        /// The license server id that Solme gave you
        #[arg(long, value_name = "ID")]
        id: LicenseServerId,
        /// The trust file of the main server
        #[arg(long, value_name = "FILE")]
        trust: PathBuf,
    },
    /// Synchronize with the main server over ports 443 and 8080
    Synchronize {
        #[command(flatten)]
        network: NetworkFlags,
    },
    /// Show license server id, key pair, days left, and the allocated licenses
    Status,
    /// May a license be issued now? Without a number: any of them
    MayIssue {
        /// The license number
        license_number: Option<LicenseNumber>,
    },
    /// Replace a key pair that was cleared, copied or lost
    ///
    /// With a new key pair this server stops issuing until Solme clears the old one and you synchronize. The old state
    /// is kept in the directory `archive` of the state directory; license server id and trust stay.
    NewKeyPair {
        /// Confirm: stop using the current key pair
        #[arg(long)]
        yes: bool,
    },
    /// Show past events, newest last
    History,
    /// Synchronize via file, first half: write the request file for the main server
    ///
    /// Until that request is answered, every export writes the same one.
    ExportRequest {
        /// The file to write; - for standard output
        file: PathBuf,
    },
    /// Synchronize via file, second half: read the response file that came back
    ImportResponse {
        /// The response file; - for standard input
        file: PathBuf,
        /// Show what would change, and store nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Write the mail to licensing@solme.se that asks to have the key pair in use cleared
    RequestClear {
        /// The file to write; - for standard output [default: clear-request-ID.eml]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Send the mail to this mail server instead
        #[arg(long, value_name = "HOST:PORT", conflicts_with = "out")]
        smtp: Option<String>,
        /// The sender, best a contact that Solme knows
        #[arg(long, value_name = "ADDR", default_value = "license-server@localhost")]
        from: String,
    },
    /// Check everything that a synchronization needs, with a cure for each failure
    ///
    /// Checks state, key pair, clock, name lookup, proxy, port 443, TLS, port 8080, the main server, its last answer, and
    /// the deadline. It changes nothing and never synchronizes. The exit code is 0, or that of the first failed check: 13
    /// for state, key pair and clock, 11 for the network and the main server, 10 for the last answer, 14 for the deadline.
    Doctor {
        #[command(flatten)]
        network: NetworkFlags,
    },
    /// Synchronize every day or every week (off by default). Without a mode: show the current one
    ///
    /// `license-server serve` carries it out.
    AutomaticSynchronization {
        /// off, daily or weekly
        mode: Option<Mode>,
    },
    /// Run until stopped: synchronize automatically, and warn before the required synchronization
    ///
    /// It warns when 90, 30, 7 and 1 days are left, and when none is. SIGTERM or Ctrl-C stops it at any moment; nothing is
    /// lost.
    Serve {
        #[command(flatten)]
        network: NetworkFlags,
        /// Shell command to run at each warning, with LICENSE_SERVER_ID, DAYS_LEFT, SYNCHRONIZE_BY and MESSAGE in its
        /// environment
        #[arg(long, value_name = "COMMAND")]
        warning_command: Option<String>,
    },
    /// Show the License Server Manager: this server in a browser on this computer, until stopped
    ///
    /// It prints one address for a browser on this computer. Whoever has that address may use the Manager, so keep it to
    /// yourself. A page that is open comes back when the Manager is started again.
    Manager {
        #[command(flatten)]
        network: NetworkFlags,
        /// The port of 127.0.0.1 [default: that of the last time, or a free one]
        #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
        port: Option<u16>,
        /// Open the browser
        #[arg(long)]
        open: bool,
        /// The server name that users enter in AVIX [default: the name of this computer]
        #[arg(long, value_name = "NAME")]
        server_name: Option<String>,
    },
    /// Write shell completions to standard output
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write the man pages into a directory
    ManPages {
        /// The directory; it must exist
        directory: PathBuf,
    },
    /// Show each setting, its value, and where it comes from
    ///
    /// Settings come from the configuration file (`connect_limit = "10s"`), the environment
    /// (LICENSE_SERVER_CONNECT_LIMIT=10s) and flags (--connect-limit 10s). Flags override the environment, and that
    /// overrides the file.
    Config {
        #[command(flatten)]
        network: NetworkFlags,
    },
}

/// Flags of all verbs but these, which have no use for them: by id and by name.
const NO_FLAGS: [(&str, &[(&str, &str)]); 3] = [
    ("completions", &[STATE, ("config", "config"), ("json", "json"), CLOCK_OFFSET]),
    ("man-pages", &[STATE, ("config", "config"), CLOCK_OFFSET]),
    ("config", &[CLOCK_OFFSET]),
];
const STATE: (&str, &str) = ("state", "state");
const CLOCK_OFFSET: (&str, &str) = ("clock_offset", "clock-offset");

/// The command line, each verb with the flags that it has a use for.
pub(crate) fn command() -> Command {
    NO_FLAGS.iter().fold(Cli::command(), |command, (verb, flags)| {
        // An argument of the same name keeps the global one out.
        command.mut_subcommand(verb, |command| command.args(flags.iter().map(|(id, flag)| no_flag(id, flag))))
    })
}

/// Taken with and without a value: it is refused as a whole, in words of ours.
fn no_flag(id: &'static str, flag: &'static str) -> Arg {
    Arg::new(id).long(flag).hide(true).num_args(0..=1).default_missing_value("")
}

impl Cli {
    /// Reads the command line.
    ///
    /// # Errors
    /// What is wrong with it, or the help that was asked for.
    pub(crate) fn read(args: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> Result<Self, clap::Error> {
        let mut command = command();
        let matches = command.try_get_matches_from_mut(args)?;
        let after = matches.subcommand().map(|(_, after)| after);
        let flags = NO_FLAGS.iter().find(|(verb, _)| matches.subcommand_name() == Some(verb));
        let given = |id: &str| {
            let sources = [Some(&matches), after].map(|at| at.and_then(|at| at.value_source(id)));
            sources.contains(&Some(ValueSource::CommandLine))
        };
        match flags.and_then(|(verb, flags)| flags.iter().find(|(id, _)| given(id)).map(|(_, flag)| (verb, flag))) {
            Some((verb, flag)) => {
                let text = format!("--{flag} has no effect: {verb} has no use for it; leave it out");
                Err(command.error(ErrorKind::ArgumentConflict, text))
            }
            None => Self::from_arg_matches(&matches),
        }
    }

    /// The settings that the command line gives.
    pub(crate) fn flags(&self) -> Flags {
        let (network, warning_command) = match &self.verb {
            Verb::Serve { network, warning_command } => (network.clone(), warning_command.clone()),
            Verb::Synchronize { network }
            | Verb::Doctor { network }
            | Verb::Config { network }
            | Verb::Manager { network, .. } => (network.clone(), None),
            _ => (NetworkFlags::default(), None),
        };
        Flags { config: self.config.clone(), state: self.state.clone(), network, warning_command }
    }
}
