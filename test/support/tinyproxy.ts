import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { onFreePort } from './free-port.ts'
import { start } from './run.ts'
import { makeTempDir } from './temp-dir.ts'

export interface TinyproxyOptions {
  /** With it the proxy asks for a login by Basic; letters and digits. */
  readonly login?: { readonly user: string; readonly password: string } | undefined
  /** The ports that tunnels may go to; all if not given. */
  readonly connectPorts?: readonly number[] | undefined
}

/** Debian's tinyproxy, a forward proxy on a free port of 127.0.0.1. */
export interface Tinyproxy extends AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly host: string
  /** What it was asked so far, those that it refused too: `CONNECT host:port`, or the method and the whole URL. */
  asked(): string[]
}

/** Starts a proxy and returns when it listens. */
export async function startTinyproxy(options: TinyproxyOptions = {}): Promise<Tinyproxy> {
  await using starting = new AsyncDisposableStack()
  const folder = starting.use(await makeTempDir())
  const { port, running } = await onFreePort(async port => {
    const file = join(folder.path, `tinyproxy-${port}.conf`)
    await writeFile(file, configuration(port, options))
    const running = await start('tinyproxy', ['-d', '-c', file])
    await running.printed(/Accepting connections/)
    return { port, running }
  })
  starting.use(running)
  const started = starting.move()
  return {
    host: `127.0.0.1:${port}`,
    asked: () =>
      [...running.stdout.matchAll(/Request \(file descriptor \d+\): (.*) HTTP\/1\.\d/g)].map(
        ([, line = '']) => line,
      ),
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }
}

function configuration(port: number, { login, connectPorts = [] }: TinyproxyOptions): string {
  const lines = [`Port ${port}`, 'Listen 127.0.0.1', 'Timeout 60', 'MaxClients 100', 'LogLevel Info']
  if (login !== undefined) lines.push(`BasicAuth ${login.user} ${login.password}`)
  return [...lines, ...connectPorts.map(allowed => `ConnectPort ${allowed}`), ''].join('\n')
}
