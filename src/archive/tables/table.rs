//! One Parquet file, from rows: a column of each kind that the tables need, zstd, no more.
//!
//! Every column but lists may lack a value. A time is two columns: microseconds with the logical type that readers know
//! (`TIMESTAMP(MICROS, UTC)`), and `…_ns` with the nanoseconds.

use std::sync::Arc;

use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

use crate::time::{MICROSECOND, Timestamp};

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Int,
    Real,
    Flag,
    Time,
    Texts,
    Ints,
}

/// One value of a row.
#[derive(Clone, Debug)]
pub(super) enum Cell {
    Text(Option<String>),
    Int(Option<i64>),
    Real(Option<f64>),
    Flag(Option<bool>),
    Time(Option<Timestamp>),
    Texts(Vec<String>),
    Ints(Vec<u64>),
}

/// The columns of a table.
pub(super) type Columns = &'static [(&'static str, Kind)];

/// A file of these rows, each as long as `columns`.
pub(super) fn file(
    name: &str,
    columns: Columns,
    rows: &[Vec<Cell>],
) -> Result<Vec<u8>, ParquetError> {
    let schema = Arc::new(parse_message_type(&message(name, columns))?);
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_created_by(concat!("wirefault ", env!("CARGO_PKG_VERSION")).to_owned())
        .build();
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties))?;
    let mut group = writer.next_row_group()?;
    for (place, (_, kind)) in columns.iter().enumerate() {
        let cells = || rows.iter().filter_map(|row| row.get(place));
        column(&mut group, *kind, &mut cells())?;
        if *kind == Kind::Time {
            column(&mut group, Kind::Int, &mut cells())?;
        }
    }
    group.close()?;
    writer.into_inner()
}

/// The schema in Parquet's own notation.
fn message(name: &str, columns: Columns) -> String {
    let mut text = format!("message {name} {{\n");
    for (column, kind) in columns {
        let list = |element: &str| {
            format!(
                "REQUIRED group {column} (LIST) {{ REPEATED group list {{ REQUIRED {element}; }} }}\n"
            )
        };
        text.push_str(&match kind {
            Kind::Text => format!("OPTIONAL BYTE_ARRAY {column} (STRING);\n"),
            Kind::Int => format!("OPTIONAL INT64 {column};\n"),
            Kind::Real => format!("OPTIONAL DOUBLE {column};\n"),
            Kind::Flag => format!("OPTIONAL BOOLEAN {column};\n"),
            Kind::Time => format!(
                "OPTIONAL INT64 {column} (TIMESTAMP(MICROS, true));\nOPTIONAL INT64 {column}_ns;\n"
            ),
            Kind::Texts => list("BYTE_ARRAY element (STRING)"),
            Kind::Ints => list("INT64 element"),
        });
    }
    text.push('}');
    text
}

/// Values with their levels: an absent value, and an empty list, are defined up to 0.
struct Levels<T> {
    values: Vec<T>,
    defined: Vec<i16>,
    /// 1 where a value goes on with the list before it; empty of columns that are none.
    repeated: Vec<i16>,
}

impl<T> Levels<T> {
    const fn new() -> Self {
        Self {
            values: Vec::new(),
            defined: Vec::new(),
            repeated: Vec::new(),
        }
    }

    fn push(&mut self, value: Option<T>) {
        self.defined.push(i16::from(value.is_some()));
        self.values.extend(value);
    }

    fn push_list(&mut self, items: impl Iterator<Item = T>) {
        let before = self.defined.len();
        for item in items {
            self.repeated.push(i16::from(self.defined.len() > before));
            self.push(Some(item));
        }
        if self.defined.len() == before {
            self.repeated.push(0);
            self.push(None);
        }
    }
}

fn column(
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    kind: Kind,
    cells: &mut dyn Iterator<Item = &Cell>,
) -> Result<(), ParquetError> {
    let (mut texts, mut ints) = (Levels::<ByteArray>::new(), Levels::<i64>::new());
    let (mut reals, mut flags) = (Levels::<f64>::new(), Levels::<bool>::new());
    for cell in cells {
        match cell {
            Cell::Text(text) => texts.push(text.as_deref().map(ByteArray::from)),
            Cell::Texts(items) => {
                texts.push_list(items.iter().map(|item| ByteArray::from(item.as_str())));
            }
            Cell::Int(number) => ints.push(*number),
            Cell::Ints(items) => {
                let number = |item: &u64| i64::try_from(*item).unwrap_or(i64::MAX);
                ints.push_list(items.iter().map(number));
            }
            Cell::Time(time) => ints.push(time.map(|time| match kind {
                Kind::Time => time.ns().div_euclid(MICROSECOND),
                _ => time.ns(),
            })),
            Cell::Real(number) => reals.push(*number),
            Cell::Flag(flag) => flags.push(*flag),
        }
    }
    match kind {
        Kind::Text | Kind::Texts => write::<ByteArrayType>(group, &texts),
        Kind::Int | Kind::Ints | Kind::Time => write::<Int64Type>(group, &ints),
        Kind::Real => write::<DoubleType>(group, &reals),
        Kind::Flag => write::<BoolType>(group, &flags),
    }
}

fn write<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    levels: &Levels<T::T>,
) -> Result<(), ParquetError> {
    let Some(mut column) = group.next_column()? else {
        return Err(ParquetError::General("more columns than the schema".into()));
    };
    let repeated = (!levels.repeated.is_empty()).then_some(levels.repeated.as_slice());
    column
        .typed::<T>()
        .write_batch(&levels.values, Some(&levels.defined), repeated)?;
    column.close()
}
