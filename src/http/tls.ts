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

/** Loads TLS, and reads certificates and keys. @throws DrayError `USAGE` with what OpenSSL has to say about them */
export async function tlsOptions({ ca = [], cert, key, insecure }: TlsSettings): Promise<TlsOptions> {
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
    throw new DrayError('USAGE', `the certificate and key that were given cannot be used: ${why}`, {
      cause: error,
    })
  }
}

/** What Node trusts by itself; only newer versions (22.15, 23.10) can list that with the user's additions. */
async function usualRoots(): Promise<readonly string[]> {
  const tls = await import('node:tls')
  const { getCACertificates, rootCertificates = [] }: Partial<typeof tls> = tls
  return getCACertificates?.('default') ?? rootCertificates
}
