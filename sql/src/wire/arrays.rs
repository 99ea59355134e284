//! Arrays of one dimension in the protocol's two formats, taken apart into their elements.

/// The most elements: each becomes a literal of the statement.
const ELEMENTS_MAX: usize = 100_000;

/// Why a value is not taken as an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ArrayError {
    Form,
    Dimensions,
    Length,
}

impl ArrayError {
    pub(super) fn message(self) -> String {
        match self {
            Self::Form => "it is not an array like {1,2}".to_owned(),
            Self::Dimensions => "arrays of several dimensions are not supported: give one like {1,2}".to_owned(),
            Self::Length => format!("an array may have {ELEMENTS_MAX} elements: give several"),
        }
    }
}

/// The elements of an array like `{1,NULL,"a, b"}`.
pub(super) fn of_text(text: &str) -> Result<Vec<Option<String>>, ArrayError> {
    let inner = text.trim().strip_prefix('{').and_then(|text| text.strip_suffix('}')).ok_or(ArrayError::Form)?;
    let mut elements = Vec::new();
    if inner.trim().is_empty() {
        return Ok(elements);
    }
    let mut rest = inner;
    loop {
        let (element, after) = element(rest)?;
        elements.push(element);
        if elements.len() > ELEMENTS_MAX {
            return Err(ArrayError::Length);
        }
        match after.strip_prefix(',') {
            Some(after) => rest = after,
            None if after.is_empty() => return Ok(elements),
            None => return Err(ArrayError::Form),
        }
    }
}

/// The first element of a text, and what follows it.
fn element(text: &str) -> Result<(Option<String>, &str), ArrayError> {
    let text = text.trim_start();
    if let Some(quoted) = text.strip_prefix('"') {
        let (element, after) = quoted_element(quoted)?;
        return Ok((Some(element), after.trim_start()));
    }
    let end = text.find(',').unwrap_or(text.len());
    let (element, after) = text.split_at_checked(end).ok_or(ArrayError::Form)?;
    match element.trim() {
        "" => Err(ArrayError::Form),
        element if element.starts_with('{') => Err(ArrayError::Dimensions),
        element if element.contains(['{', '}', '"', '\\']) => Err(ArrayError::Form),
        element if element.eq_ignore_ascii_case("null") => Ok((None, after)),
        element => Ok((Some(element.to_owned()), after)),
    }
}

/// An element up to its closing quote, and what follows it.
fn quoted_element(text: &str) -> Result<(String, &str), ArrayError> {
    let mut element = String::new();
    let mut characters = text.char_indices();
    while let Some((place, character)) = characters.next() {
        match character {
            '"' => return Ok((element, text.get(place.saturating_add(1)..).unwrap_or_default())),
            '\\' => element.push(characters.next().ok_or(ArrayError::Form)?.1),
            other => element.push(other),
        }
    }
    Err(ArrayError::Form)
}

/// The elements of an array in the binary format: the number of dimensions, a flag and the type of elements, each dimension's length and first
/// index, and each element with its length.
pub(super) fn of_binary(value: &[u8]) -> Result<Vec<Option<&[u8]>>, ArrayError> {
    let mut rest = value;
    let mut word = || -> Result<i32, ArrayError> {
        let (word, after) = rest.split_first_chunk().ok_or(ArrayError::Form)?;
        rest = after;
        Ok(i32::from_be_bytes(*word))
    };
    let (dimensions, _flag, _type_of_elements) = (word()?, word()?, word()?);
    let count = match dimensions {
        0 => 0,
        1 => word()?,
        _ => return Err(ArrayError::Dimensions),
    };
    if dimensions == 1 {
        word()?;
    }
    let count = usize::try_from(count).map_err(|_| ArrayError::Form)?;
    if count > ELEMENTS_MAX {
        return Err(ArrayError::Length);
    }
    let mut elements = Vec::new();
    for _ in 0..count {
        let (length, after) = rest.split_first_chunk().ok_or(ArrayError::Form)?;
        rest = after;
        elements.push(match i32::from_be_bytes(*length) {
            -1 => None,
            length => {
                let length = usize::try_from(length).map_err(|_| ArrayError::Form)?;
                let (element, after) = rest.split_at_checked(length).ok_or(ArrayError::Form)?;
                rest = after;
                Some(element)
            }
        });
    }
    if rest.is_empty() { Ok(elements) } else { Err(ArrayError::Form) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(elements: &[Option<&str>]) -> Vec<Option<String>> {
        elements.iter().map(|element| element.map(str::to_owned)).collect()
    }

    #[test]
    fn arrays_are_read_from_text() {
        for (text, expected) in [
            ("{}", texts(&[])),
            (" { } ", texts(&[])),
            ("{1,-2 , NULL,null}", texts(&[Some("1"), Some("-2"), None, None])),
            (r#"{"a, b","say \"x\"","\\","NULL",""}"#, texts(&[Some("a, b"), Some("say \"x\""), Some("\\"), Some("NULL"), Some("")])),
            ("{tëxt , \"y\" }", texts(&[Some("tëxt"), Some("y")])),
        ] {
            assert_eq!(of_text(text), Ok(expected), "{text}");
        }
        for text in ["", "1", "{", "{1", "{1,}", "{,1}", "{\"a}", "{\"a\"b}", "{a\"b}", "{1}}", "[1]"] {
            assert_eq!(of_text(text), Err(ArrayError::Form), "{text}");
        }
        assert_eq!(of_text("{{1},{2}}"), Err(ArrayError::Dimensions));
        assert_eq!(of_text(&format!("{{1{}}}", ",1".repeat(ELEMENTS_MAX))), Err(ArrayError::Length));
    }

    fn binary(words: &[i32], rest: &[u8]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_be_bytes()).chain(rest.iter().copied()).collect()
    }

    #[test]
    fn arrays_are_read_from_bytes() {
        let two = binary(&[1, 1, 25, 2, 1, -1, 1], b"x");
        assert_eq!(of_binary(&two), Ok(vec![None, Some(&b"x"[..])]));
        assert_eq!(of_binary(&binary(&[0, 0, 25], b"")), Ok(vec![]));
        assert_eq!(of_binary(&binary(&[2, 0, 25, 1, 1, 1, 1, 1], b"x")), Err(ArrayError::Dimensions));
        assert_eq!(of_binary(&binary(&[1, 0, 25, i32::MAX, 1], b"")), Err(ArrayError::Length));
        for length in 0..two.len() {
            assert!(of_binary(&two[..length]).is_err(), "{length}");
        }
        assert_eq!(of_binary(&[two, vec![0]].concat()), Err(ArrayError::Form));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(elements in prop::collection::vec(any::<Option<String>>(), 0..8)) {
            let quoted = |element: &Option<String>| match element {
                Some(text) => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
                None => "NULL".to_owned(),
            };
            let text = format!("{{{}}}", elements.iter().map(quoted).collect::<Vec<_>>().join(","));
            prop_assert_eq!(of_text(&text), Ok(elements));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..64), text in ".*") {
            let _ = (of_binary(&bytes), of_text(&text));
        }
    }
}
