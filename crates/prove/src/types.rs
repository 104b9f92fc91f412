//! The proof of the generated types: each valid sample round-trips, and each invalid one is rejected.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use call_api_codegen::pointer::Pointer;
use jsonschema::Validator;
use serde_json::Value;

use crate::bodies;
use crate::compare::{Change, changes, is_same_json};
use crate::directions::Directions;
use crate::document::Document;
use crate::files;
use crate::judge::{Fault, Judge, is_union, keeps_unlisted, registry};
use crate::places;
use crate::report::{Failure, FailureKind, Row};
use crate::sampler::Sampler;
use crate::samples;
use crate::session::{Answer, Question, Session};
use crate::shape::says;
use crate::shrink::{shrink, sign};

/// A component schema with a type.
#[derive(Clone, Debug)]
pub(crate) struct Typed {
    /// The reference of the schema.
    pub(crate) reference: String,
    /// The type's name.
    pub(crate) name: String,
}

/// A valid or invalid value of a schema.
#[derive(Clone, Debug)]
struct Sample {
    /// The index of the type.
    index: usize,
    value: Value,
    /// The fault of an invalid value.
    fault: Option<Fault>,
}

/// The proof of the types of a document.
pub(crate) struct TypeProof<'d> {
    document: &'d Document,
    typed: &'d [Typed],
    session: &'d Session,
    names: BTreeSet<&'d str>,
    directions: Directions,
    /// The uses of schemas as forms, by the reference of the schema.
    forms: BTreeMap<&'d str, Vec<String>>,
    /// The types that accept any JSON value.
    untyped: BTreeSet<usize>,
}

/// The number of random bodies that are held in memory at once.
const BODIES: usize = 1000;

/// Similar failures of one schema: their number, and the smallest sample.
type Groups = BTreeMap<(usize, FailureKind, String), (usize, Sample)>;

impl<'d> TypeProof<'d> {
    /// Returns a proof of these types with a driver that has them in the same order.
    pub(crate) fn new(document: &'d Document, typed: &'d [Typed], session: &'d Session) -> Self {
        let mut names = BTreeSet::new();
        property_names(document.value(), &mut names);
        Self {
            document,
            typed,
            session,
            names,
            directions: Directions::of(document),
            forms: forms(document.value()),
            untyped: BTreeSet::new(),
        }
    }

    /// Samples each schema, asks the driver, and adds the results to the row; runs `done` once for each type.
    ///
    /// # Errors
    /// The driver doesn't start, or a schema is no JSON Schema.
    pub(crate) fn run(
        &mut self,
        least: usize,
        bodies: usize,
        row: &mut Row,
        done: &dyn Fn(),
    ) -> io::Result<()> {
        self.sizes(row)?;
        let references = self.typed.iter().map(|typed| typed.reference.clone());
        let registry = registry(self.document, references.collect()).map_err(io::Error::other)?;
        let judge = Judge::new(&registry);
        let mut sampler = Sampler::new(self.document);
        let examples = examples(self.document);
        let mut random = fastrand::Rng::with_seed(9);
        for (index, typed) in self.typed.iter().enumerate() {
            let validator = judge
                .validator(&typed.reference)
                .map_err(io::Error::other)?;
            let examples = examples.get(typed.reference.as_str());
            let examples = examples.map_or(&[][..], Vec::as_slice);
            let samples = self.samples(index, &validator, &mut sampler, least, examples);
            if !samples.iter().any(|sample| sample.fault.is_none()) {
                row.unsampled.push(typed.reference.clone());
            }
            let values = samples.iter().map(|sample| sample.value.clone());
            let values: Vec<Value> = values.collect();
            self.prove(index, &validator, samples, row)?;
            let mut left = if values.is_empty() { 0 } else { bodies };
            while left > 0 {
                let count = left.min(BODIES);
                let bodies = self.bodies(index, &values, count, &mut random);
                self.prove(index, &validator, bodies, row)?;
                left -= count;
            }
            done();
        }
        Ok(())
    }

