//! What can be said on the command line.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use solme_sync_protocol::{KeyThumbprint, LicenseNumber, LicenseServerId, UtcTime};

use super::quirks::Quirks;
use super::values::{address, carrier, component, duration, end, property, seed, time, token};
use crate::admin::api::{Carrier, ComponentTerms, Quirk};
use crate::main_server::{AT_ONCE, Filter};
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
    /// Your name, for the audit
    #[arg(long, value_name = "NAME", global = true, env = "MOCK_SOLME_OPERATOR", default_value = "operator")]
    pub(super) operator: String,
    /// Print the answer of the admin API as JSON
    #[arg(long, global = true)]
    pub(super) json: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Run the simulator
    Serve(Serve),
    /// Print shell completions
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the man pages into a directory
    ManPages {
        /// The directory; it must exist
        directory: PathBuf,
    },
    /// Print the description of the admin API: OpenAPI 3.1; a running simulator has it at /openapi.json
    Openapi,
    /// License server ids
    #[command(subcommand)]
    Ids(Ids),
    /// Licenses allocated to an id
    #[command(subcommand)]
    Licenses(Licenses),
    /// The key pair in use
    #[command(subcommand)]
    KeyPair(KeyPair),
    /// Requests by e-mail to clear a key pair: list, approve, reject
    #[command(subcommand)]
    ClearRequests(ClearRequests),
    /// Mails to the licensing desk, in this run
    #[command(subcommand)]
    Inbox(Inbox),
    /// Mails of the licensing desk
    #[command(subcommand)]
    Outbox(Outbox),
    /// Turn a request file into a response file
    #[command(
        after_help = "A refusal also makes a response file, for the customer to read; the exit code is 0 then too.

Example: mock-solme process-request site.request --out site.response"
    )]
    ProcessRequest {
        /// The request file
        file: PathBuf,
        /// Where to write the response file
        #[arg(long)]
        out: PathBuf,
    },
    /// The virtual clock of the simulator
    #[command(subcommand)]
    Clock(Clock),
    /// Misbehave on command to test License Servers
    #[command(subcommand)]
    Quirks(Quirks),
    /// Exchanges with License Servers, each with the clause that decided it
    #[command(
        after_help = "Examples:\n  mock-solme journal --id SITE-1 --verdict refused\n  mock-solme journal --follow --json\n  mock-solme journal 17\n  mock-solme journal --har site.har"
    )]
    Journal(Journal),
    /// Changes: what, by whom and why
    Audit(Listing),
    /// Forget everything, or the key pairs and requests of one id
    #[command(
        after_help = "Name an id, or --all.\n\nExamples:\n  mock-solme reset DEMO-4711\n  mock-solme reset --all",
        group(ArgGroup::new("which").required(true))
    )]
    Reset {
        /// Only this id; its allocation stays
        #[arg(group = "which")]
        id: Option<LicenseServerId>,
        /// Everything, as at the first start
        #[arg(long, group = "which")]
        all: bool,
    },
    /// The trust file for setting up License Servers
    #[command(after_help = "With --https its certificate covers that host from then on, until the simulator ends.

Example: mock-solme trust-file --https https://main-server.example:24443 --http http://main-server.example:28080")]
    TrustFile {
        /// Address of the 443 role as these License Servers see it
        #[arg(long, value_name = "URL", value_parser = public::https)]
        https: Option<String>,
        /// Address of the 8080 role as these License Servers see it
        #[arg(long, value_name = "URL", value_parser = public::http)]
        http: Option<String>,
    },
    /// The settings of this run of `serve`
    Settings,
    /// Check that it runs: exit code 0 if so, 3 if not; for a container's health check
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

const SERVE_HELP: &str = "When it is ready it prints one line of JSON to stdout, and nothing else: https, http, admin,
smtp, admin_token, console, trust_file, seed, main_server_id, demo_license_server_id. `console`
is the address of a page for the browser with everything that an operator does; it contains the
token. With --data the addresses and the token stay the same at each start; the directory is
private (0700, files 0600), and its journal keeps the newest 10,000 exchanges, at most 64 MiB. It
logs to stderr, with RUST_LOG=info a line for each exchange, and stops on SIGTERM or Ctrl-C.

Profile hostile: about every third exchange has a quirk, drawn from the seed, and never more
than two in a row for one operation and id. A License Server that follows the protocol gets
through within 9 direct requests, or 3 response files.

