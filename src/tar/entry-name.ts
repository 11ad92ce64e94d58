import { isUtf8 } from 'node:buffer'
import { quote } from '../errors.ts'
import { tarFault } from './tar-limits.ts'

/**
 * A name from an archive as text. Names are bytes: where they are no UTF-8, each byte above 127 becomes a lone surrogate
 * (U+DC80 to U+DCFF), so that two names which differ stay different; `quote` shows them.
 */
export function decodeName(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (isUtf8(buffer)) return buffer.toString('utf8')
  return buffer.toString('latin1').replace(/[\u0080-\u00ff]/g, byte => {
    return String.fromCharCode(0xdc00 + byte.charCodeAt(0))
  })
}

/** The bytes of a name that `decodeName` made. */
export function encodeName(name: string): Buffer {
  if (!/\p{Cs}/u.test(name)) return Buffer.from(name)
  return Buffer.concat(
    Array.from(name, character => {
      const code = character.charCodeAt(0)
      return code >= 0xdc80 && code <= 0xdcff ? Buffer.of(code - 0xdc00) : Buffer.from(character)
    }),
  )
}

/**
 * An entry's name as a path within the tree: `./a//b/` is `a/b`, the tree itself is the empty text, and `a/../b` is `b`.
 * Names are brought into this form before they are compared, looked up or written to a disk.
 * @throws DrayError `INTEGRITY` for a name that is absolute, leads out of the tree, or has a NUL in it
 */
export function safePath(name: string, archive: string): string {
  if (name.startsWith('/')) throw tarFault(archive, `entry ${quote(name)} has an absolute name`)
  if (name.includes('\0')) throw tarFault(archive, `entry ${quote(name)} has a NUL in its name`)
  const parts: string[] = []
  for (const part of name.split('/')) {
    if (part === '' || part === '.') continue
    if (part !== '..') parts.push(part)
    else if (parts.pop() === undefined) throw tarFault(archive, `entry ${quote(name)} leads out of the tree`)
  }
  return parts.join('/')
}
