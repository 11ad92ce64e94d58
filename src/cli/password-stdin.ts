import { DrayError } from '../errors.ts'

/** More than any token or key file has. */
const maxPasswordBytes = 64 * 1024

const hint =
  'pipe the password in, for example: printf %s "$TOKEN" | dray login --username NAME --password-stdin …'

/**
 * Reads a password that is piped in, up to the end of the stream. One newline at its end is not part of it; any other
 * is, since some registries take a whole JSON file as the password.
 * @throws DrayError `USAGE` when stdin is a terminal, empty, not UTF-8 or larger than 64 KiB
 */
export async function readPasswordFromStdin(
  stdin: AsyncIterable<Uint8Array | string> & { readonly isTTY?: boolean },
): Promise<string> {
  if (stdin.isTTY) throw new DrayError('USAGE', '--password-stdin: stdin is a terminal', { hint })
  const parts: Buffer[] = []
  let length = 0
  for await (const chunk of stdin) {
    const part = Buffer.from(chunk)
    length += part.length
    if (length > maxPasswordBytes) throw new DrayError('USAGE', '--password-stdin: more than 64 KiB came')
    parts.push(part)
  }
  const password = decode(Buffer.concat(parts)).replace(/\r?\n$/, '')
  if (password === '') throw new DrayError('USAGE', '--password-stdin: nothing came', { hint })
  return password
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    throw new DrayError('USAGE', '--password-stdin: the password is not UTF-8 text', { cause })
  }
}
