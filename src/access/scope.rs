//! What a token may do for its owner.
//!
//! Invariant: a scope that isn't known gives nothing: a caller who asks for it is told so, and one that a later
//! version of this program stored is left out.

use crate::domain::Invalid;

/// One of the things that a token can be for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Lists, describes and downloads.
    Read,
    /// Creates files and hands out how to upload them.
    Write,
    /// Deletes.
    Delete,
    /// What the owner may do as an administrator.
    Admin,
}

impl Scope {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::Read, Self::Write, Self::Delete, Self::Admin];

    /// Its name on the wire and in stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Delete => "delete",
            Self::Admin => "admin",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == name)
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Scopes(u8);

impl Scopes {
    /// The scopes of these names, in any order and any number of times.
    ///
    /// # Errors
    /// A name that is no scope's, or no name at all.
    pub fn parse<S: AsRef<str>>(names: &[S]) -> Result<Self, Invalid> {
        if names.is_empty() {
            return Err(Invalid(format!(
                "must name at least one of {}",
                all_names()
            )));
        }
        let known = |name: &S| {
            Scope::named(name.as_ref())
                .ok_or_else(|| Invalid(format!("must hold only {}", all_names())))
        };
        names.iter().map(known).collect()
    }

    /// Those of these names that are known.
    pub fn from_stored<S: AsRef<str>>(names: &[S]) -> Self {
        let known = names.iter().filter_map(|name| Scope::named(name.as_ref()));
        known.collect()
    }

    /// Whether it is among them.
    pub fn contains(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each, in the order of [`Scope::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL
            .into_iter()
            .filter(move |scope| self.contains(*scope))
    }

    /// The name of each.
    pub fn names(self) -> Vec<&'static str> {
        self.iter().map(Scope::as_str).collect()
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        let bits = scopes.into_iter().map(Scope::bit);
        Self(bits.fold(0, |all, bit| all | bit))
    }
}

fn all_names() -> String {
    Scope::ALL.map(Scope::as_str).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_of_scopes_reads_back_from_its_names() {
        for bits in 1..1 << Scope::ALL.len() {
            let scopes = Scopes(bits);
            assert_eq!(Scopes::parse(&scopes.names()), Ok(scopes));
            assert_eq!(scopes.iter().collect::<Scopes>(), scopes);
            assert_eq!(Scopes::from_stored(&scopes.names()), scopes);
        }
    }

    #[test]
    fn order_and_repetition_make_no_difference() {
        let scopes = Scopes::parse(&["delete", "read", "delete"]).unwrap();
        assert_eq!(scopes.names(), ["read", "delete"]);
        assert!(scopes.contains(Scope::Delete) && !scopes.contains(Scope::Write));
    }

    #[test]
    fn a_scope_that_is_not_known_is_refused_with_those_that_are() {
        for names in [&["read", "root"][..], &["Read"], &[""], &[]] {
            let error = Scopes::parse(names).unwrap_err().to_string();
            assert!(error.contains("read, write, delete, admin"), "{error}");
        }
    }

    #[test]
    fn a_scope_of_a_later_version_gives_nothing() {
        let scopes = Scopes::from_stored(&["read", "audit"]);
        assert_eq!(scopes.names(), ["read"]);
        assert!(Scopes::from_stored(&["audit"]).is_empty());
    }
}
