import * as z from 'zod/mini'
import { absentOr, checkShape, parseJson } from './document.ts'

/** The largest image config that is read into memory, in bytes. */
export const maxConfigBytes = 16 * 1024 * 1024

const configSchema = z.looseObject({
  created: absentOr(z.string()),
  author: absentOr(z.string()),
  architecture: absentOr(z.string()),
  os: absentOr(z.string()),
  variant: absentOr(z.string()),
  'os.version': absentOr(z.string()),
  config: absentOr(
    z.looseObject({
      User: absentOr(z.string()),
      ExposedPorts: absentOr(z.record(z.string(), z.unknown())),
      Env: absentOr(z.array(z.string())),
      Entrypoint: absentOr(z.union([z.array(z.string()), z.string()])),
      Cmd: absentOr(z.union([z.array(z.string()), z.string()])),
      Volumes: absentOr(z.record(z.string(), z.unknown())),
      WorkingDir: absentOr(z.string()),
      Labels: absentOr(z.record(z.string(), z.string())),
      StopSignal: absentOr(z.string()),
    }),
  ),
  rootfs: absentOr(z.looseObject({ type: absentOr(z.string()), diff_ids: absentOr(z.array(z.string())) })),
  history: absentOr(
    z.array(
      z.looseObject({
        created: absentOr(z.string()),
        created_by: absentOr(z.string()),
        author: absentOr(z.string()),
        comment: absentOr(z.string()),
        empty_layer: absentOr(z.boolean()),
      }),
    ),
  ),
})

/** An image's configuration (image-spec v1.1, config.md; Docker's differs in no field that is read here). */
export type ImageConfig = Readonly<z.infer<typeof configSchema>>

/**
 * Reads an image's configuration; fields that are null count as absent. `name` begins the messages.
 * @throws DrayError `INTEGRITY` when the bytes are not an image configuration
 */
export function parseConfig(bytes: Uint8Array, name: string): ImageConfig {
  const what = `${name}: the config`
  return checkShape(configSchema, parseJson(bytes, what), what)
}
