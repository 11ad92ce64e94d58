import * as z from 'zod/mini'
import { DrayError } from '../errors.ts'
import { firstFault, formatPath } from './faults.ts'
import { type Place, parsePlace } from './place.ts'
import { parseScope, type Scope } from './scope.ts'
import type { PullFrom } from './settings.ts'

/** What a `registries.conf` says of one prefix. */
export interface ContainersEntry {
  /** As it is written. */
  readonly prefix: string
  readonly scope: Scope
  readonly file: string
  /** Where the prefix is moved to, if it is. */
  readonly location: Place | undefined
  /** Neither certificates nor TLS itself are needed. */
  readonly insecure: boolean
  readonly blocked: boolean
  readonly mirrors: readonly ContainersMirror[]
}

/** A mirror that a `registries.conf` names. */
export interface ContainersMirror {
  readonly place: Place
  readonly insecure: boolean
  readonly pullFrom: PullFrom
}

const flag = z.optional(z.boolean())
const name = z.optional(z.string())

const registrySchema = z.looseObject({
  prefix: name,
  location: name,
  insecure: flag,
  blocked: flag,
  'mirror-by-digest-only': flag,
  mirror: z.optional(
    z.array(
      z.looseObject({
        location: z.string(),
        insecure: flag,
        'pull-from-mirror': z.optional(z.enum(['', 'all', 'digest-only', 'tag-only'])),
      }),
    ),
  ),
})

const listSchema = z.optional(z.looseObject({ registries: z.optional(z.array(z.string())) }))

const documentSchema = z.looseObject({
  registry: z.optional(z.array(registrySchema)),
  // Version 1.
  registries: z.optional(z.looseObject({ insecure: listSchema, block: listSchema })),
})

type Document = z.infer<typeof documentSchema>

/**
 * Reads the text of a `registries.conf` of version 1 or 2; keys that are not about how a registry is met are passed over.
 * @throws DrayError `USAGE`, or `INVALID_REFERENCE` for a prefix or a location
 */
export async function parseRegistriesConf(text: string, file: string): Promise<ContainersEntry[]> {
  const result = documentSchema.safeParse(await parseToml(text, file))
  if (!result.success) {
    const { path, what } = firstFault(result.error)
    throw new DrayError('USAGE', `${file}: ${formatPath(path)}: ${what}`)
  }
  const { registry = [] } = result.data
  return [...versionOne(result.data, file), ...registry.map(one => entryOf(one, file))]
}

async function parseToml(text: string, file: string): Promise<unknown> {
  const { parse, TomlError } = await import('smol-toml')
  try {
    return parse(text)
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    const [what = ''] = error.message.replace(/^Invalid TOML document: /, '').split('\n')
    throw new DrayError(
      'USAGE',
      `${file}, line ${error.line}, column ${error.column}: not valid TOML (${what})`,
    )
  }
}

function versionOne({ registries }: Document, file: string): ContainersEntry[] {
  const insecure = registries?.insecure?.registries ?? []
  const blocked = registries?.block?.registries ?? []
  return [...new Set([...insecure, ...blocked])].map(prefix =>
    entryOf(
      { location: prefix, insecure: insecure.includes(prefix), blocked: blocked.includes(prefix) },
      file,
    ),
  )
}

function entryOf(registry: z.infer<typeof registrySchema>, file: string): ContainersEntry {
  const { location, insecure = false, blocked = false, mirror = [] } = registry
  const prefix = registry.prefix || location || ''
  if (prefix === '') {
    throw new DrayError('USAGE', `${file}: a [[registry]] has neither a prefix nor a location`)
  }
  const byDigest = registry['mirror-by-digest-only'] ?? false
  return {
    prefix,
    scope: parseScope(prefix),
    file,
    location: locationOf(location, prefix),
    insecure,
    blocked,
    mirrors: mirror.map(one => mirrorOf(one, byDigest)),
  }
}

function locationOf(location: string | undefined, prefix: string): Place | undefined {
  return location && location !== prefix ? parsePlace(location) : undefined
}

interface MirrorTable {
  readonly location: string
  readonly insecure?: boolean | undefined
  readonly 'pull-from-mirror'?: string | undefined
}

function mirrorOf(mirror: MirrorTable, byDigest: boolean): ContainersMirror {
  const { location, insecure = false } = mirror
  const pullFrom = byDigest ? 'digests' : (pullFromOf[mirror['pull-from-mirror'] ?? ''] ?? 'all')
  return { place: parsePlace(location), insecure, pullFrom }
}

const pullFromOf: Readonly<Record<string, PullFrom>> = { 'digest-only': 'digests', 'tag-only': 'tags' }
