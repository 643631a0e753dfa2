//! The words of a ladder in both languages. The protocols' own words stay as they are.

use crate::engine::trace::{Kind, Segments};
use crate::failure::{Lang, Text};
use crate::report::words::{comma, number, text};

pub(super) const FRAME: Text = text("frame", "帧号");
pub(super) const SECONDS: Text = text("seconds", "秒");
pub(super) const CLIENT: Text = text("client", "客户端");
pub(super) const SERVER: Text = text("server", "服务器");
pub(super) const FILE: Text = text("file", "文件");
pub(super) const ASSUMED: Text = text(
    "  (no SYN in the capture: the roles are assumed)",
    "（抓包中没有 SYN，客户端与服务器的角色为推断）",
);
pub(super) const BESIDE: Text = text("Evidence outside this flow", "本流之外的证据帧");

/// Bits of the TCP header.
const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;

/// What stands on the arrow: flags, or how much data.
pub(super) fn label(run: &Segments) -> String {
    if run.kind == Kind::Icmp {
        return "ICMP".to_owned();
    }
    let mut flags: Vec<&str> = [(SYN, "SYN"), (FIN, "FIN"), (RST, "RST")]
        .iter()
        .filter(|(bit, _)| run.flags & bit != 0)
        .map(|(_, name)| *name)
        .collect();
    // Everything after the first SYN acknowledges: it is worth a word where nothing else is said.
    let says = run.flags & (SYN | RST) != 0 || run.bytes == 0;
    if run.flags & ACK != 0 && says {
        flags.push("ACK");
    }
    let mut parts = vec![flags.join(" ")];
    if run.count > 1 {
        parts.push(format!("×{}", number(run.count)));
    }
    if run.bytes > 0 {
        parts.push(match run.bytes {
            bytes @ ..10_000_000 => format!("{} B", number(bytes)),
            bytes => format!("{} MB", number(bytes / 1_000_000)),
        });
    }
    parts.retain(|part| !part.is_empty());
    parts.join(" ")
}

/// What is odd about it.
pub(super) fn kind(run: &Segments, lang: Lang) -> Option<String> {
    let word = match run.kind {
        Kind::Plain | Kind::Icmp => return None,
        Kind::Retransmission => text("retransmission", "重传"),
        Kind::FastRetransmission => text("fast retransmission", "快速重传"),
        Kind::Spurious => text("spurious retransmission", "不必要的重传"),
        Kind::OutOfOrder => text("out of order", "乱序"),
        Kind::Repeated => text("repeated", "重复报文"),
        Kind::KeepAlive => text("keep-alive", "保活探测"),
        Kind::WindowProbe => text("window probe", "窗口探测"),
        Kind::DuplicateAck => text("duplicate ACK", "重复 ACK"),
    };
    Some(word.of(lang).to_owned())
}

/// The numbers that matter.
pub(super) fn facts(run: &Segments, lang: Lang) -> String {
    let mut facts = Vec::new();
    if let Some(syn) = run.syn.filter(|_| run.kind == Kind::Plain) {
        if let Some(mss) = syn.mss {
            facts.push(format!("mss {mss}"));
        }
        if let Some(shift) = syn.window_scale {
            facts.push(format!("ws {shift}"));
        }
    }
    if run.window == 0 && run.flags & RST == 0 {
        facts.push(
            text("window 0: the receiver is full", "窗口为 0，接收方缓冲已满")
                .of(lang)
                .to_owned(),
        );
    }
    if run.lacking > 0 {
        let bytes = number(run.lacking.into());
        facts.push(match lang {
            Lang::En => format!("{bytes} B before it not captured"),
            Lang::Zh => format!("此前 {bytes} 字节未抓到"),
        });
    }
    let quiet = run.said.is_empty();
    if quiet && run.encrypted {
        facts.push(text("encrypted", "加密数据").of(lang).to_owned());
    }
    let odd = run.kind != Kind::Plain && run.kind != Kind::Icmp;
    match (run.seq, run.ack) {
        (Some(seq), _)
            if run.syn.is_none() && run.bytes > 0 && (odd || (quiet && !run.encrypted)) =>
        {
            facts.push(format!("seq {}", number(seq.into())));
        }
        (_, Some(ack)) if run.syn.is_none() && run.bytes == 0 && quiet && run.flags & RST == 0 => {
            facts.push(format!("ack {}", number(ack.into())));
        }
        _ => {}
    }
    match (run.acks, lang) {
        (0, _) => {}
        (1, Lang::En) => facts.push("1 ACK back".to_owned()),
        (count, Lang::En) => facts.push(format!("{} ACKs back", number(count))),
        (count, Lang::Zh) => facts.push(format!("对端返回 {} 个 ACK", number(count))),
    }
    match (run.copies, lang) {
        (0, _) => {}
        (count, Lang::En) => facts.push(format!("{} captured twice", number(count))),
        (count, Lang::Zh) => facts.push(format!("{} 个被重复抓到", number(count))),
    }
    if run.last.frame != run.at.frame && run.last.file == run.at.file {
        facts.push(match lang {
            Lang::En => format!("to frame {}", run.last.frame),
            Lang::Zh => format!("至第 {} 帧", run.last.frame),
        });
    }
    facts.join(comma(lang))
}

/// What stands for the middle of a long flow.
pub(super) fn omitted(count: u64, lang: Lang) -> String {
    match lang {
        Lang::En => format!("… {} more segments, --all shows them …", number(count)),
        Lang::Zh => format!("… 另有 {} 个报文段，--all 可全部显示 …", number(count)),
    }
}

/// Nothing more came.
pub(super) fn until_the_end(silence: &str, lang: Lang) -> String {
    match lang {
        Lang::En => format!("… {silence}, then the capture ends"),
        Lang::Zh => format!("… {silence}后抓包结束"),
    }
}
