//! Programs that run beside a test: the live run that is tested, and who listens to it.
#![allow(
    clippy::disallowed_methods,
    reason = "waits for other programs by the machine's time"
)]

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

/// How long anything is waited for.
const PATIENCE: Duration = Duration::from_secs(90);

/// A capture is fed in so many pieces, with a pause after each.
const PIECES: usize = 25;
const PAUSE: Duration = Duration::from_millis(120);

/// Waits until `what` holds; panics where it never does.
pub(crate) fn until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "in vain: {what}");
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

/// A port that nobody has.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// Is there such a program?
pub(crate) fn installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// The body of a page; empty where nobody answers.
pub(crate) fn fetched(address: &str, path: &str) -> String {
    let Ok(mut stream) = TcpStream::connect(address) else {
        return String::new();
    };
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    let mut answer = String::new();
    let _ = stream.write_all(request.as_bytes());
    let _ = stream.read_to_string(&mut answer);
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body);
    body.unwrap_or("").to_owned()
}

/// Whether a program that is given `input` succeeds, and what it says.
pub(crate) fn fed(program: &str, arguments: &[&str], input: &str) -> (bool, String) {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(input.as_bytes()).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    (output.status.success(), said.into_owned())
}

/// A program that is killed when the test lets go of it.
pub(crate) struct Beside(Child);

impl Beside {
    /// Starts it, with its words thrown away.
    pub(crate) fn start(program: &str, arguments: &[&str]) -> Self {
        Self::start_with(program, arguments, &[])
    }

    /// The same with something in its environment.
    pub(crate) fn start_with(program: &str, arguments: &[&str], set: &[(&str, &str)]) -> Self {
        let child = Command::new(program)
            .args(arguments)
            .envs(set.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(child.unwrap_or_else(|error| panic!("{program}: {error}")))
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A live run that reads a pipe which stays open.
pub(crate) struct Live {
    child: Child,
    stdin: Option<ChildStdin>,
    said: std::path::PathBuf,
}

impl Live {
    /// Starts it; what it says on standard error goes to a file in `folder`.
    pub(crate) fn start(arguments: &[&str], folder: &Path) -> Self {
        Self::start_with(arguments, folder, &[])
    }

    /// The same with something in its environment.
    pub(crate) fn start_with(arguments: &[&str], folder: &Path, set: &[(&str, String)]) -> Self {
        static RUNS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let run = RUNS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let said = folder.join(format!("said-{run}"));
        let mut command = super::run::program(&["live", "-", "--ca-bundle", super::ROOTS]);
        let mut child = command
            .args(arguments)
            .envs(set.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(File::create(&said).expect("a file"))
            .spawn()
            .expect("the program starts");
        Self {
            stdin: child.stdin.take(),
            child,
            said,
        }
    }

    /// Writes a capture into the pipe, piece by piece: what stands for a while is told, and a look takes time.
    pub(crate) fn feed(&mut self, path: &str) {
        let bytes = std::fs::read(path).expect("a capture");
        let stdin = self.stdin.as_mut().expect("the pipe is open");
        for piece in bytes.chunks(bytes.len().div_ceil(PIECES)) {
            let written = stdin.write_all(piece).and_then(|()| stdin.flush());
            if let Err(error) = written {
                let said = std::fs::read_to_string(&self.said).unwrap_or_default();
                panic!("it does not read: {error}; it says: {said}");
            }
            std::thread::park_timeout(PAUSE);
        }
    }

    /// Writes a capture into the pipe at once, as much of it as is taken.
    pub(crate) fn pour(&mut self, path: &str) {
        let bytes = std::fs::read(path).expect("a capture");
        let stdin = self.stdin.as_mut().expect("the pipe is open");
        let _ = stdin.write_all(&bytes);
    }

    /// Waits for a line that holds both, and gives what stands between them.
    pub(crate) fn says(&self, before: &str, after: &str) -> String {
        let found = || {
            let said = BufReader::new(File::open(&self.said).ok()?);
            said.lines().map_while(Result::ok).find_map(|line| {
                let (_, rest) = line.split_once(before)?;
                let (between, _) = rest.split_once(after)?;
                Some(between.to_owned())
            })
        };
        until(&format!("the run says `{before}…{after}`"), || {
            found().is_some()
        });
        found().unwrap_or_default()
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// The stream ends.
    pub(crate) fn stop(&mut self) {
        drop(self.stdin.take());
    }

    /// The stream ends before anything came.
    pub(crate) fn end_of_nothing(&mut self) {
        self.stop();
        let status = self.child.wait().expect("it ends");
        assert_eq!(status.code(), Some(3));
    }

    /// The stream ends, and the run with it.
    pub(crate) fn end(&mut self) {
        self.stop();
        let status = self.child.wait().expect("it ends");
        let said = std::fs::read_to_string(&self.said).unwrap_or_default();
        assert_eq!(status.code(), Some(0), "{said}");
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.kill();
    }
}
