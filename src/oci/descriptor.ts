import { z } from 'zod/mini'
import { type Digest, isDigest } from './digest.ts'
import { platformSchema } from './platform.ts'

/** Image-spec's limit is the registry's; a size beyond what a JavaScript number holds is refused. */
const sizeSchema = z.int().check(z.nonnegative())

export const digestSchema = z.custom<Digest>(value => typeof value === 'string' && isDigest(value), {
  error: 'not a sha256 or sha512 digest',
})

/** A content descriptor (image-spec v1.1, descriptor.md). Fields that are not named here are kept. */
export const descriptorSchema = z.looseObject({
  mediaType: z._default(z.string(), ''),
  digest: digestSchema,
  size: sizeSchema,
  urls: z.optional(z.array(z.string())),
  annotations: z.optional(z.record(z.string(), z.string())),
  data: z.optional(z.string()),
  artifactType: z.optional(z.string()),
  platform: z.optional(platformSchema),
})

/** Points at content: what it is, which bytes, how many (image-spec v1.1, descriptor.md). `size` is in bytes. */
export type Descriptor = Readonly<z.infer<typeof descriptorSchema>>
