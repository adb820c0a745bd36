//! What the page of a link says, and what a program is told in its place.

use poem::http::StatusCode;

use super::super::problem::{Code, Problem};
use super::is_there;
use crate::domain::FileState;
use crate::links::{SharedFile, SharedFiles};
use crate::operations::OperationError;
use crate::web_page::{Language, SharedNotice, SharedRow, SharedView, Words, moment};

/// The link as a page shows it in this language. `message`: what became of the last try.
pub(super) fn view(
    shared: &SharedFiles,
    language: Language,
    message: Option<Message>,
) -> SharedView {
    let words = language.words();
    SharedView {
        language,
        title: title(shared, words),
        summary: summary(shared, language),
        message: message.map(|message| words.get(message.path())),
        needs_password: shared.link.password.is_some(),
        is_waiting: shared
            .files
            .iter()
            .any(|file| matches!(file.record.state, FileState::Pending(_))),
        // Only to be told apart from other pages.
        key: format!("page-{:032x}", fastrand::u128(..)),
        rows: shared
            .files
            .iter()
            .map(|file| row(file, language))
            .collect(),
    }
}

/// Why a file wasn't taken, where the page stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Message {
    WrongPassword,
    Pending,
    TakenTooOften,
    TooManyTries,
}

impl Message {
    /// `None` where there is no page to stay on.
    pub(super) fn of(error: &OperationError) -> Option<Self> {
        match error {
            OperationError::WrongPassword => Some(Self::WrongPassword),
            OperationError::UploadPending => Some(Self::Pending),
            OperationError::DownloadLimitReached => Some(Self::TakenTooOften),
            OperationError::TooManyTries(_) => Some(Self::TooManyTries),
            _ => None,
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::WrongPassword => "shared.wrongPassword",
            Self::Pending => "shared.pending",
            Self::TakenTooOften => "shared.taken",
            Self::TooManyTries => "shared.tooManyTries",
        }
    }
}

fn title(shared: &SharedFiles, words: &Words) -> String {
    match (&shared.link.title, shared.files.as_slice()) {
        (Some(title), _) => title.as_str().to_owned(),
        (None, []) => words.get("shared.nothing"),
        (None, [file]) => file.record.declared.shown_name().to_owned(),
        (None, files) => words.with("shared.manyFiles", &[&files.len().to_string()]),
    }
}

fn summary(shared: &SharedFiles, language: Language) -> String {
    let words = language.words();
    let files = match shared.files.len() {
        0 => words.get("shared.noFiles"),
        1 => words.get("shared.oneFile"),
        n => words.with("shared.manyFiles", &[&n.to_string()]),
    };
    let bytes: u64 = shared
        .files
        .iter()
        .map(|file| file.record.declared.length.bytes())
        .sum();
    let until = moment(shared.link.expires_at);
    words.with("shared.summary", &[&files, &language.size(bytes), &until])
}

fn row(shared: &SharedFile, language: Language) -> SharedRow {
    let record = &shared.record;
    let words = language.words();
    let size = language.size(record.declared.length.bytes());
    let is_left = shared.downloads_left != Some(0);
    let note = match (&record.state, shared.downloads_left) {
        (FileState::Pending(_), _) => words.with("shared.note.pending", &[&size]),
        (FileState::Available(_), Some(0)) => words.with("shared.note.none", &[&size]),
        (FileState::Available(_), Some(1)) => words.with("shared.note.once", &[&size]),
        (FileState::Available(_), Some(n)) => {
            words.with("shared.note.times", &[&size, &n.to_string()])
        }
        (FileState::Available(_), None) => size,
        _ => words.get("shared.note.never"),
    };
    SharedRow {
        id: (is_there(&record.state) && is_left).then(|| record.id.to_string()),
        name: record.declared.shown_name().to_owned(),
        note,
    }
}

/// A problem as a page says it. What people can meet who were given a link has words for them; anything else is said
/// as programs are told it.
pub(super) fn notice(problem: &Problem, language: Language, request_id: &str) -> SharedNotice {
    let code = problem.code;
    let words = language.words();
    let said = |title: &str, text: &str| (words.get(title), words.get(text), None);
    let (title, detail, advice) = match code {
        Code::SignInRequired => said("shared.signInTitle", "shared.signInText"),
        Code::LinkNotFound => said("shared.notFoundTitle", "shared.notFoundText"),
        Code::LinkGone => said("shared.goneTitle", "shared.goneText"),
        _ if code.status() == StatusCode::SERVICE_UNAVAILABLE => {
            said("shared.busyTitle", "shared.busyText")
        }
        _ => (
            code.title().to_owned(),
            problem.detail.clone(),
            Some(code.advice().replace('`', "")),
        ),
    };
    SharedNotice {
        language,
        title,
        detail,
        advice,
        code: code.as_str(),
        request_id: request_id.to_owned(),
        action: None,
        refresh: None,
    }
}

/// What a program is told that wanted the bytes of something that isn't one file, or not for nothing.
pub(super) fn for_programs(shared: &SharedFiles) -> Problem {
    let why = match (&shared.link.password, shared.link.max_downloads) {
        (Some(_), _) => "it has a password".to_owned(),
        (None, Some(_)) => "each download of it counts".to_owned(),
        (None, None) => format!("it has {} files", shared.files.len()),
    };
    Code::LinkOpensPage.with(format!(
        "{why}: open the link in a browser, give it to `fshare download`, or ask GET /v1/shared/TOKEN what there is \
         and POST /v1/shared/TOKEN/files/ID/downloads for a URL"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_can_meet_is_said_to_people_and_in_their_language() {
        for (code, english, german) in [
            (
                Code::LinkNotFound,
                "There is no such link",
                "Diesen Link gibt es nicht",
            ),
            (
                Code::LinkGone,
                "This link is over",
                "Dieser Link gilt nicht mehr",
            ),
            (
                Code::SignInRequired,
                "This link is for people who are signed in",
                "Dieser Link ist für angemeldete Personen",
            ),
        ] {
            for (language, title) in [(Language::English, english), (Language::German, german)] {
                let said = notice(&code.plain(), language, "request");
                assert_eq!(said.title, title);
                assert!(!said.detail.contains("GET ") && said.advice.is_none());
                assert_eq!(
                    (said.code, said.request_id.as_str()),
                    (code.as_str(), "request")
                );
            }
        }
        let other = notice(&Code::MethodNotAllowed.plain(), Language::German, "request");
        assert_eq!(other.title, Code::MethodNotAllowed.title());
        assert!(other.advice.is_some_and(|advice| !advice.contains('`')));
    }
}
