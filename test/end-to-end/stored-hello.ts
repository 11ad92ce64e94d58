import { join } from 'node:path'
import { type DockerRegistry, startDockerRegistry } from '../support/docker-registry.ts'
import { fixturePath } from '../support/fixtures.ts'
import { makeTempDir } from '../support/temp-dir.ts'
import { dray } from './dray.ts'

/** A real registry that holds `app/hello` with the tags 1.0 and 1.1 and `db/hello:1.0`, and a folder to write to. */
export interface StoredHello extends AsyncDisposable {
  readonly registry: DockerRegistry
  readonly host: string
  /** A path in the folder. */
  path(name: string): string
}

export async function startStoredHello(): Promise<StoredHello> {
  await using starting = new AsyncDisposableStack()
  const registry = starting.use(await startDockerRegistry())
  const folder = starting.use(await makeTempDir())
  const { host } = registry
  await Promise.all([
    dray(['copy', `oci:${fixturePath('hello')}:1.0`, `${host}/app/hello:1.0`]),
    dray(['copy', `oci:${fixturePath('hello')}:1.1`, `${host}/app/hello:1.1`]),
    dray(['copy', `oci:${fixturePath('hello-docker')}:1.0`, `${host}/db/hello:1.0`]),
  ])
  const started = starting.move()
  return {
    registry,
    host,
    path: name => join(folder.path, name),
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }
}
