import { DrayError } from '../errors.ts'
import { type Login, parseObject } from './login.ts'

/** A secret of 64 KiB, which is more than any key file has, with every character escaped. */
const maxInputBytes = 512 * 1024

/** The longest account on Windows (CRED_MAX_USERNAME_LENGTH, with its end, is 513). */
const maxServerUrlLength = 512

/**
 * Reads what the caller sent, up to its end.
 * @throws DrayError `USAGE` for more than 512 KiB, or when it is not UTF-8
 */
export async function readInput(input: AsyncIterable<Uint8Array | string>): Promise<string> {
  const parts: Buffer[] = []
  let length = 0
  for await (const chunk of input) {
    const part = Buffer.from(chunk)
    length += part.length
    if (length > maxInputBytes) throw new DrayError('USAGE', 'the input has more than 512 KiB')
    parts.push(part)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(parts))
  } catch (cause) {
    throw new DrayError('USAGE', 'the input is not UTF-8 text', { cause })
  }
}

/**
 * The input of `get` and `erase`: a server URL, as docker or others name a registry.
 * @throws DrayError `USAGE`
 */
export function parseServerUrl(text: string): string {
  const serverUrl = text.trim()
  if (serverUrl === '') throw new DrayError('USAGE', 'no credentials server URL')
  if (serverUrl.length > maxServerUrlLength) {
    throw new DrayError('USAGE', `the server URL is longer than ${maxServerUrlLength} characters`)
  }
  if (/\p{Cc}/u.test(serverUrl)) throw new DrayError('USAGE', 'the server URL has control characters')
  return serverUrl
}

/**
 * The input of `store`: a JSON object of strings, `ServerURL`, `Username` and `Secret`.
 * @throws DrayError `USAGE`
 */
export function parseStoreRequest(text: string): { serverUrl: string; login: Login } {
  const document = parseObject(text)
  const { ServerURL = '', Username = '', Secret = '' } = document ?? {}
  if (
    document === undefined ||
    typeof ServerURL !== 'string' ||
    typeof Username !== 'string' ||
    typeof Secret !== 'string'
  ) {
    throw new DrayError('USAGE', 'the input is not a JSON object with ServerURL, Username and Secret')
  }
  const serverUrl = parseServerUrl(ServerURL)
  if (Username === '') throw new DrayError('USAGE', 'no credentials username')
  return { serverUrl, login: { username: Username, secret: Secret } }
}
