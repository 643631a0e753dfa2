//! What is to be told of a file, in both languages.

use crate::failure::Lang;
use crate::ingest::{Damage, FileReport, Interface, Note};
use crate::report::{Settings, redact};

/// The notes of a file in reading order.
pub(super) fn of(file: &FileReport, interfaces: &[Interface], settings: &Settings) -> Vec<String> {
    let mut notes: Vec<String> = file
        .notes
        .iter()
        .map(|note| one(note, interfaces, settings))
        .collect();
    if file.notes_omitted > 0 {
        notes.push(match settings.lang {
            Lang::En => format!("{} further notes", file.notes_omitted),
            Lang::Zh => format!("另有 {} 条说明", file.notes_omitted),
        });
    }
    notes
}

fn one(note: &Note, interfaces: &[Interface], settings: &Settings) -> String {
    match (note, settings.lang) {
        (Note::Comment { frame, text }, lang) => comment(*frame, text, lang, settings.redact),
        (
            Note::Dropped {
                interface,
                by_interface,
                by_system,
                frame_before,
                frame_last,
            },
            lang,
        ) => {
            let name = interfaces
                .get(*interface as usize)
                .map(|interface| interface.name.as_str())
                .filter(|name| !name.is_empty())
                .map_or_else(|| interface.to_string(), str::to_owned);
            match lang {
                Lang::En => format!(
                    "interface {name} lost {by_interface} packets and the capturing system {by_system} after frame \
                     {frame_before} up to frame {frame_last}"
                ),
                Lang::Zh => format!(
                    "第 {frame_before} 帧之后至第 {frame_last} 帧：接口 {name} 丢弃 {by_interface} 个报文，抓包系统丢弃 \
                     {by_system} 个"
                ),
            }
        }
        (note, Lang::En) => note.to_string(),
        (note, Lang::Zh) => chinese(note),
    }
}

fn comment(frame: u32, text: &str, lang: Lang, mask: bool) -> String {
    let text = if mask {
        redact::redact(text)
    } else {
        redact::credentials(text)
    };
    match (lang, frame) {
        (Lang::En, 0) => format!("comment: {text}"),
        (Lang::En, frame) => format!("comment of frame {frame}: {text}"),
        (Lang::Zh, 0) => format!("注释：{text}"),
        (Lang::Zh, frame) => format!("第 {frame} 帧注释：{text}"),
    }
}

fn chinese(note: &Note) -> String {
    match note {
        Note::Damaged {
            offset,
            skipped,
            frame_before,
            frame_after,
            reason,
        } => {
            let after = match frame_after {
                Some(frame) => format!("从第 {frame} 帧继续"),
                None => "其后未再找到帧".to_owned(),
            };
            format!(
                "第 {frame_before} 帧之后字节 {offset} 处损坏：{}；跳过 {skipped} 字节，{after}",
                damage(reason)
            )
        }
        Note::Duplicate { of } => format!("内容与文件 c-{} 相同，只读取后者", u64::from(*of) + 1),
        Note::Overlap { with, by_ns } => {
            format!(
                "在同组文件 c-{} 结束前 {} 毫秒开始",
                u64::from(*with) + 1,
                by_ns / 1_000_000
            )
        }
        Note::Cut { frames } => {
            format!(
                "{} 帧被抓包长度截短，首个为第 {} 帧",
                frames.frames, frames.first.frame
            )
        }
        Note::Disorder {
            frames,
            back_max_ns,
        } => format!(
            "{} 帧的时间早于同一接口此前的帧，首个为第 {} 帧，最大回退 {} 毫秒",
            frames.frames,
            frames.first.frame,
            back_max_ns / 1_000_000
        ),
        Note::UnknownBlocks { blocks } => format!("跳过 {blocks} 个未知类型的块"),
        Note::Secrets { blocks, bytes } => format!("{blocks} 个解密密钥块，共 {bytes} 字节"),
        Note::Missing { first, last } if first == last => {
            format!("此文件之前缺少本组第 {first} 号文件")
        }
        Note::Missing { first, last } => format!("此文件之前缺少本组第 {first} 至 {last} 号文件"),
        other => other.to_string(),
    }
}

fn damage(reason: &Damage) -> String {
    match reason {
        Damage::Truncated { expected, found } => {
            format!("文件在记录中途结束，应有 {expected} 字节，仅有 {found} 字节")
        }
        Damage::Header { captured, wire } => {
            format!("不是记录头：声称抓取 {captured} 字节、原长 {wire} 字节")
        }
        Damage::Block { kind, length } => format!("不是有效的块：类型 0x{kind:08x}，长度 {length}"),
        Damage::Interface { id } => format!("报文属于接口 {id}，但所在节未描述该接口"),
        Damage::Compression { reason } => format!("压缩数据损坏（{reason}）"),
        Damage::Read { reason } => format!("系统无法继续读取（{reason}）"),
    }
}
