import { dirname, resolve } from 'node:path'
import { parseDocument, resolvePath } from '../../config/document.ts'
import { readBounded } from '../../files/read-bounded.ts'
import type { ServeConfig } from './config-schema.ts'

export type { ServeConfig } from './config-schema.ts'

const maxConfigBytes = 1024 * 1024

/**
 * Reads a file (YAML) that says how a folder is served. Paths in it start from its own folder, and come out absolute.
 * @throws DrayError `USAGE` that names the file, the line and the key, `IO`
 */
export async function readServeConfig(file: string, homeDir: string): Promise<ServeConfig> {
  const text = (await readBounded(file, maxConfigBytes, 'IO')).toString('utf8')
  const { serveSchema } = await import('./config-schema.ts')
  const config = await parseDocument(text, file, serveSchema)
  const base = { folder: dirname(resolve(file)), homeDir }
  const { tls, auth } = config
  return {
    ...config,
    ...(tls && { tls: withPaths(tls, ['cert', 'key', 'clientCa']) }),
    ...(auth && {
      auth: {
        ...withPaths(auth, ['htpasswd']),
        ...(auth.token && { token: withPaths(auth.token, ['keyFile', 'jwksFile']) }),
        ...(auth.external && { external: withPaths(auth.external, ['keys']) }),
      },
    }),
  }

  function withPaths<Part extends object>(part: Part, keys: readonly (keyof Part)[]): Part {
    const paths = keys.flatMap(key => {
      const path = part[key]
      return typeof path === 'string' ? [[key, resolvePath(path, base)] as const] : []
    })
    return { ...part, ...Object.fromEntries(paths) }
  }
}
