//! The part of JSON Schema that `docs/replay.schema.json` uses; any other keyword fails the test.

use serde_json::Value;

const SCHEMA: &str = include_str!("../../../../docs/replay.schema.json");

/// Why a line breaks the contract; nothing if it keeps it.
pub(crate) fn complaint(line: &str) -> Option<String> {
    let root: Value = serde_json::from_str(SCHEMA).expect("the schema is JSON");
    let value: Value = match serde_json::from_str(line) {
        Ok(value) => value,
        Err(error) => return Some(format!("not JSON: {error}: {line}")),
    };
    check(&root, &root, &value).err().map(|why| format!("{why}: {line}"))
}

fn check(root: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    let keywords = schema.as_object().ok_or("a schema is an object")?;
    for (keyword, rule) in keywords {
        match keyword.as_str() {
            "$schema" | "title" | "description" | "$defs" | "required" | "additionalProperties" => {}
            "$ref" => check(root, follow(root, rule)?, value)?,
            "const" if rule == value => {}
            "const" => return Err(format!("{value} is not {rule}")),
            "enum" if array(rule).contains(value) => {}
            "enum" => return Err(format!("{value} is none of {rule}")),
            "type" => check_type(rule, value)?,
            "minimum" => check_minimum(rule, value)?,
            "items" => array(value).iter().try_for_each(|item| check(root, rule, item))?,
            "properties" => check_properties(root, schema, rule, value)?,
            "oneOf" | "anyOf" => check_choice(root, keyword, rule, value)?,
            other => return Err(format!("the checker does not know {other}")),
        }
    }
    Ok(())
}

fn check_choice(root: &Value, keyword: &str, rule: &Value, value: &Value) -> Result<(), String> {
    let results: Vec<_> = array(rule).iter().map(|choice| check(root, choice, value)).collect();
    match results.iter().filter(|result| result.is_ok()).count() {
        1 => Ok(()),
        0 => Err(results.into_iter().filter_map(Result::err).collect::<Vec<_>>().join("; ")),
        _ if keyword == "anyOf" => Ok(()),
        n => Err(format!("{n} of the choices fit")),
    }
}

fn check_properties(root: &Value, schema: &Value, rule: &Value, value: &Value) -> Result<(), String> {
    let Some(fields) = value.as_object() else { return Ok(()) };
    for (name, field) in fields {
        match rule.get(name) {
            Some(rule) => check(root, rule, field).map_err(|why| format!("{name}: {why}"))?,
            None if schema.get("additionalProperties") == Some(&Value::Bool(false)) => {
                return Err(format!("{name} is not foreseen"));
            }
            None => {}
        }
    }
    let missing =
        array(&schema["required"]).iter().filter_map(Value::as_str).find(|name| !fields.contains_key(*name));
    missing.map_or(Ok(()), |name| Err(format!("{name} is missing")))
}

fn check_type(rule: &Value, value: &Value) -> Result<(), String> {
    let is = |name: &Value| match name.as_str() {
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        Some("null") => value.is_null(),
        _ => false,
    };
    let fits = rule.as_array().map_or_else(|| is(rule), |names| names.iter().any(is));
    if fits { Ok(()) } else { Err(format!("{value} is not of the type {rule}")) }
}

fn check_minimum(rule: &Value, value: &Value) -> Result<(), String> {
    match (value.as_f64(), rule.as_f64()) {
        (Some(value), Some(least)) if value < least => Err(format!("{value} is less than {least}")),
        _ => Ok(()),
    }
}

fn follow<'a>(root: &'a Value, reference: &Value) -> Result<&'a Value, String> {
    let path =
        reference.as_str().and_then(|text| text.strip_prefix('#')).ok_or("a reference within the file")?;
    root.pointer(path).ok_or_else(|| format!("{path} does not exist"))
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
