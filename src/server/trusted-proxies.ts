import type { IncomingMessage } from 'node:http'
import { BlockList, isIP } from 'node:net'
import { DrayError, quote } from '../errors.ts'

/** Where a request comes from, and by which address its client reached us. */
export interface Client {
  /** Undefined when the connection is gone already. */
  readonly address: string | undefined
  /** `https://registry.example.com:8443`, without a slash at the end. */
  readonly origin: string
}

/**
 * Proxies that are believed what they say of their clients: `X-Forwarded-For`, `X-Forwarded-Proto`, `X-Forwarded-Host`.
 * Not RFC 7239's `Forwarded`: a proxy sets one of the two kinds, and hands on what a client wrote into the other.
 */
export class TrustedProxies {
  readonly #networks: BlockList | undefined
  #warn: ((message: string) => void) | undefined

  /**
   * @param networks IP addresses, or networks such as `10.0.0.0/8`; of all others nothing is believed
   * @param onWarning told once of somebody who looks like a proxy, where there are no networks
   * @throws DrayError `USAGE` for what is no network
   */
  constructor(networks: readonly string[], onWarning?: (message: string) => void) {
    if (networks.length === 0) {
      this.#warn = onWarning
      return
    }
    this.#networks = new BlockList()
    for (const { address, bits, family } of networks.map(parseNetwork)) {
      this.#networks.addSubnet(address, bits, family)
    }
  }

  clientOf(request: IncomingMessage): Client {
    const peer = plainAddress(request.socket.remoteAddress ?? '')
    const isProxy = this.#includes(peer)
    if (!isProxy) this.#warnOf(peer, request)
    const said = (name: string) => (isProxy ? (listIn(request, name).at(-1) ?? '') : '')
    const named = said('x-forwarded-proto').toLowerCase()
    const scheme = /^https?$/.test(named) ? named : schemeOf(request)
    const hosts = [said('x-forwarded-host'), request.headers.host ?? '']
    const host = hosts.find(text => /^[A-Za-z0-9.:[\]-]+$/.test(text)) ?? ownHost(request)
    const address = isProxy ? this.#firstOutside(peer, request) : peer
    return { address: address || undefined, origin: `${scheme}://${host}` }
  }

  /** The first from the right that is none of the proxies; what stands left of it anybody may have written. */
  #firstOutside(peer: string, request: IncomingMessage): string {
    let client = peer
    for (const hop of listIn(request, 'x-forwarded-for').reverse()) {
      const before = addressIn(hop)
      if (before === undefined || !this.#includes(client)) break
      client = before
    }
    return client
  }

  #includes(address: string): boolean {
    const family = isIP(address)
    return family !== 0 && this.#networks?.check(address, family === 4 ? 'ipv4' : 'ipv6') === true
  }

  #warnOf(peer: string, request: IncomingMessage): void {
    if (this.#warn === undefined || request.headers['x-forwarded-proto'] === undefined) return
    this.#warn(
      `${peer} sends X-Forwarded-Proto, which is not believed; if it is a proxy of yours, put it into trustedProxies`,
    )
    this.#warn = undefined
  }
}

interface Network {
  readonly address: string
  readonly bits: number
  readonly family: 'ipv4' | 'ipv6'
}

/**
 * Reads `10.0.0.0/8`, `fd00::/8`, `127.0.0.1`.
 * @throws DrayError `USAGE`
 */
export function parseNetwork(text: string): Network {
  const [, address = '', given] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? []
  const length = { 0: -1, 4: 32, 6: 128 }[isIP(address)] ?? -1
  const bits = given === undefined ? length : Number(given)
  if (length < 0 || bits > length || address.includes('%')) {
    throw new DrayError('USAGE', `${quote(text)} is no IP address and no network`, {
      hint: 'for example 127.0.0.1 or 10.0.0.0/8',
    })
  }
  return { address, bits, family: length === 32 ? 'ipv4' : 'ipv6' }
}

/** Without the zone of an IPv6 address, and of an IPv4 one as it is, though it came to a socket for IPv6. */
function plainAddress(address: string): string {
  return address.replace(/%.*$/, '').replace(/^::ffff:(?=\d+\.)/i, '')
}

/** `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]:4711`; undefined for anything else. */
function addressIn(hop: string): string | undefined {
  const [, bracketed, dotted, bare] = /^(?:\[(.+)\](?::\d+)?|([\d.]+)(?::\d+)?|(.+))$/.exec(hop) ?? []
  const address = plainAddress(bracketed ?? dotted ?? bare ?? '')
  return isIP(address) === 0 ? undefined : address
}

function listIn({ headers }: IncomingMessage, name: string): string[] {
  return [headers[name] ?? []].flat().flatMap(line => line.split(',').map(item => item.trim()))
}

function schemeOf({ socket }: IncomingMessage): string {
  return 'encrypted' in socket ? 'https' : 'http'
}

function ownHost({ socket: { localAddress = '', localPort } }: IncomingMessage): string {
  return localAddress.includes(':') ? `[${localAddress}]:${localPort}` : `${localAddress}:${localPort}`
}
