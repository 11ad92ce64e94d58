import * as z from 'zod/mini'
import { DrayError } from '../errors.ts'
import { type Chunks, pour } from '../flow.ts'
import { absentOr, checkShape, parseJson } from '../oci/document.ts'

const maxLineBytes = 1024 * 1024

const messageSchema = z.looseObject({ error: absentOr(z.string()) })

/**
 * Reads the messages that an engine sends while it works, a JSON document on each line (docker's Engine API, "Image load").
 * @param name begins the messages of errors
 * @returns what went wrong in the engine's words, or undefined
 * @throws DrayError `INTEGRITY` for other content, and what the body throws
 */
export async function findEngineError(body: Chunks, name: string): Promise<string | undefined> {
  let fault: string | undefined
  let rest: Buffer = Buffer.alloc(0)
  const read = (line: Uint8Array) => {
    const text = Buffer.from(line).toString().trim()
    if (text === '') return
    const what = `${name}: what the engine tells`
    fault ??= checkShape(messageSchema, parseJson(Buffer.from(text), what), what).error
  }
  await pour(body, piece => {
    rest = Buffer.concat([rest, piece])
    for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
      read(rest.subarray(0, end))
      rest = rest.subarray(end + 1)
    }
    if (rest.length <= maxLineBytes) return undefined
    throw new DrayError('INTEGRITY', `${name}: the engine sends a line of more than ${maxLineBytes} bytes`)
  })
  read(rest)
  return fault
}
