import { DrayError, quote } from '../errors.ts'
import { parseRegistry, repositoryFault } from '../oci/reference.ts'
import { checkMirrorName } from '../server/mirror/mirror-name.ts'
import type { MirroredRegistry } from '../server/server.ts'
import type { CliContext } from './context.ts'
import type { EndFlags } from './options.ts'
import { type CommonFlags, Session } from './session.ts'

/** Another registry that is served too, and where it is. */
export interface MirrorPlace {
  /** What its repositories have in front of their names: `docker.io`. */
  readonly name: string
  readonly registry: string
  readonly plainHttp: boolean
  /** What the repositories have in front of their names there, with a slash behind: a proxy project of Harbor's. */
  readonly prefix: string
}

/**
 * Reads `docker.io=https://registry-1.docker.io`.
 * @throws DrayError `USAGE`
 */
export function parseMirror(text: string): MirrorPlace {
  const equals = text.indexOf('=')
  if (equals > 0) return mirrorPlace(text.slice(0, equals), text.slice(equals + 1))
  throw new DrayError('USAGE', `${quote(text)} is no mirror`, { hint: mirrorHint })
}

const mirrorHint = 'for example docker.io=https://registry-1.docker.io'

/** @throws DrayError `USAGE` */
export function mirrorPlace(name: string, address: string): MirrorPlace {
  checkMirrorName(name)
  const url = URL.canParse(address) ? new URL(address) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol) || `${url.search}${url.hash}` !== '') {
    const message = `the address of the mirrored registry ${name} must be an https:// or http:// URL`
    throw new DrayError('USAGE', message, { hint: mirrorHint })
  }
  if (`${url.username}${url.password}` !== '') {
    const hint = `log in with: dray login ${url.host}`
    throw new DrayError('USAGE', `the address of the mirrored registry ${name} must hold no login`, { hint })
  }
  const path = url.pathname.replace(/^\/v2(?=\/|$)/, '').replace(/^\/+|\/+$/g, '')
  const fault = path === '' ? undefined : repositoryFault(path)
  if (fault !== undefined) throw new DrayError('USAGE', `the mirrored registry ${name}: ${fault}`)
  const prefix = path === '' ? '' : `${path}/`
  return { name, registry: parseRegistry(url.host), plainHttp: url.protocol === 'http:', prefix }
}

/** A mirror, and how long what a tag stands for is not asked there again, in milliseconds. */
export interface MirrorSettings {
  readonly place: MirrorPlace
  readonly freshMs: number | undefined
}

/** What opening mirrors takes. */
export interface OpenMirrorsOptions {
  readonly context: CliContext
  readonly flags: CommonFlags
  /** How the registries are reached, all of them. */
  readonly connection: EndFlags
  readonly onWarning: (message: string) => void
}

/** Mirrored registries as a server takes them, and the connections to them. */
export interface OpenMirrors extends AsyncDisposable {
  readonly mirrors: readonly MirroredRegistry[]
}

/** A client that waits has more of a quick answer, even if that is no. */
const haste: EndFlags = { timeout: 15_000, retries: 1, maxRetryAfter: 5000 }

/** Opens mirrored registries with the logins and settings that every verb uses; each repository when it is asked for. */
export function openMirrors(settings: readonly MirrorSettings[], options: OpenMirrorsOptions): OpenMirrors {
  const { context, flags, connection, onWarning } = options
  if (settings.length === 0) return { mirrors: [], [Symbol.asyncDispose]: async () => undefined }
  // Not the program's: when that ends, clients get what is on its way to them.
  const ending = new AbortController()
  const session = new Session({ ...context, signal: ending.signal, isLasting: true }, flags, {
    registries: settings.map(({ place }) => place.registry),
    onEvent: event => {
      if (event.type === 'warning') onWarning(event.message)
    },
  })
  return {
    mirrors: settings.map(({ place: { name, registry, plainHttp, prefix }, freshMs }) => ({
      name,
      freshMs,
      open: path => {
        const target = { registry, repository: `${prefix}${path}` }
        return session.connections.repository(target, { ...haste, ...connection, plainHttp })
      },
    })),
    async [Symbol.asyncDispose]() {
      ending.abort()
      await session.close()
    },
  }
}
