import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type Config, openConfig } from '../../src/config/config.ts'
import type { ConfigContext } from '../../src/config/context.ts'
import { makeTempDir, type TempDir } from '../support/temp-dir.ts'

/** A home folder and a system of a test's own. */
export interface Sandbox extends AsyncDisposable {
  readonly context: ConfigContext
  readonly warnings: readonly string[]
  /** The path of a file: `home/.config/dray/config.yaml`, `etc/containers/registries.conf`. */
  path(file: string): string
  write(file: string, text: string, mode?: number): Promise<string>
  /** The configuration that these files make. */
  open(context?: Partial<ConfigContext>): Promise<Config>
}

/** Where dray's own configuration is looked for in a sandbox. */
export const ownFile = 'home/.config/dray/config.yaml'

/** Makes one: `await using sandbox = await makeSandbox()`. */
export async function makeSandbox(): Promise<Sandbox> {
  const folder: TempDir = await makeTempDir()
  const path = (file: string) => join(folder.path, file)
  const warnings: string[] = []
  const context: ConfigContext = {
    env: {},
    homeDir: path('home'),
    platform: 'linux',
    etcDir: path('etc'),
    onWarning: message => warnings.push(message),
  }
  return {
    context,
    warnings,
    path,
    async write(file, text, mode = 0o600) {
      await mkdir(dirname(path(file)), { recursive: true })
      await writeFile(path(file), text, { mode })
      return path(file)
    },
    open: more => openConfig({ ...context, ...more }),
    [Symbol.asyncDispose]: () => folder.remove(),
  }
}