The file of --quirks is TOML, with the words of mock-solme quirks arm:
  [[fault]]
  quirk = \"status-503\"
  where = { operation = \"synchronize\", id = \"DEMO-4711\" }
  when = { after = 1, next = 2 }
  with = { retry_after = 30 }

Example: mock-solme serve --https 14443 --http 18080 --data /var/lib/mock-solme";

#[derive(Debug, Args)]
#[command(after_help = SERVE_HELP)]
pub(super) struct Serve {
    /// Where the 443 role listens: an address, or a port of the loopback interface; 0 takes any free one. By default
    /// the last one with this --data, else any free port
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub(super) https: Option<SocketAddr>,
    /// Where the 8080 role listens
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub(super) http: Option<SocketAddr>,
    /// Where the admin API listens
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub(super) admin: Option<SocketAddr>,
    /// Where mail to licensing@solme.se is received
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub(super) smtp: Option<SocketAddr>,
    /// Name or IP address by which others reach this machine, for certificate, trust file and admin API; repeat for more.
    /// The first one is in the trust file. Without any --public flag the last ones with this --data apply
    #[arg(long = "public-name", value_name = "NAME", value_parser = public::name)]
    pub(super) public_names: Vec<String>,
    /// Address of the 443 role for License Servers behind a port mapping
    #[arg(long, value_name = "URL", value_parser = public::https)]
    pub(super) public_https: Option<String>,
    /// Address of the 8080 role for License Servers behind a port mapping
    #[arg(long, value_name = "URL", value_parser = public::http)]
    pub(super) public_http: Option<String>,
    /// Address of the admin API for operators behind a port mapping
    #[arg(long, value_name = "URL", value_parser = public::http)]
    pub(super) public_admin: Option<String>,
    /// Keep everything in this directory; without it everything is lost at the end
    #[arg(long, value_name = "DIR", env = "MOCK_SOLME_DATA")]
    pub(super) data: Option<PathBuf>,
    /// Seed of license numbers and quirks; random by default, and always printed
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = seed)]
    pub(super) seed: Option<u32>,
    /// Start without the demo license server id
    #[arg(long)]
    pub(super) empty: bool,
    /// Token of the admin API; by default the last one with this --data, else a random one
    #[arg(long, value_name = "TOKEN", env = "MOCK_SOLME_ADMIN_TOKEN", hide_env_values = true, value_parser = token)]
    pub(super) admin_token: Option<String>,
    /// Answer at most N requests a minute for each id; the key pair in use is counted separately
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) rate_limit: Option<u32>,
    /// Answer at most N requests at a time; whoever comes beyond gets temporarily-unavailable and a Retry-After
    #[arg(long, value_name = "N", default_value_t = AT_ONCE)]
    pub(super) at_once: NonZeroUsize,
    /// Mail server for `outbox hand-on`: smtp://USER:PASSWORD@HOST:587?tls=required
    #[arg(long, value_name = "URL", env = "MOCK_SOLME_MAIL_SERVER", hide_env_values = true)]
    pub(super) mail_server: Option<String>,
    /// Approve clear requests as soon as their mails arrive
    #[arg(long)]
    pub(super) auto_approve: bool,
    /// Arm the faults in this file
    #[arg(long, value_name = "FILE")]
    pub(super) quirks: Option<PathBuf>,
    /// Open the console in the browser
    #[arg(long)]
    pub(super) open: bool,
    /// Stop when standard input is closed, for example because the parent process died
    #[arg(long)]
    pub(super) exit_with_stdin: bool,
    /// Format of the log on stderr
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(super) log: LogFormat,
    /// Arm a mixture of quirks
    #[arg(long, value_name = "NAME", conflicts_with = "quirks")]
    pub(super) profile: Option<Profile>,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// Lines for people
    Text,
    /// A JSON object per line
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
    /// Add an id; without one it is made up
    #[command(after_help = "Example: mock-solme ids add SITE-1 --contact it@customer.example")]
    Add {
        id: Option<LicenseServerId>,
        /// Whose License Server it is
        #[arg(long)]
        name: Option<String>,
        /// Who may ask for a clear by e-mail and gets the answer; repeat for more
        #[arg(long = "contact", value_name = "MAIL")]
        contacts: Vec<String>,
        /// Reserve the id for this key pair, so that nobody who sees the id can take it first
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
        /// Only ids that begin with this
        #[arg(long, value_name = "TEXT", default_value = "")]
        begins_with: String,
        /// Only ids after this one
        #[arg(long, value_name = "ID", default_value = "")]
        after: String,
        /// At most N
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: u32,
    },
    /// Refuse every request with this id
    Disable {
        id: LicenseServerId,
        /// Why, for the audit
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Accept requests with this id again
    Enable {
        id: LicenseServerId,
        /// Why, for the audit
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Licenses {
    /// Add a license; by default five users of Base for ten years
    #[command(after_help = "Example: mock-solme licenses add SITE-1 --component Base=10 --component Ergo=2")]
    Add {
        id: LicenseServerId,
        /// License number; made up by default
        #[arg(long, value_name = "NUMBER")]
        number: Option<LicenseNumber>,
        #[command(flatten)]
        terms: Terms,
    },
    /// Change a license; what you do not name stays
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
    /// A component and its users; repeat for more. Base is required
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
    /// A note for people; repeat for more
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
    /// Clear the key pair in use so that another one can take the id
    #[command(after_help = "Example: mock-solme key-pair clear SITE-1 --even-so --reason \"reinstalled; called back\"")]
    Clear {
        id: LicenseServerId,
        /// Only if this key pair is in use
        #[arg(long, allow_hyphen_values = true)]
        thumbprint: Option<KeyThumbprint>,
        /// Clear it even if it synchronized within the last 30 days
        #[arg(long, requires = "reason")]
        even_so: bool,
        /// Why, for the audit
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        /// Reserve the id for this key pair
        #[arg(long, value_name = "THUMBPRINT", allow_hyphen_values = true)]
        reserve_for: Option<KeyThumbprint>,
    },
    /// Reserve a free id for one key pair, or lift the reservation
    Reserve {
        id: LicenseServerId,
        /// The key pair; without one the reservation is lifted
        #[arg(long = "for", value_name = "THUMBPRINT", allow_hyphen_values = true)]
        reserve_for: Option<KeyThumbprint>,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum ClearRequests {
    /// List clear requests
    List(Listing),
    /// Show a clear request
    Show {
        /// Its number, from `list`
        number: u64,
    },
    /// Clear the key pair that was in use when the mail arrived
    #[command(after_help = "Example: mock-solme clear-requests approve 1 --even-so --reason \"called back\"")]
    Approve {
        /// Its number, from `list`
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
    /// Reject: the key pair stays in use
    Reject {
        /// Its number, from `list`
        number: u64,
        /// Why, for the audit and the answer to the contacts
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Inbox {
    /// List the mails
    List(Newest),
    /// Show a mail as it came in
    Show {
        /// Its number, from `list`
        number: u64,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Outbox {
    /// List the mails
    List(Newest),
    /// Show a mail
    Show {
        /// Its number, from `list`
        number: u64,
    },
    /// Send a mail through the mail server of `serve --mail-server`
    HandOn {
        /// Its number, from `list`
        number: u64,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Clock {
    /// Show main server time
    Show,
    /// Set it to 2027-01-31T12:00:00Z
    Set {
        #[arg(value_parser = time)]
        now: UtcTime,
    },
    /// Move it by 366d, by 12h, or back by -1d
    #[command(after_help = "Example: mock-solme clock advance 366d")]
    Advance {
        #[arg(value_parser = duration, allow_hyphen_values = true)]
        by: i64,
    },
}

#[derive(Debug, Args)]
pub(super) struct Journal {
    /// Show this one, decoded
    #[arg(conflicts_with_all = ["id", "verdict", "clause", "quirk", "carrier", "before", "limit"])]
    pub(super) number: Option<u64>,
    #[command(flatten)]
    pub(super) listing: Listing,
    /// Only this verdict; `refused` is all but accepted, answered-again and payload
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
    /// Show each exchange as it happens, until stopped; with --json one JSON object a line
    #[arg(long, conflicts_with_all = ["number", "before", "limit"])]
    pub(super) follow: bool,
    /// Write the exchanges over HTTP to a HAR file, for browsers' developer tools
    #[arg(long, value_name = "FILE", conflicts_with_all = ["number", "follow"])]
    pub(super) har: Option<PathBuf>,
    /// Write what happened to a scenario that plays again with `harness scenario`; of one id with --id
    #[arg(long, value_name = "FILE.toml", conflicts_with_all = ["number", "follow", "har", "verdict", "clause", "quirk", "carrier", "before", "limit"])]
    pub(super) scenario: Option<PathBuf>,
}

impl Journal {
    /// What `--follow` shows.
    pub(super) fn filter(self) -> Filter {
        let Self { listing, verdict, clause, quirk, carrier, .. } = self;
        Filter { id: listing.id, verdict, clause, quirk, carrier }
    }
}

#[derive(Debug, Args)]
pub(super) struct Listing {
    /// Only of this license server id
    #[arg(long, value_name = "ID")]
    pub(super) id: Option<LicenseServerId>,
    #[command(flatten)]
    pub(super) newest: Newest,
}

#[derive(Debug, Args)]
pub(super) struct Newest {
    /// Only entries with a lower number
    #[arg(long, value_name = "N")]
    pub(super) before: Option<u64>,
    /// At most N, the newest
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(super) limit: u32,
}
