import { quote } from '../errors.ts'
import type { CertificateFacts } from './certificate.ts'

/** Why TLS did not come about, and what to do. */
export interface TlsExplanation {
  readonly why: string
  readonly hint?: string
}

/** A certificate that was not accepted. Put into words by `networkError`. */
export class CertificateFault extends Error {
  /** As OpenSSL or Node has it: `CERT_HAS_EXPIRED`. */
  readonly code: string
  /** The name or address that was meant. */
  readonly host: string
  readonly chain: readonly CertificateFacts[]

  constructor(code: string, host: string, chain: readonly CertificateFacts[]) {
    super(code)
    this.code = code
    this.host = host
    this.chain = chain
  }
}

const clientCertificateHint = 'give one with --cert-file and --key-file, or in a folder of certs.d'

/** A server that goes on only with a certificate of ours. */
export const wantsClientCertificate: TlsExplanation = {
  why: 'it wants a client certificate',
  hint: clientCertificateHint,
}

/** A server that was shown a certificate of ours, or should have been. */
export const refusesClientCertificate: TlsExplanation = {
  why: 'it does not accept the client certificate, or that there is none',
  hint: 'check --cert-file and --key-file: it must be issued by an authority that the registry knows, and not be expired',
}

/** A server that was met without TLS. */
export const wantsTls: TlsExplanation = {
  why: 'it speaks TLS, and was asked in plain HTTP',
  hint: 'leave out --plain-http, or give --no-plain-http',
}

/** Explains what went wrong with TLS; undefined when it was something else. */
export function explainTls(error: unknown, code: string): TlsExplanation | undefined {
  if (error instanceof CertificateFault) return explainCertificate(error)
  const text = error instanceof Error ? error.message : String(error)
  const alert = /SSL alert number (\d+)/.exec(text)?.[1]
  if (alert !== undefined) return explainAlert(Number(alert), text)
  if (/wrong version number|packet length too long|record layer failure/i.test(text)) {
    return { why: 'it does not speak TLS', hint: 'use --plain-http if it is a plain HTTP registry' }
  }
  if (code.startsWith('ERR_SSL') || code.startsWith('ERR_TLS') || code === 'EPROTO') {
    return { why: `TLS failed: ${text}` }
  }
  return undefined
}

/** An alert of the other side (RFC 8446, section 6.2; RFC 5246, section 7.2.2). */
function explainAlert(alert: number, text: string): TlsExplanation {
  if (alert === 116) return wantsClientCertificate
  // The second and third are what Go says over TLS 1.2 where none was shown.
  if ((alert >= 42 && alert <= 46) || alert === 48 || alert === 49) return refusesClientCertificate
  if (alert === 40) {
    return {
      why: 'it broke off the TLS handshake',
      hint: `if it wants a client certificate, ${clientCertificateHint}; else it may want other ciphers`,
    }
  }
  if (alert === 70) return { why: 'it speaks no version of TLS that is spoken here (1.2 and 1.3)' }
  if (alert === 112) return { why: 'it knows no host of that name (TLS)' }
  return { why: `TLS failed: ${text}` }
}

const unknownAuthority = new Set([
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
])

const clockHint = 'is the clock of this machine right?'

function explainCertificate({ code, host, chain }: CertificateFault): TlsExplanation {
  const top = chain.at(-1)
  if (unknownAuthority.has(code)) {
    const issuer = top === undefined ? '' : `, ${quote(top.issuer)}`
    return {
      why: `its certificate is signed by an unknown authority${issuer}`,
      hint: 'name its CA with --ca-file FILE or in a folder of certs.d, or use --insecure to skip the check',
    }
  }
  if (code === 'DEPTH_ZERO_SELF_SIGNED_CERT') {
    return {
      why: 'its certificate is self-signed',
      hint: 'name that certificate with --ca-file FILE or in a folder of certs.d, or use --insecure to skip the check',
    }
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return {
      why: `its certificate is for another name: ${namesOf(chain[0])}, not ${quote(host)}`,
      hint: 'use a name that it is for, or --insecure to skip the check',
    }
  }
  // Of several certificates the one that ends first, or begins last, is at fault.
  if (code === 'CERT_HAS_EXPIRED') {
    const ends = chain.map(({ validTo }) => validTo).sort()
    return { why: `its certificate has expired${since('on', ends[0])}`, hint: clockHint }
  }
  if (code === 'CERT_NOT_YET_VALID') {
    const begins = chain.map(({ validFrom }) => validFrom).sort()
    return { why: `its certificate is not yet valid${since('before', begins.at(-1))}`, hint: clockHint }
  }
  return { why: `its certificate is not accepted (${code})` }
}

const maxNames = 5

function namesOf({ names }: Pick<CertificateFacts, 'names'> = { names: [] }): string {
  if (names.length === 0) return 'it names no host'
  const rest = names.length > maxNames ? ` and ${names.length - maxNames} more` : ''
  return `${names.slice(0, maxNames).map(quote).join(', ')}${rest}`
}

function since(word: string, date: string | undefined): string {
  return date ? ` (${word} ${date.slice(0, 10)})` : ''
}
