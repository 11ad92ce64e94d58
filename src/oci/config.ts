import { z } from 'zod/mini'
import { DrayError } from '../errors.ts'

/** The largest image config that is read into memory, in bytes. */
export const maxConfigBytes = 16 * 1024 * 1024

const nullable = <Schema extends z.ZodMiniType>(schema: Schema) => z.optional(z.nullable(schema))

const configSchema = z.looseObject({
  created: nullable(z.string()),
  author: nullable(z.string()),
  architecture: nullable(z.string()),
  os: nullable(z.string()),
  variant: nullable(z.string()),
  'os.version': nullable(z.string()),
  config: nullable(
    z.looseObject({
      User: nullable(z.string()),
      ExposedPorts: nullable(z.record(z.string(), z.unknown())),
      Env: nullable(z.array(z.string())),
      Entrypoint: nullable(z.union([z.array(z.string()), z.string()])),
      Cmd: nullable(z.union([z.array(z.string()), z.string()])),
      Volumes: nullable(z.record(z.string(), z.unknown())),
      WorkingDir: nullable(z.string()),
      Labels: nullable(z.record(z.string(), z.string())),
      StopSignal: nullable(z.string()),
    }),
  ),
  rootfs: nullable(z.looseObject({ type: nullable(z.string()), diff_ids: nullable(z.array(z.string())) })),
  history: nullable(
    z.array(
      z.looseObject({
        created: nullable(z.string()),
        created_by: nullable(z.string()),
        author: nullable(z.string()),
        comment: nullable(z.string()),
        empty_layer: nullable(z.boolean()),
      }),
    ),
  ),
})

/** An image's configuration (image-spec v1.1, config.md; Docker's differs in no field that is read here). */
export type ImageConfig = Readonly<z.infer<typeof configSchema>>

/** @throws DrayError `INTEGRITY` when the bytes are not an image configuration */
export function parseConfig(bytes: Uint8Array, name: string): ImageConfig {
  let document: unknown
  try {
    document = JSON.parse(new TextDecoder().decode(bytes))
  } catch (cause) {
    throw new DrayError('INTEGRITY', `${name}: the config is not JSON`, { cause })
  }
  const result = configSchema.safeParse(document)
  if (result.success) return result.data
  const where = result.error.issues[0]?.path.map(String).join('.') || 'config'
  throw new DrayError('INTEGRITY', `${name}: the config is malformed at "${where}"`)
}