    fn sizes(&mut self, row: &mut Row) -> io::Result<()> {
        let questions: Vec<_> = (0..self.typed.len()).map(Question::Size).collect();
        let answers = self.session.ask(&questions, &mut || ())?;
        for (index, (typed, answer)) in self.typed.iter().zip(answers).enumerate() {
            let Answer::Ok { text, .. } = answer else {
                return Err(io::Error::other(format!(
                    "the size of {} is unknown: {answer:?}",
                    typed.name
                )));
            };
            let (bytes, any): (usize, bool) = serde_json::from_str(&text)?;
            if any {
                self.untyped.insert(index);
            }
            if row
                .largest
                .as_ref()
                .is_none_or(|(largest, _)| bytes > *largest)
            {
                row.largest = Some((bytes, typed.name.clone()));
            }
        }
        Ok(())
    }

    fn samples(
        &self,
        index: usize,
        validator: &Validator,
        sampler: &mut Sampler<'d>,
        least: usize,
        examples: &[&Value],
    ) -> Vec<Sample> {
        let reference = self.typed.get(index).map_or("", |typed| &typed.reference);
        let made = samples::of_schema(
            self.document,
            &self.directions,
            reference,
            validator,
            sampler,
            least,
        );
        let examples = examples
            .iter()
            .filter(|example| validator.is_valid(example))
            .map(|example| Sample {
                index,
                value: (*example).clone(),
                fault: None,
            });
        let made = made.into_iter().map(|(fault, value)| Sample {
            index,
            value,
            fault,
        });
        made.chain(examples).collect()
    }

    /// Returns random bodies for a type, made of its samples.
    fn bodies(
        &self,
        index: usize,
        samples: &[Value],
        count: usize,
        random: &mut fastrand::Rng,
    ) -> Vec<Sample> {
        let names: Vec<&str> = self.names.iter().copied().collect();
        let bodies = bodies::random(samples, &names, count, random).into_iter();
        let bodies = bodies.map(|value| Sample {
            index,
            value,
            fault: Some(Fault::Random),
        });
        bodies.collect()
    }

    fn prove(
        &self,
        index: usize,
        validator: &Validator,
        mut samples: Vec<Sample>,
        row: &mut Row,
    ) -> io::Result<()> {
        let mut groups = Groups::new();
        let questions: Vec<_> = samples
            .iter()
            .map(|sample| Question::Decode(index, &sample.value))
            .collect();
        let mut answers = self.session.ask(&questions, &mut || ())?;
        drop(questions);
        row.files += self.ask_with_files(&mut samples, &mut answers)?;
        for (sample, answer) in samples.into_iter().zip(answers) {
            match sample.fault {
                None => row.valid += 1,
                Some(Fault::Random) => row.bodies += 1,
                Some(_) => row.invalid += 1,
            }
            if let Answer::Ok { nanoseconds, .. } = answer
                && row
                    .slowest
                    .as_ref()
                    .is_none_or(|(slowest, _)| nanoseconds > *slowest)
            {
                let name = self.typed.get(index).map(|typed| typed.name.clone());
                row.slowest = Some((nanoseconds, name.unwrap_or_default()));
            }
            match self.verdict(validator, &sample, &answer) {
                Verdict::Fine => {}
                Verdict::Policy => row.tolerated += 1,
                Verdict::Failed(kind, detail) => {
                    *row.counts.entry(kind).or_default() += 1;
                    let size = sample.value.to_string().len();
                    let group = groups
                        .entry((index, kind, sign(&detail)))
                        .or_insert((0, sample.clone()));
                    group.0 += 1;
                    if size < group.1.value.to_string().len() {
                        group.1 = sample;
                    }
                }
            }
        }
        for ((_, kind, sign), (count, sample)) in groups {
            row.failures
                .push(self.failure(validator, kind, &sign, count, sample)?);
        }
        Ok(())
    }

