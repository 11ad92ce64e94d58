import type { HostCertificates } from '../config/certificates.ts'
import type { RegistrySettings } from '../config/settings.ts'
import { DrayError } from '../errors.ts'
import type { TlsSettings } from '../http/tls.ts'
import type { CliContext } from './context.ts'
import type { EndFlags } from './options.ts'

/** All that may say how the other side of a connection is trusted, the stronger first. */
export interface TlsWishes {
  readonly flags: EndFlags
  readonly settings: RegistrySettings
  /** Of a `certs.d` folder. */
  readonly certificates: HostCertificates | undefined
  readonly env: CliContext['env']
}

/** The largest PEM file that is read, in bytes; all the CAs of a system are a quarter of a MiB. */
const maxPemBytes = 16 * 1024 * 1024

/**
 * Reads the certificates and the key that a connection needs. CAs of all places are trusted; the client certificate is that
 * of the strongest place that has one.
 * @throws DrayError `USAGE` for half a client certificate or what is not PEM, `IO`
 */
export async function readTlsFiles(wishes: TlsWishes): Promise<TlsSettings> {
  const { flags, settings } = wishes
  if ((flags.certFile === undefined) !== (flags.keyFile === undefined)) {
    throw new DrayError('USAGE', 'a client certificate needs both --cert-file and --key-file')
  }
  const client = clientFiles(wishes)
  return {
    ca: await Promise.all(caFiles(wishes).map(({ file }) => readAuthorities(file))),
    cert: client?.certFile === undefined ? undefined : await readPem(client.certFile),
    key: client?.keyFile === undefined ? undefined : await readPem(client.keyFile),
    insecure: flags.insecure ?? settings.insecure?.value,
  }
}

/** A file that somebody named, and where. */
export interface NamedFile {
  readonly file: string
  /** For people: `--ca-file`, the name of a variable, a place in the configuration. */
  readonly origin: string
}

/** The files with CAs, each once, in the order in which `readTlsFiles` has what they hold. */
export function caFiles({ flags, settings, certificates, env }: TlsWishes): NamedFile[] {
  const own = flags.caFile === undefined ? settings.caFile : { value: flags.caFile, origin: '--ca-file' }
  const files = [
    { file: own?.value, origin: own?.origin },
    { file: env.SSL_CERT_FILE, origin: 'SSL_CERT_FILE' },
    ...(certificates?.caFiles ?? []).map(file => ({ file, origin: certificates?.folder })),
  ]
  // Node adds these by itself only as long as nobody else names a CA.
  if (files.some(({ file }) => file !== undefined)) {
    files.push({ file: env.NODE_EXTRA_CA_CERTS, origin: 'NODE_EXTRA_CA_CERTS' })
  }
  const named = files.flatMap(({ file, origin = '' }) => (file ? [{ file, origin }] : []))
  // Variables often name the same file, and to read all the CAs of a system once more takes as long as a handshake.
  return named.filter(({ file }, at) => named.findIndex(other => other.file === file) === at)
}

/** The client certificate's files, of the strongest place that has one. */
export function clientFiles({ flags, settings, certificates }: TlsWishes): ClientFiles | undefined {
  const { certFile, keyFile } = settings
  const places = [
    { ...flags, origin: '--cert-file' },
    { certFile: certFile?.value, keyFile: keyFile?.value, origin: certFile?.origin ?? '' },
    { ...certificates, origin: certificates?.folder ?? '' },
  ]
  return places.find(place => place.certFile !== undefined)
}

interface ClientFiles extends Pick<NamedFile, 'origin'> {
  readonly certFile?: string | undefined
  readonly keyFile?: string | undefined
}

/** There may be none, as in `/dev/null`. Node passes over all that is no certificate, without a word. */
async function readAuthorities(file: string): Promise<string> {
  const text = await readText(file)
  if (/-----BEGIN [A-Z0-9 ]*CERTIFICATE-----/.test(text) || text.trim() === '') return text
  throw new DrayError('USAGE', `${file} holds no certificate in PEM form`)
}

async function readPem(file: string): Promise<string> {
  const text = await readText(file)
  if (text.includes('-----BEGIN ')) return text
  throw new DrayError('USAGE', `${file} is not in PEM form`)
}

/** A file that is named must be there: `NOT_FOUND` is for images. */
async function readText(file: string): Promise<string> {
  const { readBounded } = await import('../files/read-bounded.ts')
  return (await readBounded(file, maxPemBytes, 'IO')).toString('utf8')
}
