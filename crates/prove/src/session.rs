//! Questions to a driver, which is restarted if it ends.

use std::fmt::Write as _;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

/// The time limit for an answer.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// A question to a driver.
#[derive(Clone, Debug)]
pub enum Question<'q> {
    /// Decode and encode a sample of the type at an index.
    Decode(usize, &'q Value),
    /// Send the request of the operation at an index.
    Request(usize, &'q Value),
    /// Return the size of the type at an index.
    Size(usize),
}

/// The answer of a driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The encoded value, the request that was received, or the size.
    Ok {
        /// The text.
        text: String,
        /// The time that the driver took.
        nanoseconds: u64,
    },
    /// The sample or request was rejected.
    Refused(String),
    /// The stack overflowed.
    Overflow,
    /// The driver timed out.
    Timeout,
    /// The driver panicked, or ended for another reason.
    Crash(String),
}

/// A driver's program.
#[derive(Clone, Debug)]
pub struct Session {
    program: PathBuf,
}

impl Session {
    /// Returns a session with this program.
    pub fn new(program: PathBuf) -> Self {
        Self { program }
    }

    /// Asks each question, and runs `done` after each answer.
    ///
    /// # Errors
    /// The program does not start.
    pub fn ask(
        &self,
        questions: &[Question<'_>],
        done: &mut dyn FnMut(),
    ) -> io::Result<Vec<Answer>> {
        let mut answers = Vec::with_capacity(questions.len());
        while let Some(rest) = questions.get(answers.len()..)
            && !rest.is_empty()
        {
            self.ask_until_it_ends(rest, &mut answers, done)?;
        }
        Ok(answers)
    }

    /// Asks one process, which answers all questions or ends at one.
    fn ask_until_it_ends(
        &self,
        questions: &[Question<'_>],
        answers: &mut Vec<Answer>,
        done: &mut dyn FnMut(),
    ) -> io::Result<()> {
        let mut child = Command::new(&self.program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take();
        let lines = read_lines(&mut child);
        let errors = read_errors(&mut child);
        let text = questions.iter().fold(String::new(), |mut text, question| {
            let _ = match question {
                Question::Decode(index, value) => writeln!(text, "decode\t{index}\t{value}"),
                Question::Request(index, value) => writeln!(text, "request\t{index}\t{value}"),
                Question::Size(index) => writeln!(text, "size\t{index}"),
            };
            text
        });
        let mut ended = false;
        std::thread::scope(|scope| {
            // Concurrently with reading, since the pipes have a limited size. A driver that ends closes the pipe, which is not an
            // error.
            scope.spawn(move || input.map(|mut input| input.write_all(text.as_bytes())));
            for _ in questions {
                match lines.recv_timeout(TIME_LIMIT) {
                    Ok(line) => answers.push(read_answer(&line)),
                    Err(RecvTimeoutError::Timeout) => {
                        child.kill()?;
                        answers.push(Answer::Timeout);
                        break;
                    }
                    Err(RecvTimeoutError::Disconnected) => {
                        ended = true;
                        break;
                    }
                }
                done();
            }
            Ok::<_, io::Error>(())
        })?;
        let status = child.wait()?;
        if ended {
            let errors = errors.join().unwrap_or_default();
            answers.push(if errors.contains("has overflowed its stack") {
                Answer::Overflow
            } else {
                Answer::Crash(format!("the driver ended with {status}: {}", errors.trim()))
            });
            done();
        }
        Ok(())
    }
}

fn read_lines(child: &mut Child) -> Receiver<String> {
    let (sender, receiver) = channel();
    let output = child.stdout.take();
    std::thread::spawn(move || {
        for line in output
            .into_iter()
            .flat_map(|output| BufReader::new(output).lines())
        {
            let Ok(line) = line else { return };
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

fn read_answer(line: &str) -> Answer {
    let mut parts = line.splitn(3, '\t');
    let (word, nanoseconds) = (parts.next(), parts.next());
    let text = parts.next().unwrap_or_default().to_owned();
    match word {
        Some("ok") => Answer::Ok {
            text,
            nanoseconds: nanoseconds
                .and_then(|number| number.parse().ok())
                .unwrap_or(0),
        },
        Some("refused") => Answer::Refused(text),
        Some("panicked") => Answer::Crash("panicked".to_owned()),
        _ => Answer::Crash(format!("the driver answered {line:?}")),
    }
}

/// Reads the program's standard error, so that the program never blocks on it.
fn read_errors(child: &mut Child) -> JoinHandle<String> {
    let errors = child.stderr.take();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // After a read error, the text read so far is used.
        let _ = errors.map(|mut errors| errors.read_to_end(&mut bytes));
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn word_of_an_answer_is_its_kind() {
        let text = || "a\tb".to_owned();
        let ok = Answer::Ok {
            text: text(),
            nanoseconds: 12,
        };
        for (line, answer) in [
            ("ok\t12\ta\tb", ok),
            ("refused\t12\ta\tb", Answer::Refused(text())),
            ("panicked\t12\t", Answer::Crash("panicked".to_owned())),
        ] {
            assert_eq!(read_answer(line), answer, "{line:?}");
        }
        assert!(matches!(read_answer("what?"), Answer::Crash(_)));
    }
}