    /// Asks again about each rejected form with files in place of the values that JSON has for them. Returns the number of
    /// those that are decoded.
    fn ask_with_files(&self, samples: &mut [Sample], answers: &mut [Answer]) -> io::Result<usize> {
        let mut random = fastrand::Rng::with_seed(11);
        let forms = samples.iter_mut().zip(answers);
        let forms = forms.filter_map(|(sample, answer)| {
            let is_rejected = sample.fault.is_none() && matches!(answer, Answer::Refused(_));
            let value = is_rejected.then(|| self.with_files(sample, &mut random))??;
            sample.value = value;
            Some((sample, answer))
        });
        let forms: Vec<(&mut Sample, &mut Answer)> = forms.collect();
        let questions = forms.iter();
        let questions: Vec<_> = questions
            .map(|(sample, _)| Question::Decode(sample.index, &sample.value))
            .collect();
        let found = self.session.ask(&questions, &mut || ())?;
        drop(questions);
        let is_decoded = |answer: &&Answer| matches!(answer, Answer::Ok { .. });
        let count = found.iter().filter(is_decoded).count();
        for ((_, answer), found) in forms.into_iter().zip(found) {
            *answer = found;
        }
        Ok(count)
    }

    /// Returns the value of a form with its files, or `None` if it has none.
    fn with_files(&self, sample: &Sample, random: &mut fastrand::Rng) -> Option<Value> {
        let reference = &self.typed.get(sample.index)?.reference;
        let mut value = sample.value.clone();
        for place in self.forms.get(reference.as_str())? {
            if let Value::Object(form) = &mut value {
                files::fill(self.document, place, form, random);
            }
        }
        (value != sample.value).then_some(value)
    }

    fn verdict(&self, validator: &Validator, sample: &Sample, answer: &Answer) -> Verdict {
        let text = match (answer, sample.fault) {
            (Answer::Overflow, _) => {
                return Verdict::Failed(FailureKind::Overflow, "stack overflow".to_owned());
            }
            (Answer::Timeout, _) => {
                return Verdict::Failed(FailureKind::Timeout, "no answer".to_owned());
            }
            (Answer::Crash(why), _) => return Verdict::Failed(FailureKind::Crash, why.clone()),
            (Answer::Refused(_), Some(_)) => return Verdict::Fine,
            (Answer::Refused(why), None) => {
                return Verdict::Failed(FailureKind::Undecodable, why.clone());
            }
            (Answer::Ok { .. }, Some(Fault::Random)) => return Verdict::Fine,
            (Answer::Ok { text, .. }, _) => text,
        };
        let Ok(after) = serde_json::from_str::<Value>(text) else {
            return Verdict::Failed(FailureKind::Changed, format!("encoded as no JSON: {text}"));
        };
        match sample.fault {
            Some(fault) => self.accepted(sample, fault, &after),
            None => self.came_back(validator, sample, &after),
        }
    }

    fn accepted(&self, sample: &Sample, fault: Fault, after: &Value) -> Verdict {
        let schema = self.schema(sample.index);
        let is_kept = &sample.value == after;
        let keeps_any = schema.is_some_and(|schema| is_union(self.document, schema));
        let tolerated = match fault {
            Fault::MissingOneWay | Fault::Random => true,
            _ if self.untyped.contains(&sample.index) => true,
            Fault::Missing => is_kept && keeps_any,
            // Decoded into a field that accepts any value, and encoded unchanged. The other properties are valid.
            Fault::Type => is_same_json(&sample.value, after),
            Fault::Kind if sample.value.is_string() => {
                is_kept && schema.is_some_and(|schema| keeps_unlisted(self.document, schema))
            }
            Fault::Kind | Fault::Sequence => is_kept && sample.value.is_object(),
        };
        if tolerated {
            Verdict::Policy
        } else {
            Verdict::Failed(FailureKind::Accepted, fault.name().to_owned())
        }
    }

