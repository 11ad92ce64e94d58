import { dirname, isAbsolute, join, resolve } from 'node:path'
import { quote } from '../errors.ts'
import { ifThere, onDisk } from '../files/io-error.ts'
import { readBounded } from '../files/read-bounded.ts'
import { type ConfigContext, maxConfigBytes } from './context.ts'
import { type PathBase, parseDocument, resolvePath } from './document.ts'
import type { RegistryEntry } from './schema.ts'
import { parseScope, type Scope } from './scope.ts'

/** What dray's own configuration says of one key of `registries`; paths in it are absolute. */
export interface OwnEntry extends RegistryEntry {
  readonly scope: Scope
  /** As it is written: `ghcr.io`, `ghcr.io/org`. */
  readonly key: string
  /** For people: `registries["ghcr.io"]`. */
  readonly name: string
  readonly file: string
}

/**
 * Reads dray's own configuration; empty where there is none.
 * @throws DrayError `USAGE` that names the key and its line, `IO` when a file that `DRAY_CONFIG` names is not there
 */
export async function readOwnConfig(context: ConfigContext): Promise<readonly OwnEntry[]> {
  const file = ownConfigFile(context)
  const reading = readBounded(file, maxConfigBytes, context.env.DRAY_CONFIG ? 'IO' : 'NOT_FOUND')
  const text = (await ifThere(reading))?.toString('utf8')
  if (text !== undefined) context.onRead?.(file)
  if (text === undefined || text.trim() === '') return []
  const { documentSchema } = await import('./schema.ts')
  const { registries } = await parseDocument(text, file, documentSchema)
  const entries = Object.entries(registries ?? {}).map(([key, entry]) => ({
    ...withPaths(entry ?? {}, { folder: dirname(resolve(file)), homeDir: context.homeDir }),
    scope: parseScope(key),
    key,
    name: `registries[${quote(key)}]`,
    file,
  }))
  if (entries.some(({ password }) => password !== undefined)) await warnIfOpen(file, context)
  return entries
}

/** The file of `DRAY_CONFIG`, else the user's own `dray/config.yaml`, which need not be there. */
export function ownConfigFile({ env, homeDir, platform }: ConfigContext): string {
  if (env.DRAY_CONFIG) return env.DRAY_CONFIG
  const given = platform === 'win32' ? env.APPDATA : env.XDG_CONFIG_HOME
  const usual = platform === 'win32' ? join(homeDir, 'AppData', 'Roaming') : join(homeDir, '.config')
  // A relative path in one of these variables is to be ignored (XDG Base Directory Specification).
  return join(given !== undefined && isAbsolute(given) ? given : usual, 'dray', 'config.yaml')
}

function withPaths(entry: RegistryEntry, base: PathBase): RegistryEntry {
  const { caFile, certFile, keyFile, passwordFile } = entry
  const absolute = (path: string | undefined) => path && resolvePath(path, base)
  return {
    ...entry,
    caFile: absolute(caFile),
    certFile: absolute(certFile),
    keyFile: absolute(keyFile),
    passwordFile: absolute(passwordFile),
  }
}

async function warnIfOpen(file: string, { platform, onWarning }: ConfigContext): Promise<void> {
  if (platform === 'win32') return
  const { stat } = await import('node:fs/promises')
  const { mode } = await onDisk(file, stat(file), 'IO')
  if ((mode & 0o077) === 0) return
  onWarning?.(`${file} holds a password and can be read by others; allow only yourself with: chmod 600`)
}
