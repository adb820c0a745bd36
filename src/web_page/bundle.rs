//! A page's modules in one file, since each of several dozen would be asked for and answered for by itself.
//!
//! A module becomes a function that gives what it exports, in the order in which a browser would run them:
//!
//! ```text
//! import { h } from './dom.js';            const $dom_js = (() => {
//! export function tile(name) {…}      ──▶  function tile(name) {…}
//!                                          return { tile };
//!                                          })();
//! ```
//!
//! Invariant: names of one module don't meet those of another. A form of `import` or `export` that this doesn't know
//! fails a test, and no module imports itself by way of others.
//!
//! Absent on purpose: everything else that bundlers do. Comments and indentation go; names stay, so that whoever looks
//! at a page finds the module that it is of.

use std::fmt::Write;

use super::assets;

/// Modules that stay by themselves: they have to run before the rest is there.
const APART: [&str; 1] = ["key_link.js"];

/// The module `entry` with all that it imports.
pub(super) fn bundle(entry: &str) -> String {
    if APART.contains(&entry) {
        return assets::source(entry).to_owned();
    }
    let mut bundle = String::new();
    for name in APART.iter().filter(|name| in_order(entry).contains(name)) {
        let _ = writeln!(bundle, "import * as {} from './{name}';", variable(name));
    }
    for name in in_order(entry) {
        if !APART.contains(&name) {
            bundle.push_str(&function_of(name));
        }
    }
    let exported = exports(entry);
    if !exported.is_empty() {
        // Whoever fetches it later by `import('./…')` gets what the module itself would give.
        let (exported, variable) = (exported.join(", "), variable(entry));
        let _ = writeln!(bundle, "export const {{ {exported} }} = {variable};");
    }
    bundle
}

/// The names that a module exports.
fn exports(name: &str) -> Vec<&'static str> {
    statements(assets::source(name))
        .filter_map(|statement| declared(statement.strip_prefix("export ")?))
        .collect()
}

/// The modules that `entry` needs, each behind those that it imports, and `entry` at the end.
pub(super) fn in_order(entry: &str) -> Vec<&'static str> {
    fn add(name: &str, order: &mut Vec<&'static str>, above: &mut Vec<String>) {
        debug_assert!(
            !above.iter().any(|one| one == name),
            "{name} imports itself"
        );
        let Some(asset) = assets::find(name) else {
            return;
        };
        if order.contains(&asset.name) || above.iter().any(|one| one == name) {
            return;
        }
        above.push(name.to_owned());
        for imported in imports(assets::source(name)) {
            add(imported, order, above);
        }
        above.pop();
        order.push(asset.name);
    }
    let mut order = Vec::new();
    add(entry, &mut order, &mut Vec::new());
    order
}

/// What a module names in its imports, in their order.
pub(super) fn imports(source: &str) -> Vec<&str> {
    statements(source)
        .filter(|statement| is_import(statement))
        .filter_map(|statement| statement.rsplit_once("'./")?.1.split('\'').next())
        .collect()
}

/// The variable that has what a module exports.
fn variable(module: &str) -> String {
    let name = module.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    format!("${name}")
}

fn function_of(name: &str) -> String {
    let mut body = String::new();
    for statement in statements(assets::source(name)) {
        if is_import(statement) {
            body.push_str(&import_of(statement));
        } else if let Some(declaration) = statement.strip_prefix("export ") {
            body.push_str(declaration);
        } else {
            body.push_str(statement);
        }
        body.push('\n');
    }
    let (variable, body) = (variable(name), without_comments(&body));
    let exported = exports(name).join(", ");
    format!("const {variable} = (() => {{\n{body}return {{ {exported} }};\n}})();\n")
}

/// The lines of a module, of which an import that goes over several is one.
fn statements(source: &str) -> impl Iterator<Item = &str> {
    let mut rest = source;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = match rest.starts_with("import ") {
            true => rest.find(";\n").map(|at| at + 1),
            false => rest.find('\n'),
        };
        let (statement, after) = rest.split_at(end.unwrap_or(rest.len()));
        rest = after.strip_prefix('\n').unwrap_or(after);
        Some(statement)
    })
}

fn is_import(statement: &str) -> bool {
    statement.starts_with("import ")
}

/// `import { a, b as c } from './x.js';` as a statement of a function.
fn import_of(statement: &str) -> String {
    let names = statement
        .split_once('{')
        .and_then(|(_, rest)| rest.split_once('}'));
    let module = statement
        .rsplit_once("'./")
        .and_then(|(_, rest)| rest.split('\'').next());
    match (names, module) {
        (Some((names, _)), Some(module)) => {
            let names = names.replace(" as ", ": ").replace('\n', " ");
            format!("const {{{names}}} = {};", variable(module))
        }
        // For what it does when it runs.
        _ => String::new(),
    }
}

