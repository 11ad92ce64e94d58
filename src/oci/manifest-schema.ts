import * as z from 'zod/mini'
import { descriptorSchema } from './descriptor.ts'
import { absentOr, defaultTo } from './document.ts'

/** What all kinds of manifest may have. */
const sharedFields = {
  mediaType: absentOr(z.string()),
  artifactType: absentOr(z.string()),
  subject: absentOr(descriptorSchema),
  annotations: absentOr(z.record(z.string(), z.string())),
}

const descriptorsSchema = defaultTo(z.array(descriptorSchema), () => [])

/** The shape of an index. */
export const indexSchema = z.looseObject({
  ...sharedFields,
  schemaVersion: absentOr(z.number()),
  manifests: descriptorsSchema,
})

/** The shape of an image manifest. */
export const imageSchema = z.looseObject({
  ...sharedFields,
  schemaVersion: absentOr(z.number()),
  config: descriptorSchema,
  layers: descriptorsSchema,
})

/** The shape of an artifact manifest. */
export const artifactSchema = z.looseObject({ ...sharedFields, blobs: descriptorsSchema })

/** An OCI index or a Docker manifest list (image-spec v1.1, image-index.md). */
export type ImageIndex = Readonly<z.infer<typeof indexSchema>>
/** An OCI or Docker image manifest, which artifacts use too (image-spec v1.1, manifest.md). */
export type ImageManifest = Readonly<z.infer<typeof imageSchema>>
/** The artifact manifest of image-spec's release candidates: `blobs` and no config. */
export type ArtifactManifest = Readonly<z.infer<typeof artifactSchema>>
