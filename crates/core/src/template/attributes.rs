//! `.gitattributes`: line ends of what lensops writes stay as they are, on every machine.
//!
//! The file may be others' too: lensops owns a block between two marks, every other byte stays.

const BEGIN: &str =
    "# lensops: begin. `lensops generate` writes these lines: evidence byte for byte, the rest with LF.";
const END: &str = "# lensops: end";

/// The folder of evidence: no byte of it may change.
const EVIDENCE: &str = "verification_handoff";

/// The line of a generated path, in which `[[ … ]]` stands for anything.
pub(super) fn line(path: &str) -> Option<String> {
    let mut pattern = String::from("/");
    let mut rest = path;
    while let Some(at) = rest.find("[[") {
        pattern.push_str(&rest[..at]);
        pattern.push('*');
        rest = rest[at..].split_once("]]").map_or("", |(_, rest)| rest);
    }
    pattern.push_str(rest);
    let evidence = pattern.strip_prefix('/').and_then(|path| path.split('/').next()) == Some(EVIDENCE);
    (!evidence).then(|| format!("{} text eol=lf", quoted(&pattern)))
}

/// A pattern with white space in it stands in quotes.
fn quoted(pattern: &str) -> String {
    if pattern.contains([' ', '\t', '"']) {
        format!("\"{}\"", pattern.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        pattern.to_owned()
    }
}

/// `before` with the block of lensops brought up to date, or taken out where `lines` is empty.
#[must_use]
pub fn edit(before: Option<&str>, lines: &[String]) -> String {
    let before = before.unwrap_or_default();
    let end = if before.contains("\r\n") { "\r\n" } else { "\n" };
    let block: String = if lines.is_empty() {
        String::new()
    } else {
        let evidence = format!("/{EVIDENCE}/** -text");
        let inner = std::iter::once(BEGIN).chain(lines.iter().map(String::as_str));
        inner
            .chain([evidence.as_str(), END])
            .flat_map(|line| [line, end])
            .collect()
    };
    let (mut text, mut skipping, mut placed) = (String::new(), false, false);
    for line in before.split_inclusive('\n') {
        let bare = line.trim_end();
        if bare.starts_with("# lensops: begin") {
            skipping = true;
            if !placed {
                text.push_str(&block);
                placed = true;
            }
        } else if skipping {
            skipping = bare != END;
        } else {
            text.push_str(line);
        }
    }
    // A block without its end would swallow what others wrote: then everything stays, and one is added.
    if skipping {
        text = before.to_owned();
        placed = false;
    }
    if !placed && !block.is_empty() {
        if !text.is_empty() && !text.ends_with('\n') {
            text.push_str(end);
        }
        text.push_str(&block);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_pattern_and_evidence_is_left_to_its_own_line() {
        for (path, told) in [
            ("tools/[[ id ]]_worker.yml", Some("/tools/*_worker.yml text eol=lf")),
            ("my docs/[[ id ]].md", Some("\"/my docs/*.md\" text eol=lf")),
            ("verification_handoff/phase6/[[ upper ]].md", None),
        ] {
            assert_eq!(line(path).as_deref(), told, "{path}");
        }
    }

    #[test]
    fn e8_the_block_is_kept_up_to_date_and_every_other_byte_stays() {
        let lines = ["/a text eol=lf".to_owned()];
        let own = edit(None, &lines);
        assert!(
            own.starts_with("# lensops: begin") && own.ends_with("# lensops: end\n"),
            "{own}"
        );
        assert_eq!(edit(Some(&own), &lines), own);
        for theirs in ["*.png binary\n", "*.png binary", "*.png binary\r\n# x\r\n", ""] {
            let both = edit(Some(theirs), &lines);
            assert!(both.starts_with(theirs), "{both}");
            assert_eq!(edit(Some(&both), &lines), both, "twice is once");
            assert_eq!(edit(Some(&both), &[]).trim_end(), theirs.trim_end());
            let after = format!("{both}*.jpg binary\n");
            assert!(edit(Some(&after), &["/b text eol=lf".to_owned()]).ends_with("*.jpg binary\n"));
        }
        let open = "# lensops: begin\n*.png binary\n";
        assert!(edit(Some(open), &lines).starts_with(open), "nothing of others is lost");
    }
}
