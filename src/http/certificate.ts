import type { DetailedPeerCertificate } from 'node:tls'

/** What a certificate says, as it was sent: nothing of it is verified by being here. */
export interface CertificateFacts {
  /** Distinguished names: `CN=registry.example, O=Example`. */
  readonly subject: string
  readonly issuer: string
  /** Dates in ISO 8601. */
  readonly validFrom: string
  readonly validTo: string
  /** The hosts that it is for: names and addresses. */
  readonly names: readonly string[]
  /** SHA-256 in hexadecimal, with colons. */
  readonly fingerprint: string
}

/** Far more than any chain has; one that is longer, or goes in circles, ends here. */
const maxChain = 16

/** A certificate and those above it, as far as they were sent or are known. */
export function chainOf(certificate: DetailedPeerCertificate): CertificateFacts[] {
  const chain: CertificateFacts[] = []
  let next: Partial<DetailedPeerCertificate> | undefined = certificate
  // One that signed itself is its own issuer.
  while (next?.fingerprint256 !== undefined && next.fingerprint256 !== chain.at(-1)?.fingerprint) {
    if (chain.length === maxChain) break
    chain.push(factsOf(next))
    next = next.issuerCertificate
  }
  return chain
}

/** An authority that is trusted. */
export interface Anchor {
  readonly subject: string
  /** Which of the texts that were given holds it, from 0; absent for one of the usual roots. */
  readonly givenIn?: number
}

/**
 * Tells where the authority at the end of an accepted chain is from.
 * @param given texts of certificates in PEM, as in `TlsSettings.ca`
 */
export async function anchorFinder(
  given: readonly string[],
): Promise<(chain: readonly CertificateFacts[]) => Anchor | undefined> {
  const { X509Certificate } = await import('node:crypto')
  const fingerprintsOf = (text: string) =>
    [...text.matchAll(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g)].flatMap(([pem]) => {
      try {
        return [new X509Certificate(pem).fingerprint256]
      } catch {
        // OpenSSL passes over what is malformed, too.
        return []
      }
    })
  const fingerprints = given.map(fingerprintsOf)
  return chain => {
    const root = chain.at(-1)
    if (root === undefined) return undefined
    const at = fingerprints.findIndex(some => some.includes(root.fingerprint))
    return { subject: root.subject, ...(at < 0 ? {} : { givenIn: at }) }
  }
}

function factsOf(certificate: Partial<DetailedPeerCertificate>): CertificateFacts {
  const { subject, issuer, valid_from: from, valid_to: to, subjectaltname, fingerprint256 } = certificate
  return {
    subject: distinguishedName(subject),
    issuer: distinguishedName(issuer),
    validFrom: isoDate(from),
    validTo: isoDate(to),
    names: hostNames(subjectaltname),
    fingerprint: fingerprint256 ?? '',
  }
}

function distinguishedName(name: object = {}): string {
  return Object.entries(name)
    .flatMap(([kind, value]) => [value].flat().map(each => `${kind}=${each}`))
    .join(', ')
}

function isoDate(text: string | undefined): string {
  const date = new Date(text ?? '')
  return Number.isNaN(date.getTime()) ? '' : date.toISOString()
}

function hostNames(text = ''): string[] {
  return [...text.matchAll(/(?:^|, )(?:DNS|IP Address):([^,]*)/g)].map(([, name = '']) => name)
}
