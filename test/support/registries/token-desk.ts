import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { parseScope } from '../token-question.ts'
import type { Access } from '../token-signer.ts'

/** What a token opens, and to whom it was given. */
export interface Grant {
  /** Undefined for anonymous callers. */
  readonly user: string | undefined
  readonly access: readonly Access[]
}

/** What a request to a registry needs. */
export interface Need {
  /** `repository`, or `registry` for the catalog. */
  readonly type: string
  readonly name: string
  readonly action: string
}

/** Gives out tokens that say nothing by themselves, and tells what each opens. */
export interface TokenDesk {
  give(grant: Grant, lifetimeSeconds: number): string
  /** What the request's `Authorization: Bearer` opens; undefined without one, of nobody's giving, or past its time. */
  read(request: IncomingMessage): Grant | undefined
}

/** Opens one. `now` is in milliseconds. */
export function openTokenDesk(now: () => number = Date.now): TokenDesk {
  const given = new Map<string, Grant & { readonly endsAt: number }>()
  return {
    give(grant, lifetimeSeconds) {
      const token = randomUUID()
      given.set(token, { ...grant, endsAt: now() + lifetimeSeconds * 1000 })
      return token
    },
    read({ headers }) {
      const token = /^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1] ?? ''
      const grant = given.get(token)
      return grant !== undefined && grant.endsAt > now() ? grant : undefined
    },
  }
}

/** The access that scopes ask for, as far as it is allowed; what is left without an action is dropped. */
export function allowedAccess(
  scopes: readonly string[],
  allow: (access: Access) => readonly string[],
): readonly Access[] {
  return scopes
    .map(parseScope)
    .map(access => ({ ...access, actions: access.actions.filter(action => allow(access).includes(action)) }))
    .filter(({ actions }) => actions.length > 0)
}

/** What a request needs: the catalog, or a repository to be pulled from, pushed to or deleted from; nothing for `/v2/`. */
export function needOf({ method = 'GET', url = '' }: IncomingMessage): Need | undefined {
  const [path = ''] = url.split('?')
  if (path === '/v2/_catalog') return { type: 'registry', name: 'catalog', action: '*' }
  const [, name, what] = /^\/v2\/(.+)\/(manifests|blobs\/uploads|blobs|tags|referrers)\//.exec(path) ?? []
  if (name === undefined) return undefined
  const isRead = method === 'GET' || method === 'HEAD'
  const ofManifest = isRead ? 'pull' : method === 'DELETE' ? 'delete' : 'push'
  return { type: 'repository', name, action: what === 'blobs/uploads' ? 'push' : ofManifest }
}

/** True when the grant covers the need; anything that was granted does for a request that needs nothing. */
export function isEnough(grant: Grant, need: Need | undefined): boolean {
  return (
    need === undefined ||
    grant.access.some(
      ({ type, name, actions }) =>
        type === need.type && name === need.name && (actions.includes(need.action) || actions.includes('*')),
    )
  )
}
