//! What can be said on the command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use solme_sync_protocol::{KeyThumbprint, LicenseNumber, LicenseServerId, UtcTime};

use super::quirks::Quirks;
use super::values::{address, carrier, component, duration, end, property, time, token};
use crate::admin::api::{Carrier, ComponentTerms, Quirk};
use crate::public;

const EXIT_CODES: &str =
    "Exit codes: 0 done, 1 failed or refused by the main server, 2 usage, 3 main server not reached.

Example:
  mock-solme serve
  mock-solme serve --data demo
  mock-solme ids list --data demo
  mock-solme ids list --admin-url http://127.0.0.1:15000 --token TOKEN";

/// A simulator of Solme's main license server
#[derive(Debug, Parser)]
#[command(name = "mock-solme", version, about, after_help = EXIT_CODES, disable_help_subcommand = true)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) verb: Verb,
}

#[derive(Debug, Clone, Args)]
pub(super) struct Global {
    /// Data directory of the running simulator, in place of --admin-url and --token
    #[arg(long, value_name = "DIR", global = true, env = "MOCK_SOLME_DATA")]
    pub(super) data: Option<PathBuf>,
    /// Admin API of the running simulator: `admin` of its ready line
    #[arg(long, value_name = "URL", global = true, env = "MOCK_SOLME_ADMIN_URL")]
    pub(super) admin_url: Option<String>,
    /// Admin token, printed as `admin_token` when `serve` starts
    #[arg(long, global = true, env = "MOCK_SOLME_TOKEN", hide_env_values = true)]
    pub(super) token: Option<String>,
    /// Who does it, for the audit
    #[arg(long, value_name = "NAME", global = true, env = "MOCK_SOLME_OPERATOR", default_value = "operator")]
    pub(super) operator: String,
    /// Print the answer of the admin API
    #[arg(long, global = true)]
    pub(super) json: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Run the simulator
    Serve(Serve),
    /// Write the completions of a shell to standard output
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the man pages into a directory
    ManPages {
        /// The directory; it must exist
        directory: PathBuf,
    },
    /// License server ids
    #[command(subcommand)]
    Ids(Ids),
    /// The licenses that are allocated to an id
    #[command(subcommand)]
    Licenses(Licenses),
    /// The key pair in use
    #[command(subcommand)]
    KeyPair(KeyPair),
    /// Requests by e-mail to clear a key pair
    #[command(subcommand)]
    ClearRequests(ClearRequests),
    /// Mails that came in for the licensing desk, in this run
    #[command(subcommand)]
    Inbox(Inbox),
    /// Mails that the licensing desk has answered with
    #[command(subcommand)]
    Outbox(Outbox),
    /// Turn a request file into a response file
    #[command(after_help = "A refusal makes a response file too, for the customer to read; the exit code is 0.

Example: mock-solme process-request site.request --out site.response")]
    ProcessRequest {
        /// The request file
        file: PathBuf,
        /// Where the response file goes
        #[arg(long)]
        out: PathBuf,
    },
    /// The virtual clock of the simulator
    #[command(subcommand)]
    Clock(Clock),
    /// Misbehave on command, to test License Servers
    #[command(subcommand)]
    Quirks(Quirks),
    /// Every exchange with a License Server, and the clause that decided it
    #[command(after_help = "Examples:\n  mock-solme journal --id SITE-1 --verdict refused\n  mock-solme journal 17")]
    Journal(Journal),
    /// What was changed, by whom and why
    Audit(Listing),
    /// Forget everything, or the key pairs and requests of one id
    #[command(
        after_help = "Name an id, or --all.\n\nExamples:\n  mock-solme reset DEMO-4711\n  mock-solme reset --all"
    )]
    Reset {
        /// Only of this id; what is allocated to it stays
        #[arg(required_unless_present = "all")]
        id: Option<LicenseServerId>,
        /// Everything, as at the first start
        #[arg(long, conflicts_with = "id")]
        all: bool,
    },
    /// The trust file that License Servers are set up with
    #[command(after_help = "With --https its certificate is good for that host from then on, until the simulator ends.

