import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { DrayError, isDrayError } from '../errors.ts'
import { ifThere, onDisk } from '../files/io-error.ts'
import { readBounded } from '../files/read-bounded.ts'
import { type ConfigContext, maxConfigBytes } from './context.ts'
import type { ContainersEntry } from './parse-registries-conf.ts'

/**
 * Reads containers' own configuration of registries (containers-registries.conf(5), versions 1 and 2): the file of
 * `CONTAINERS_REGISTRIES_CONF`, else the user's, else the system's; then the drop-ins of the system and those of the user,
 * by name. A prefix of a later file replaces that of an earlier one.
 * @throws DrayError `USAGE` for a malformed file, `IO` for one that cannot be read or was named and is not there
 */
export async function readRegistriesConf(context: ConfigContext): Promise<readonly ContainersEntry[]> {
  const entries = new Map<string, ContainersEntry>()
  const add = (found: readonly ContainersEntry[]) => {
    for (const entry of found) entries.set(entry.prefix, entry)
  }
  add((await readMain(context)) ?? [])
  for (const folder of folders(context).reverse()) {
    for (const file of await dropIns(join(folder, 'registries.conf.d')))
      add((await readFile(file, context)) ?? [])
  }
  return [...entries.values()]
}

/** The user's first. */
function folders({ homeDir, etcDir, platform }: ConfigContext): string[] {
  const own = join(homeDir, '.config', 'containers')
  return platform === 'win32' ? [own] : [own, join(etcDir, 'containers')]
}

async function readMain(context: ConfigContext): Promise<readonly ContainersEntry[] | undefined> {
  const { CONTAINERS_REGISTRIES_CONF: named } = context.env
  if (named) return readFile(named, context, 'IO')
  for (const folder of folders(context)) {
    const found = await readFile(join(folder, 'registries.conf'), context)
    if (found !== undefined) return found
  }
  return undefined
}

async function dropIns(folder: string): Promise<string[]> {
  const names = (await ifThere(onDisk(folder, readdir(folder)))) ?? []
  return names
    .filter(name => name.endsWith('.conf'))
    .sort()
    .map(name => join(folder, name))
}

/**
 * A line that begins a table or a list of registries. A file without one says nothing of interest, as those that
 * distributions come with: they are lists of short names, which need not cost the loading of a parser.
 */
const ofInterest = /^[ \t[]*(["']?)registr(?:y|ies)\1\s*(?:[\].]|=\s*[^\s"'])/m

async function readFile(
  file: string,
  { onRead }: ConfigContext,
  absence: 'IO' | 'NOT_FOUND' = 'NOT_FOUND',
): Promise<readonly ContainersEntry[] | undefined> {
  const bytes = await ifThere(readBounded(file, maxConfigBytes, absence))
  if (bytes === undefined) return undefined
  onRead?.(file)
  const text = bytes.toString('utf8')
  if (!ofInterest.test(text)) return []
  const { parseRegistriesConf } = await import('./parse-registries-conf.ts')
  try {
    return await parseRegistriesConf(text, file)
  } catch (error) {
    if (!isDrayError(error, 'INVALID_REFERENCE')) throw error
    throw new DrayError('USAGE', `${file}: ${error.message}`, { cause: error })
  }
}
