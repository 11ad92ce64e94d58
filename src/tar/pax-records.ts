import { decodeName } from './entry-name.ts'

/** One record of a PAX header; keys may occur again, and a value is bytes. */
export interface PaxRecord {
  readonly key: string
  readonly value: Uint8Array
}

const space = 0x20
const equalsSign = 0x3d
const newline = 0x0a

/**
 * The records of a PAX header (POSIX.1-2017 pax, "pax Extended Header"), `LENGTH KEY=VALUE\n` each.
 * @returns undefined for what is none
 */
export function parsePax(body: Uint8Array): PaxRecord[] | undefined {
  const records: PaxRecord[] = []
  for (let start = 0; start < body.length; ) {
    const blank = body.indexOf(space, start)
    const digits = blank === -1 ? '' : decodeName(body.subarray(start, blank))
    const end = start + (/^\d{1,9}$/.test(digits) ? Number(digits) : Number.NaN)
    const equals = body.indexOf(equalsSign, blank)
    // Not as `equals >= end`: a comparison with NaN must refuse too.
    if (!(blank + 1 < equals && equals < end && end <= body.length) || body[end - 1] !== newline)
      return undefined
    const key = decodeName(body.subarray(blank + 1, equals))
    records.push({ key, value: body.subarray(equals + 1, end - 1) })
    start = end
  }
  return records
}

/** The bytes of a PAX header with these records. */
export function formatPax(records: readonly PaxRecord[]): Buffer {
  return Buffer.concat(
    records.flatMap(({ key, value }) => {
      const start = Buffer.from(` ${key}=`)
      const bare = start.length + value.length + 1
      // The length counts its own digits too.
      let length = bare + String(bare).length
      length = bare + String(length).length
      return [Buffer.from(String(length)), start, value, Buffer.from('\n')]
    }),
  )
}
