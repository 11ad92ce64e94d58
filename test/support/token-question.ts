import type { IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import type { Access } from './token-signer.ts'

/** A request to a token service, by GET or by POST, as its fields say. */
export interface TokenQuestion {
  readonly method: string
  readonly headers: IncomingMessage['headers']
  readonly service: string | undefined
  readonly clientId: string | undefined
  /** `password` or `refresh_token`, with POST. */
  readonly grantType: string | undefined
  /** Each scope on its own, however they were written. */
  readonly scopes: readonly string[]
  readonly username: string | undefined
  readonly password: string | undefined
  readonly refreshToken: string | undefined
  /** True when the caller says who it is, rightly or not. */
  readonly identified: boolean
  /** True when the caller wants a refresh token. */
  readonly offline: boolean
}

/** Reads what GET has in its query and Basic header, and POST in its form (spec/auth/token.md, spec/auth/oauth.md). */
export async function readQuestion(message: IncomingMessage): Promise<TokenQuestion> {
  const { method = '', headers } = message
  const isPost = method === 'POST'
  const fields = isPost
    ? new URLSearchParams(await text(message))
    : new URL(message.url ?? '/', 'http://service').searchParams
  const field = (name: string) => fields.get(name) ?? undefined
  const basic = basicOf(headers.authorization)
  return {
    method,
    headers,
    service: field('service'),
    clientId: field('client_id'),
    grantType: field('grant_type'),
    scopes: fields.getAll('scope').flatMap(scope => scope.split(' ').filter(part => part !== '')),
    username: isPost ? field('username') : basic?.username,
    password: isPost ? field('password') : basic?.password,
    refreshToken: field('refresh_token'),
    identified: isPost || basic !== undefined,
    offline: field('offline_token') === 'true' || field('access_type') === 'offline',
  }
}

/** Takes `repository:host:5000/name:pull,push` apart; the name may have colons. */
export function parseScope(scope: string): Access {
  const [, type = '', name = '', actions = ''] = /^([^:]+):(.*):([^:]*)$/.exec(scope) ?? []
  return { type, name, actions: actions.split(',') }
}

function basicOf(header: string | undefined): { username: string; password: string } | undefined {
  const encoded = /^Basic (.+)$/i.exec(header ?? '')?.[1]
  if (encoded === undefined) return undefined
  const decoded = Buffer.from(encoded, 'base64').toString()
  const colon = decoded.indexOf(':')
  return { username: decoded.slice(0, colon), password: decoded.slice(colon + 1) }
}
