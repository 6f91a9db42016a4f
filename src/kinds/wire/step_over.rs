//! Stepping over a JSON value without holding it: for the few that are too large to be read.

/// What is known of a value of which a part was passed.
#[derive(Debug, Default)]
pub(super) struct StepOver {
    /// how many objects and lists are open
    depth: usize,
    /// inside text
    text: bool,
    /// behind a backslash in text
    escaped: bool,
    over: bool,
}

impl StepOver {
    /// Passes the bytes that belong to the value, and says how many those are: all of them, or up
    /// to its end. Brackets are counted, not matched; what follows a value that was garbled will
    /// not be what has to follow.
    pub(super) fn pass(&mut self, bytes: &[u8]) -> usize {
        for (at, byte) in bytes.iter().enumerate() {
            if self.over || (self.depth == 0 && !self.text && b",]} \n\r\t".contains(byte)) {
                self.over = true;
                return at;
            }
            self.byte(*byte);
        }
        bytes.len()
    }

    fn byte(&mut self, byte: u8) {
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' if self.text => self.escaped = true,
            b'"' => {
                self.text = !self.text;
                self.over = self.depth == 0 && !self.text;
            }
            _ if self.text => {}
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                self.over = self.depth == 0;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_passed_up_to_its_end_in_any_pieces() {
        let values = [
            r#"{"a":[1,{"b":"}]"}],"c":"\\\"}"}"#,
            r#"[[],{},"]"]"#,
            r#""a text, with \" and } in it""#,
            "-12.5e9",
            "null",
        ];
        for value in values {
            for rest in [",{}", "]}", " , 5"] {
                let bytes = format!("{value}{rest}").into_bytes();
                for piece in 1..=bytes.len() {
                    let mut over = StepOver::default();
                    let passed: usize = bytes.chunks(piece).map(|chunk| over.pass(chunk)).sum();
                    assert_eq!(passed, value.len(), "{value} in pieces of {piece}");
                }
            }
        }
    }
}
