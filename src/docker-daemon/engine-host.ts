import { DrayError, quote } from '../errors.ts'

/** Where an engine listens. */
export interface EngineHost {
  /** As it was written: `unix:///var/run/docker.sock`, for messages. */
  readonly name: string
  /** How node:http reaches it: a socket or named pipe, or a host. */
  readonly at:
    | { readonly socketPath: string }
    | { readonly host: string; readonly port: number | undefined; readonly isSecure: boolean }
}

/**
 * Reads what docker takes in DOCKER_HOST: `unix:///PATH`, `npipe:////./pipe/NAME`, `tcp://HOST[:PORT]`, and `http://` or
 * `https://` in its place.
 * @throws DrayError `USAGE`, `UNSUPPORTED` for `ssh://`
 */
export function parseEngineHost(text: string): EngineHost {
  const [, scheme, rest = ''] = /^([a-z]+):\/\/(.*)$/s.exec(text) ?? []
  if (scheme === 'unix' && rest.startsWith('/')) return { name: text, at: { socketPath: rest } }
  if (scheme === 'npipe' && rest !== '') {
    return { name: text, at: { socketPath: rest.replaceAll('/', '\\') } }
  }
  if (scheme === 'tcp' || scheme === 'http' || scheme === 'https') return parseTcp(text, scheme)
  if (scheme === 'ssh') {
    throw new DrayError('UNSUPPORTED', `an engine cannot be reached by ssh (${quote(withoutUser(text))})`, {
      hint: 'forward its socket: ssh -NL /tmp/docker.sock:/var/run/docker.sock HOST, and name unix:///tmp/docker.sock',
    })
  }
  throw malformed(text)
}

function parseTcp(text: string, scheme: string): EngineHost {
  const address = text.replace(/^tcp:/, 'http:')
  if (!URL.canParse(address)) throw malformed(text)
  const url = new URL(address)
  const hasMore = url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== ''
  if (hasMore || url.pathname !== '/') throw malformed(text)
  // URL leaves out a port that is the scheme's own.
  const written = /:([0-9]+)\/?$/.exec(text)?.[1]
  return {
    name: text,
    at: {
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: written === undefined ? undefined : Number(written),
      isSecure: scheme === 'https',
    },
  }
}

function malformed(text: string): DrayError {
  return new DrayError('USAGE', `${quote(withoutUser(text))} is not where an engine can listen`, {
    hint: 'it is unix:///PATH, tcp://HOST:PORT or, on Windows, npipe:////./pipe/docker_engine',
  })
}

/** There may be a password in it. */
function withoutUser(text: string): string {
  return text.replace(/\/\/.*@/s, '//')
}

/** What is known of the machine. */
export interface EnginePlaces {
  readonly platform: NodeJS.Platform
  readonly homeDir: string
  /** XDG_RUNTIME_DIR, where rootless engines listen. */
  readonly runtimeDir?: string | undefined
}

/** Where engines listen by themselves, docker's before podman's and the machine's before the user's. */
export function defaultEngineHosts({ platform, homeDir, runtimeDir }: EnginePlaces): string[] {
  if (platform === 'win32') return ['npipe:////./pipe/docker_engine']
  const own = runtimeDir === undefined ? [] : [`${runtimeDir}/docker.sock`]
  const podmans = runtimeDir === undefined ? [] : [`${runtimeDir}/podman/podman.sock`]
  return [
    '/var/run/docker.sock',
    ...own,
    `${homeDir}/.docker/run/docker.sock`,
    `${homeDir}/.docker/desktop/docker.sock`,
    ...podmans,
    '/run/podman/podman.sock',
  ].map(path => `unix://${path}`)
}
