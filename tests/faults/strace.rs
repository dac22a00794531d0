//! strace: what a program asks of the operating system for its files, and one such call gone wrong.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The calls that a sweep goes through: after each of them the disk holds something else, or what it holds is durable.
pub(crate) const DURABLE: [&str; 9] =
    ["openat", "mkdir", "write", "pwrite64", "ftruncate", "fsync", "fdatasync", "rename", "unlink"];

/// Of no file, and watched as well: from then on the other side may know of it.
pub(crate) const CONNECT: &str = "connect";

/// One call that a program made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    /// When, in microseconds.
    at: u64,
    pub(crate) name: String,
    /// From 1, among the calls of this name by this thread, as strace counts them; a `write`, of which there are many to
    /// sockets and the like, among those to its file, if that has the same name the next time.
    pub(crate) number: usize,
    /// The files that it is about; the last one is that which changes.
    pub(crate) paths: Vec<PathBuf>,
    /// What is written.
    pub(crate) bytes: Vec<u8>,
    /// Where in the file, of `pwrite64`; how long the file becomes, of `ftruncate`.
    pub(crate) place: u64,
    /// How the file is opened.
    pub(crate) flags: String,
    /// Whether it did what was asked.
    pub(crate) succeeded: bool,
    /// Whether strace made it fail.
    pub(crate) injected: bool,
}

impl Call {
    /// The file that it changes.
    pub(crate) fn file(&self) -> &Path {
        self.paths.last().map_or(Path::new(""), PathBuf::as_path)
    }

    /// Whether strace is to look at one file alone. One in the archive has the time in its name, and another one the next
    /// time; what writes it has no connection that it would write to.
    fn counts_for_its_file(&self) -> bool {
        self.name == "write" && !self.file().iter().any(|part| part == "archive")
    }

    /// Whether a file is opened to be changed.
    fn opens_to_write(&self) -> bool {
        self.name != "openat" || ["O_WRONLY", "O_RDWR", "O_CREAT"].iter().any(|flag| self.flags.contains(flag))
    }
}

/// What is to go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// The call fails with this error.
    Error(&'static str),
    /// The process is killed before the call does anything.
    Killed,
    /// The process is killed when half of the bytes are written.
    Torn,
}

/// One call, and what goes wrong with it.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    pub(crate) call: Call,
    pub(crate) wrong: Wrong,
}

impl Fault {
    /// All that can go wrong with a call. Before a write that is torn another one has been, or nothing.
    pub(crate) fn all(call: &Call) -> impl Iterator<Item = Self> + use<> {
        use Wrong::{Error, Killed, Torn};
        let wrong: &[Wrong] = match call.name.as_str() {
            "write" | "pwrite64" => &[Error("EIO"), Error("ENOSPC"), Torn],
            "fsync" | "fdatasync" => &[Error("EIO"), Killed],
            _ => &[Error("EIO"), Error("EROFS"), Killed],
        };
        let call = call.clone();
        wrong.iter().map(move |wrong| Self { call: call.clone(), wrong: *wrong })
    }

    /// As options of strace.
    fn injection(&self) -> Vec<String> {
        let Call { name, number, .. } = &self.call;
        let injection = match self.wrong {
            Wrong::Error(error) => format!("inject={name}:error={error}:when={number}"),
            Wrong::Killed | Wrong::Torn => format!("inject={name}:signal=KILL:when={number}"),
        };
        let mut options = vec!["-e".to_owned(), injection];
        if self.call.counts_for_its_file() {
            options.extend(["-P".to_owned(), self.call.file().display().to_string()]);
        }
        options
    }
}

/// A directory for the logs of one strace, and what it is told.
pub(crate) struct Strace {
    logs: PathBuf,
    options: Vec<String>,
}

impl Strace {
    /// Watches, and does `fault`, if there is one. The logs go to a directory that this makes anew.
    pub(crate) fn new(logs: &Path, fault: Option<&Fault>) -> Self {
        let _ = fs::remove_dir_all(logs);
        fs::create_dir_all(logs).unwrap();
        // Hexadecimal, so that bytes and names come back as they were. A longer string than any file here has.
        let mut options: Vec<String> = ["-ff", "-y", "-xx", "-ttt", "-s", "9000000"].map(str::to_owned).into();
        options.extend(["-o".to_owned(), logs.join("of").display().to_string()]);
        options.extend(["-e".to_owned(), format!("trace={},{CONNECT}", DURABLE.join(","))]);
        options.extend(fault.map(Fault::injection).unwrap_or_default());
        Self { logs: logs.to_owned(), options }
    }

