import { type Running, startDray } from '../support/run.ts'

/** A running `dray serve`. */
export interface Served {
  readonly running: Running
  /** `127.0.0.1:PORT`, as references have it. */
  readonly host: string
  readonly url: string
  readonly metricsUrl?: string
}

/** Starts `dray serve` on a free port; resolves when it listens. */
export async function serve(dir: string, ...flags: string[]): Promise<Served> {
  const running = await startDray(['serve', dir, '--address', '127.0.0.1:0', '--format', 'json', ...flags])
  await running.printed(/^\}$/m)
  const { host, port, ...rest } = JSON.parse(running.stdout) as { host: string; port: number; url: string }
  return { running, host: `${host}:${port}`, ...rest }
}
