import { randomUUID } from 'node:crypto'
import type { Authority } from './certificates.ts'
import { type LoopbackOptions, startLoopback } from './loopback.ts'
import { parseScope, readQuestion, type TokenQuestion } from './token-question.ts'
import { type Access, makeTokenSigner, type TokenSigner } from './token-signer.ts'

/** What a client asked for, and as whom. */
export interface TokenRequest extends TokenQuestion {
  /** The user whose password or refresh token was right; undefined for anonymous and refused requests. */
  readonly user: string | undefined
}

/** How the service behaves; may be changed between requests. */
export interface TokenSettings {
  /** `expires_in` of the replies, in seconds; undefined leaves it out. */
  expiresIn: number | undefined
  /** How long the tokens themselves are good for, in seconds; below -60 the registry refuses them as expired. */
  lifetime: number
  /** Refuses everybody, with this status. */
  denyWith: number | undefined
  /** False answers 404 to POST, as services do that know GET only. */
  acceptsPost: boolean
  /** The actions a user (undefined: anonymous) gets of those asked for. */
  allow: (access: Access, user: string | undefined) => readonly string[]
}

export interface TokenServiceOptions extends LoopbackOptions {
  /** Issues the certificate that tokens are signed with; its own is the registry's `rootcertbundle`. */
  readonly authority: Authority
  /** Passwords by user name. */
  readonly users: Readonly<Record<string, string>>
  readonly settings?: Partial<TokenSettings> | undefined
}

export interface TokenService extends AsyncDisposable {
  /** What `startDockerRegistry` wants for its token mode. */
  readonly token: {
    readonly realm: string
    readonly service: string
    readonly issuer: string
    readonly rootcertbundle: string
  }
  readonly settings: TokenSettings
  /** All requests so far, refused ones too. */
  readonly requests: readonly TokenRequest[]
  /** A refresh (identity) token of a user's. */
  issueRefreshToken(user: string): string
  stop(): Promise<void>
}

const serviceName = 'registry of a test'
const issuer = 'token service of a test'

/**
 * A token service whose JWTs docker-registry verifies. GET follows distribution's token specification, POST its OAuth2
 * one (spec/auth/token.md, spec/auth/oauth.md). Anonymous callers get `pull` only, users get all, if not set otherwise.
 */
export async function startTokenService(options: TokenServiceOptions): Promise<TokenService> {
  const { authority, users } = options
  const desk = new TokenDesk(
    await makeTokenSigner(authority, { issuer, audience: serviceName }),
    users,
    options.settings,
  )
  const server = await startLoopback(
    (message, response) => {
      const send = ({ status, body }: Answer) =>
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
      readQuestion(message).then(
        question => send(desk.answer(question)),
        () => response.destroy(),
      )
    },
    { tls: options.tls },
  )
  return {
    token: {
      realm: `${server.url}/token`,
      service: serviceName,
      issuer,
      rootcertbundle: authority.certificate,
    },
    settings: desk.settings,
    requests: desk.requests,
    issueRefreshToken: user => desk.issueRefreshToken(user),
    stop: server.stop,
    [Symbol.asyncDispose]: server.stop,
  }
}

interface Answer {
  readonly status: number
  readonly body: object
}

/** Where questions are answered; knows no HTTP. */
class TokenDesk {
  readonly settings: TokenSettings
  readonly requests: TokenRequest[] = []
  readonly #signer: TokenSigner
  readonly #users: Readonly<Record<string, string>>
  readonly #refreshTokens = new Map<string, string>()

  constructor(
    signer: TokenSigner,
    users: Readonly<Record<string, string>>,
    settings: Partial<TokenSettings> = {},
  ) {
    this.#signer = signer
    this.#users = users
    this.settings = {
      expiresIn: 300,
      lifetime: 300,
      denyWith: undefined,
      acceptsPost: true,
      allow: ({ actions }, user) => actions.filter(action => user !== undefined || action === 'pull'),
      ...settings,
    }
  }

  answer(question: TokenQuestion): Answer {
    const { settings } = this
    const user = this.#userOf(question)
    this.requests.push({ ...question, user })
    if (settings.denyWith !== undefined) return refusal(settings.denyWith, 'denied to all')
    if (question.method === 'POST' && !settings.acceptsPost) return refusal(404, 'GET only')
    if (question.identified && user === undefined) return refusal(401, 'incorrect username or password')
    if (question.service !== serviceName) return refusal(400, `unknown service ${question.service}`)
    return { status: 200, body: this.#grant(question, user) }
  }

  issueRefreshToken(user: string): string {
    const token = randomUUID()
    this.#refreshTokens.set(token, user)
    return token
  }

  #grant({ method, scopes, offline }: TokenQuestion, user: string | undefined): object {
    const { allow, expiresIn, lifetime } = this.settings
    const access = scopes.map(parseScope).map(scope => ({ ...scope, actions: allow(scope, user) }))
    const token = this.#signer.sign({ user: user ?? '', access, lifetime })
    return {
      ...(method === 'POST' ? { scope: scopes.join(' ') } : { token }),
      access_token: token,
      ...(expiresIn === undefined ? {} : { expires_in: expiresIn }),
      issued_at: new Date().toISOString(),
      ...(offline && user !== undefined ? { refresh_token: this.issueRefreshToken(user) } : {}),
    }
  }

  #userOf({ grantType, refreshToken = '', username, password }: TokenQuestion): string | undefined {
    if (grantType === 'refresh_token') return this.#refreshTokens.get(refreshToken)
    if (username === undefined || password === undefined) return undefined
    return this.#users[username] === password ? username : undefined
  }
}

function refusal(status: number, message: string): Answer {
  return { status, body: { errors: [{ code: 'UNAUTHORIZED', message }] } }
}
