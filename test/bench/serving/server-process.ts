import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, open, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fastParent, makeTempDir } from '../../support/temp-dir.ts'
import type { Command } from '../case.ts'
import { dray } from '../programs.ts'

/** The registries that are compared. */
export type Server = 'dray' | 'docker-registry'

/** A registry that runs as a process of its own, over a folder in memory, empty at first. */
export interface ServerProcess extends AsyncDisposable {
  readonly port: number
  readonly pid: number
}

const startMs = 20_000

/**
 * Starts a registry as it comes: each logs its requests, to a file. docker-registry has the cache in memory that its own
 * configuration files give it.
 */
export async function startServer(server: Server, signal: AbortSignal): Promise<ServerProcess> {
  await using starting = new AsyncDisposableStack()
  const folder = starting.use(await makeTempDir(await fastParent()))
  const { program, args } = await commandOf(server, folder.path)
  const log = join(folder.path, 'log')
  await using output = await open(log, 'a')
  const env = { PATH: process.env.PATH, HOME: folder.path }
  const child = spawn(program, args, { env, stdio: ['ignore', output.fd, output.fd] })
  const ended = once(child, 'close')
  starting.defer(async () => {
    child.kill()
    await ended
  })
  const port = await Promise.race([
    findPort(log, AbortSignal.any([signal, AbortSignal.timeout(startMs)])),
    ended.then(async () => {
      throw new Error(`${server} ended: ${await readFile(log, 'utf8')}`)
    }),
  ])
  const started = starting.move()
  return { port, pid: child.pid ?? 0, [Symbol.asyncDispose]: () => started.disposeAsync() }
}

async function commandOf(server: Server, folder: string): Promise<Command> {
  const rootdirectory = join(folder, 'storage')
  if (server === 'dray') return dray('serve', rootdirectory, '--address', '127.0.0.1:0')
  await mkdir(rootdirectory)
  const config = join(folder, 'config.json') // JSON is YAML too
  const document = {
    version: 0.1,
    storage: {
      cache: { blobdescriptor: 'inmemory' },
      filesystem: { rootdirectory },
      delete: { enabled: true },
    },
    http: { addr: '127.0.0.1:0', secret: 'for the bench only' },
  }
  await writeFile(config, JSON.stringify(document))
  return { program: 'docker-registry', args: ['serve', config] }
}

/** Both say where they listen. */
async function findPort(log: string, signal: AbortSignal): Promise<number> {
  for (;;) {
    const port = /(?:listening on |at http:\/\/)127\.0\.0\.1:(\d+)/.exec(await readFile(log, 'utf8'))?.[1]
    if (port !== undefined) return Number(port)
    await wait(20, undefined, { signal })
  }
}