    fn schema(&self, index: usize) -> Option<&'d Value> {
        let typed = self.typed.get(index)?;
        self.document.resolve(&typed.reference)
    }

    fn is_form(&self, sample: &Sample) -> bool {
        let typed = self.typed.get(sample.index);
        typed.is_some_and(|typed| self.forms.contains_key(typed.reference.as_str()))
    }

    fn came_back(&self, validator: &Validator, sample: &Sample, after: &Value) -> Verdict {
        // No style of a form distinguishes an empty list from an absent one.
        let is_form = self.is_form(sample);
        let schema = self.schema(sample.index);
        let known = |place: &str| {
            schema.is_none_or(|schema| places::schemas(self.document, schema, place).is_some())
        };
        let found = changes(&sample.value, after, &known);
        let lost: Vec<_> = found
            .iter()
            .filter(|(_, change)| {
                !(change.is_harmless() || is_form && *change == Change::EmptyDropped)
            })
            .collect();
        if !lost.is_empty() {
            let first = lost.iter().min_by_key(|(_, change)| *change);
            let (place, change) =
                first.map_or(("", "changed"), |(place, change)| (place, change.name()));
            return Verdict::Failed(FailureKind::Changed, format!("{change}: at {place:?}"));
        }
        let has_null = found.iter().any(|(_, change)| *change == Change::Null);
        // A form with files is not a value of its schema, which has strings in their place.
        let was_valid = validator.is_valid(&sample.value);
        if has_null && was_valid && !validator.is_valid(&self.with_needless(sample, &found, after))
        {
            return Verdict::Failed(FailureKind::Changed, "no longer valid".to_owned());
        }
        Verdict::Fine
    }

    /// Returns the value with the nulls that it lost in properties of a direction that its schema is not used in.
    fn with_needless(&self, sample: &Sample, found: &[(String, Change)], after: &Value) -> Value {
        let mut value = after.clone();
        let (Some(typed), Some(schema)) = (self.typed.get(sample.index), self.schema(sample.index))
        else {
            return value;
        };
        let is_needless = |place: &str| {
            let schemas = places::schemas(self.document, schema, place).unwrap_or_default();
            let mut flags = self.directions.needless(&typed.reference);
            flags.any(|flag| {
                schemas
                    .iter()
                    .any(|schema| says(self.document, schema, flag, 0))
            })
        };
        for (place, change) in found {
            if *change == Change::Null
                && is_needless(place)
                && let Some((owner, _)) = place.rsplit_once('/')
                && let Some(Value::Object(object)) = value.pointer_mut(owner)
                && let Some(name) = Pointer::root().append(place).tokens().last()
            {
                object.entry(name).or_insert(Value::Null);
            }
        }
        value
    }

    /// Returns the failure of a group, with its smallest sample reduced further.
    fn failure(
        &self,
        validator: &Validator,
        kind: FailureKind,
        sign_of_group: &str,
        count: usize,
        sample: Sample,
    ) -> io::Result<Failure> {
        let index = sample.index;
        let ask = |values: &[Value]| {
            let questions: Vec<_> = values
                .iter()
                .map(|value| Question::Decode(index, value))
                .collect();
            self.session.ask(&questions, &mut || ())
        };
        let slow = matches!(kind, FailureKind::Timeout);
        let fails = |values: &[Value]| {
            let verdicts = values.iter().zip(ask(values)?).map(|(value, answer)| {
                let sample = Sample {
                    value: value.clone(),
                    ..sample.clone()
                };
                let verdict = self.verdict(validator, &sample, &answer);
                let is_alike = sample.fault == Some(Fault::Random)
                    || validator.is_valid(value) == sample.fault.is_none();
                is_alike
                    && matches!(verdict, Verdict::Failed(other, detail)
                        if other == kind && sign(&detail) == sign_of_group)
            });
            Ok::<_, io::Error>(verdicts.collect())
        };
        let value = if slow {
            sample.value.clone()
        } else {
            shrink(sample.value.clone(), fails)?
        };
        let answer = ask(std::slice::from_ref(&value))?.pop();
        let smallest = Sample { value, ..sample };
        let detail = answer
            .as_ref()
            .map(|answer| self.verdict(validator, &smallest, answer));
        let reference = self.typed.get(index).map_or("", |typed| &typed.reference);
        Ok(Failure {
            pointer: reference.trim_start_matches('#').to_owned(),
            kind,
            detail: match detail {
                Some(Verdict::Failed(_, detail)) => detail,
                _ => sign_of_group.to_owned(),
            },
            count,
            sample: smallest.value,
            answer: match answer {
                Some(Answer::Ok { text, .. }) => Some(text),
                _ => None,
            },
        })
    }
}

