import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import type { SecureContextOptions } from 'node:tls'
import { DrayError } from '../errors.ts'
import { readBounded } from '../files/read-bounded.ts'
import type { CertificateUser } from './auth/certificate-login.ts'
import { FileStamps } from './file-stamps.ts'

/** How the server speaks TLS, 1.2 or later. */
export interface TlsOptions {
  /** The certificate with those between it and its authority (PEM). */
  readonly certFile: string
  /** Its private key (PEM, not encrypted). */
  readonly keyFile: string
  /** Authorities (PEM) whose client certificates are a login. */
  readonly clientCaFile?: string | undefined
  /** Whether a client without one may come in and log in otherwise; `required` by default. */
  readonly clientCertificates?: 'required' | 'optional' | undefined
  /** Which part of a client certificate is the user's name; `commonName` by default. */
  readonly clientUser?: CertificateUser | undefined
}

const maxPemBytes = 16 * 1024 * 1024

/** Certificates and their key, as they are in their files. */
export class TlsFiles {
  readonly #options: TlsOptions
  readonly #stamps: FileStamps

  private constructor(options: TlsOptions, stamps: FileStamps) {
    this.#options = options
    this.#stamps = stamps
  }

  static async watch(options: TlsOptions): Promise<TlsFiles> {
    const { certFile, keyFile, clientCaFile } = options
    const files = [certFile, keyFile, ...(clientCaFile === undefined ? [] : [clientCaFile])]
    return new TlsFiles(options, await FileStamps.of(files))
  }

  /** What a new connection is met with. @throws DrayError `USAGE` for files that do not fit, `IO` */
  async read(): Promise<SecureContextOptions> {
    const { certFile, keyFile, clientCaFile } = this.#options
    const [cert, key] = await Promise.all([readPem(certFile), readPem(keyFile)])
    if (!parse(certFile, () => new X509Certificate(cert)).checkPrivateKey(privateKey(key, keyFile))) {
      throw new DrayError('USAGE', `the key in ${keyFile} is not that of the certificate in ${certFile}`)
    }
    const ca = clientCaFile === undefined ? undefined : await readPem(clientCaFile)
    if (clientCaFile !== undefined) parse(clientCaFile, () => new X509Certificate(ca ?? ''))
    return { cert, key, minVersion: 'TLSv1.2', ...(ca === undefined ? {} : { ca }) }
  }

  /** What a new connection is to be met with from now on, undefined where nothing has changed. @throws like `read` */
  async readIfChanged(): Promise<SecureContextOptions | undefined> {
    return this.#stamps.readIfChanged(() => this.read())
  }
}

async function readPem(file: string): Promise<string> {
  return (await readBounded(file, maxPemBytes, 'IO')).toString('utf8')
}

function privateKey(pem: string, file: string): KeyObject {
  return parse(file, () => createPrivateKey(pem), 'private key that can be read (PEM, not encrypted)')
}

function parse<Result>(file: string, read: () => Result, what = 'certificate (PEM)'): Result {
  try {
    return read()
  } catch (cause) {
    throw new DrayError('USAGE', `${file}: it holds no ${what}`, { cause })
  }
}
