import * as z from 'zod/mini'
import { type Digest, isDigest } from './digest.ts'
import { absentOr, defaultTo } from './document.ts'
import { platformSchema } from './platform.ts'

const sizeSchema = z
  .int({ error: 'not a size that a number holds exactly' })
  .check(z.nonnegative({ error: 'a size is not negative' }))

/** A digest as it stands in a document: sha256 or sha512, checked. */
export const digestSchema = z.custom<Digest>(value => typeof value === 'string' && isDigest(value), {
  error: 'not a sha256 or sha512 digest',
})

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
