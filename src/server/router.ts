import { type Access, catalogAccess, repositoryAccess } from './auth/access.ts'
import { deleteBlob, getBlob } from './endpoints/blobs.ts'
import { listRepositories } from './endpoints/catalog.ts'
import { deleteManifest, getManifest, putManifest } from './endpoints/manifests.ts'
import { listReferrers } from './endpoints/referrers.ts'
import { listTags } from './endpoints/tags.ts'
import { appendChunk, cancelUpload, finishUpload, getUpload, startUpload } from './endpoints/uploads.ts'
import { methodNotAllowed, RegistryFault } from './errors.ts'
import type { Exchange } from './exchange.ts'
import type { AskedName, Mirrors } from './mirror/mirrors.ts'
import type { MirroredRepository } from './mirror/repository.ts'
import { checkRepository, type Storage } from './storage/storage.ts'
import type { Target } from './target.ts'

type Handler = (exchange: Exchange, target: Target, storage: Storage) => Promise<void> | void
type Right = 'nothing' | 'catalog' | 'pull' | 'push' | 'delete'

interface Action {
  readonly handle: Handler
  readonly right: Right
}

/** What a request asks for: who may do it, and doing it. */
export interface Route {
  readonly access: readonly Access[]
  /** What it can do without: a mount that may not be is an upload. */
  readonly useful: readonly Access[]
  readonly writes: boolean
  /** Whose content it is about, where it is another registry's. */
  readonly mirrored: MirroredRepository | undefined
  /** What can be done at the same path without writing. */
  readonly readingMethods: readonly string[]
  run(storage: Storage): Promise<void>
}

interface Endpoint {
  /** Over the path as it was sent; the groups `name` and `reference` are what it names. */
  readonly pattern: RegExp
  readonly methods: Readonly<Record<string, Action>>
}

const read = (handle: Handler, right: Right = 'pull') => ({ GET: { handle, right }, HEAD: { handle, right } })

/** Names may hold parts called `manifests` or `tags`, so the last of them counts; the first endpoint that fits is it. */
const endpoints: readonly Endpoint[] = [
  { pattern: /^\/v2\/?$/, methods: read(ping, 'nothing') },
  { pattern: /^\/v2\/_catalog$/, methods: read(listRepositories, 'catalog') },
  {
    pattern: /^\/v2\/(?<name>.*)\/manifests\/(?<reference>[^/]+)$/,
    methods: {
      ...read(getManifest),
      PUT: { handle: putManifest, right: 'push' },
      DELETE: { handle: deleteManifest, right: 'delete' },
    },
  },
  {
    pattern: /^\/v2\/(?<name>.*)\/blobs\/uploads\/?$/,
    methods: { POST: { handle: startUpload, right: 'push' } },
  },
  {
    pattern: /^\/v2\/(?<name>.*)\/blobs\/uploads\/(?<reference>[^/]+)$/,
    methods: {
      ...read(getUpload, 'push'),
      PATCH: { handle: appendChunk, right: 'push' },
      PUT: { handle: finishUpload, right: 'push' },
      DELETE: { handle: cancelUpload, right: 'push' },
    },
  },
  {
    pattern: /^\/v2\/(?<name>.*)\/blobs\/(?<reference>[^/]+)$/,
    methods: { ...read(getBlob), DELETE: { handle: deleteBlob, right: 'delete' } },
  },
  { pattern: /^\/v2\/(?<name>.*)\/tags\/list$/, methods: read(listTags) },
  { pattern: /^\/v2\/(?<name>.*)\/referrers\/(?<reference>[^/]+)$/, methods: read(listReferrers) },
]

/**
 * Finds what a request asks for, of this registry or of one that it answers for.
 * @throws RegistryFault 404 for a path that means nothing, 405 for a method, `NAME_INVALID`
 */
export async function findRoute(exchange: Exchange, mirrors?: Mirrors): Promise<Route> {
  const { endpoint, groups } = findEndpoint(exchange.path)
  const action = Object.hasOwn(endpoint.methods, exchange.method)
    ? endpoint.methods[exchange.method]
    : undefined
  if (action === undefined) throw methodNotAllowed(exchange.method, Object.keys(endpoint.methods))
  if (groups.name !== undefined) checkRepository(groups.name)
  const askedAs = groups.name ?? ''
  const mirrored =
    groups.name === undefined ? undefined : await mirrors?.locate(askedName(exchange, askedAs, action))
  const repository = mirrored?.name ?? askedAs
  const target = { repository, askedAs, mirrored, reference: decode(groups.reference ?? '') }
  return {
    access: accessTo(action.right, target),
    useful: mountAccess(exchange),
    writes: writes(action),
    mirrored,
    readingMethods: Object.entries(endpoint.methods).flatMap(([method, other]) =>
      writes(other) ? [] : [method],
    ),
    run: async storage => {
      // The upstream may take longer to answer than a connection may be idle.
      if (mirrored !== undefined) exchange.allowSilence()
      await action.handle(exchange, target, storage)
    },
  }
}

/** Who asks by HEAD may be about to push: that it is elsewhere does not help. Docker asks by GET where a HEAD fails. */
function askedName({ method, query }: Exchange, name: string, action: Action): AskedName {
  return { name, namespace: query.get('ns'), mayGuess: !writes(action) && method === 'GET' }
}

function findEndpoint(path: string): { endpoint: Endpoint; groups: Record<string, string | undefined> } {
  for (const endpoint of endpoints) {
    const match = endpoint.pattern.exec(path)
    if (match) return { endpoint, groups: match.groups ?? {} }
  }
  throw new RegistryFault('UNSUPPORTED', 'there is no such endpoint', { status: 404 })
}

function writes({ right }: Action): boolean {
  return right === 'push' || right === 'delete'
}

/** GET /v2/ (distribution-spec v1.1, end-1). */
function ping(exchange: Exchange): void {
  exchange.sendJson(200, {})
}

function accessTo(right: Right, { repository }: Target): readonly Access[] {
  if (right === 'nothing') return []
  if (right === 'catalog') return [catalogAccess]
  return [repositoryAccess(repository, right === 'push' ? ['pull', 'push'] : [right])]
}

function mountAccess({ method, query }: Exchange): readonly Access[] {
  const from = method === 'POST' && query.has('mount') ? query.get('from') || null : null
  if (from === null) return []
  checkRepository(from)
  return [repositoryAccess(from, ['pull'])]
}

/** Some clients encode the colon of a digest. What comes out is checked by whoever uses it. */
function decode(reference: string): string {
  try {
    return decodeURIComponent(reference)
  } catch (cause) {
    if (!(cause instanceof URIError)) throw cause
    throw new RegistryFault('DIGEST_INVALID', 'the reference is not encoded properly', { cause })
  }
}
