import * as z from 'zod/mini'
import { maxConfigBytes } from '../oci/config.ts'
import { absentOr, checkShape, defaultTo } from '../oci/document.ts'
import type { TarFile } from '../tar/tar-file.ts'
import { readFile, readJson } from './archive-file.ts'
import { fullName } from './image-name.ts'

/** An image as the archive lists it. */
export interface ArchivedImage {
  /** Its names with their tags in full (`docker.io/library/hello:1.0`). */
  readonly names: readonly string[]
  /** @throws DrayError `INTEGRITY`, `ABORTED`, `IO` */
  read(): Promise<ImageParts>
}

/** What an image consists of. */
export interface ImageParts {
  /** The bytes of its config. */
  readonly config: Uint8Array
  /** Where its layers are in the archive, lowest first. */
  readonly layers: readonly string[]
}

/** Enough for the names of twenty thousand images. */
const maxManifestJsonBytes = 16 * 1024 * 1024

const namesSchema = defaultTo(z.array(z.string()), () => [])

const manifestJsonSchema = z.array(
  z.looseObject({ Config: z.string(), RepoTags: namesSchema, Layers: absentOr(z.array(z.string())) }),
)

/**
 * The images that manifest.json lists (docker's image specification v1.2, "Combined Image JSON + Filesystem Changeset
 * Format"); undefined where there is no such file, as before docker 1.10.
 * @throws DrayError `INTEGRITY`, `ABORTED`, `IO`
 */
export async function listedImages(
  tar: TarFile,
  signal?: AbortSignal,
): Promise<readonly ArchivedImage[] | undefined> {
  const document = await readJson(tar, 'manifest.json', { limit: maxManifestJsonBytes, signal })
  if (document === undefined) return undefined
  const listed = checkShape(manifestJsonSchema, document, `${tar.name}: manifest.json`)
  return listed.map(({ Config: path, RepoTags, Layers: layers = [] }) => ({
    names: [...new Set(RepoTags.map(fullName))],
    read: async () => ({ config: await readFile(tar, path, { limit: maxConfigBytes, signal }), layers }),
  }))
}