/// The verdict on a sample.
#[derive(Debug)]
enum Verdict {
    Fine,
    /// Accepted although invalid, in accordance with docs/correctness.md.
    Policy,
    Failed(FailureKind, String),
}

/// Returns the locations that use a schema as a form, by the reference of the schema.
fn forms(value: &Value) -> BTreeMap<&str, Vec<String>> {
    let mut found: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut todo = vec![(Pointer::root(), value)];
    while let Some((place, value)) = todo.pop() {
        match value {
            Value::Object(object) => {
                for media_type in ["application/x-www-form-urlencoded", "multipart/form-data"] {
                    let reference = object
                        .get(media_type)
                        .and_then(|form| form.pointer("/schema/$ref"));
                    if let Some(reference) = reference.and_then(Value::as_str) {
                        let place = place.join(media_type).join("schema");
                        found
                            .entry(reference)
                            .or_default()
                            .push(format!("#{place}"));
                    }
                }
                todo.extend(object.iter().map(|(key, value)| (place.join(key), value)));
            }
            Value::Array(items) => {
                let items = items.iter().enumerate();
                todo.extend(items.map(|(index, item)| (place.join(index), item)));
            }
            _ => {}
        }
    }
    found
}

fn property_names<'d>(value: &'d Value, names: &mut BTreeSet<&'d str>) {
    match value {
        Value::Object(object) => {
            if let Some(Value::Object(properties)) = object.get("properties") {
                names.extend(properties.keys().map(String::as_str));
            }
            for value in object.values() {
                property_names(value, names);
            }
        }
        Value::Array(items) => {
            for value in items {
                property_names(value, names);
            }
        }
        _ => {}
    }
}

/// Returns the document's examples of each component schema: in the schema, or in a media type with that schema.
fn examples(document: &Document) -> BTreeMap<&str, Vec<&Value>> {
    let mut found = BTreeMap::new();
    collect_examples(document.value(), &mut found);
    found
}

