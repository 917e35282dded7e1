//! How a command fails.

/// Why a command failed, for a human: a line for each thing to do something about.
#[derive(Debug)]
pub struct Failure(pub String);

impl Failure {
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.0.lines()
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(one_line(&error))
    }
}

/// An error with what lies behind it.
pub fn one_line(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let more = error.to_string();
        // Some repeat what they wrap.
        if !text.ends_with(&more) {
            text = format!("{text}: {more}");
        }
        source = error.source();
    }
    text
}
