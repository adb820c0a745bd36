//! Codes of problems: what a code's entry in `table` says, and what follows from it.
//!
//! Invariant: a code is one entry there. The variants of `Code`, the contract, the pages below `/problems/` and
//! the answers follow from it; which operation ends in which code says `operation_errors`. A code that was
//! once published keeps its name and its meaning, since clients decide by them. Those that operations can end in
//! have their names from there.
//!
//! Absent on purpose: how an error of the inside becomes one of these. That is in `problem`.

use poem::http::StatusCode;

use crate::own_paths;

/// What is known of a code, whatever the request.
struct CodeInfo {
    /// As it stands in answers and in the address of its page.
    name: &'static str,
    status: StatusCode,
    /// After how many seconds the same request may succeed; `None` if repeating it alone doesn't help.
    retry_after_seconds: Option<u32>,
    title: &'static str,
    /// What to do about it, for the page that a problem's `type` leads to.
    advice: &'static str,
    /// The words that fit every case of it, if there are some; else the title.
    detail: Option<&'static str>,
}

macro_rules! codes {
    ($($code:ident { $($field:ident: $value:expr,)+ })+) => {
        /// What went wrong, by a name that doesn't change. Clients decide by it, not by the text.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code {
            $($code,)+
        }

        impl Code {
            pub const ALL: [Self; [$(stringify!($code)),+].len()] = [$(Self::$code),+];

            pub(super) fn info(self) -> &'static CodeInfo {
                match self {
                    $(Self::$code => {
                        static INFO: CodeInfo = CodeInfo { $($field: $value,)+ };
                        &INFO
                    })+
                }
            }
        }
    };
}

// Below the macro that it is made by.
mod table;
pub(super) use self::table::Code;

impl Code {
    pub fn as_str(self) -> &'static str {
        self.info().name
    }

    pub fn status(self) -> StatusCode {
        self.info().status
    }

    pub fn title(self) -> &'static str {
        self.info().title
    }

    /// What to do about it, for the page that a problem's `type` leads to.
    pub fn advice(self) -> &'static str {
        self.info().advice
    }

    /// The words that fit every case of it.
    pub fn detail(self) -> &'static str {
        self.info().detail.unwrap_or(self.info().title)
    }

    /// After how many seconds the same request may succeed.
    pub fn retry_after(self) -> Option<u32> {
        self.info().retry_after_seconds
    }

    /// Where a problem's `type` points.
    pub fn path(self) -> String {
        own_paths::PROBLEM.replace("{code}", self.as_str())
    }
}

#[cfg(test)]
mod tests;