fn collect_examples<'d>(value: &'d Value, found: &mut BTreeMap<&'d str, Vec<&'d Value>>) {
    match value {
        Value::Object(object) => {
            if let Some(reference) = value.pointer("/schema/$ref").and_then(Value::as_str) {
                let named = object.get("examples").and_then(Value::as_object);
                let named = named
                    .into_iter()
                    .flatten()
                    .filter_map(|(_, example)| example.get("value"));
                found
                    .entry(reference)
                    .or_default()
                    .extend(object.get("example").into_iter().chain(named));
            }
            for value in object.values() {
                collect_examples(value, found);
            }
        }
        Value::Array(items) => {
            for value in items {
                collect_examples(value, found);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use serde_json::json;

    use super::*;

    /// Forms are sampled as JSON, which has no files.
    #[test]
    fn form_gets_files_where_its_schema_has_them() {
        let schema = |name: &str| format!("#/components/schemas/{name}");
        let document = Document::new(json!({
            "openapi": "3.0.3",
            "paths": {"/files": {"post": {"requestBody": {"content": {
                "multipart/form-data": {"schema": {"$ref": schema("Form")}},
            }}}}},
            "components": {"schemas": {
                "Form": {"type": "object", "properties": {
                    "file": {"type": "string", "format": "binary"},
                    "title": {"type": "string"},
                }},
                "Other": {"type": "object", "properties": {"file": {"type": "string", "format": "binary"}}},
            }},
        }));
        let typed = ["Form", "Other"].map(|name| Typed {
            reference: schema(name),
            name: name.to_owned(),
        });
        let session = Session::new(PathBuf::new());
        let proof = TypeProof::new(&document, &typed, &session);
        let with_files = |index, value: Value| {
            let sample = Sample {
                index,
                value,
                fault: None,
            };
            proof.with_files(&sample, &mut fastrand::Rng::with_seed(1))
        };
        let form = with_files(0, json!({"file": "text", "title": "a"})).unwrap();
        assert!(form["file"]["content"].is_array(), "{form}");
        assert_eq!(form["title"], "a");
        assert_eq!(with_files(0, json!({"title": "a"})), None);
        assert_eq!(with_files(1, json!({"file": "text"})), None);
    }

    #[test]
    fn kept_value_of_another_type_is_accepted_beside_a_respelled_one() {
        let document = Document::new(json!({"openapi": "3.1.0"}));
        let session = Session::new(PathBuf::new());
        let proof = TypeProof::new(&document, &[], &session);
        let verdict = |after: Value| {
            let sample = Sample {
                index: 0,
                value: json!({"status": 5, "at": "2024-01-02T03:04:05+00:00", "size": 1.0}),
                fault: Some(Fault::Type),
            };
            proof.accepted(&sample, Fault::Type, &after)
        };
        let after =
            |status: Value| json!({"status": status, "at": "2024-01-02T03:04:05Z", "size": 1});
        assert!(matches!(verdict(after(json!(5))), Verdict::Policy));
        assert!(matches!(verdict(after(json!("5"))), Verdict::Failed(..)));
    }

    /// Returns the name of the failure of a sample that came back as `after`, or `None` if it is none.
    fn failure(schemas: Value, before: Value, after: Value) -> Option<String> {
        let document =
            Document::new(json!({"openapi": "3.0.3", "components": {"schemas": schemas}}));
        let typed = [Typed {
            reference: "#/components/schemas/It".to_owned(),
            name: "It".to_owned(),
        }];
        let session = Session::new(PathBuf::new());
        let proof = TypeProof::new(&document, &typed, &session);
        let registry = registry(&document, vec![typed[0].reference.clone()]).unwrap();
        let validator = Judge::new(&registry)
            .validator(&typed[0].reference)
            .unwrap();
        let sample = Sample {
            index: 0,
            value: before,
            fault: None,
        };
        match proof.came_back(&validator, &sample, &after) {
            Verdict::Failed(_, detail) => Some(detail),
            _ => None,
        }
    }

    #[test]
    fn dropped_property_is_a_failure_if_its_own_schema_mentions_it() {
        let text = json!({"type": "string"});
        let schemas = json!({
            "It": {"properties": {"id": text}},
            "Other": {"properties": {"name": text}},
        });
        let failure = |before: Value| failure(schemas.clone(), before, json!({}));
        assert_eq!(failure(json!({"name": "a", "k1": 1})), None);
        let lost = failure(json!({"id": "a"}));
        assert_eq!(lost.as_deref(), Some("dropped: at \"/id\""));
    }

    #[test]
    fn null_of_a_property_of_the_other_direction_may_be_absent() {
        let nullable = |flag: &str| json!({"type": "string", "nullable": true, flag: true});
        let lost = |flag: &str| {
            let properties = json!({"id": nullable(flag), "a": {"type": "string"}});
            let schemas = json!({"It": {"required": ["id", "a"], "properties": properties}});
            failure(
                schemas,
                json!({"id": Value::Null, "a": "a"}),
                json!({"a": "a"}),
            )
        };
        // The schema is neither sent nor received.
        assert_eq!(lost("readOnly"), None);
        assert_eq!(lost("writeOnly"), None);
        assert_eq!(lost("x-other").as_deref(), Some("no longer valid"));
    }
}
