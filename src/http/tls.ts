import type { SecureContext, SecureContextOptions } from 'node:tls'
import { DrayError } from '../errors.ts'

/** How the other side is to be trusted, and how it is to trust us. */
export interface TlsSettings {
  /** Certificates in PEM that are trusted beside the usual roots. */
  readonly ca?: readonly string[] | undefined
  /** A client certificate and its key, in PEM. */
  readonly cert?: string | undefined
  readonly key?: string | undefined
  /** Accepts any certificate. */
  readonly insecure?: boolean | undefined
}

/** What connections are opened with. */
export interface TlsOptions {
  /** Made once for all connections: to read the roots anew for each would cost more than its handshake. */
  readonly secureContext: SecureContext
  readonly rejectUnauthorized: boolean
}

/**
 * Loads TLS, and reads certificates and keys.
 * @throws DrayError `USAGE` for an encrypted key, one without its certificate, and with what OpenSSL has to say about them
 */
export async function tlsOptions({ ca = [], cert, key, insecure }: TlsSettings): Promise<TlsOptions> {
  if ((cert === undefined) !== (key === undefined)) {
    throw new DrayError('USAGE', 'a client certificate needs its key, and a key its certificate')
  }
  if (key !== undefined) mustBeOpen(key)
  const secureContext = await secureContextOf({
    ...(ca.length === 0 ? {} : { ca: [...(await usualRoots()), ...ca] }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  })
  return { secureContext, rejectUnauthorized: insecure !== true }
}

async function secureContextOf(options: SecureContextOptions): Promise<SecureContext> {
  const { createSecureContext } = await import('node:tls')
  try {
    return createSecureContext(options)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    const isMismatch = why.includes('key values mismatch')
    throw new DrayError(
      'USAGE',
      isMismatch
        ? 'the key of the client certificate is that of another certificate'
        : `the client certificate and its key cannot be used: ${why}`,
      { hint: isMismatch ? 'give the two files that belong together' : undefined, cause: error },
    )
  }
}

/** Whoever starts a job is not there to type a password, and OpenSSL's own words are about decryption only. */
function mustBeOpen(key: string): void {
  if (!/^-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: *4, *ENCRYPTED/m.test(key)) return
  throw new DrayError('USAGE', 'the key of the client certificate is encrypted', {
    hint: 'write an open copy with "openssl pkey -in KEY -out FILE", which only you can read',
  })
}

/** What Node trusts by itself; only newer versions (22.15, 23.10) can list that with the user's additions. */
async function usualRoots(): Promise<readonly string[]> {
  const tls = await import('node:tls')
  const { getCACertificates, rootCertificates = [] }: Partial<typeof tls> = tls
  return getCACertificates?.('default') ?? rootCertificates
}
