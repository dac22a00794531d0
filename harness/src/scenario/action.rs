//! What a step of a scenario can do: one table, from which steps are checked and the authors' page is written.

use serde::{Deserialize, Serialize};

/// Who acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Who {
    /// The License Server that the step names.
    LicenseServer,
    /// The operator of the main server.
    MainServer,
    /// The licensing desk: it reads mail and decides.
    LicensingDesk,
    /// Nobody in particular.
    World,
}

impl Who {
    pub(crate) const ALL: [Self; 4] = [Self::LicenseServer, Self::MainServer, Self::LicensingDesk, Self::World];

    /// As a heading of the authors' page.
    pub(crate) const fn heading(self) -> &'static str {
        match self {
            Self::LicenseServer => "A License Server",
            Self::MainServer => "The main server",
            Self::LicensingDesk => "The licensing desk",
            Self::World => "The world",
        }
    }
}

/// How an action is written.
pub(crate) struct Form {
    pub(crate) who: Who,
    /// One sentence.
    pub(crate) about: &'static str,
    /// Members that its step must have.
    pub(crate) needs: &'static [&'static str],
    /// Members that its step may have.
    pub(crate) takes: &'static [&'static str],
    /// What `expect` may name, beside `exit`.
    pub(crate) answers: &'static [&'static str],
}

const SERVER: &[&str] = &["server"];
const NOTHING: &[&str] = &[];
const SYNCHRONIZED: &[&str] = &[
    "outcome",
    "code",
    "added",
    "removed",
    "changed",
    "state",
    "days_left",
    "synchronize_by",
    "check",
    "transient",
    "retry_after_seconds",
    "notes",
    "license_server_id",
];
const ID: &[&str] = &[
    "license_server_id",
    "allocation_revision",
    "contacts",
    "disabled",
    "key_generation",
    "key_thumbprint",
    "licenses",
    "reserved_for",
    "sequence",
];
const LICENSE: &[&str] = &["number", "display", "domain", "components", "valid_from", "expires_at"];
const CLEAR_REQUEST: &[&str] = &[
    "id",
    "state",
    "sender",
    "subject",
    "license_server_id",
    "thumbprint",
    "new_thumbprint",
    "cautions",
    "reason",
    "decided_by",
    "overridden",
];

macro_rules! actions {
    ($($variant:ident, $name:literal, $who:ident, $needs:expr, $takes:expr, $answers:expr, $about:literal;)*) => {
        /// What a step does.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub(crate) enum Action {
            $(#[doc = $about] #[serde(rename = $name)] $variant,)*
        }

        impl Action {
            /// All of them, in the order of the authors' page.
            pub(crate) const ALL: &[Self] = &[$(Self::$variant,)*];

            /// As it is written after `do`.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// How it is written.
            pub(crate) const fn form(self) -> Form {
                match self {
                    $(Self::$variant => Form {
                        who: Who::$who, about: $about, needs: $needs, takes: $takes, answers: $answers,
                    },)*
                }
            }
        }
    };
}