Example: mock-solme trust-file --https https://main-server.example:24443 --http http://main-server.example:28080")]
    TrustFile {
        /// For License Servers that reach the 443 role there
        #[arg(long, value_name = "URL", value_parser = public::https)]
        https: Option<String>,
        /// For License Servers that reach the 8080 role there
        #[arg(long, value_name = "URL", value_parser = public::http)]
        http: Option<String>,
    },
    /// What `serve` was told at the start of this run
    Settings,
    /// Whether it runs: exit code 0 if it does, 3 if not; for the health check of a container
    Health,
    /// Where a simulator with --data listens
    #[command(after_help = "Example: license-server request-clear --from it@customer.example --smtp \
                            $(mock-solme --data DIR address smtp)")]
    Address {
        /// The listener
        listener: Listener,
    },
}

/// One of the four places where a simulator listens.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Listener {
    /// The 443 role
    Https,
    /// The 8080 role
    Http,
    /// The admin API
    Admin,
    /// Mail to licensing@solme.se
    Smtp,
}

const SERVE_HELP: &str = "When it is ready it prints one line of JSON, and nothing else, to stdout: https, http, admin,
smtp, admin_token, console, trust_file, seed, main_server_id, demo_license_server_id. `console`
is the address of a page with all that an operator does, for a browser; its end is the token.
With --data the addresses and the token are those of the last time; the directory is closed to other users
(0700, files 0600), and its journal keeps the newest 10,000 exchanges, at most 64 MiB. It logs to
stderr, with RUST_LOG=info a line for each exchange, and ends with SIGTERM or Ctrl-C.

Profile hostile: about every third exchange has a quirk, drawn from the seed, and never more
than two in a row for one operation and id. A License Server that keeps to the protocol gets
through: within 9 requests directly, within 3 response files via file.

A file of faults is TOML, in the words of mock-solme quirks arm:
  [[fault]]
  quirk = \"status-503\"
  where = { operation = \"synchronize\", id = \"DEMO-4711\" }
  when = { after = 1, next = 2 }
  with = { retry_after = 30 }

Example: mock-solme serve --https 14443 --http 18080 --data /var/lib/mock-solme";

#[derive(Debug, Args)]
#[command(after_help = SERVE_HELP)]
pub(super) struct Serve {
    /// Where the 443 role listens: an address, or a port of the loopback interface; 0 is any free one. Without it
    /// where it was the last time with this --data, else any free port
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub(super) https: Option<SocketAddr>,
    /// Where the 8080 role listens
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub(super) http: Option<SocketAddr>,
    /// Where the admin API listens
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub(super) admin: Option<SocketAddr>,
    /// Where mail to licensing@solme.se is taken
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub(super) smtp: Option<SocketAddr>,
    /// Name or IP address by which others reach this machine, for certificate, trust file and admin API; repeat for more.
    /// The first one is in the trust file. Without any --public flag those of the last time with this --data
    #[arg(long = "public-name", value_name = "NAME", value_parser = public::name)]
    pub(super) public_names: Vec<String>,
    /// Where License Servers reach the 443 role, if not at its port: behind a port mapping
    #[arg(long, value_name = "URL", value_parser = public::https)]
    pub(super) public_https: Option<String>,
    /// Where License Servers reach the 8080 role
    #[arg(long, value_name = "URL", value_parser = public::http)]
    pub(super) public_http: Option<String>,
    /// Where operators reach the admin API
    #[arg(long, value_name = "URL", value_parser = public::http)]
    pub(super) public_admin: Option<String>,
    /// Keep everything in this directory; without it all is gone at the end
    #[arg(long, value_name = "DIR", env = "MOCK_SOLME_DATA")]
    pub(super) data: Option<PathBuf>,
    /// Seed of what is made up, such as license numbers, and of quirks; random without it, and always printed
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u32>,
    /// Without the demo license server id
    #[arg(long)]
    pub(super) empty: bool,
    /// Token of the admin API; without it that of the last time with this --data, else a random one
    #[arg(long, value_name = "TOKEN", env = "MOCK_SOLME_ADMIN_TOKEN", hide_env_values = true, value_parser = token)]
    pub(super) admin_token: Option<String>,
    /// Answer at most N requests a minute with one id: the key pair in use has a bucket of its own
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) rate_limit: Option<u32>,
    /// Where `outbox hand-on` hands mails on to: smtp://USER:PASSWORD@HOST:587?tls=required
    #[arg(long, value_name = "URL", env = "MOCK_SOLME_MAIL_SERVER", hide_env_values = true)]
    pub(super) mail_server: Option<String>,
    /// Approve clear requests as their mails arrive
    #[arg(long)]
    pub(super) auto_approve: bool,
    /// Arm the faults in this file
    #[arg(long, value_name = "FILE")]
    pub(super) quirks: Option<PathBuf>,
    /// Open the console in the browser
    #[arg(long)]
    pub(super) open: bool,
    /// End when standard input is closed, as when the program that started it has died
    #[arg(long)]
    pub(super) exit_with_stdin: bool,
    /// How the log on stderr is written
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(super) log: LogFormat,
    /// Arm a mixture of quirks
    #[arg(long, value_name = "NAME", conflicts_with = "quirks")]
    pub(super) profile: Option<Profile>,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// A line for people
    Text,
    /// A JSON object on each line
    Json,
}

