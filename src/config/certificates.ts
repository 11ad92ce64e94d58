import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { DrayError } from '../errors.ts'
import { onDisk, systemCode } from '../files/io-error.ts'
import type { ConfigContext } from './context.ts'

/** What the search for certificates takes from its surroundings. */
export type CertificatesContext = Pick<ConfigContext, 'homeDir' | 'etcDir' | 'platform'>

/** The certificates that a folder `certs.d/HOST[:PORT]` holds for a registry. */
export interface HostCertificates {
  readonly folder: string
  /** Paths of PEM files: CAs that are trusted beside the usual roots. */
  readonly caFiles: readonly string[]
  readonly certFile: string | undefined
  readonly keyFile: string | undefined
}

/**
 * Looks for a registry's certificates where containers and docker have them (containers-certs.d(5)): in the user's folders,
 * then in the system's. The first folder that is there for the registry counts alone. One that must not be looked into is
 * passed over, as containers do: `/etc/docker` is often for root only.
 * @param registry as in references, with its port
 * @throws DrayError `USAGE` for a certificate without its key or the reverse, `IO`
 */
export async function findCertificates(
  registry: string,
  context: CertificatesContext,
): Promise<HostCertificates | undefined> {
  for (const parent of certificateFolders(context)) {
    // Windows has no colons in names; docker leaves them out.
    const folder = join(parent, context.platform === 'win32' ? registry.replaceAll(':', '') : registry)
    const names = await namesIn(folder)
    if (names !== undefined) return certificatesOf(folder, names.sort())
  }
  return undefined
}

function certificateFolders({ homeDir, etcDir, platform }: CertificatesContext) {
  const own = [join(homeDir, '.config', 'containers', 'certs.d'), join(homeDir, '.docker', 'certs.d')]
  if (platform === 'win32') return own
  return [...own, join(etcDir, 'containers', 'certs.d'), join(etcDir, 'docker', 'certs.d')]
}

async function namesIn(folder: string): Promise<string[] | undefined> {
  try {
    return await readdir(folder)
  } catch (error) {
    const passedOver = ['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM']
    if (passedOver.includes(systemCode(error) ?? '')) return undefined
    return onDisk(folder, Promise.reject(error))
  }
}

/** Of several client certificates the first by name is used: a connection shows one. */
function certificatesOf(folder: string, names: readonly string[]): HostCertificates {
  const withEnding = (ending: string) => names.filter(name => name.endsWith(ending))
  const stem = (name: string) => name.replace(/\.[^.]*$/, '')
  const keys = new Set(withEnding('.key').map(stem))
  const certs = new Set(withEnding('.cert').map(stem))
  for (const name of certs) if (!keys.has(name)) throw incomplete(folder, `${name}.cert`, `${name}.key`)
  for (const name of keys) if (!certs.has(name)) throw incomplete(folder, `${name}.key`, `${name}.cert`)
  const [client] = certs
  return {
    folder,
    caFiles: withEnding('.crt').map(name => join(folder, name)),
    certFile: client === undefined ? undefined : join(folder, `${client}.cert`),
    keyFile: client === undefined ? undefined : join(folder, `${client}.key`),
  }
}

function incomplete(folder: string, there: string, missing: string): DrayError {
  return new DrayError('USAGE', `${join(folder, there)} needs ${missing} beside it`, {
    hint: 'a client certificate ends in .cert and its key in .key; a CA to trust ends in .crt',
  })
}
