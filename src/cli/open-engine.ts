import { join } from 'node:path'
import type { Engine } from '../docker-daemon/engine.ts'
import type { CliContext } from './context.ts'

/**
 * Connects with the engine that the environment names as docker does (`DOCKER_HOST`, `DOCKER_CERT_PATH`,
 * `DOCKER_TLS_VERIFY`), or else with the first one that listens where engines listen by themselves.
 * @param timeoutMs how long it may be silent
 * @throws DrayError `NETWORK`, `TIMEOUT`, `USAGE` and `UNSUPPORTED` for a host that cannot be one
 */
export async function openEngine(
  { env, homeDir, platform, signal }: CliContext,
  timeoutMs: number | undefined,
): Promise<Engine> {
  const { connectEngine } = await import('../docker-daemon/engine.ts')
  const { DOCKER_HOST: host, DOCKER_CERT_PATH: folder, DOCKER_TLS_VERIFY: verify } = env
  if (!host) {
    const { defaultEngineHosts } = await import('../docker-daemon/engine-host.ts')
    const runtimeDir = env.XDG_RUNTIME_DIR || undefined
    const [first = '', ...others] = defaultEngineHosts({ platform, homeDir, runtimeDir })
    return connectEngine([first, ...others], { timeoutMs, signal })
  }
  const { readEngineTls } = await import('../docker-daemon/engine-tls.ts')
  const wantsTls = /^(?:tcp|https?):/.test(host) && Boolean(folder || verify)
  const tls = wantsTls ? await readEngineTls(folder || join(homeDir, '.docker'), Boolean(verify)) : undefined
  return connectEngine([host], { tls, timeoutMs, signal })
}
