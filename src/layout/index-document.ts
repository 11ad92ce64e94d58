import * as z from 'zod/mini'
import { DrayError } from '../errors.ts'
import { mediaTypes } from '../oci/media-types.ts'
import { indexEntrySchema } from './index-entries.ts'

/** The largest index.json that is read, in bytes. */
export const maxIndexBytes = 64 * 1024 * 1024

/** Go programs write an empty list as null. */
const indexSchema = z.looseObject({ manifests: z.nullable(z.array(indexEntrySchema)) })

/** What index.json holds (image-spec v1.1, image-layout.md#indexjson-file). */
export type IndexDocument = z.infer<typeof indexSchema>

/** An index.json that lists nothing. */
export const emptyIndex: IndexDocument = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] }

/**
 * Reads the content of index.json.
 * @param path what the file is called in messages
 * @throws DrayError `INTEGRITY` for what is malformed, and where there is no such file
 */
export function parseIndex(bytes: Buffer | undefined, path: string): IndexDocument {
  if (bytes === undefined) throw new DrayError('INTEGRITY', `${path}: the layout has no index.json`)
  let document: unknown
  try {
    document = JSON.parse(bytes.toString('utf8'))
  } catch (cause) {
    throw new DrayError('INTEGRITY', `${path}: not JSON`, { cause })
  }
  const result = indexSchema.safeParse(document)
  // The document itself and not zod's copy of it, which has its keys in another order.
  if (result.success) return document as IndexDocument
  const where = result.error.issues[0]?.path.map(String).join('.') || 'index'
  throw new DrayError('INTEGRITY', `${path}: malformed at "${where}"`)
}

/** The content of index.json. */
export function formatIndex(document: IndexDocument): string {
  return `${JSON.stringify(document)}\n`
}
