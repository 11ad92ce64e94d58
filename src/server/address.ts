import { DrayError, quote } from '../errors.ts'

/** Where to listen; port 0 takes a free one. */
export interface Address {
  readonly host: string
  readonly port: number
}

/**
 * Reads `host:port` and `[::1]:port`; `:port` is all addresses of the machine.
 * @throws DrayError `USAGE`
 */
export function parseAddress(text: string): Address {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text)
  const port = Number(match?.[3])
  if (!match || port > 65535) {
    throw new DrayError('USAGE', `${quote(text)} is not of the form host:port`, {
      hint: 'for example 127.0.0.1:5000',
    })
  }
  return { host: match[1] ?? (match[2] || '0.0.0.0'), port }
}
