/** DTLS 1.2 records (RFC 6347 §4.1). */

/** What a record carries. */
export const RecordType = { CHANGE_CIPHER: 20, ALERT: 21, HANDSHAKE: 22, DATA: 23 } as const;

/** One record; the fragment is a view of its datagram. */
export interface DtlsRecord {
  readonly type: number;
  /** 0xfefd for DTLS 1.2; older hellos say 0xfeff. */
  readonly version: number;
  /** 0 in the clear, 1 sealed with the keys of the handshake. */
  readonly epoch: number;
  readonly sequence: number;
  readonly fragment: Uint8Array;
}

export const DTLS_1_2 = 0xfefd;
const HEADER_BYTES = 13;
/** A peer that fits its handshake into one datagram needs eight. */
const MAX_RECORDS = 16;

/** The records of a datagram up to the first that is none; never throws. */
export function readRecords(datagram: Uint8Array): DtlsRecord[] {
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength);
  const records: DtlsRecord[] = [];
  for (let at = 0; at + HEADER_BYTES <= datagram.length && records.length < MAX_RECORDS;) {
    const type = datagram[at]!;
    const version = view.getUint16(at + 1);
    const end = at + HEADER_BYTES + view.getUint16(at + 11);
    if (type < 20 || type > 23 || version >>> 8 !== 0xfe || end > datagram.length) break;
    records.push({
      type,
      version,
      epoch: view.getUint16(at + 3),
      sequence: view.getUint16(at + 5) * 2 ** 32 + view.getUint32(at + 7),
      fragment: datagram.subarray(at + HEADER_BYTES, end),
    });
    at = end;
  }
  return records;
}

/** The bytes of a record. */
export function writeRecord({ type, version, epoch, sequence, fragment }: DtlsRecord): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + fragment.length);
  const view = new DataView(bytes.buffer);
  bytes[0] = type;
  view.setUint16(1, version);
  view.setUint16(3, epoch);
  view.setUint16(5, Math.floor(sequence / 2 ** 32));
  view.setUint32(7, sequence >>> 0);
  view.setUint16(11, fragment.length);
  bytes.set(fragment, HEADER_BYTES);
  return bytes;
}

/** Packs whole records into as few datagrams of at most `limit` bytes as possible. */
export function packRecords(records: readonly Uint8Array[], limit: number): Uint8Array[] {
  const groups: Uint8Array[][] = [];
  let room = 0;
  for (const record of records) {
    if (record.length > room) {
      groups.push([]);
      room = limit;
    }
    groups.at(-1)!.push(record);
    room -= record.length;
  }
  return groups.map((group) => {
    const datagram = new Uint8Array(group.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const record of group) {
      datagram.set(record, at);
      at += record.length;
    }
    return datagram;
  });
}
