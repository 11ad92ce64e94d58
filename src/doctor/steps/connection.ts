import { quote } from '../../errors.ts'
import { proxyName } from '../../http/network-error.ts'
import type { ConnectionProbe, TlsFacts } from '../../http/probe.ts'
import type { Step } from '../examine.ts'
import { type Finding, failed, ok, skipped, warning } from '../finding.ts'
import type { Meeting } from '../patient.ts'

/** Whether the host's name is known. */
export const dns: Step = {
  name: 'dns',
  needs: ['proxy'],
  async examine(patient) {
    const { dns, proxy } = await patient.connect()
    const details = { host: dns.found?.host ?? null, addresses: dns.found?.addresses ?? [] }
    if (dns.error !== undefined) return failed(dns.error, { details, ms: dns.ms })
    const isAddress = details.addresses.includes(details.host ?? '')
    const words = `${details.host} is ${isAddress ? 'an address' : details.addresses.join(', ')}`
    const whose = proxy === undefined ? '' : '; this is the proxy, which looks up the registry'
    return { ...ok(`${words}${whose}`, details), ms: dns.ms }
  },
}

/** Whether a connection comes about, to the host or to the proxy and through it. */
export const tcp: Step = {
  name: 'tcp',
  needs: ['dns'],
  async examine(patient) {
    const { tcp, tunnel, proxy } = await patient.connect()
    const { address = null, port = null } = tcp?.found ?? {}
    const details = { address, port, tunnel: tunnel !== undefined }
    const ms = (tcp?.ms ?? 0) + (tunnel?.ms ?? 0)
    const error = tcp?.error ?? tunnel?.error
    if (error !== undefined) return failed(error, { details, ms })
    const way = `connected to ${address} port ${port} in ${Math.round(ms)} ms`
    if (proxy === undefined) return { ...ok(way, details), ms }
    const { url } = await patient.meet()
    const through = tunnel === undefined ? 'which forwards requests' : `which connects to ${url.host}`
    return { ...ok(`${way}, ${proxyName(proxy)}, ${through}`, details), ms }
  },
}

/** A certificate that ends sooner than in so many days is worth a word. */
const soonDays = 14
const dayMs = 24 * 60 * 60 * 1000

/** What was agreed upon over TLS, and who vouches for the certificate. */
export const tls: Step = {
  name: 'tls',
  needs: ['tcp'],
  async examine(patient) {
    const meeting = await patient.meet()
    if (meeting.url.protocol === 'http:')
      return skipped('plain HTTP is spoken, which everybody on the way can read')
    const { tls } = await patient.connect()
    const { found, error, ms } = tls ?? { ms: 0 }
    const details = found === undefined ? {} : detailsOf(found, meeting)
    if (error !== undefined) return failed(error, { details, ms })
    return { ...judge(found, meeting, patient.now()), details, ms }
  },
}

function judge(found: TlsFacts | undefined, meeting: Meeting, now: number): Finding {
  const [own] = found?.chain ?? []
  if (found === undefined || own === undefined) return warning('the server shows no certificate')
  if (found.fault !== undefined) {
    return warning(`${found.protocol}, without a check of the certificate: ${found.fault.message}`, {
      hint: found.fault.hint,
    })
  }
  const daysLeft = daysUntil(own.validTo, now)
  const left = `${daysLeft} ${daysLeft === 1 ? 'day' : 'days'} left`
  const ends = `its certificate ends ${own.validTo.slice(0, 10)} (${left})`
  const words = `${found.protocol}; ${ends}; ${trustOf(found, meeting)}${clientOf(meeting)}`
  if (daysLeft >= soonDays) return ok(words)
  return warning(words, { hint: "the registry's certificate must be renewed soon" })
}

/** Which authority the certificate goes back to, and why that is trusted. */
function trustOf({ anchor }: TlsFacts, { caFiles }: Meeting): string {
  const file = anchor?.givenIn === undefined ? undefined : caFiles[anchor.givenIn]
  const why = file === undefined ? 'one of the usual roots' : `in ${file.file} (${file.origin})`
  return anchor === undefined ? 'it is trusted' : `it goes back to ${quote(anchor.subject)}, ${why}`
}

function clientOf({ connection }: Meeting): string {
  return connection.tls?.cert === undefined ? '' : '; a client certificate is shown to who asks for one'
}

function detailsOf(found: TlsFacts, meeting: Meeting) {
  const { protocol, cipher, alpn, chain, anchor, fault } = found
  const file = anchor?.givenIn === undefined ? undefined : meeting.caFiles[anchor.givenIn]
  return {
    protocol,
    cipher,
    alpn: alpn ?? null,
    chain,
    anchor: anchor === undefined ? null : { subject: anchor.subject, file: file?.file ?? null },
    accepted: fault === undefined,
    clientCertificate: meeting.connection.tls?.cert !== undefined,
  }
}

function daysUntil(date: string, now: number): number {
  return Math.floor((Date.parse(date) - now) / dayMs)
}

/** What stopped the walk, if anything did. */
export function connectionFault({ dns, tcp, tunnel, tls }: ConnectionProbe) {
  return [dns, tcp, tunnel, tls].map(step => step?.error).find(error => error !== undefined)
}