/// The name that is declared, of a declaration that was exported.
fn declared(declaration: &str) -> Option<&str> {
    let mut words = declaration.split(|c: char| c.is_whitespace() || matches!(c, '(' | '*'));
    words.find(|word| !matches!(*word, "" | "async" | "class" | "const" | "function"))
}

/// Without lines that are comments and without indentation, but for what stands in a text of several lines.
fn without_comments(source: &str) -> String {
    let mut kept = String::with_capacity(source.len());
    let mut is_in_text = false;
    for line in source.lines() {
        let code = line.trim();
        if is_in_text {
            kept.push_str(line);
        } else if code.is_empty() || code.starts_with("//") {
            continue;
        } else {
            kept.push_str(code);
        }
        kept.push('\n');
        if line.matches('`').count() % 2 == 1 {
            is_in_text = !is_in_text;
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modules() -> impl Iterator<Item = &'static str> {
        let names = assets::ASSETS.iter().map(|asset| asset.name);
        names.filter(|name| name.ends_with(".js"))
    }

    #[test]
    fn every_import_and_export_has_a_form_that_a_bundle_can_have() {
        for name in modules() {
            for statement in statements(assets::source(name)) {
                if let Some(exported) = statement.strip_prefix("export ") {
                    let kinds = ["async function", "class ", "const ", "function"];
                    let is_known = kinds.iter().any(|kind| exported.starts_with(kind))
                        && declared(exported).is_some_and(|name| !name.contains(['{', '[']));
                    assert!(is_known, "{name}: write it another way: {statement}");
                }
                if is_import(statement) {
                    let is_known = statement.starts_with("import { ")
                        || statement.starts_with("import {\n")
                        || statement.starts_with("import './");
                    assert!(is_known && statement.ends_with("';"), "{name}: {statement}");
                    let imported = imports(statement);
                    assert!(assets::find(imported[0]).is_some(), "{name}: {statement}");
                }
                let is_late = |what: &str| statement.trim_start().starts_with(what);
                assert!(
                    !statement.starts_with("await ") && !statement.contains("import.meta"),
                    "{name}: {statement}"
                );
                assert!(
                    !(statement.starts_with(' ') && (is_late("import ") || is_late("export "))),
                    "{name}: {statement}"
                );
            }
            let texts = assets::source(name)
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"));
            let quotes: usize = texts.map(|line| line.matches('`').count()).sum();
            assert!(quotes.is_multiple_of(2), "{name}: a text doesn't end");
        }
    }

    #[test]
    fn a_module_comes_behind_what_it_imports_and_none_comes_twice() {
        for entry in modules() {
            let order = in_order(entry);
            assert_eq!(order.last(), Some(&entry));
            for (at, name) in order.iter().enumerate() {
                assert_eq!(order.iter().filter(|one| *one == name).count(), 1, "{name}");
                for imported in imports(assets::source(name)) {
                    assert!(order[..at].contains(&imported), "{imported} in {name}");
                }
            }
        }
    }

    #[test]
    fn a_module_is_a_function_that_gives_what_it_exports() {
        let bundle = function_of("back_off.js");
        assert!(
            bundle.starts_with("const $back_off_js = (() => {\n"),
            "{bundle}"
        );
        assert!(
            bundle.ends_with("return { FIRST_PAUSE_MS, LONGEST_PAUSE_MS, backOff };\n})();\n"),
            "{bundle}"
        );
        assert!(
            !bundle.contains("//") && !bundle.contains("export"),
            "{bundle}"
        );
        assert_eq!(
            import_of("import {\n  a,\n  b as c,\n} from './x_y.js';"),
            "const {   a,   b: c, } = $x_y_js;"
        );
        assert_eq!(import_of("import './x.js';"), "");
        for (declaration, name) in [
            ("async function* walk(a) {", "walk"),
            ("class Meter {", "Meter"),
            ("const LIMIT = 1;", "LIMIT"),
        ] {
            assert_eq!(declared(declaration), Some(name));
        }
        assert_eq!(
            without_comments("  a; // b\n\n  // c\n  d(`\n  // e\n`);\n"),
            "a; // b\nd(`\n  // e\n`);\n"
        );
    }

    #[test]
    fn what_is_fetched_later_gives_what_its_module_exports() {
        for name in ["check_file.js", "receipt.js", "qr.js"] {
            let end = format!(
                "export const {{ {} }} = {};\n",
                exports(name).join(", "),
                variable(name)
            );
            assert!(
                !exports(name).is_empty() && bundle(name).ends_with(&end),
                "{name}"
            );
        }
        assert!(!bundle("app.js").contains("\nexport "));
    }

    #[test]
    fn the_key_is_taken_out_of_the_address_by_a_module_of_its_own() {
        let page = bundle("app.js");
        assert!(page.starts_with("import * as $key_link_js from './key_link.js';\n"));
        assert!(!page.contains("const $key_link_js"));
        assert_eq!(bundle("key_link.js"), assets::source("key_link.js"));
    }
}
