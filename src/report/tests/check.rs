//! A value against a JSON Schema: the keywords that our schemas use, and a complaint about any other.

use serde_json::Value;

use super::pattern;

/// One check of a value against a schema's root.
pub(super) struct Check<'a> {
    root: &'a Value,
    /// Members that a schema does not name are violations too.
    strict: bool,
}

impl<'a> Check<'a> {
    pub(super) fn new(root: &'a Value, strict: bool) -> Self {
        Self { root, strict }
    }

    /// Where and how the value breaks the schema.
    pub(super) fn violations(&self, value: &Value) -> Vec<String> {
        let mut found = Vec::new();
        self.node(self.root, value, "$", &mut found);
        found
    }

    fn node(&self, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
        let Some(keywords) = schema.as_object() else {
            found.push(format!("{at}: schema is no object"));
            return;
        };
        for (keyword, rule) in keywords {
            let broken = match keyword.as_str() {
                "$schema" | "$id" | "$defs" | "title" | "description" => false,
                "$ref" => {
                    match rule
                        .as_str()
                        .and_then(|to| self.root.pointer(to.trim_start_matches('#')))
                    {
                        Some(target) => self.node(target, value, at, found),
                        None => found.push(format!("{at}: {rule} leads nowhere")),
                    }
                    false
                }
                "const" => value != rule,
                "enum" => !rule
                    .as_array()
                    .is_some_and(|allowed| allowed.contains(value)),
                "type" => !is_type(value, rule),
                "minimum" => value
                    .as_f64()
                    .is_some_and(|number| number < rule.as_f64().unwrap_or(f64::MAX)),
                "maximum" => value
                    .as_f64()
                    .is_some_and(|number| number > rule.as_f64().unwrap_or(f64::MIN)),
                "minLength" => value
                    .as_str()
                    .is_some_and(|text| (text.chars().count() as u64) < number(rule)),
                "minItems" => value
                    .as_array()
                    .is_some_and(|list| (list.len() as u64) < number(rule)),
                "maxItems" => value
                    .as_array()
                    .is_some_and(|list| (list.len() as u64) > number(rule)),
                "minProperties" => value
                    .as_object()
                    .is_some_and(|map| (map.len() as u64) < number(rule)),
                "pattern" => value
                    .as_str()
                    .is_some_and(|text| !pattern::matches(rule.as_str().unwrap_or(""), text)),
                "anyOf" => self.matching(rule, value) == 0,
                "oneOf" => self.matching(rule, value) != 1,
                "items" | "required" | "properties" | "propertyNames" | "additionalProperties" => {
                    self.children(keyword, rule, schema, value, at, found);
                    false
                }
                _ => {
                    found.push(format!(
                        "{at}: keyword {keyword} is not known to this check"
                    ));
                    false
                }
            };
            if broken {
                found.push(format!("{at}: {value} breaks {keyword} {rule}"));
            }
        }
    }

    fn matching(&self, rule: &Value, value: &Value) -> usize {
        let fits = |schema: &&Value| {
            let mut found = Vec::new();
            self.node(schema, value, "", &mut found);
            found.is_empty()
        };
        rule.as_array()
            .map_or(0, |schemas| schemas.iter().filter(fits).count())
    }

    fn children(
        &self,
        keyword: &str,
        rule: &Value,
        schema: &Value,
        value: &Value,
        at: &str,
        found: &mut Vec<String>,
    ) {
        if let (Some(list), "items") = (value.as_array(), keyword) {
            list.iter()
                .enumerate()
                .for_each(|(place, item)| self.node(rule, item, &format!("{at}[{place}]"), found));
        }
        let Some(members) = value.as_object() else {
            return;
        };
        let named = |name: &str| schema.get("properties").and_then(|named| named.get(name));
        match keyword {
            "required" => {
                for name in rule
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_str)
                {
                    if !members.contains_key(name) {
                        found.push(format!("{at}: {name} is absent"));
                    }
                }
            }
            "properties" => {
                for (name, member) in members {
                    match named(name) {
                        Some(rule) => self.node(rule, member, &format!("{at}.{name}"), found),
                        None if self.strict && schema.get("additionalProperties").is_none() => {
                            found.push(format!("{at}: {name} is not in the schema"));
                        }
                        None => {}
                    }
                }
            }
            "propertyNames" => members
                .keys()
                .for_each(|name| self.node(rule, &Value::from(name.as_str()), at, found)),
            "additionalProperties" => {
                for (name, member) in members.iter().filter(|(name, _)| named(name).is_none()) {
                    self.node(rule, member, &format!("{at}.{name}"), found);
                }
            }
            _ => {}
        }
    }
}

fn number(rule: &Value) -> u64 {
    rule.as_u64().unwrap_or(0)
}

fn is_type(value: &Value, rule: &Value) -> bool {
    let is = |name: &str| match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        _ => false,
    };
    match rule {
        Value::String(name) => is(name),
        Value::Array(names) => names.iter().filter_map(Value::as_str).any(is),
        _ => false,
    }
}
