//! Record bytes to events. Total: any bytes give an event or an error, never a panic, and there is no IO. The bytes
//! are an allegation, even when they come from our own hooks: recordings come from files.

mod error;
mod exec;
mod glimpse;
mod sections;
mod stdio;
mod writer;

pub use error::DecodeError;
use exec::decode_exec;
pub use glimpse::{Glimpse, glimpse};

use detector_common::{
    ABI_VERSION,
    record::{RecordHeader, RecordKind},
};
use zerocopy::FromBytes;

use crate::event::{BootClock, ExecEvent};

/// Decodes one record.
pub fn decode(record: &[u8], clock: BootClock, number: u64) -> Result<ExecEvent, DecodeError> {
    let mut event = ExecEvent::default();
    decode_into(&mut event, record, clock, number)?;
    Ok(event)
}

/// Decodes one record into an event that is no longer needed: of records that are alike, the second one takes no new
/// memory. Only what is known of the host stays. After an error the event is part old and part new.
pub fn decode_into(
    event: &mut ExecEvent,
    record: &[u8],
    clock: BootClock,
    number: u64,
) -> Result<(), DecodeError> {
    let (header, _) = RecordHeader::read_from_prefix(record)
        .map_err(|_| DecodeError::TooShort { needed: size_of::<RecordHeader>(), found: record.len() })?;
    if header.abi != ABI_VERSION {
        return Err(DecodeError::OtherAbi { expected: ABI_VERSION, found: header.abi });
    }
    if header.size as usize != record.len() {
        return Err(DecodeError::WrongSize { stated: header.size, found: record.len() });
    }
    match RecordKind::from_number(header.kind) {
        Some(kind) => decode_exec(kind, event, record, clock, number),
        None => Err(DecodeError::UnknownKind { kind: header.kind }),
    }
}

#[cfg(test)]
mod tests;
