import type { ImageConfig } from '../oci/config.ts'
import type { Manifest } from '../oci/manifest.ts'
import { isConfigType } from '../oci/media-types.ts'

/** Fields by names such as `user`, `env.PATH` and `annotations.org.opencontainers.image.title`; values are JSON. */
export type Fields = ReadonlyMap<string, unknown>

/** Told by the layers and the history, or left behind by an old builder's own containers. */
const skipped = ['config', 'rootfs', 'history', 'container', 'container_config', 'id', 'parent']

/** What people call the fields of a config otherwise than in lower case. */
const names: Readonly<Record<string, string>> = { WorkingDir: 'workdir', ExposedPorts: 'ports' }

/** What a manifest says of itself, without what it lists. */
export function manifestFields(manifest: Manifest): Fields {
  const { artifactType, annotations, subject } = manifest.content
  const config = manifest.kind === 'image' ? manifest.content.config : undefined
  // Of an image's config the fields are compared; of what an artifact has in that place there is only the digest.
  const isOpaque = config !== undefined && !isConfigType(config.mediaType)
  return filled([
    ['mediaType', manifest.mediaType],
    ['artifactType', artifactType],
    ['subject', subject?.digest],
    ['config.mediaType', config?.mediaType],
    ['config.digest', isOpaque ? config.digest : undefined],
    ...pairs('annotations', annotations),
  ])
}

/** What an image's configuration says, without layers and history. */
export function configFields(config: ImageConfig): Fields {
  const own = Object.entries(config).filter(([name]) => !skipped.includes(name))
  const run = Object.entries(config.config ?? {}).flatMap(([name, value]): [string, unknown][] => {
    if (name === 'Env') return envPairs(config.config?.Env)
    const called = names[name] ?? name.toLowerCase()
    return isRecord(value) && isKeyed(name) ? pairs(called, value) : [[called, value]]
  })
  return filled([...own, ...run])
}

function envPairs(env: readonly string[] = []): [string, unknown][] {
  return env.map(line => {
    const [, name = line, value = ''] = /^([^=]*)=(.*)$/s.exec(line) ?? []
    return [`env.${name}`, value]
  })
}

function isKeyed(name: string): boolean {
  return ['Labels', 'ExposedPorts', 'Volumes'].includes(name)
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Ports and volumes have empty objects as their values, which say no more than that they are there. */
function pairs(name: string, record: Readonly<Record<string, unknown>> = {}): [string, unknown][] {
  return Object.entries(record).map(([key, value]) => [`${name}.${key}`, isRecord(value) ? true : value])
}

/** Without what says nothing: engines and builders write empty fields or leave them out. */
function filled(fields: readonly (readonly [string, unknown])[]): Fields {
  const isEmpty = (value: unknown) =>
    value === undefined || value === null || value === '' || value === false || isEmptyContainer(value)
  return new Map(
    fields.filter(([name, value]) => (name.includes('.') ? value !== undefined : !isEmpty(value))),
  )
}

function isEmptyContainer(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0
}
