//! Patterns of host names: whole labels, wildcards, and the label that names a region.
//!
//! `fp.example.com` is that name alone. `*` stands for any characters within one label, and as the first label for one
//! label or more. `{region}` is one label that must be the slug of a region. Case and a final dot do not matter.

/// A pattern of host names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// As it was written, in lower case.
    text: String,
    /// The first label was `*`: one label or more come before `labels`.
    open: bool,
    /// From the last label to the first.
    labels: Vec<Label>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Label {
    Exact(String),
    Wild(String),
    Region,
}

/// The placeholder for the label that names a region.
const REGION: &str = "{region}";

impl Pattern {
    /// Reads a pattern; the error says what is wrong and what to write.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        if let Some(wrong) = wrong(&text) {
            return Err(format!("`{text}` {wrong}"));
        }
        let (open, rest) = match text.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, text.as_str()),
        };
        let label = |label: &str| match label {
            REGION => Label::Region,
            wild if wild.contains('*') => Label::Wild(wild.to_owned()),
            exact => Label::Exact(exact.to_owned()),
        };
        let labels = rest.rsplit('.').map(label).collect();
        Ok(Self { text, open, labels })
    }

    /// Does it fit this name? `Some` with the label of the region, empty where the pattern has none.
    pub fn fit<'n>(&self, name: &'n str, is_region: &dyn Fn(&str) -> bool) -> Option<&'n str> {
        let mut rest = name.strip_suffix('.').unwrap_or(name).rsplit('.');
        let mut region = "";
        for label in &self.labels {
            let found = rest.next()?;
            let fits = match label {
                Label::Exact(exact) => exact.eq_ignore_ascii_case(found),
                Label::Wild(wild) => fits(wild.as_bytes(), found.as_bytes()),
                Label::Region => {
                    region = found;
                    is_region(found)
                }
            };
            if !fits {
                return None;
            }
        }
        (rest.next().is_some() == self.open).then_some(region)
    }

    /// Is it the name of one host?
    pub fn is_one_host(&self) -> bool {
        let exact = |label: &Label| matches!(label, Label::Exact(_));
        !self.open && self.labels.iter().all(exact)
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// Does a label with `*` fit? Case does not matter.
fn fits(wild: &[u8], label: &[u8]) -> bool {
    match (wild.split_first(), label.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => {
            fits(rest, label)
                || label
                    .split_first()
                    .is_some_and(|(_, label)| fits(wild, label))
        }
        (Some((a, rest)), Some((b, label))) => a.eq_ignore_ascii_case(b) && fits(rest, label),
        _ => false,
    }
}

/// What is wrong with the text of a pattern, and what to write.
fn wrong(text: &str) -> Option<&'static str> {
    let bare = text.replace(REGION, "region");
    let stars = |label: &str| label.matches('*').count();
    Some(match () {
        () if text.is_empty() => "is empty; write a host name such as `fp.example.com`",
        () if text.contains("://") => {
            "is a URL; write its host alone, and the port under match.ports"
        }
        () if text.parse::<std::net::IpAddr>().is_ok() => {
            "is an address; write it under match.addresses"
        }
        () if text.contains(':') => {
            "has a port; write the host alone, and the port under match.ports"
        }
        () if text.contains('/') => {
            "has a slash; write a host name here, an address range under match.addresses"
        }
        () if !text.is_ascii() => "is not ASCII; write the name as DNS has it (`xn--`…)",
        () if bare.split('.').any(str::is_empty) => {
            "has an empty label; write `*.example.com`, without dots at its ends"
        }
        () if bare.contains("**") || bare.split('.').any(|label| stars(label) > 4) => {
            "has too many `*`; a first `*.` stands for any number of labels already"
        }
        () if !bare.contains(|letter: char| letter.is_ascii_alphanumeric()) => {
            "fits every name; write at least one label without `*`"
        }
        () if text.matches(REGION).count() > 1 => {
            "has {region} twice; only one label can name the region"
        }
        () if text
            .split('.')
            .any(|label| label.contains(REGION) && label != REGION) =>
        {
            "has {region} within a label; it stands for a whole one"
        }
        () if bare.contains(|letter: char| {
            !(letter.is_ascii_alphanumeric() || "-_.*".contains(letter))
        }) =>
        {
            "has a character that no host name has; write letters, digits, `-`, `.`, `*` or {region}"
        }
        () => return None,
    })
}
