//! What a run gives up once its interfaces are open: root, every capability but the one that opens an interface again,
//! and the file system but for what it still reads and writes.
//!
//! Everything here concerns the calling thread, so it comes before any other thread begins.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, RulesetStatus,
    path_beneath_rules,
};
use rustix::process::{Gid, Uid, geteuid};
use rustix::thread::{self, CapabilitySet, CapabilitySets};

/// What is still needed of the file system.
#[derive(Debug, Default)]
pub(super) struct Needs {
    /// Files and folders that are read again.
    pub(super) read: Vec<PathBuf>,
    /// Folders that are written to.
    pub(super) write: Vec<PathBuf>,
}

/// Gives up what is not needed; the sentence that says how far. `user` is a name or a number.
pub(super) fn give_up(user: Option<&str>, needs: &Needs) -> Result<String, String> {
    let threads = fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
    debug_assert_eq!(
        threads, 1,
        "other threads would keep what this one gives up"
    );
    let who = become_another(user, needs)?;
    let rights = keep_only_capturing();
    let files = confine(needs);
    Ok(format!(
        "runs {who}; capabilities: {rights}; file system: {files}"
    ))
}

/// From root to the user that was asked for, else to the owner of what is written, else to nobody.
fn become_another(user: Option<&str>, needs: &Needs) -> Result<String, String> {
    if !geteuid().is_root() {
        return match user {
            Some(user) => Err(format!(
                "--user {user}: only root can become another user; leave it out"
            )),
            None => Ok(format!("as uid {}", geteuid().as_raw())),
        };
    }
    let (uid, gid, why) = match user {
        Some(user) => {
            let (uid, gid) = known(user)?;
            (uid, gid, format!("as {user}"))
        }
        None => match needs.write.first() {
            None => {
                let (uid, gid) = known("nobody").unwrap_or((65_534, 65_534));
                (uid, gid, "as nobody".to_owned())
            }
            Some(folder) => {
                let meta = fs::metadata(folder)
                    .map_err(|error| format!("{}: {error}", folder.display()))?;
                (
                    meta.uid(),
                    meta.gid(),
                    format!("as the owner of {}", folder.display()),
                )
            }
        },
    };
    if uid == 0 {
        return Ok(format!("{why}, who is root: --user NAME gives that up"));
    }
    for made in &needs.write {
        hand_over(made, uid, gid);
    }
    let failed = |error: rustix::io::Errno| format!("root cannot be given up: {error}");
    // Capabilities survive the change of user only where that is asked for.
    thread::set_keep_capabilities(true).map_err(failed)?;
    thread::set_thread_groups(&[]).map_err(failed)?;
    thread::set_thread_gid(Gid::from_raw(gid)).map_err(failed)?;
    thread::set_thread_uid(Uid::from_raw(uid)).map_err(failed)?;
    Ok(format!("{why} (uid {uid})"))
}

/// What root has made in a folder of that user becomes the user's. A link is not followed.
fn hand_over(made: &Path, uid: u32, gid: u32) {
    let owner = |path: &Path| fs::symlink_metadata(path).map(|meta| meta.uid()).ok();
    if owner(made) == Some(0) && owner(&folder_of(made)) == Some(uid) {
        // Where that fails, writing will, and is complained of.
        let _ = std::os::unix::fs::lchown(made, Some(uid), Some(gid));
    }
}

/// User and group of a name or a number, by /etc/passwd.
fn known(user: &str) -> Result<(u32, u32), String> {
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    for line in passwd.lines() {
        let mut fields = line.split(':');
        let name = fields.next();
        let mut number = |skip: usize| fields.nth(skip)?.parse::<u32>().ok();
        if let (Some(uid), Some(gid)) = (number(1), number(0))
            && (name == Some(user) || user.parse() == Ok(uid))
        {
            return Ok((uid, gid));
        }
    }
    Err(format!("--user {user}: there is no such user"))
}

/// Only `cap_net_raw` stays: an interface that comes back is opened again with it.
fn keep_only_capturing() -> String {
    let held = thread::capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.permitted);
    let stays = held & CapabilitySet::NET_RAW;
    for one in CapabilitySet::all().difference(CapabilitySet::NET_RAW) {
        let _ = thread::remove_capability_from_bounding_set(one);
    }
    let _ = thread::clear_ambient_capability_set();
    let sets = CapabilitySets {
        effective: stays,
        permitted: stays,
        inheritable: CapabilitySet::empty(),
    };
    let set = thread::set_capabilities(None, sets);
    let alone = thread::set_no_new_privs(true);
    match (set, alone) {
        (Ok(()), Ok(())) if stays.is_empty() => "none".to_owned(),
        (Ok(()), Ok(())) => "cap_net_raw alone".to_owned(),
        (Err(error), _) | (_, Err(error)) => format!("as they were ({error})"),
    }
}

/// What a run without files of its own still reads: interfaces, names, time zones, roots, devices.
const READ: [&str; 8] = [
    "/sys/class/net",
    "/sys/devices",
    "/proc",
    "/etc",
    "/usr/share/zoneinfo",
    "/usr/share/ca-certificates",
    "/dev/null",
    "/run/systemd",
];

fn confine(needs: &Needs) -> String {
    let abi = ABI::V5;
    let there = |paths: Vec<PathBuf>| paths.into_iter().filter(|path| path.exists());
    let read = READ.iter().map(PathBuf::from);
    let read: Vec<PathBuf> = there(read.chain(needs.read.iter().cloned()).collect()).collect();
    let write: Vec<PathBuf> = there(needs.write.clone()).collect();
    let status = (|| {
        Ruleset::default()
            .handle_access(AccessFs::from_all(abi))?
            .create()?
            .add_rules(path_beneath_rules(&read, AccessFs::from_read(abi)))?
            .add_rules(path_beneath_rules(&write, AccessFs::from_all(abi)))?
            .restrict_self()
    })();
    match status.map(|status| status.ruleset) {
        Ok(RulesetStatus::FullyEnforced) => "only what it needs (landlock)".to_owned(),
        Ok(RulesetStatus::PartiallyEnforced) => {
            "only what it needs, as far as this kernel's landlock goes".to_owned()
        }
        Ok(RulesetStatus::NotEnforced) => "as the user's (this kernel has no landlock)".to_owned(),
        Err(error) => format!("as the user's ({error})"),
    }
}

/// The folder of a file; of a bare name the current one.
pub(super) fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}
