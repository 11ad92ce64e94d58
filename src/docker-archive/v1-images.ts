import * as z from 'zod/mini'
import { quote } from '../errors.ts'
import { maxConfigBytes } from '../oci/config.ts'
import { absentOr, checkShape } from '../oci/document.ts'
import type { TarFile } from '../tar/tar-file.ts'
import { tarFault } from '../tar/tar-limits.ts'
import { readJson } from './archive-file.ts'
import type { ArchivedImage, ImageParts } from './archived-image.ts'
import { fullName } from './image-name.ts'
import type { LayerFiles } from './layer-files.ts'

const maxRepositoriesBytes = 16 * 1024 * 1024
/** Engines of that time went no deeper than 127. */
const mostLayers = 1000

const repositoriesSchema = z.record(z.string(), z.record(z.string(), z.string()))

const layerSchema = z.looseObject({
  parent: absentOr(z.string()),
  created: absentOr(z.string()),
  author: absentOr(z.string()),
  comment: absentOr(z.string()),
  container_config: absentOr(z.looseObject({ Cmd: absentOr(z.array(z.string())) })),
})

/** A layer of that time: its `json` as it stands in the archive, and what is read of it. */
interface V1Layer {
  readonly id: string
  readonly document: Readonly<Record<string, unknown>>
  readonly content: z.infer<typeof layerSchema>
}

/**
 * The images of an archive without manifest.json, as engines before docker 1.10 wrote it: a folder for each layer with
 * `json` and `layer.tar`, and `repositories` where images were saved by name (docker's image specification v1, "Combined
 * Image JSON + Filesystem Changeset Format"). Undefined where there is no such folder.
 *
 * An image gets the config that docker makes for it when it loads it (compared with 20.10), and so the same image ID.
 * @throws DrayError `INTEGRITY`, `ABORTED`, `IO`
 */
export async function v1Images(
  tar: TarFile,
  files: LayerFiles,
  signal?: AbortSignal,
): Promise<readonly ArchivedImage[] | undefined> {
  const ids = layerIds(tar)
  if (ids.length === 0) return undefined
  const names = await readNames(tar, signal)
  const tops = names.size > 0 ? [...names.keys()] : await readTops(tar, ids, signal)
  return tops.map(id => ({
    names: names.get(id) ?? [],
    read: async () => partsOf(await readChain(tar, id, signal), files, signal),
  }))
}

function layerIds(tar: TarFile): string[] {
  const ids = tar.entries.map(({ name }) => /^(?:\.\/)?([0-9a-f]{64})\/json$/.exec(name)?.[1])
  return [...new Set(ids.filter(id => id !== undefined))]
}

/** The names in full of each layer that `repositories` names. */
async function readNames(tar: TarFile, signal: AbortSignal | undefined): Promise<Map<string, string[]>> {
  const document = await readJson(tar, 'repositories', { limit: maxRepositoriesBytes, signal })
  const repositories = checkShape(repositoriesSchema, document ?? {}, `${tar.name}: repositories`)
  const names = new Map<string, string[]>()
  for (const [repository, tags] of Object.entries(repositories)) {
    for (const [tag, id] of Object.entries(tags)) {
      names.set(id, [...(names.get(id) ?? []), fullName(`${repository}:${tag}`)])
    }
  }
  return names
}

/** The layers that are no other's parent. */
async function readTops(
  tar: TarFile,
  ids: readonly string[],
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const parents = new Set<string | undefined>()
  for (const id of ids) parents.add((await readLayer(tar, id, signal)).content.parent)
  return ids.filter(id => !parents.has(id))
}

/** A layer and those below it, lowest first. */
async function readChain(tar: TarFile, top: string, signal: AbortSignal | undefined): Promise<V1Layer[]> {
  const chain: V1Layer[] = []
  for (let id: string | undefined = top; id !== undefined && id !== ''; ) {
    if (chain.length === mostLayers) {
      throw tarFault(tar.name, `the parents of layer ${quote(top)} are a circle, or more than ${mostLayers}`)
    }
    const layer: V1Layer = await readLayer(tar, id, signal)
    chain.unshift(layer)
    id = layer.content.parent
  }
  return chain
}

async function readLayer(tar: TarFile, id: string, signal: AbortSignal | undefined): Promise<V1Layer> {
  const path = `${id}/json`
  const document = await readJson(tar, path, { limit: maxConfigBytes, signal })
  if (document === undefined) throw tarFault(tar.name, `the archive has no layer ${quote(id)}`)
  const content = checkShape(layerSchema, document, `${tar.name}: ${quote(path)}`)
  return { id, document: document as V1Layer['document'], content }
}

async function partsOf(
  chain: readonly V1Layer[],
  files: LayerFiles,
  signal: AbortSignal | undefined,
): Promise<ImageParts> {
  const layers = chain.map(({ id }) => `${id}/layer.tar`)
  const diffIds: string[] = []
  for (const path of layers) diffIds.push((await files.measure(path, signal)).diffId)
  return { config: configOf(chain, diffIds), layers }
}

/** Fields that belong to the layer and not to the image. */
const ofLayer = new Set(['id', 'parent', 'parent_id', 'layer_id', 'throwaway', 'Size'])

/** As docker writes it: fields in the order of their names, and without `<`, `>` and `&`. */
function configOf(chain: readonly V1Layer[], diffIds: readonly string[]): Uint8Array {
  const own = Object.entries(chain.at(-1)?.document ?? {}).filter(([field]) => !ofLayer.has(field))
  const added = { rootfs: { type: 'layers', diff_ids: diffIds }, history: chain.map(historyOf) }
  const fields = Object.entries({ ...Object.fromEntries(own), ...added })
  const sorted = fields.sort(([one], [other]) => (one < other ? -1 : 1))
  const json = JSON.stringify(Object.fromEntries(sorted))
  return Buffer.from(json.replace(/[<>&\u2028\u2029]/g, escapeCharacter))
}

function historyOf({ content }: V1Layer): Record<string, string | undefined> {
  const { created, author, comment, container_config: container } = content
  return {
    created,
    author: author || undefined,
    created_by: container?.Cmd?.join(' ') || undefined,
    comment: comment || undefined,
  }
}

function escapeCharacter(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}