    /// A command that runs `command` under strace.
    pub(crate) fn around(&self, command: &Command) -> Command {
        let mut strace = Command::new("strace");
        strace.args(&self.options).arg("--").arg(command.get_program()).args(command.get_args());
        if let Some(directory) = command.get_current_dir() {
            strace.current_dir(directory);
        }
        strace.stdin(Stdio::null());
        strace
    }

    /// Watches a process that runs, with all its threads.
    pub(crate) fn attach(&self, process: u32) -> Attached {
        let mut strace = Command::new("strace");
        strace.args(&self.options).args(["-p", &process.to_string()]);
        let mut strace = strace.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut says = BufReader::new(strace.stderr.take().unwrap());
        let mut line = String::new();
        says.read_line(&mut line).unwrap();
        assert!(line.contains("attached"), "strace is not attached: {line}");
        // It may say more, and must not be killed for it.
        let rest = std::thread::spawn(move || drop(std::io::copy(&mut says, &mut std::io::sink())));
        Attached { strace, rest: Some(rest) }
    }

    /// What was called, in order: connections, and what is about files in `folder`, but none that is opened to be read.
    pub(crate) fn calls(&self, folder: &Path) -> Vec<Call> {
        let mut calls = Vec::new();
        for log in fs::read_dir(&self.logs).unwrap() {
            let text = fs::read_to_string(log.unwrap().path()).unwrap();
            let mut counts = BTreeMap::<_, usize>::new();
            for mut call in text.lines().filter_map(parse).take_while(|call| !says_it_is_done(call)) {
                for of in [PathBuf::new(), call.file().to_owned()] {
                    let counts_here = call.counts_for_its_file() != of.as_os_str().is_empty();
                    let count = counts.entry((call.name.clone(), of)).or_default();
                    *count += 1;
                    call.number = if counts_here { *count } else { call.number };
                }
                if call.name == CONNECT || call.file().starts_with(folder) && call.opens_to_write() {
                    calls.push(call);
                }
            }
        }
        calls.sort_by_key(|call| call.at);
        calls
    }
}

/// A strace that is attached until it is dropped, or the process has ended.
pub(crate) struct Attached {
    strace: Child,
    rest: Option<std::thread::JoinHandle<()>>,
}

impl Attached {
    /// Waits until the process has ended.
    pub(crate) fn end(mut self) {
        self.strace.wait().unwrap();
        self.rest.take().map(std::thread::JoinHandle::join);
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        let _ = self.strace.kill();
        let _ = self.strace.wait();
    }
}

/// Whether `serve` says that it has synchronized. What it does after that, until it is stopped, is a matter of time.
fn says_it_is_done(call: &Call) -> bool {
    let said = br#""event":"synchronized""#;
    call.name == "write" && call.bytes.windows(said.len()).any(|window| window == said)
}

/// A line of a log: `TIME NAME(ARGUMENTS) = RESULT`. None where it is about a signal, or the end.
fn parse(line: &str) -> Option<Call> {
    let (time, rest) = line.split_once(' ')?;
    let (name, rest) = rest.split_once('(')?;
    if !DURABLE.contains(&name) && name != CONNECT {
        return None;
    }
    let (arguments, result) = rest.rsplit_once(" = ")?;
    let at = time.replace('.', "").parse().ok()?;
    let (mut paths, mut bytes, mut words) = (Vec::new(), Vec::new(), Vec::new());
    for argument in arguments.trim_end().trim_end_matches(')').split(", ") {
        if let Some(text) = argument.strip_prefix('"') {
            let text = unescaped(text.trim_end_matches("...").trim_end_matches('"'));
            match name {
                "write" | "pwrite64" => bytes = text,
                _ => paths.push(PathBuf::from(String::from_utf8_lossy(&text).into_owned())),
            }
        } else if let Some((_, of)) = argument.split_once('<')
            && name != "openat"
        {
            let path = unescaped(of.split('>').next().unwrap_or_default());
            paths.push(PathBuf::from(String::from_utf8_lossy(&path).into_owned()));
        } else {
            words.push(argument);
        }
    }
    let place = match name {
        "pwrite64" | "ftruncate" => words.last().and_then(|word| word.parse().ok()).unwrap_or(0),
        _ => 0,
    };
    let flags = words.iter().find(|word| word.starts_with("O_")).copied().unwrap_or_default().to_owned();
    let (succeeded, injected) = (!result.starts_with(['-', '?']), result.contains("INJECTED"));
    Some(Call { at, name: name.to_owned(), number: 0, paths, bytes, place, flags, succeeded, injected })
}

/// `\x6f\x6b` as bytes.
fn unescaped(text: &str) -> Vec<u8> {
    text.split("\\x").skip(1).map(|hex| u8::from_str_radix(hex, 16).unwrap()).collect()
}
