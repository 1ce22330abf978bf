//! A BTF file as archives keep it: alone in a tar, compressed by xz.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use tar::Archive;
use xz4rust::{XzDecoder, XzReader};

use super::error::BtfError;

/// The largest window of `xz -9`; more would only be asked for to eat memory.
const MAX_WINDOW: usize = 64 << 20;
const READ_AHEAD: usize = 1 << 16;

/// Whether the name says so.
pub(super) fn is_packed(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().ends_with(b".tar.xz")
}

/// The first regular file in it, of at most `limit` bytes.
pub(super) fn unpack(path: &Path, limit: u64) -> Result<Vec<u8>, BtfError> {
    let file = File::open(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => BtfError::NoSuchFile { path: path.to_owned() },
        _ => BtfError::Unreadable { path: path.to_owned(), source },
    })?;
    let bytes =
        first_file(file, limit).map_err(|source| BtfError::Packed { path: path.to_owned(), source })?;
    bytes.ok_or_else(|| BtfError::TooBig { path: path.to_owned(), limit })
}

/// None when it is larger than `limit`.
fn first_file(packed: impl Read + 'static, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let window = XzDecoder::in_heap_with_alloc_dict_size(READ_AHEAD, MAX_WINDOW);
    let buffer = READ_AHEAD.try_into().map_err(io::Error::other)?;
    let mut archive = Archive::new(XzReader::new_with_buffer_size_and_decoder(packed, buffer, window));
    let mut found = None;
    for entry in archive.entries()? {
        let entry = entry?;
        if entry.header().entry_type().is_file() {
            let mut bytes = Vec::new();
            entry.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
            found = Some(bytes);
            break;
        }
    }
    let bytes = found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "there is no file in it"))?;
    if u64::try_from(bytes.len()).map_or(true, |length| length > limit) {
        return Ok(None);
    }
    // To the end: only there it shows whether the sums are right.
    io::copy(&mut archive.into_inner().take(limit), &mut io::sink())?;
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{BtfError, first_file, is_packed, unpack};

    /// Made by `tar -cf - 5.4.0-1.btf | xz`: one file of 26 bytes.
    const PACKED: &str = "\
        fd377a585a0000016922de36020021011c00000010cf58cce027ff00835d001a8b82ed5e5fcd9cd8124344585f83d6ba\
        0d3dd259921f8f20dfbf4a27f423dc6fd11e27c45a57955a5ef59d1a3802b67692559ca6583723586c02c8871668f773\
        9669aef099befb5e54ff3df77163d26339bbefd8b3e593a8d4de6a1b59ca5cf2f25def9b64a20ad52760ae6d3bfc2d04\
        23825a1c1429250d72107255a2741ebc031a000036f12c0700019b0180500000668371083e300d8b020000000001595a";
    const CONTENT: &[u8] = b"these bytes stand for BTF";

    fn packed() -> Vec<u8> {
        let digits: Vec<u8> = PACKED.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    #[test]
    fn the_file_comes_out_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("5.4.0-1.btf.tar.xz");
        std::fs::write(&path, packed()).unwrap();
        assert!(is_packed(&path) && !is_packed(Path::new("/x/5.4.0-1.btf")));
        assert_eq!(unpack(&path, 1000).unwrap(), CONTENT);
        let error = unpack(&path, 5).unwrap_err();
        assert!(matches!(error, BtfError::TooBig { limit: 5, .. }), "{error}");
    }

    #[test]
    fn damage_anywhere_is_an_error_and_never_other_bytes() {
        let whole = packed();
        for index in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[index] ^= 0x10;
            if let Ok(Some(bytes)) = first_file(std::io::Cursor::new(damaged), 1000) {
                assert_eq!(bytes, CONTENT, "byte {index}");
            }
            let cut = whole[..index].to_vec();
            if let Ok(Some(bytes)) = first_file(std::io::Cursor::new(cut), 1000) {
                assert_eq!(bytes, CONTENT, "cut at {index}");
            }
        }
    }

    #[test]
    fn what_is_not_packed_is_named() {
        let error = unpack(Path::new("/proc/self/status.btf.tar.xz"), 1000).unwrap_err();
        assert!(matches!(error, BtfError::NoSuchFile { .. }), "{error}");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.btf.tar.xz");
        std::fs::write(&path, "no archive").unwrap();
        let error = unpack(&path, 1000).unwrap_err();
        assert!(matches!(error, BtfError::Packed { .. }) && error.to_string().contains("x.btf"), "{error}");
    }
}
