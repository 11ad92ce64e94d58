import * as z from 'zod/mini'
import { type Digest, isDigest } from './digest.ts'
import { absentOr, defaultTo } from './document.ts'

const sizeSchema = z
  .int({ error: 'not a size that a number holds exactly' })
  .check(z.nonnegative({ error: 'a size is not negative' }))

/** A digest as it stands in a document: sha256 or sha512, checked. */
export const digestSchema = z.custom<Digest>(value => typeof value === 'string' && isDigest(value), {
  error: 'not a sha256 or sha512 digest',
})

/** `platform` as it stands in an index; what is missing is empty. */
export const platformSchema = z.looseObject({
  architecture: defaultTo(z.string(), () => ''),
  os: defaultTo(z.string(), () => ''),
  variant: absentOr(z.string()),
  'os.version': absentOr(z.string()),
  'os.features': absentOr(z.array(z.string())),
})

/** What a machine must be to run an image (image-spec v1.1, image-index.md). */
export type Platform = Readonly<z.infer<typeof platformSchema>>

/** A content descriptor (image-spec v1.1, descriptor.md). Fields that are not named here are kept. */
export const descriptorSchema = z.looseObject({
  mediaType: defaultTo(z.string(), () => ''),
  digest: digestSchema,
  size: sizeSchema,
  urls: absentOr(z.array(z.string())),
  annotations: absentOr(z.record(z.string(), z.string())),
  data: absentOr(z.string()),
  artifactType: absentOr(z.string()),
  platform: absentOr(platformSchema),
})

/** Points at content: what it is, which bytes, how many (image-spec v1.1, descriptor.md). `size` is in bytes. */
export type Descriptor = Readonly<z.infer<typeof descriptorSchema>>