actions! {
    Synchronize, "synchronize", LicenseServer, SERVER, NOTHING, SYNCHRONIZED,
        "Synchronizes over ports 443 and 8080.";
    Status, "status", LicenseServer, SERVER, NOTHING,
        &["state", "license_server_id", "key_thumbprint", "key_generation", "sequence", "allocation_revision", "licenses",
          "days_left", "synchronize_by", "last_synchronized_at", "notes"],
        "Shows its state. `licenses` is their number.";
    MayIssue, "may-issue", LicenseServer, SERVER, &["license"],
        &["may_issue", "code", "state", "license_number", "effective_now", "synchronize_by"],
        "Asks whether a license may be issued: the named one, or any.";
    ExportRequest, "export-request", LicenseServer, SERVER, NOTHING, &["outcome", "code", "again", "request_id"],
        "Exports a request file.";
    ImportResponse, "import-response", LicenseServer, SERVER, &["dry_run"],
        &["outcome", "code", "added", "removed", "changed", "state", "days_left", "synchronize_by", "dry_run", "notes"],
        "Imports the response file that `process-request` wrote for it.";
    NewKeyPair, "new-key-pair", LicenseServer, SERVER, NOTHING,
        &["outcome", "code", "key_thumbprint", "old_key_thumbprint"],
        "Archives its state and starts over with a new key pair, unsynchronized.";
    RequestClear, "request-clear", LicenseServer, SERVER, &["from"],
        &["outcome", "code", "key_thumbprint", "key_pair_is_new", "to"],
        "Mails licensing@solme.se to have the key pair cleared, as the first contact of its id or as `from`.";
    Reinstall, "reinstall", LicenseServer, SERVER, NOTHING, &["outcome", "code", "key_thumbprint", "license_server_id"],
        "Loses its state and is set up again.";
    Copy, "copy", LicenseServer, &["server", "to"], NOTHING, NOTHING,
        "Copies its state to another machine, which becomes the License Server `to`.";
    BackUp, "back-up", LicenseServer, SERVER, NOTHING, NOTHING,
        "Backs up its state.";
    Restore, "restore", LicenseServer, SERVER, NOTHING, NOTHING,
        "Restores its state from the last `back-up`.";
    SetClock, "set-clock", LicenseServer, &["server", "days"], NOTHING, NOTHING,
        "Sets its clock `days` ahead of real time, or behind if negative.";

    AddLicense, "add-license", MainServer, &["license"], &["id", "users"], LICENSE,
        "Allocates a license; later steps refer to it by the name in `license`.";
    ChangeLicense, "change-license", MainServer, &["license"], &["users"], LICENSE,
        "Changes the number of users of its component Base.";
    RemoveLicense, "remove-license", MainServer, &["license"], NOTHING, &["license_server_id", "licenses", "revision"],
        "Removes a license. `licenses` is the number left.";
    ShowId, "show-id", MainServer, NOTHING, &["id"], ID,
        "Shows what the main server has about a license server id.";
    ShowKeyPair, "show-key-pair", MainServer, NOTHING, &["id"],
        &["license_server_id", "key_thumbprint", "key_generation", "cleared", "reserved_for", "last_synchronized_at"],
        "Shows the key pair in use. `cleared` is the number of cleared key pairs.";
    ClearKeyPair, "clear-key-pair", MainServer, NOTHING, &["id", "reason", "even_so"],
        &["outcome", "cleared_thumbprint", "key_generation", "reserved_for"],
        "Clears the key pair in use without a mail, as after a phone call.";
    Disable, "disable", MainServer, NOTHING, &["id"], ID,
        "Disables a license server id.";
    Enable, "enable", MainServer, NOTHING, &["id"], ID,
        "Enables the id again.";
    ProcessRequest, "process-request", MainServer, SERVER, NOTHING, &["outcome"],
        "Turns the request file that `server` exported into a response file. `outcome` is `accepted` or the refusal's code.";
    Journal, "journal", MainServer, NOTHING, &["id"],
        &["list", "verdict", "clause", "carrier", "quirk", "license_server_id", "thumbprint"],
        "Reads the journal: `list` is the number of exchanges; the other members describe the last one.";
    Arm, "arm", MainServer, &["quirk"], &["operation", "next"], &["quirk", "fired", "left"],
        "Makes the main server misbehave; `mock-solme quirks list` lists the quirks.";
    Disarm, "disarm", MainServer, NOTHING, NOTHING, &["list"],
        "Disarms all quirks.";

    ClearRequests, "clear-requests", LicensingDesk, NOTHING, NOTHING, &["list"],
        "Counts the clear requests that came by mail.";
    Approve, "approve", LicensingDesk, NOTHING, &["reserve", "even_so", "reason"], CLEAR_REQUEST,
        "Approves the oldest open clear request.";
    Reject, "reject", LicensingDesk, NOTHING, &["reason"], CLEAR_REQUEST,
        "Rejects the oldest open clear request.";
    Outbox, "outbox", LicensingDesk, NOTHING, NOTHING, &["list"],
        "Counts the mails that the desk has sent.";

    Mail, "mail", World, &["from", "subject"], &["automatic"], &["reply"],
        "A mail arrives at licensing@solme.se; its text is its subject.";
    DaysPass, "days-pass", World, &["days"], NOTHING, &["now"],
        "Time passes on the main server and on every License Server.";
}

/// A member of a step.
pub(crate) struct Member {
    pub(crate) name: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) about: &'static str,
}

/// All members of a step, in the order of the authors' page. A test holds them against [`super::file::Step`].
pub(crate) const MEMBERS: &[Member] = &[
    member(
        "tell",
        "text",
        "What happens, for people. A step that has it is told and judged; a step without it must succeed",
    ),
    member("do", "action", "What is done"),
    member("server", "name", "The License Server that acts, or that something happens to; a new name is set up first"),
    member("to", "name", "The License Server that receives the copy"),
    member("id", "id", "The license server id; by default the first one of the scenario"),
    member("license", "name", "A license, by its name in `add-license`"),
    member("users", "integer", "Users of the component Base"),
    member("days", "integer", "Number of days, at most 36525; may be negative for `set-clock`"),
    member("quirk", "name", "A quirk of the main server"),
    member("operation", "name", "What the quirk affects: `synchronize`, `payload` or `file`; by default all of them"),
    member("next", "integer", "How many times the quirk fires; by default until `disarm`"),
    member("from", "address", "The sender of the mail"),
    member("subject", "text", "The subject of the mail"),
    member("automatic", "boolean", "The mail is marked as written by a program"),
    member("dry_run", "boolean", "Check only; apply nothing"),
    member("reserve", "boolean", "Reserve the id for the key pair named in the mail"),
    member("even_so", "boolean", "Approve despite the cautions; needs `reason`"),
    member("reason", "text", "Why, for the audit"),
    member("decode", "boolean", "Show the content of this step's messages"),
    member("expect", "table", "The expected result: members of the answer; a list is compared by its length"),
];

/// Members that every step may have.
pub(crate) const COMMON: &[&str] = &["tell", "do", "decode", "expect"];

const fn member(name: &'static str, kind: &'static str, about: &'static str) -> Member {
    Member { name, kind, about }
}