/// A mixture of quirks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Profile {
    /// About every third exchange has a quirk, never more than two in a row
    Hostile,
}

#[derive(Debug, Subcommand)]
pub(super) enum Ids {
    /// Add an id; one is made up where none is named
    #[command(after_help = "Example: mock-solme ids add SITE-1 --contact it@customer.example")]
    Add {
        id: Option<LicenseServerId>,
        /// Whose License Server it is
        #[arg(long)]
        name: Option<String>,
        /// Who may ask for a clear by e-mail, and hears the answer; repeat for more
        #[arg(long = "contact", value_name = "MAIL")]
        contacts: Vec<String>,
        /// Let only this key pair bind the id: nobody who sees the id on its way can be first
        #[arg(long, value_name = "THUMBPRINT", allow_hyphen_values = true)]
        reserve_for: Option<KeyThumbprint>,
    },
    /// Change name or contacts
    Change {
        id: LicenseServerId,
        /// The new name; an empty one removes it
        #[arg(long)]
        name: Option<String>,
        /// All contacts from now on; repeat for more
        #[arg(long = "contact", value_name = "MAIL")]
        contacts: Option<Vec<String>>,
    },
    /// Show one id
    Show { id: LicenseServerId },
    /// List all ids
    List {
        /// Only ids that begin so
        #[arg(long, value_name = "TEXT", default_value = "")]
        begins_with: String,
        /// Only ids after this one
        #[arg(long, value_name = "ID", default_value = "")]
        after: String,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: u32,
    },
    /// Refuse every request with this id
    Disable {
        id: LicenseServerId,
        #[arg(long)]
        reason: Option<String>,
    },
    /// Accept them again
    Enable {
        id: LicenseServerId,
        #[arg(long)]
        reason: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Licenses {
    /// Add a license: without more, five users of Base for ten years
    #[command(after_help = "Example: mock-solme licenses add SITE-1 --component Base=10 --component Ergo=2")]
    Add {
        id: LicenseServerId,
        /// License number; made up without it
        #[arg(long, value_name = "NUMBER")]
        number: Option<LicenseNumber>,
        #[command(flatten)]
        terms: Terms,
    },
    /// Change a license; what is not named stays
    #[command(after_help = "Example: mock-solme licenses change SITE-1 NUMBER --component Base=20")]
    Change {
        id: LicenseServerId,
        number: LicenseNumber,
        #[command(flatten)]
        terms: Terms,
    },
    /// Take a license back
    Remove { id: LicenseServerId, number: LicenseNumber },
    /// List the licenses of an id
    List { id: LicenseServerId },
}

#[derive(Debug, Args)]
pub(super) struct Terms {
    /// A component and its users; repeat for more. Base has to be among them
    #[arg(long = "component", value_name = "NAME=USERS", value_parser = component)]
    pub(super) components: Option<Vec<ComponentTerms>>,
    /// Shown instead of the number; an empty one removes it
    #[arg(long, value_name = "TEXT")]
    pub(super) display: Option<String>,
    /// License domain; an empty one removes it
    #[arg(long, value_name = "TEXT")]
    pub(super) domain: Option<String>,
    /// Start of the validity: 2027-01-31, or 2027-01-31T12:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(super) valid_from: Option<UtcTime>,
    /// End of the validity, or `never`
    #[arg(long, value_name = "TIME", value_parser = end)]
    pub(super) expires_at: Option<End>,
    /// For people; repeat for more
    #[arg(long = "property", value_name = "NAME=VALUE", value_parser = property)]
    pub(super) properties: Option<Vec<(String, String)>>,
    /// Why, for the audit
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
}

/// The end of a validity: a name, because clap takes a bare `Option` in an `Option` for something else.
pub(super) type End = Option<UtcTime>;

#[derive(Debug, Subcommand)]
pub(super) enum KeyPair {
    /// Show the key pair in use, and those that were cleared
    Show { id: LicenseServerId },
    /// Clear the key pair in use, so that another one can bind the id
    #[command(after_help = "Example: mock-solme key-pair clear SITE-1 --even-so --reason \"reinstalled; called back\"")]
    Clear {
        id: LicenseServerId,
        /// Only if this one is in use
        #[arg(long, allow_hyphen_values = true)]
        thumbprint: Option<KeyThumbprint>,
        /// Clear it even if it synchronized within the last 30 days
        #[arg(long, requires = "reason")]
        even_so: bool,
        /// Why, for the audit
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        /// Let only this key pair bind the id next
        #[arg(long, value_name = "THUMBPRINT", allow_hyphen_values = true)]
        reserve_for: Option<KeyThumbprint>,
    },
    /// Reserve a free id for one key pair, or lift the reservation
    Reserve {
        id: LicenseServerId,
        /// The key pair; without it the reservation is lifted
        #[arg(long = "for", value_name = "THUMBPRINT", allow_hyphen_values = true)]
        reserve_for: Option<KeyThumbprint>,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum ClearRequests {
    /// List them
    List(Listing),
    /// Show one
    Show { number: u64 },
    /// Clear the key pair that was in use when the mail arrived
    #[command(after_help = "Example: mock-solme clear-requests approve 1 --even-so --reason \"called back\"")]
    Approve {
        number: u64,
        /// Approve despite the cautions
        #[arg(long, requires = "reason")]
        even_so: bool,
        /// Reserve the id for the new key pair that the mail names
        #[arg(long)]
        reserve: bool,
        /// Why, for the audit
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Leave the key pair in use
    Reject {
        number: u64,
        /// Why, for the audit and the answer
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Inbox {
    /// List the mails
    List {
        /// Only what has a lower number
        #[arg(long, value_name = "N")]
        before: Option<u64>,
        /// At most so many, the newest
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: u32,
    },
    /// Show one, as it came in
    Show { number: u64 },
}

#[derive(Debug, Subcommand)]
pub(super) enum Outbox {
    /// List the mails
    List {
        /// Only what has a lower number
        #[arg(long, value_name = "N")]
        before: Option<u64>,
        /// At most so many, the newest
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: u32,
    },
    /// Show one
    Show { number: u64 },
    /// Hand one on to the mail server that `serve --mail-server` names
    HandOn { number: u64 },
}

#[derive(Debug, Subcommand)]
pub(super) enum Clock {
    /// Show main server time
    Show,
    /// Set it: 2027-01-31T12:00:00Z
    Set {
        #[arg(value_parser = time)]
        now: UtcTime,
    },
    /// Move it: 366d, 12h, or -1d to go back
    #[command(after_help = "Example: mock-solme clock advance 366d")]
    Advance {
        #[arg(value_parser = duration, allow_hyphen_values = true)]
        by: i64,
    },
}

#[derive(Debug, Args)]
pub(super) struct Journal {
    /// Show this one, decoded
    pub(super) number: Option<u64>,
    #[command(flatten)]
    pub(super) listing: Listing,
    /// Only with this verdict; `refused` is all but accepted, answered-again and payload
    #[arg(long)]
    pub(super) verdict: Option<String>,
    /// Only where this clause decided, or one below it
    #[arg(long)]
    pub(super) clause: Option<String>,
    /// Only with this quirk
    #[arg(long)]
    pub(super) quirk: Option<Quirk>,
    /// Only over https (443), http (8080) or file
    #[arg(long, value_parser = carrier)]
    pub(super) carrier: Option<Carrier>,
}

#[derive(Debug, Args)]
pub(super) struct Listing {
    /// Only of this license server id
    #[arg(long, value_name = "ID")]
    pub(super) id: Option<LicenseServerId>,
    /// Only what has a lower number
    #[arg(long, value_name = "N")]
    pub(super) before: Option<u64>,
    /// At most so many, the newest
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(super) limit: u32,
}
